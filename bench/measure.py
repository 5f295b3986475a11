"""Runs `rsr bench` and the rivals, and gives their records as dictionaries."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import forms

# Instruction sets that oneDNN is capped to, one after the other, while it dies with the one before:
# some virtual machines announce AMX and do not have it.
ONEDNN_CAPS = ("", "AVX512_CORE_BF16", "AVX512_CORE", "AVX2")

# Program, product, bits. Times of these do not depend on the weights' values, so the ternary runs
# serve for binary matrices too; Q1_0 has no zeros and is no rival for ternary ones.
RIVALS = (
    ("openblas", "fp32", "ternary"),
    ("onednn", "fp32", "ternary"),
    ("onednn", "bf16", "ternary"),
    ("ggml", "tq1_0", "ternary"),
    ("ggml", "tq2_0", "ternary"),
    ("ggml", "q4_0", "ternary"),
    ("ggml", "q4_0-amx", "ternary"),
    ("ggml", "q1_0", "binary"),
)

QUICK_SHAPES = ((2560, 2560), (2560, 6912))
SWEEP_SHAPE = (2560, 6912)  # of the sweeps over zeros and k
TIME_LIMIT = 3600  # seconds for one process
# All programs pin alike: every thread but the caller's to a core of its own.
PIN = ("--pin",)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured. No shapes: those of the suite `models`."""

    build: pathlib.Path
    threads: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...] = ()
    batches: tuple[int, ...] = (1, 2, 4, 8, 64)
    rival_batches: tuple[int, ...] = (1, 8, 64)
    bits: tuple[str, ...] = ("ternary", "binary")
    sweeps: bool = True
    products: bool = True
    forms: bool = True
    rivals: bool = True
    repeats: int = 20
    cold_bytes: int = 0


def _join(values):
    return ",".join(map(str, values))


def shape_flags(plan) -> list[list[str]]:
    """One set of flags for each call."""
    if not plan.shapes:
        return [["--suite", "models"]]
    return [["--rows", str(rows), "--cols", str(cols)] for rows, cols in plan.shapes]


def rsr_arguments(plan: Plan) -> list[list[str]]:
    """The calls of `rsr bench matvec` that make this project's records."""
    one = ["--threads", _join(plan.threads), "--repeats", str(plan.repeats), *PIN]
    if plan.cold_bytes:
        one += ["--cold-bytes", str(plan.cold_bytes)]
    bits = ["--bits", _join(plan.bits)]
    calls = []
    for shape in shape_flags(plan):
        calls.append([*shape, *one, *bits, "--activation", "quantised", "--batch", _join(plan.batches)])
        calls.append([*shape, *one, *bits, "--activation", "fp32", "--batch", _join(plan.rival_batches)])
        calls.append([*shape, *one, *bits, "--kernel", "automatic,multiply-add,rsr:scatter,rsr:fold"])
        calls.append(
            [*shape, *one, *bits, "--activation", "quantised", "--residency", "cache", "--caches", "warm"]
        )
    if plan.sweeps:
        rows, cols = plan.shapes[0] if plan.shapes else SWEEP_SHAPE
        shape = ["--rows", str(rows), "--cols", str(cols)]
        calls.append([*shape, *one, "--activation", "quantised", "--zeros", "33,50,90"])
        scatter = [f"rsr:scatter:{k}" for k in (2, 3, 4, 5, 6, 7, 8)]
        fold = [f"rsr:fold:{k}" for k in (2, 3, 4, 5, 6, 7)]
        calls.append([*shape, *one, *bits, "--kernel", _join(["automatic", *scatter, *fold])])
    return calls


def bench(plan, title, arguments, isa="") -> list[dict]:
    """The records of one call of `rsr bench matvec`."""
    print(f"{title}: {' '.join(arguments)}", file=sys.stderr)
    command = [plan.build / "rsr", "bench", "matvec", *arguments, "--json"]
    environment = {**os.environ, **({"RSR_FORCE_ISA": isa} if isa else {})}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return json.loads(done.stdout)


def run_rsr(plan: Plan) -> list[dict]:
    """This project's records, RSR as its papers have it among them (rival "rsr-paper")."""
    records = []
    calls = rsr_arguments(plan)
    for number, arguments in enumerate(calls, 1):
        records += bench(plan, f"rsr {number}/{len(calls)}", arguments)
    return records


def _has(plan, isa) -> bool:
    """True when this machine has the instruction set."""
    command = [plan.build / "rsr", "bench", "matvec", "--rows", "16", "--cols", "16", "--caches", "warm", "--repeats", "1"]
    return subprocess.run(command, capture_output=True, env={**os.environ, "RSR_FORCE_ISA": isa}).returncode == 0


