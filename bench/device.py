#!/usr/bin/env python3
"""Products and models on a GPU beside rivals, as tables, and (--json FILE) for `bench/report.py --device FILE`.

Times of products are of one inside a graph, weights cold. `floor` is 3 us and the packed bytes at 85% of the
bandwidth of copies in the device's memory, measured in the same run. Models have random weights.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys

import device_page
import measure
from device_page import RIVALS

BATCHES = (1, 8, 16, 64, 2048)
MODELS = ("bitnet-2b", "llama3-8b", "falcon3-10b")


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


def run_products(plan: measure.Plan, device: str) -> list[dict]:
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


def run_models(plan: measure.Plan, device: str, shapes) -> list[dict]:
    """Records of `rsr bench model` for random weights of these shapes."""
    records = []
    for shape in shapes:
        print(f"{device}: {shape}", file=sys.stderr)
        command = [plan.build / "rsr", "bench", "model", "--shape", shape, "--device", device, "--json"]
        command += ["--prompts", "128,2048", "--contexts", "128,1024,4096", "--repeats", str(5 * plan.repeats)]
        records += json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return records


def parse(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR", default=root / "build" / "release")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:1 (rivals: always the first)")
    parser.add_argument("--quick", action="store_true", help="two shapes, batches 1 and 8, one model")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--no-models", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all records here")
    return parser.parse_args(given)


def main(given=None) -> int:
    options = parse(given)
    few = {"shapes": measure.QUICK_SHAPES, "batches": (1, 8)} if options.quick else {"batches": BATCHES}
    plan = measure.Plan(build=options.build, threads=(1,), rivals=not options.no_rivals, **few)
    models = () if options.no_models else MODELS[:1] if options.quick else MODELS
    try:
        measured = {"products": run_products(plan, options.device), "models": run_models(plan, options.device, models)}
    except subprocess.CalledProcessError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    measured["machine"] = {"device": measured["products"][0]["device"], "date": date}
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n")
    print(device_page.section(measured), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
