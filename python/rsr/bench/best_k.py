"""Searches RSR's best form and k for shapes of matrices, by `rsr bench matvec`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

from rsr.bench import output
from rsr.bench.best_k_report import BestK, Timing

# The largest k of a form: sums of the dense forms grow as 2^k and 3^k.
MOST_K = {
    ("ternary", "scatter"): 16, ("ternary", "fold"): 7, ("ternary", "gray"): 7,
    ("binary", "scatter"): 16, ("binary", "fold"): 12, ("binary", "gray"): 12,
}  # fmt: skip
FORMS = ("scatter", "fold", "gray")
BITS = ("ternary", "binary")


def find_command() -> str:
    """The command `rsr` that was installed with this package, else that of the PATH."""
    found = shutil.which("rsr", path=sysconfig.get_path("scripts")) or shutil.which("rsr")
    if not found:
        raise FileNotFoundError("the command rsr is neither beside this Python nor in the PATH")
    return found


def kernels(bits: str, forms, ks) -> list[str]:
    """What `rsr bench matvec --kernel` is given; a k beyond a form's largest is left out."""
    return [f"rsr:{form}:{k}" for form in forms for k in ks if k <= MOST_K[bits, form]]


def measure(shape: tuple[int, int], bits: str, args) -> list[Timing]:
    """All forms and k of one shape. Errors: RuntimeError with what the command said."""
    rows, cols = shape
    command = [find_command(), "bench", "matvec", "--rows", rows, "--cols", cols, "--bits", bits, "--json",
               "--kernel", ",".join(kernels(bits, args.forms, args.ks)), "--activation", args.activation,
               "--batch", args.batch, "--threads", args.threads, "--caches", args.caches,
               "--repeats", args.repeats]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    records = json.loads(done.stdout)
    failed = [record for record in records if record["error"]]
    if failed:
        raise RuntimeError(f"{rows} x {cols} {bits}: {failed[0]['error']}")
    return [Timing(rows, cols, bits, record["form"], record["k"], record["median_ns"],
                   round(record["format_bits_per_weight"], 3)) for record in records]  # fmt: skip


def draw(report: BestK):
    """A function that draws time by k, one line for each shape and form, for write_plot()."""

    def lines(axes):
        for place, bits in zip(axes, BITS):
            for rows, cols, _ in (shape for shape in report.shapes() if shape[2] == bits):
                for form in FORMS:
                    points = [(t.k, t.median_ns / 1e6) for t in report.timings
                              if (t.rows, t.cols, t.bits, t.form) == (rows, cols, bits, form)]  # fmt: skip
                    if points:
                        place.plot(*zip(*sorted(points)), marker="o", label=f"{rows} x {cols}, {form}")
            place.set(title=f"RSR, {bits}", xlabel="k, rows of a block", ylabel="ms", yscale="log")
            place.grid(alpha=0.3)
            if place.has_data():
                place.legend(fontsize=7)

    return lines


def write(report: BestK, out: Path) -> list[Path]:
    """best_k.json, best_k.csv and best_k.png in a folder; gives what was written."""
    out.mkdir(parents=True, exist_ok=True)
    content = report.to_json()
    output.write_json(out / "best_k.json", content)
    output.write_csv(out / "best_k.csv", content["timings"])
    written = [out / "best_k.json", out / "best_k.csv"]
    if output.write_plot(out / "best_k.png", (11, 4.5), draw(report), axes=len(BITS)):
        written.append(out / "best_k.png")
    return written


def describe(report: BestK) -> str:
    """The best of each shape as a table."""
    rows = []
    for shape_rows, cols, bits in report.shapes():
        best = report.best(shape_rows, cols, bits)
        rows.append([f"{shape_rows} x {cols}", bits, best.form, str(best.k), f"{best.median_ns / 1e6:.4f}",
                     f"{best.bits_per_weight:.2f}"])  # fmt: skip
    return output.table(["shape", "bits", "form", "k", "ms", "bits/weight"], rows)


def run(args) -> int:
    """`python -m rsr.bench best-k`."""
    timings: list[Timing] = []
    for shape in args.shapes:
        for bits in args.bits:
            output.progress(f"{shape[0]} x {shape[1]}, {bits}")
            timings += measure(shape, bits, args)
    setting = {**output.machine(), "threads": args.threads, "batch": args.batch, "activation": args.activation,
               "caches": args.caches, "repeats": args.repeats}  # fmt: skip
    report = BestK(tuple(timings), setting)
    print(describe(report))
    print("written: " + ", ".join(map(str, write(report, args.out))))
    return 0
