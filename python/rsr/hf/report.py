"""What `rsr.hf.accelerate` did with each linear layer."""

from __future__ import annotations

import collections
import dataclasses


@dataclasses.dataclass(frozen=True)
class Replaced:
    """A layer that runs on this engine now."""

    name: str  # its place in the model
    kind: str  # what it was, such as "AutoBitLinear online"
    rows: int
    cols: int
    nbytes: int  # of the packed matrix
    format: str  # one line of TernaryMatrix.describe()


@dataclasses.dataclass(frozen=True)
class Kept:
    """A linear layer that was left as it is."""

    name: str
    kind: str  # its class
    ternary: bool  # whether its class is one of the ternary ones, so that it should have been replaced
    reason: str


@dataclasses.dataclass(frozen=True)
class Report:
    """The linear layers of a model, each in one of two lists; print it for people."""

    replaced: tuple[Replaced, ...]
    kept: tuple[Kept, ...]

    @property
    def failed(self) -> tuple[Kept, ...]:
        """Those of a ternary class that were not replaced."""
        return tuple(layer for layer in self.kept if layer.ternary)

    @property
    def nbytes(self) -> int:
        """Bytes of all packed matrices."""
        return sum(layer.nbytes for layer in self.replaced)

    def __str__(self) -> str:
        total = len(self.replaced) + len(self.failed)
        lines = [f"{len(self.replaced)} of {total} ternary layers replaced, {self.nbytes / 1e6:.1f} MB packed"]
        alike = collections.Counter((layer.kind, layer.rows, layer.cols, layer.format) for layer in self.replaced)
        for (kind, rows, cols, form), count in alike.items():
            lines.append(f"  {count:4} x {kind}, {rows} x {cols}: {form}")
        if self.kept:
            lines.append("left as they are:")
        together: dict[tuple[str, str], list[str]] = {}
        for layer in self.kept:
            together.setdefault((layer.kind, layer.reason), []).append(layer.name)
        for (kind, reason), names in together.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"  {names[0]}{more} ({kind}): {reason}")
        return "\n".join(lines)
