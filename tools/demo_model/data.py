"""Training examples as token ids, and batches of similar length.

The loss looks at the answer and its end token only; targets elsewhere are IGNORE.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

import number_words as nw

IGNORE = -100
LENGTH_STEP = 8  # sequences are padded to a multiple of this many tokens
GROUP_BATCHES = 16  # batches that are drawn, sorted by length and cut together
PROMPT_TEMPLATE = "User: {}<|eot_id|>Assistant: "


@dataclass(frozen=True)
class Example:
    """One token sequence; the answer begins at answer_start and ends with the end token."""

    ids: list[int]
    answer_start: int


class Encoder:
    """Turns pairs into token ids, with the pieces of the answers precomputed."""

    def __init__(self, tokenizer_file: Path):
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.end_id = self.tokenizer.token_to_id("<|eot_id|>")
        self.first = [self._ids(nw.number_to_words(n)) for n in range(1, nw.MAX_NUMBER + 1)]
        self.next = [self._ids(nw.SEPARATOR + nw.number_to_words(n)) for n in range(1, nw.MAX_NUMBER + 1)]

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def prompt(self, text: str) -> list[int]:
        """Ids of a user's message in the chat template, with the begin token."""
        return self.tokenizer.encode(PROMPT_TEMPLATE.format(text)).ids

    def answer(self, a: int, b: int) -> list[int]:
        """Ids of the answer and its end token."""
        ids = list(self.first[a - 1])
        for n in range(a + 1, b + 1):
            ids += self.next[n - 1]
        return [*ids, self.end_id]

    def example(self, a: int, b: int, prompt: str) -> Example:
        """The whole training sequence of one prompt."""
        ids = self.prompt(prompt)
        return Example(ids + self.answer(a, b), len(ids))


class PairSampler:
    """Draws training pairs: short and long spans, extra crossings of 99/101 and 199/200, small starts."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.pairs = nw.all_pairs()
        self.short = [p for p in self.pairs if p[1] - p[0] <= 20]
        self.starts = [p for p in self.pairs if p[0] <= 3]  # what people try first
        self.hard = [p for p in self.pairs if p[0] <= 100 <= p[1] or p[1] == nw.MAX_NUMBER]

    def draw(self, max_span: int) -> tuple[int, int, str]:
        """One pair with a span of at most max_span and its prompt in a random spelling."""
        pools = (self.pairs, self.short, self.hard, self.starts)
        pool = self.rng.choices(pools, (0.4, 0.33, 0.15, 0.12))[0]
        while True:
            a, b = self.rng.choice(pool)
            if b - a <= max_span:
                return a, b, nw.prompt_text(a, b, self.rng.random() < 0.5, self.rng.random() < 0.5)


def collate(examples: list[Example], pad_id: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets [B, T] (target = next token), padded on the right."""
    longest = max(len(e.ids) for e in examples) - 1
    width = -(-longest // LENGTH_STEP) * LENGTH_STEP
    inputs = torch.full((len(examples), width), pad_id)
    targets = torch.full((len(examples), width), IGNORE)
    for row, example in enumerate(examples):
        ids = torch.tensor(example.ids)
        inputs[row, : len(ids) - 1] = ids[:-1]
        targets[row, example.answer_start - 1 : len(ids) - 1] = ids[example.answer_start :]
    return inputs, targets


def cut_batches(examples: list[Example], tokens: int) -> list[list[Example]]:
    """Sort by length and cut so that no padded batch exceeds `tokens` tokens."""
    batches: list[list[Example]] = []
    for example in sorted(examples, key=lambda e: len(e.ids)):
        width = len(example.ids) + LENGTH_STEP
        if not batches or (len(batches[-1]) + 1) * width > tokens:
            batches.append([])
        batches[-1].append(example)
    return batches


def draw_batches(encoder: Encoder, sampler: PairSampler, max_span: int, tokens: int) -> list[tuple[Tensor, Tensor]]:
    """A shuffled group of about GROUP_BATCHES batches of `tokens` tokens each."""
    examples, total = [], 0
    while total < GROUP_BATCHES * tokens:
        examples.append(encoder.example(*sampler.draw(max_span)))
        total += len(examples[-1].ids)
    batches = cut_batches(examples, tokens)
    sampler.rng.shuffle(batches)
    return [collate(batch, encoder.end_id) for batch in batches]
