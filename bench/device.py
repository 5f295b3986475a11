#!/usr/bin/env python3
"""Products on a GPU, this project's and its rivals', as a table and (--json FILE) as records.

Times are of one product inside a graph, weights cold. `floor` is 3 us and the packed bytes at 85% of the
bandwidth of copies in the device's memory, measured in the same run.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import measure

# Program, product, bits: their times do not depend on the weights' values.
RIVALS = (("cublas", "bf16", "ternary"), ("cublas", "int8", "ternary"), ("torch", "bf16", "ternary"))
BATCHES = (1, 8, 16, 64)
PAPER = "rsr-paper"


def arguments(plan: measure.Plan, device: str) -> list[list[str]]:
    """The calls of `rsr bench matvec` for the plan's shapes and batches."""
    batches, bits = (",".join(map(str, values)) for values in (plan.batches, plan.bits))
    one = ["--device", device, "--repeats", str(plan.repeats), "--bits", bits, "--caches", "cold"]
    calls = []
    for shape in measure.shape_flags(plan):
        calls.append([*shape, *one, "--batch", batches, "--activation", "int8,quantised", "--kernel", "automatic,t5"])
        calls.append([*shape, *one, "--batch", batches, "--activation", "fp32"])
        calls.append([*shape, *one, "--batch", "1", "--kernel", "rsr"])
    return calls


def run(plan: measure.Plan, device: str) -> list[dict]:
    """This project's records, then the rivals', which are on the first device."""
    records = []
    for number, call in enumerate(calls := arguments(plan, device), 1):
        records += measure.bench(plan, f"{device} {number}/{len(calls)}", call)
    rivals = RIVALS if plan.rivals else ()
    if rivals and not (plan.build / "bench" / "rival_cublas").exists():
        print("no cuBLAS: its program is built by `make bench` where the CUDA toolkit is", file=sys.stderr)
        rivals = [rival for rival in rivals if rival[0] == "torch"]
    shapes = dict.fromkeys((r["rows"], r["cols"]) for r in records)
    for rival in rivals:
        for shape in shapes:
            for batch in plan.batches:
                print(f"rivals: {rival}, {shape}, batch {batch}", file=sys.stderr)
                records += measure.run_rival(plan, rival, shape, batch, 1)
    return records


def _time(records, **wanted):
    """The shortest time of those records in microseconds; None where there is none."""
    times = [r["median_ns"] / 1e3 for r in records
             if r["median_ns"] and all(r[name] == value for name, value in wanted.items())]  # fmt: skip
    return min(times, default=None)


def table(records) -> str:
    """One line for each product with int8 inputs; the others' times are multiples of ours."""
    cold = [r for r in records if r.get("cold")]
    lines = ["| rows x cols | bits | batch | us | floor us | share | batch 1 | t5 | RSR | cuBLAS bf16 | cuBLAS int8 | torch bf16 |"]
    lines.append("|" + "---|" * 12)
    for ours in cold:
        if ours["rival"] or ours["activation"] != "int8" or ours["algorithm"] != "automatic":
            continue
        us = ours["median_ns"] / 1e3
        same = {name: ours[name] for name in ("rows", "cols", "batch")}
        mine = {**same, "bits": ours["bits"], "activation": "int8"}

        def by(time, us=us):
            return f"{time / us:.2f}" if time else "-"

        single = _time(cold, **{**mine, "batch": 1}, algorithm="automatic")
        cells = [f"{ours['rows']} x {ours['cols']}", ours["bits"], ours["batch"], f"{us:.2f}"]
        cells += [f"{ours['floor_ns'] / 1e3:.2f}", f"{100 * ours['share']:.0f}%", f"{us / single:.2f}" if single else "-"]
        cells += [by(_time(cold, **mine, algorithm="t5")), by(_time(cold, **mine, rival=PAPER))]
        cells += [by(_time(cold, **same, rival=f"{name}-{kind}")) for name, kind, _ in RIVALS]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def parse(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR", default=root / "build" / "release")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:1 (rivals: always the first)")
    parser.add_argument("--quick", action="store_true", help="two shapes, batches 1 and 8")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all records here")
    return parser.parse_args(given)


def main(given=None) -> int:
    options = parse(given)
    few = {"shapes": measure.QUICK_SHAPES, "batches": (1, 8)} if options.quick else {"batches": BATCHES}
    plan = measure.Plan(build=options.build, threads=(1,), rivals=not options.no_rivals, **few)
    try:
        records = run(plan, options.device)
    except subprocess.CalledProcessError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n")
    print(table(records), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
