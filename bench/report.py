#!/usr/bin/env python3
"""Measures this machine, this project and its rivals, and writes the page docs/benchmarks.md.

Writes to the output folder: benchmarks.md, benchmarks/records.json (all records, from which the page
can be made again with --input), benchmarks/models.json (--models), benchmarks/device.json (--device) and
benchmarks/*.svg, *.png.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys

import measure
import page
import plots

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _list(text):
    return tuple(_positive(part) for part in text.split(","))


def _shapes(text):
    return tuple(tuple(_positive(n) for n in part.split("x", 1)) for part in text.split(","))


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two shapes, one vector, 5 repeats: some minutes")
    parser.add_argument("--input", nargs="+", type=pathlib.Path, metavar="FILE", default=[],
                        help="make the page from saved records, measure nothing")  # fmt: skip
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR", default=ROOT / "docs")
    parser.add_argument("--threads", type=_list, metavar="LIST", help="such as 1,2; default: one, and all cores")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR", default=ROOT / "build" / "release")
    parser.add_argument("--shapes", type=_shapes, metavar="RxC,...", default=(), help="instead of known models'")
    parser.add_argument("--repeats", type=_positive, metavar="N")
    parser.add_argument("--cold-bytes", type=_positive, metavar="N", default=0)
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--parts", choices=("all", "products", "forms"), default="all",
                        help="one half of the work at a time: forms are those of many vectors; join them with --input")  # fmt: skip
    parser.add_argument("--models", type=pathlib.Path, metavar="FILE",
                        help="hf.json of `python -m rsr.bench hf`; default: the one of the last report")  # fmt: skip
    parser.add_argument("--device", type=pathlib.Path, metavar="FILE",
                        help="of `bench/device.py --json`, on a GPU; default: the one of the last report")  # fmt: skip
    return parser.parse_args(arguments)


def make_plan(options) -> measure.Plan:
    cores = len(os.sched_getaffinity(0))
    plan = {"threads": options.threads or tuple(sorted({1, cores})), "shapes": options.shapes}
    plan |= {"products": options.parts != "forms", "forms": options.parts != "products"}
    if options.quick:
        plan |= {"batches": (1,), "rival_batches": (1,), "repeats": 5, "shapes": options.shapes or measure.QUICK_SHAPES}
        plan["forms"] = False
    if options.repeats:
        plan["repeats"] = options.repeats
    return measure.Plan(build=options.build, rivals=not options.no_rivals, cold_bytes=options.cold_bytes, **plan)


def _git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def describe_machine(records) -> dict[str, str]:
    """What a reader must know to weigh the figures."""
    changed = " with changes" if _git("status", "--porcelain", "-uno") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": next((r["cpu"] for r in records if r.get("cpu")), "unknown"),
        "instruction set": next((r["isa"] for r in records if not r["rival"]), "unknown"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "threads": "of all programs: the caller's free, every other one pinned to a core of its own",
        "commit": (_git("rev-parse", "--short=12", "HEAD") or "unknown") + changed,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


def load(files) -> tuple[dict, list[dict]]:
    """Records of `rsr bench --json`, of a rival, or of an earlier report (with its machine)."""
    meta, records = {}, []
    for file in files:
        content = json.loads(file.read_text())
        if isinstance(content, dict):
            meta |= content.get("machine", {})
            names, common = content["fields"], content["common"]
            content = [
                {**common, **{n: v for n, v in zip(names, row) if v is not None}} for row in content["records"]
            ]
        records += content
    return meta, records


def save(meta, records) -> str:
    """One line for each record; what all have in common, and the names of other fields, once."""
    first = records[0]
    common = {n: v for n, v in first.items() if all(r.get(n) == v and n in r for r in records)}
    names = [n for n in dict.fromkeys(n for record in records for n in record) if n not in common]

    def line(record):
        values = [record.get(name) for name in names]
        short = [float(f"{v:.6g}") if isinstance(v, float) else v for v in values]
        return json.dumps(short, separators=(",", ":"))

    parts = {"machine": meta, "common": common, "fields": names}
    head = "{" + "".join(f'"{name}": {json.dumps(part)},\n' for name, part in parts.items())
    return head + '"records": [\n' + ",\n".join(map(line, records)) + "\n]}\n"


def keep(file: pathlib.Path | None, kept: pathlib.Path) -> dict | None:
    """What was measured of it, now or for an earlier report; None where nothing was."""
    if file is not None:
        kept.write_text(file.read_text())
    return json.loads(kept.read_text()) if kept.exists() else None


def write_report(meta, records, output: pathlib.Path, models=None, device=None) -> None:
    """The page and its files; `models` and `device` are files of those who measured them."""
    folder = output / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    others = {"whole_models": keep(models, folder / "models.json"), "on_device": keep(device, folder / "device.json")}
    (folder / "records.json").write_text(save(meta, records))
    try:
        pictures = [f"benchmarks/{file.name}" for file in plots.draw(records, folder)]
    except ImportError:
        print("no matplotlib: no plots", file=sys.stderr)
        pictures = []
    (output / "benchmarks.md").write_text(page.write(meta, records, pictures, **others))
    print(output / "benchmarks.md")


def main(arguments=None) -> int:
    options = parse(arguments)
    try:
        if options.input:
            meta, records = load(options.input)
        else:
            meta, records = {}, measure.run(make_plan(options))
        if not records:
            raise ValueError("no records")
        write_report(meta or describe_machine(records), records, options.output, options.models, options.device)
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
