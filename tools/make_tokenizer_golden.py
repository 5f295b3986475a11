#!/usr/bin/env python3
"""Writes tests/golden/tokenizer/*.json: what Hugging Face's tokenizers make of many texts.

Needs the Python package `tokenizers` (the version is written into the files). Three small tokenizers
are trained on the text below, one for each family that the engine reads, and encode and decode
seeded random texts; a fourth file holds the outputs of single normalizers and pre-tokenizers.
Running it again gives the same files. Characters newer than Unicode 13 are avoided, because
libraries of different ages disagree about them.

    python3 tools/make_tokenizer_golden.py tests/golden/tokenizer
"""

import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

VOCAB_SIZE = 600
TEXTS = 520
RANDOM_IDS = 80

LLAMA3_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and it's not the dog's fault; they're friends.",
    "A matrix of ones and minus ones can be multiplied by a vector with far fewer operations.",
    "for (int i = 0; i < n; ++i) {\n    sum += weights[i] * values[i];\n}\n",
    "def encode(self, text):\n\treturn [self.vocab[token] for token in text.split()]\n",
    "Les élèves étaient déjà à l'école. Die Straße führt über die Brücke. ¿Dónde está el niño?",
    "Все счастливые семьи похожи друг на друга. Ο ουρανός είναι γαλάζιος σήμερα.",
    "我们今天去公园散步。 東京は日本の首都です。 안녕하세요 세계",
    "In 1984 there were 365 days, 12 months, and 1,000,000 reasons: 3.14159, 2.71828.",
]

POOLS = {
    "words": "the The quick unreachable matrix HELLO don't it's we'LL I'M they'RE x_y naïve Straße".split(),
    "scripts": "Привет Ωμέγα שלום مرحبا नमस्ते สวัสดี 你好世界 こんにちは カタカナ 안녕 გამარჯობა Բարեւ "
               "ሰላም ជំរាប བོད་ ᚠᚢᚦ 𝔘𝔫𝔦 𐍈𐌰 𠀀𠀁".split(),
    "marks": ["e\u0301", "\u0301", "A\u030a", "\u00c5", "\u212b", "n\u0303o", "q\u0307\u0323",
              "\u1100\u1161\u11a8", "\uac01", "ﬁ", "ﬀ", "①", "Ǆ", "ǅ", "İ", "ı", "ß", "ς", "Σ"],
    "emoji": ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "❤️", "☕", "🏴‍☠️", "1️⃣"],
    "spaces": [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u1680", "\u180e",
               "\u2003", "\u2028", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u0085", "\v"],
    "controls": ["\x00", "\x01", "\x1b[0m", "\x7f", "\x1c", "\x9f", "\u200d", "\u202e", "\ufffd",
                 "\uffff", "\U0010ffff", "\ue000"],
    "digits": ["0", "7", "42", "123", "1234", "1234567", "3.14", "٣٤٥", "१२३", "Ⅷ", "½", "²", "𝟘𝟙", "〇"],
    "marks_of_text": [".", ",", "!?", "...", "\"", "'", "''", "'s", "'S", "'ſ", "ʼs", "’s", "(", ")]",
                      "_", "--", "—", "«»", "¿", "、。", "$", "€", "+", "<|", "|>", "#!/", "\\n", "`"],
    "added": ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<tool>", "<left>", "<right>",
              "<word>", "héé", "cafe\u0301", "caf\u00e9", "<|eot_id", "eot_id|>", "<|<|eot_id|>|>"],
}


