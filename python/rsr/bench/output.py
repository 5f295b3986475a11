"""What measurements leave: a table for people, CSV, JSON, and plots where matplotlib is."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from pathlib import Path


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns side by side, the first one flush left, the others flush right."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    lines = []
    for line in [head, *rows]:
        cells = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def write_text(path: Path, text: str) -> None:
    """Writes a file that appears when it is whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)


def write_json(path: Path, value) -> None:
    """Writes JSON with two spaces."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_csv(path: Path, records: list[dict]) -> None:
    """Writes one line for each record; its columns are all keys that occur, None is an empty cell."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for record in records for key in record)))
        writer.writeheader()
        writer.writerows(records)
    os.replace(partial, path)


def write_plot(path: Path, size: tuple[float, float], draw, axes: int = 1) -> bool:
    """Draws with `draw(list of axes)` into a PNG; False where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, axes, figsize=size, layout="constrained", squeeze=False)
    draw(list(grid[0]))
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    return True


def machine() -> dict:
    """Where this runs: CPU and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"cpu": name, "cores": len(os.sched_getaffinity(0))}


def progress(text: str) -> None:
    """One line about what is being done, on a terminal only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
