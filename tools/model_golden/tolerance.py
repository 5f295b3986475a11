"""How far another correct float32 implementation may be from the golden logits."""

import math
from dataclasses import dataclass

import numpy as np

from model_golden.library import Library
from model_golden.reference import Reference

NOISE_FACTOR = 8  # room above the library's own distance from float64
FLIP_FACTOR = 1.5  # room above the worst flip that was measured
TIE_FACTOR = 10  # roundings nearer to a tie than this many float32 noises may flip
BEND = 3e-6  # relative noise of the runs in which several roundings flip; float32 noise is below 1e-6


@dataclass(frozen=True)
class Tolerance:
    """Absolute tolerances of logits, and when which one holds.

    exact: no rounding before or at the position came nearer to a tie than tie_distance (in steps of
    the int8 grid); flipped: some did. Without activation quantisation both are equal.
    """

    exact: float
    flipped: float
    tie_distance: float
    noise: float
    flip_effect: float
    rounding_noise: float

    def at(self, ties: np.ndarray) -> float:
        """The tolerance of a position whose roundings, and all before, came as near as `ties` to a tie."""
        return self.exact if ties > self.tie_distance else self.flipped


def round_up(value: float) -> float:
    """To two significant digits, upwards."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit) * unit:.1e}")


def rounding_noise(exact: Reference, single: Reference, sequences: list[list[int]]) -> float:
    """Largest float32 error of a scaled activation, in int8 steps, before any rounding differs."""
    worst = 0.0
    for ids in sequences:
        exact.logits(ids)
        single.logits(ids)
        same = np.ones(len(ids), bool)
        for site, scaled in exact.trace.items():
            same &= (np.rint(scaled) == np.rint(single.trace[site])).all(-1)
        same = np.logical_and.accumulate(same)
        for site, scaled in exact.trace.items():
            worst = max(worst, np.abs(scaled - single.trace[site])[same].max(initial=0))
    return worst


def flip_effect(reference: Reference, ids: list[int], rng: np.random.Generator, trials: int) -> float:
    """Largest change of a logit by one flipped rounding, or by noise that flips many.

    Half of the single flips are those nearest to a tie, half are drawn at random.
    """
    base = reference.logits(ids)
    trace = reference.trace
    found = []
    for site, scaled in trace.items():
        distance = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5)
        for index in (int(distance.argmin()), int(rng.integers(scaled.size))):
            token, element = divmod(index, scaled.shape[1])
            value = scaled[token, element]
            found.append((site, token, element, 1 if value > np.rint(value) else -1))
    chosen = [found[i] for i in rng.permutation(len(found))[:trials]]
    worst = max(np.abs(reference.logits(ids, flip=flip) - base).max() for flip in chosen)
    for _ in range(4):
        bent = reference.logits(ids, noise=rng, noise_size=BEND)
        worst = max(worst, np.abs(bent - base).max())
    return worst


def library_noise(exact: Reference, library: Library, sequences: list[list[int]], tie_distance: float) -> float:
    """Largest |library in float32 - reference in float64| where no rounding was near a tie."""
    worst, seen = 0.0, 0
    for ids in sequences:
        wanted = exact.logits(ids)
        clean = np.broadcast_to(exact.tie_distances() > tie_distance, len(ids))
        worst = max(worst, np.abs(library.logits(ids) - wanted)[clean].max(initial=0))
        seen += int(clean.sum())
    if seen < 20:
        raise RuntimeError(f"only {seen} positions without a near tie: the noise is not known")
    return worst


def calibrate(exact: Reference, single: Reference, library: Library, rng: np.random.Generator) -> Tolerance:
    """Measures a model on random tokens."""
    vocab = exact.config["vocab_size"]

    def draw(count: int, length: int) -> list[list[int]]:
        return [rng.integers(vocab, size=length).tolist() for _ in range(count)]

    if exact.quantization is None:
        noise = library_noise(exact, library, draw(8, 48), 0.0)
        limit = round_up(NOISE_FACTOR * noise)
        return Tolerance(limit, limit, 0.0, noise, 0.0, 0.0)
    steps = rounding_noise(exact, single, draw(40, 6))
    tie_distance = round_up(TIE_FACTOR * steps)
    noise = library_noise(exact, library, draw(120, 5), tie_distance)
    effect = max(flip_effect(exact, ids, rng, 24) for ids in draw(8, 40))
    limits = round_up(NOISE_FACTOR * noise), round_up(FLIP_FACTOR * effect)
    return Tolerance(*limits, tie_distance, noise, effect, steps)