def family(name):
    """An untrained tokenizer in the style of one model family."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "neox")
    if name == "neox":
        tokenizer.pre_tokenizer = byte_level
    else:
        regex = Regex(LLAMA3_REGEX if name == "llama3" else QWEN_REGEX)
        split = pre_tokenizers.Split(regex, behavior="isolated", invert=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    if name != "llama3":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


# Found in its normal form. Decoding it differs between versions of the reference (its content, or
# the bytes that its normal form happens to map to), so no golden output shows it.
NORMALIZED = "cafe\u0301"


def add_tokens(tokenizer):
    """Special tokens and ordinary added ones, with every option."""
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    tokenizer.add_tokens([
        AddedToken("<tool>", normalized=False),
        AddedToken("<left>", lstrip=True, normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("<word>", single_word=True, normalized=False),
        AddedToken("héé", normalized=False),
        AddedToken(NORMALIZED, normalized=True),
    ])


def with_unreachable_token(tokenizer):
    """Adds a token that no merges lead to, which only ignore_merges finds."""
    content = json.loads(tokenizer.to_str())
    content["model"]["ignore_merges"] = True
    content["model"]["vocab"]["Ġunreachable"] = tokenizer.get_vocab_size()
    return Tokenizer.from_str(json.dumps(content))


def train(name):
    """A trained tokenizer, and its JSON."""
    tokenizer = family(name)
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    if name == "llama3":
        tokenizer = with_unreachable_token(tokenizer)
    add_tokens(tokenizer)
    if name == "llama3":
        bos = tokenizer.token_to_id("<|begin_of_text|>")
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single="<|begin_of_text|> $A",
                                          special_tokens=[("<|begin_of_text|>", bos)]),
        ])
    content = json.loads(tokenizer.to_str())
    if name == "neox":  # the older spelling of merges
        content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(content)), content


def make_texts(rng):
    """Fixed texts that have gone wrong somewhere, then random ones."""
    texts = ["", " ", "a", "\n", "Hello world!", "   leading", "trailing   ", "a  b   c    d",
             "x" * 300, " " * 200, "\n" * 50, "ab" * 150, "9" * 100, "!" * 100, "é" * 100,
             " \n" * 40, "a \u180e b\u180e", "it'ſ IT'ſ it'S", "\r\n\r\n \t\n x", "<|eot_id|>" * 5]
    pools = list(POOLS.values())
    while len(texts) < TEXTS:
        parts = []
        for _ in range(rng.randint(1, 12)):
            parts.append(rng.choice(rng.choice(pools)))
            if rng.random() < 0.4:
                parts.append(" ")
        texts.append("".join(parts))
    return texts


def encode_case(tokenizer, text):
    case = {"text": text, "ids": tokenizer.encode(text).ids}
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = True
    split = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    if split != plain:
        case["split"] = split
    decoded = tokenizer.decode(plain, skip_special_tokens=False)
    if tokenizer.token_to_id(NORMALIZED) in plain:
        case["decoded"] = None
    elif decoded != text:
        case["decoded"] = decoded
    return case


def decode_case(tokenizer, rng):
    known = sorted(set(tokenizer.get_vocab().values()) - {tokenizer.token_to_id(NORMALIZED)})
    ids = [rng.choice(known) for _ in range(rng.randint(1, 16))]
    if rng.random() < 0.6:  # single bytes, so that characters break
        ids = [tokenizer.encode(rng.choice("é世😀"), add_special_tokens=False).ids[0]
               if rng.random() < 0.5 else rng.randrange(256) for _ in ids]
    return {"ids": ids, "all": tokenizer.decode(ids, skip_special_tokens=False),
            "shown": tokenizer.decode(ids, skip_special_tokens=True)}


def component_cases(rng):
    """Outputs of single components: {"config", "text", "pieces" or "normalized"}."""
    behaviors = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
    cutters = [pre_tokenizers.Split(pattern, behavior=behavior, invert=invert)
               for pattern in (Regex(r"\s+|\d"), "the", Regex("x*")) for behavior in behaviors
               for invert in (False, True)]
    cutters += [pre_tokenizers.Punctuation(behavior) for behavior in behaviors]
    cutters += [pre_tokenizers.Digits(individual_digits=b) for b in (False, True)]
    cutters += [pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit(),
                pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True),
                pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)]
    cutters.append(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), behavior="isolated")]))
    shapers = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(),
               normalizers.Lowercase(), normalizers.Strip(), normalizers.Prepend("▁"),
               normalizers.Replace(" ", "▁"), normalizers.Replace(Regex(r"\s+"), " "),
               normalizers.Sequence([normalizers.Lowercase(), normalizers.NFD()])]
    texts = make_texts(rng)
    sample = [t for t in texts if 0 < len(t) < 60]
    cases = []
    for cutter in cutters:
        for text in rng.sample(sample, 7):
            pieces = [piece for piece, _ in cutter.pre_tokenize_str(text)]
            cases.append({"config": json.loads(cutter.__getstate__()), "text": text, "pieces": pieces})
    for shaper in shapers:
        for text in rng.sample(sample, 12):
            cases.append({"config": json.loads(shaper.__getstate__()), "text": text,
                          "normalized": shaper.normalize_str(text)})
    return cases


def lines(items):
    return "[\n" + ",\n".join(json.dumps(i, ensure_ascii=False, separators=(",", ":"))
                              for i in items) + "\n]"


def write(path, members):
    body = ",\n".join(f"{json.dumps(key)}: {value}" for key, value in members.items())
    path.write_text("{\n" + body + "\n}\n", encoding="utf-8", newline="\n")
    print(path, path.stat().st_size, "bytes")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    made_with = json.dumps(f"tokenizers {tokenizers.__version__}")
    for seed, name in enumerate(["llama3", "qwen", "neox"]):
        rng = random.Random(seed)
        tokenizer, content = train(name)
        write(folder / f"{name}.json", {
            "made_with": made_with,
            "tokenizer": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            "encode": lines(encode_case(tokenizer, text) for text in make_texts(rng)),
            "decode": lines(decode_case(tokenizer, rng) for _ in range(RANDOM_IDS)),
        })
    write(folder / "components.json", {
        "made_with": made_with, "cases": lines(component_cases(random.Random(9)))})


if __name__ == "__main__":
    main()
