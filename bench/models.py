"""Whole models beside Hugging Face transformers: what `python -m rsr.bench hf` has measured."""

import pathlib

BACKENDS = {
    "rsr": "transformers, its ternary layers on this engine",
    "rsr-engine": "this engine's own runtime",
    "hf-bf16": "transformers, bfloat16",
    "hf-fp32": "transformers, float32",
}


def _name(record):
    form = f" ({record['form']})" if record.get("form") else ""
    return BACKENDS.get(record["backend"], record["backend"]) + form


def _ratio(record, best, key):
    return "-" if record["backend"].startswith("hf-") or not best else f"{record[key] / best:.1f}"


def section(measured: dict | None, table) -> str:
    """The page's part about them; empty without measurements. `table(header, rows)` writes one."""
    if not measured:
        return ""
    setting, records = measured["setting"], [r for r in measured["records"] if not r.get("error")]
    baselines = [r for r in records if r["backend"].startswith("hf-")]
    best = {key: max((r[key] for r in baselines), default=0) for key in ("prefill_tok_s", "decode_tok_s")}
    rows = [
        [_name(r), f"{r['prefill_tok_s']:.1f}", f"{r['ttft_s']:.2f}", f"{r['decode_tok_s']:.2f}",
         f"{r['decode_min']:.2f} to {r['decode_max']:.2f}", f"{(r['rss_bytes'] - r['packages_bytes']) / 1e6:.0f}",
         _ratio(r, best["prefill_tok_s"], "prefill_tok_s"), _ratio(r, best["decode_tok_s"], "decode_tok_s")]
        for r in records
    ]  # fmt: skip
    header = ["", "prompt tok/s", "first token, s", "new tok/s", "least to most", "MB",
              "prompt / best baseline", "new / best baseline"]  # fmt: skip
    first = records[0] if records else {}
    notes = [f"- {_name(r)}: {r['note']}" for r in records if r.get("note")]
    notes += [f"- {_name(r)}: {r['error']}" for r in measured["records"] if r.get("error")]
    return "\n".join([
        "## Whole models beside transformers\n",
        f"`{pathlib.PurePath(setting['model']).name}`, random weights in the published model's layout, by `python -m rsr.bench hf`: {setting['threads']} threads for",
        f"every program, a prompt of {first.get('prompt_tokens')} tokens and {first.get('new_tokens')} new ones, medians of {first.get('repeats')} runs behind {setting['warmup']} of warm-up;",
        f"{setting['cpu']}, torch {setting['torch']}, transformers {setting['transformers']}. MB is what loading added to the\nprocess; of a mapped file, as the engine has it, what was read by then.\n",
        table(header, rows), *notes, "",
    ])  # fmt: skip
