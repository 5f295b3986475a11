"""`python -m rsr.bench hf`: a model under transformers, on this engine's layers, and on its own runtime."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import rsr
from rsr.bench import output

BACKENDS = ("rsr", "rsr-engine", "hf-bf16", "hf-fp32")
TEXT = "the river runs under old stone bridges while children count boats and birds drift over quiet water "
# oneDNN, which torch multiplies bf16 with, is capped to these, one after the other, while it dies with the one before:
# some virtual machines announce AMX and do not have all of it.
ONEDNN_CAPS = ("", "AVX512_CORE_FP16", "AVX512_CORE", "AVX2")
ILLEGAL_INSTRUCTION = -4


def forms(backend: str, config: dict) -> list[str]:
    """In which forms a backend is measured: transformers' as it comes, and with its weights unpacked once, where
    it would unpack them in every call."""
    if not backend.startswith("hf-"):
        return [""]
    quantization = config.get("quantization_config") or {}
    auto = quantization.get("linear_class") == "autobitlinear"
    if auto and quantization.get("quantization_mode", "offline") == "offline":
        return ["as shipped, unpacked by its loader"]
    return ["as shipped", "unpacked once"]


def prompt_of(model: str, tokens: int) -> str:
    """A text of at least `tokens` tokens, and of few more."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    words = TEXT.split()
    text = words[0]
    while len(tokenizer(text).input_ids) < tokens:
        text += " " + words[text.count(" ") % len(words)]
    return text


def run_child(task: dict) -> dict:
    """The record of a task, measured in a process of its own; what failed is a record with an `error`."""
    for cap in ONEDNN_CAPS:
        environment = {**os.environ, **({"ONEDNN_MAX_CPU_ISA": cap} if cap else {})}
        command = [sys.executable, "-m", "rsr.bench.hf_child", json.dumps(task)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode == 0:
            record = json.loads(done.stdout.splitlines()[-1])
            note = f"oneDNN capped to {cap}, since it dies of an illegal instruction without" if cap else ""
            record["note"] = "; ".join(filter(None, [note, record["note"]]))
            return record
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if done.returncode != ILLEGAL_INSTRUCTION:
            return {"error": last or f"died of signal {-done.returncode}"}
    return {"error": "dies of an illegal instruction, however oneDNN is capped"}


def tasks(args, config: dict, prompt: str) -> list[dict]:
    """What is measured, in the order of the table."""
    options = {name: value for name in ("algorithm", "form", "k") if (value := getattr(args, name))}
    if args.form or args.k:
        options.setdefault("algorithm", "rsr")
    common = {"device": args.device, "threads": args.threads, "prompt": prompt, "new_tokens": args.new_tokens, "warmup": args.warmup,
              "repeats": args.repeats, "best_k": os.fspath(args.best_k) if args.best_k else "",
              "options": options}  # fmt: skip
    found = []
    for backend in args.backends:
        dtype = backend.removeprefix("hf-") if backend.startswith("hf-") else ""
        model = args.model if dtype else args.prepared or args.model
        found += [{**common, "backend": backend, "form": form, "dtype": dtype, "model": os.fspath(model)}
                  for form in forms(backend, config)]  # fmt: skip
    return found


def add_ratios(records: list[dict]) -> None:
    """Gives each record that is not a baseline `prefill_vs NAME` and `decode_vs NAME` for every baseline."""
    baselines = [record for record in records if record["backend"].startswith("hf-") and not record.get("error")]
    for record in records:
        if record["backend"].startswith("hf-") or record.get("error"):
            continue
        for base in baselines:
            for what in ("prefill", "decode"):
                name = f"{what}_vs {label(base)}"
                record[name] = record[f"{what}_tok_s"] / base[f"{what}_tok_s"]


def label(record: dict) -> str:
    """The backend with its form."""
    return f"{record['backend']} ({record['form']})" if record["form"] else record["backend"]


def describe(records: list[dict]) -> str:
    """The table for people: one line a backend, then the ratios and notes."""
    head = ["backend", "load s", "prefill tok/s", "first token s", "decode tok/s", "min..max", "model MB", "peak MB"]
    rows = []
    for r in (record for record in records if not record.get("error")):
        rows.append([label(r), f"{r['load_s']:.2f}", f"{r['prefill_tok_s']:.1f}", f"{r['ttft_s']:.3f}",
                     f"{r['decode_tok_s']:.2f}", f"{r['decode_min']:.2f}..{r['decode_max']:.2f}",
                     f"{(r['rss_bytes'] - r['packages_bytes']) / 1e6:.0f}", f"{r['peak_rss_bytes'] / 1e6:.0f}"])  # fmt: skip
    lines = [output.table(head, rows)] if rows else []
    for r in records:
        ratios: dict[str, list[str]] = {}
        for key, value in r.items():
            what, vs, base = key.partition("_vs ")
            if vs:
                ratios.setdefault(base, []).append(f"{what} x{value:.2f}")
        lines += [f"{label(r)} against {base}: {', '.join(values)}" for base, values in ratios.items()]
    lines += [f"{label(r)}: {r['error']}" for r in records if r.get("error")]
    lines += [f"{label(r)}: {r['note']}" for r in records if r.get("note")]
    return "\n".join(lines)


def draw(records: list[dict]):
    """A function that draws prompts and new tokens a second, for write_plot()."""
    good = [record for record in records if not record.get("error")]

    def bars(axes):
        for place, key, title in zip(axes, ("decode_tok_s", "prefill_tok_s"), ("new tokens", "prompt")):
            place.barh([label(r) for r in good][::-1], [r[key] for r in good][::-1])
            place.set(title=f"{title}, tokens per second: more is better")
            place.grid(axis="x", alpha=0.3)

    return bars


def write(records: list[dict], setting: dict, out: Path) -> list[Path]:
    """hf.json, hf.csv and hf.png in a folder; gives what was written."""
    out.mkdir(parents=True, exist_ok=True)
    output.write_json(out / "hf.json", {"setting": setting, "records": records})
    output.write_csv(out / "hf.csv", records)
    written = [out / "hf.json", out / "hf.csv"]
    if output.write_plot(out / "hf.png", (13, 3.5), draw(records), axes=2):
        written.append(out / "hf.png")
    return written


def run(args) -> int:
    """`python -m rsr.bench hf`. 1 when no backend could be measured."""
    args.model = rsr.fetch(args.model)
    config = json.loads((Path(args.model) / "config.json").read_text())
    prompt = prompt_of(args.model, args.prompt_tokens)
    records = []
    for task in tasks(args, config, prompt):
        output.progress(f"{task['backend']} {task['form']}")
        named = {key: task[key] for key in ("backend", "form", "device", "threads", "repeats")}
        records.append(named | {"error": ""} | run_child(task))
    add_ratios(records)
    versions = {"rsr": rsr.__version__, "torch": importlib.metadata.version("torch")}
    versions["transformers"] = importlib.metadata.version("transformers")
    setting = {**output.machine(), **versions, "model": args.model, "threads": args.threads, "warmup": args.warmup}
    print(f"{args.model}, {args.device}, {args.threads} threads, {setting['cpu']}, torch {versions['torch']}, "
          f"transformers {versions['transformers']}; median of {args.repeats}")  # fmt: skip
    print(describe(records))
    print("written: " + ", ".join(map(str, write(records, setting, args.out))))
    return 0 if any(not record["error"] for record in records) else 1
