"""A small byte-level tokenizer in the form of Llama 3, and random text for it."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

WORDS = (
    "the river runs under old stone bridges while children count boats and birds drift over quiet water "
    "every morning seven bakers carry warm bread through narrow streets toward market where Anna sells "
    "apples 12 plums 350 nuts and honey It isn't late yet don't hurry"
).split()
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
ORDINARY = 297


def draw_text(rng: np.random.Generator, words: int) -> str:
    """Random words with spaces between."""
    return " ".join(rng.choice(WORDS, words))


def train() -> Tokenizer:
    """A BPE tokenizer of 297 ordinary tokens (256 of them single bytes) and three special ones."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=ORDINARY, initial_alphabet=alphabet, show_progress=False)
    rng = np.random.default_rng(7)
    tokenizer.train_from_iterator([draw_text(rng, 12) for _ in range(400)], trainer)
    tokenizer.add_special_tokens(SPECIAL)
    begin = SPECIAL[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return tokenizer


def write(tokenizer: Tokenizer, directory: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json."""
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"bos_token": SPECIAL[0], "eos_token": SPECIAL[1], "clean_up_tokenization_spaces": False,
              "model_max_length": 256, "tokenizer_class": "PreTrainedTokenizerFast"}  # fmt: skip
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
