"""The commands of `python -m rsr.bench`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rsr.bench import best_k, hf
from rsr.bench.best_k import BITS, FORMS

SUITE = ((2560, 2560), (640, 2560), (6912, 2560), (2560, 6912), (4096, 4096), (14336, 4096), (4096, 14336))
SHAPES = ("bitnet-2b", "bitnet-2b-masters", "llama3-8b", "falcon3-1b")


def shape(text: str) -> tuple[int, int]:
    """ "2560x6912" as rows and columns."""
    rows, cross, cols = text.partition("x")
    if not (cross and rows.isdecimal() and cols.isdecimal() and int(rows) and int(cols)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected ROWSxCOLS, such as 2560x6912")
    return int(rows), int(cols)


def heights(text: str) -> list[int]:
    """ "4" or "2-8" as a list of k."""
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or not 1 <= int(first) <= int(last or first) <= 16:
        raise argparse.ArgumentTypeError(f"{text!r}: expected K or FIRST-LAST within 1 and 16")
    return list(range(int(first), int(last or first) + 1))


def positive(text: str) -> int:
    """A number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return int(text)


def add_hf(commands, threads: int) -> None:
    """The flags of `hf`."""
    parser = commands.add_parser("hf", help="a model under transformers, on this engine's layers, on its own runtime")
    parser.set_defaults(run=hf.run)
    parser.add_argument("--model", required=True, help="directory, or id of the hub, in a layout of transformers")
    parser.add_argument("--prepared", help="the same model prepared: what the backends rsr and rsr-engine open")
    parser.add_argument("--backends", nargs="+", choices=hf.BACKENDS, default=list(hf.BACKENDS), help="(default: all)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1, for every backend (%(default)s)")
    parser.add_argument("--threads", type=positive, default=threads, help="of torch and of this engine (%(default)s)")
    parser.add_argument("--prompt-tokens", type=positive, default=128, help="(%(default)s)")
    parser.add_argument("--new-tokens", type=positive, default=32, help="at least 2 (%(default)s)")
    parser.add_argument("--repeats", type=positive, default=3, help="of which the median is taken (%(default)s)")
    parser.add_argument("--warmup", type=int, default=1, help="runs before (%(default)s)")
    parser.add_argument("--best-k", type=Path, help="a report of best-k: the backend rsr then uses RSR by it")
    parser.add_argument("--algorithm", choices=("multiply_add", "rsr"), help="of the backend rsr")
    parser.add_argument("--form", choices=FORMS, help="of RSR; wins over --best-k")
    parser.add_argument("--k", type=positive, default=0, help="rows of a block of RSR; wins over --best-k")
    parser.add_argument("--out", type=Path, default=Path("rsr-bench"), help="folder of CSV, JSON, plot (%(default)s)")


def add_best_k(commands, threads: int) -> None:
    """The flags of `best-k`."""
    parser = commands.add_parser("best-k", help="which form and k of RSR is fastest, shape by shape")
    parser.set_defaults(run=best_k.run)
    parser.add_argument("--shapes", nargs="+", type=shape, default=list(SUITE), metavar="ROWSxCOLS",
                        help="(default: those of BitNet-2B-4T and Llama3-8B)")  # fmt: skip
    parser.add_argument("--bits", nargs="+", choices=BITS, default=list(BITS), help="(default: both)")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS), help="(default: all)")
    parser.add_argument("--k", dest="ks", type=heights, default=heights("2-8"), help="one, or FIRST-LAST (2-8)")
    parser.add_argument("--activation", choices=("int8", "quantised", "fp32"), default="quantised",
                        help="(%(default)s)")  # fmt: skip
    parser.add_argument("--batch", type=positive, default=1, help="vectors at once (%(default)s)")
    parser.add_argument("--caches", choices=("cold", "warm"), default="cold", help="(%(default)s)")
    parser.add_argument("--threads", type=positive, default=threads, help="(%(default)s)")
    parser.add_argument("--repeats", type=positive, default=20, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("rsr-bench"), help="folder of CSV, JSON, plot (%(default)s)")


def run_random_model(args) -> int:
    """Needs torch, which the other commands' flags do not."""
    from rsr.bench import random_model

    return random_model.run(args)


def add_random_model(commands) -> None:
    """The flags of `random-model`."""
    parser = commands.add_parser("random-model", help="write random weights in the layout of a published model")
    parser.set_defaults(run=run_random_model)
    parser.add_argument("--shape", choices=SHAPES, default="bitnet-2b", help="(%(default)s)")
    parser.add_argument("--layers", type=positive, help="fewer layers than the model has")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the new directory")


def main(arguments: list[str] | None = None) -> int:
    """Parses the flags and runs a command; exit codes as those of `rsr`."""
    parser = argparse.ArgumentParser(prog="python -m rsr.bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    threads = len(os.sched_getaffinity(0))
    add_hf(commands, threads)
    add_best_k(commands, threads)
    add_random_model(commands)
    args = parser.parse_args(arguments)
    if getattr(args, "new_tokens", 2) < 2:
        parser.error("--new-tokens: two or more, since the first one is the prompt's")
    try:
        return args.run(args)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
