"""Build the tokenizer of the demo model: a byte-level BPE in the style of Llama 3.

The merges are trained on prompts and answers without any digit. Hence digits
stay single tokens, while every number word in each of its three positions
("one", " one", "-one") becomes one token.
"""

import argparse
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import number_words as nw

BOS, EOS, EOT = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
LLAMA3_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize + ': ' + message['content'] | trim"
    " + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)
BASE_VOCAB = 416  # 256 bytes and every merge of the corpus
VOCAB_SIZE = 432  # with the special tokens; a multiple of 16
MAX_POSITIONS = 512


def corpus() -> list[str]:
    """Text for the merges: every pair in words, as prompt and (short) answer."""
    lines = []
    for a in range(1, nw.MAX_NUMBER):
        b = min(a + 3, nw.MAX_NUMBER)
        lines.append("User: " + nw.prompt_text(a, b, True, True))
        lines.append("Assistant: ")
        lines.append(nw.answer_text(a, b))
    return lines


def special_tokens() -> list[str]:
    """The three used special tokens, then reserved ones up to VOCAB_SIZE."""
    reserved = VOCAB_SIZE - BASE_VOCAB - 3
    return [BOS, EOS, EOT] + [f"<|reserved_special_token_{i}|>" for i in range(reserved)]


def build() -> Tokenizer:
    """Train the merges and assemble the whole tokenizer."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCAB,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special_tokens()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer


def check(tokenizer: Tokenizer) -> None:
    """Fail unless words are single tokens, digits are single and all bytes round-trip."""
    words = {w for n in range(1, nw.MAX_NUMBER + 1) for w in nw.number_to_words(n).replace("-", " ").split()}
    units = nw.number_to_words(99).split("-")[1:] + [nw.number_to_words(n) for n in range(1, 9)]
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise RuntimeError(f"{tokenizer.get_vocab_size()} tokens, not {VOCAB_SIZE}")
    starts = words - {"hundred"}
    pieces = sorted(starts) + [f" {w}" for w in sorted(words)] + [f"-{u}" for u in units]
    for piece in pieces:
        ids = tokenizer.encode(piece, add_special_tokens=False).ids
        if len(ids) != 1:
            raise RuntimeError(f"not one token: {piece!r} -> {ids}")
    if len(tokenizer.encode("142", add_special_tokens=False).ids) != 3:
        raise RuntimeError("digits must stay single tokens")
    text = "caf\u00e9 \u4e16\u754c \U0001f600\x00\n\t 007"
    if tokenizer.decode(tokenizer.encode(text).ids) != text:
        raise RuntimeError("bytes do not round-trip")


def write_side_files(out: Path, tokenizer: Tokenizer) -> None:
    """Write tokenizer_config.json and generation_config.json beside tokenizer.json."""
    ids = {t: tokenizer.token_to_id(t) for t in (BOS, EOS, EOT)}
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": MAX_POSITIONS,
        "chat_template": CHAT_TEMPLATE,
    }
    generation_config = {
        "bos_token_id": ids[BOS],
        "eos_token_id": [ids[EOS], ids[EOT]],
        "pad_token_id": ids[EOS],
        "do_sample": False,
    }
    for name, content in (("tokenizer_config", tokenizer_config), ("generation_config", generation_config)):
        (out / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    """Build, check and write the tokenizer files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="model directory")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = build()
    check(tokenizer)
    tokenizer.save(str(out / "tokenizer.json"))
    write_side_files(out, tokenizer)
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
