"""Prompts whose greedy continuation no correct implementation can miss."""

import collections
from dataclasses import dataclass, field

import numpy as np
from tokenizers import Tokenizer

from model_golden.cases import Case
from model_golden.library import Library
from model_golden.reference import Reference
from model_golden.tokenizer import draw_text
from model_golden.tolerance import Tolerance, flip_effect

GAP_FACTOR = 4  # the two best logits of every greedy step differ by more than this many tolerances
# A continuation of fewer different tokens than this proves little. With a tied head (where the likeliest
# successor of a token mostly has that token as its own) cycles of two are common, so less is asked.
FEWEST_DISTINCT = {"tied": 3, "untied": 6}
MOST_DRAWS = 20000


@dataclass
class Prompt:
    """An accepted prompt, what the library says about it, and what was rejected on the way."""

    ids: list[int]
    continuation: list[int]
    logits: np.ndarray
    ties: np.ndarray
    smallest_gap: float | None
    text: str | None = None
    redraws: dict[str, int] = field(default_factory=dict)


def smallest_gap(logits: np.ndarray) -> float:
    """Smallest distance of the two best logits over the rows [steps, vocab]."""
    best = np.sort(logits, axis=-1)[:, -2:]
    return float((best[:, 1] - best[:, 0]).min())


class Drawer:
    """Draws prompts for one model."""

    def __init__(self, case: Case, library: Library, reference: Reference, tolerance: Tolerance,
                 tokenizer: Tokenizer | None):
        self.library, self.reference, self.tolerance = library, reference, tolerance
        self.tokenizer = tokenizer
        self.fewest = FEWEST_DISTINCT["tied" if case.config["tie_word_embeddings"] else "untied"]
        self.rng = np.random.default_rng(case.seed + 50000)
        ends = case.eos if isinstance(case.eos, list) else [case.eos]
        self.special = set(ends) | {case.config["bos_token_id"]}
        self.ordinary = [i for i in range(case.config["vocab_size"]) if i not in self.special]

    def candidate(self, length: int) -> tuple[list[int], str | None]:
        """Random ids, or the ids of random text (begin token included) of about that many tokens."""
        if self.tokenizer is None:
            return self.rng.choice(self.ordinary, length).tolist(), None
        text = draw_text(self.rng, max(3, length // 4))
        return self.tokenizer.encode(text).ids, text

    def reject_early(self, ids: list[int], count: int) -> str | None:
        """Why the reference alone would reject the prompt: a quick greedy run that stops at the first reason."""
        limit = GAP_FACTOR * self.tolerance.flipped
        tokens = list(ids)
        while len(tokens) < len(ids) + count:
            row = self.reference.logits(tokens)[-1:]
            if smallest_gap(row) <= limit:
                return "close_logits"
            tokens.append(int(row.argmax()))
            if tokens[-1] in self.special:
                return "special_token"
        return "repetitive" if len(set(tokens[len(ids) :])) < self.fewest else None

    def judge(self, ids: list[int], count: int) -> Prompt | str:
        """The prompt with its continuation of `count` tokens, or why it is rejected."""
        reason = self.reject_early(ids, count)
        if reason:
            return reason
        continuation = self.library.generate(ids, count)
        logits = self.library.logits(ids + continuation)
        steps = logits[len(ids) - 1 : -1]
        gap = smallest_gap(steps)
        if gap <= GAP_FACTOR * self.tolerance.flipped:
            return "close_logits"
        if steps.argmax(-1).tolist() != continuation or self.special & set(continuation):
            raise RuntimeError("generate, the plain forward pass or the reference disagree in spite of the gap")
        self.reference.logits(ids + continuation)
        ties = np.broadcast_to(self.reference.tie_distances(), len(logits))
        return Prompt(ids, continuation, logits, ties, gap)

    def draw_exact(self, length: int) -> Prompt:
        """The first random ids [length] of which no rounding is near a tie; without a continuation."""
        for redraws in range(MOST_DRAWS):
            ids = self.rng.choice(self.ordinary, length).tolist()
            self.reference.logits(ids)
            ties = np.broadcast_to(self.reference.tie_distances(), length)
            if ties[-1] > self.tolerance.tie_distance:
                prompt = Prompt(ids, [], self.library.logits(ids), ties, None)
                prompt.redraws = {"near_tie": redraws} if redraws else {}
                self.verify(prompt)
                return prompt
        raise RuntimeError(f"no {length} tokens without a near tie in {MOST_DRAWS} draws")

    def draw(self, length: int, count: int) -> Prompt:
        """The first acceptable prompt; counts the rejected ones by reason."""
        redraws: collections.Counter[str] = collections.Counter()
        for _ in range(MOST_DRAWS):
            ids, text = self.candidate(length)
            verdict = self.judge(ids, count)
            if isinstance(verdict, Prompt):
                verdict.text, verdict.redraws = text, dict(sorted(redraws.items()))
                self.verify(verdict)
                return verdict
            redraws[verdict] += 1
        raise RuntimeError(f"no prompt of length {length} in {MOST_DRAWS} draws: {dict(redraws)}")

    def verify(self, prompt: Prompt) -> None:
        """Raises if the tolerances, found on random tokens, do not hold for this prompt."""
        ids = prompt.ids + prompt.continuation
        limits = np.array([self.tolerance.at(t) for t in prompt.ties])
        distance = np.abs(prompt.logits - self.reference.logits(ids)).max(-1)
        if (distance > limits).any():
            raise RuntimeError(f"library and reference differ by {distance.max()}")
        if self.tolerance.flip_effect:
            effect = flip_effect(self.reference, ids, self.rng, 24)
            if effect > self.tolerance.flipped:
                raise RuntimeError(f"a flip changes a logit by {effect}")
