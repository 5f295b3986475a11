"""Training examples as token ids, and batches of similar length.

The loss looks at the answer and its end token only; targets elsewhere are IGNORE.
NumPy only, so that the project's tests can run it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import number_words as nw

if TYPE_CHECKING:
    from encoder import Encoder

IGNORE = -100
LENGTH_STEP = 8  # sequences are padded to a multiple of this many tokens
GROUP_BATCHES = 16  # batches that are drawn, sorted by length and cut together


@dataclass(frozen=True)
class Example:
    """One token sequence; the answer begins at answer_start and ends with the end token."""

    ids: list[int]
    answer_start: int


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


def collate(examples: list[Example], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets [B, T] (target = next token), padded on the right."""
    longest = max(len(e.ids) for e in examples) - 1
    width = -(-longest // LENGTH_STEP) * LENGTH_STEP
    inputs = np.full((len(examples), width), pad_id)
    targets = np.full((len(examples), width), IGNORE)
    for row, example in enumerate(examples):
        ids = np.array(example.ids)
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


def draw_batches(
    encoder: Encoder, sampler: PairSampler, max_span: int, tokens: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """A shuffled group of about GROUP_BATCHES batches of `tokens` tokens each."""
    examples, total = [], 0
    while total < GROUP_BATCHES * tokens:
        examples.append(encoder.example(*sampler.draw(max_span)))
        total += len(examples[-1].ids)
    batches = cut_batches(examples, tokens)
    sampler.rng.shuffle(batches)
    return [collate(batch, encoder.end_id) for batch in batches]