def run_forms(plan: Plan) -> list[dict]:
    """The forms of products of many vectors, by instruction set."""
    rows, cols = plan.shapes[0] if plan.shapes else SWEEP_SHAPE
    sweep = ["--rows", str(rows), "--cols", str(cols)]
    suite = shape_flags(plan) if not plan.shapes else [
        ["--rows", str(r), "--cols", str(c)] for r, c in plan.shapes if (r, c) != (rows, cols)
    ]  # fmt: skip
    records = []
    for isa in (isa for isa in forms.SETS if _has(plan, isa)):
        calls = forms.arguments(sweep, suite, plan.threads)
        for number, arguments in enumerate(calls, 1):
            repeats = ["--repeats", str(plan.repeats), "--cold-bytes", str(plan.cold_bytes)]
            found = bench(plan, f"{isa} {number}/{len(calls)}", [*arguments, *repeats], isa)
            records += [{**record, "part": forms.PART} for record in found]
    for rival in RIVALS[:2] if plan.rivals else ():
        for batch in forms.RIVAL_BATCHES:
            found = run_rival(plan, rival, (rows, cols), batch, 1)
            records += [{**record, "part": forms.PART} for record in found]
    return records


def _failed(name, variant, shape, batch, threads, bits, error):
    """The record of a rival that gave none."""
    rows, cols = shape
    return {
        "op": "matvec", "bits": bits, "activation": "", "rows": rows, "cols": cols, "batch": batch,
        "threads": threads, "rival": f"{name}-{variant}", "median_ns": None, "error": error,
    }  # fmt: skip


def _run_program(command, environment):
    """Records of a rival's process, or None and why there are none."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, env={**os.environ, **environment}
        )
    except subprocess.TimeoutExpired:
        return None, f"took longer than {TIME_LIMIT} s"
    # A process that restarted itself under a shell's rules may give 128 + the signal.
    signal = -done.returncode if done.returncode < 0 else done.returncode - 128
    if signal > 0:
        return None, f"died of signal {signal}" + (" (illegal instruction)" if signal == 4 else "")
    try:
        return json.loads(done.stdout), ""
    except json.JSONDecodeError:
        return None, done.stderr.strip().removeprefix("error: ") or f"exit code {done.returncode}"


def program_of(plan: Plan, name: str) -> list:
    """How a rival is started."""
    if name == "torch":
        return [sys.executable, pathlib.Path(__file__).parent / "rivals" / "torch_linear.py"]
    return [plan.build / "bench" / f"rival_{name}"]


def run_rival(plan: Plan, rival, shape, batch: int, threads: int) -> list[dict]:
    """The records of one rival's process; a crash is a record with an `error`."""
    name, variant, bits = rival
    rows, cols = shape
    command = [*program_of(plan, name), "--variant", variant, "--bits", bits]
    command += ["--rows", str(rows), "--cols", str(cols), "--batch", str(batch)]
    command += ["--threads", str(threads), "--repeats", str(plan.repeats), *PIN]
    if plan.cold_bytes:
        command += ["--cold-bytes", str(plan.cold_bytes)]
    errors = []
    for cap in ONEDNN_CAPS if name == "onednn" else ("",):
        records, error = _run_program(command, {"ONEDNN_MAX_CPU_ISA": cap} if cap else {})
        if records is not None:
            for record in records:
                record["note"] = "; ".join(errors)
            return records
        errors.append(f"{error}{' with ' + cap if cap else ''}")
    return [_failed(name, variant, shape, batch, threads, bits, "; ".join(errors))]


def run_rivals(plan: Plan, shapes) -> list[dict]:
    """All rivals' records for these shapes."""
    records = []
    for shape in shapes:
        for threads in plan.threads:
            for batch in plan.rival_batches:
                print(f"rivals: {shape[0]} x {shape[1]}, batch {batch}, threads {threads}", file=sys.stderr)
                for rival in RIVALS:
                    if rival[2] in plan.bits:
                        records += run_rival(plan, rival, shape, batch, threads)
    return records


def run(plan: Plan) -> list[dict]:
    """Everything of the plan."""
    records = run_rsr(plan) if plan.products else []
    shapes = dict.fromkeys((record["rows"], record["cols"]) for record in records)
    if plan.forms:
        records += run_forms(plan)
    if plan.rivals and shapes:
        if plan.sweeps and not plan.shapes:
            shapes.setdefault(SWEEP_SHAPE)
        records += run_rivals(plan, shapes)
    return records
