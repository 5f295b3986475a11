"""The report of `python -m rsr.bench best-k`, for use: which form and k of RSR were best for a shape."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Timing:
    """One form and k of RSR for one shape."""

    rows: int
    cols: int
    bits: str  # "ternary" or "binary"
    form: str  # "scatter", "fold" or "gray"
    k: int
    median_ns: float
    bits_per_weight: float  # of the index in memory


@dataclasses.dataclass(frozen=True)
class BestK:
    """What was measured, and how.

        best = BestK.load("best_k.json")
        matrix = rsr.TernaryMatrix(values, **best.options(*values.shape))
        rsr.hf.accelerate(model, best_k=best)
    """

    timings: tuple[Timing, ...]
    setting: dict  # machine, threads, batch, activation, caches, repeats

    @classmethod
    def load(cls, path: str | os.PathLike) -> BestK:
        """Reads a report. Errors: FileNotFoundError; ValueError for a file that is none, or of another version."""
        try:
            content = json.loads(Path(path).read_text())
            version = content["rsr_best_k"]
            if version != VERSION:
                raise ValueError(f"version {version}, this reads {VERSION}")
            return cls(tuple(Timing(**timing) for timing in content["timings"]), content["setting"])
        except (KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: not a report of rsr.bench best-k: {error}") from error

    def to_json(self) -> dict:
        """What load() reads."""
        timings = [dataclasses.asdict(timing) for timing in self.timings]
        return {"rsr_best_k": VERSION, "setting": self.setting, "timings": timings}

    def best(self, rows: int, cols: int, bits: str = "ternary", *, k: int = 0, form: str = "") -> Timing | None:
        """The fastest of a shape, among those of this k and form where they are given; None: nothing was measured."""
        found = [timing for timing in self.timings if (timing.rows, timing.cols, timing.bits) == (rows, cols, bits)
                 and timing.k == (k or timing.k) and timing.form == (form or timing.form)]  # fmt: skip
        return min(found, key=lambda timing: timing.median_ns, default=None)

    def options(self, rows: int, cols: int, bits: str = "ternary", *, k: int = 0, form: str = "") -> dict:
        """Arguments of TernaryMatrix and BinaryMatrix: algorithm, form, k. A k or form that is given wins; for a shape
        that was not measured nothing but these is in the result, and the engine chooses."""
        best = self.best(rows, cols, bits, k=k, form=form)
        chosen = {"form": form or (best.form if best else ""), "k": k or (best.k if best else 0)}
        chosen = {name: value for name, value in chosen.items() if value}
        return {"algorithm": "rsr", **chosen} if chosen else {}

    def shapes(self) -> list[tuple[int, int, str]]:
        """What was measured: (rows, cols, bits), each once."""
        return list(dict.fromkeys((timing.rows, timing.cols, timing.bits) for timing in self.timings))
