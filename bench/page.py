"""Writes the page of the measurements: every ratio, the lost ones too."""

import statistics

import compare
import device_page
import forms
import models

HOW = """\
One line is one product `W x`. Every result is compared with the plain product before anything is timed. *Cold*:
copies of the matrix are used in turn over at least 640 MB (or twice the last-level cache), so that each is read from
memory; *warm*: the same matrix again. Times are medians. *Share* is the product's GB/s of packed weights by that of
pure reading (four far streams with prefetch, and two simpler ways; the fastest counts), measured in the same run with
the same threads. `ours / best rival` is a ratio of times: below 1 is won, above 1 is **lost**.

Rivals get floats and give floats, in a process of their own, with as many threads; packing is not timed. OpenBLAS and
oneDNN multiply dense floats. ggml is built for this machine, with weights repacked as llama.cpp does; it quantises
its inputs to int8 as this project does. Their times do not depend on the values of the weights, so one run serves for
ternary and binary matrices, except Q1_0 (-1 and 1 only). `rsr-paper` is this project's own plain RSR (scatter and
fold). Integer products are exact; floats are compared with products that keep floats only.
"""


def _table(header, rows):
    lines = ["| " + " | ".join(map(str, header)) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def _ms(record):
    return f"{record['median_ns'] / 1e6:.3f}" if record else "-"


def _percent(value):
    return f"{100 * value:.0f}%" if value else "-"


def _ratio(comparison):
    if comparison.ratio is None:
        return "-"
    text = f"{comparison.ratio:.2f}"
    return f"{text} ({comparison.best})" if comparison.ratio <= 1 else f"**{text}** ({comparison.best})"


def comparison_table(comparisons):
    """Times of all rivals side by side."""
    names = list(dict.fromkeys(name for c in comparisons for name in c.rivals))
    header = ["rows x cols", "bits", "zeros", "batch", "threads", "caches", "ours, ms", "share", "GMAC/s"]
    rows = []
    for c in comparisons:
        case = c.case
        row = [case.shape, case.bits, f"{case.zeros}%", case.batch, case.threads, "cold" if case.cold else "warm"]
        row += [_ms(c.ours), _percent(c.ours["share"]), f"{c.ours['gmac_per_s']:.0f}"]
        rows.append(row + [_ms(c.rivals.get(name)) for name in names] + [_ratio(c)])
    return _table([*header, *names, "ours / best rival"], rows)


def k_table(records):
    """Plain RSR by its block height, beside what is chosen by itself."""
    comparisons = compare.compare(records)
    ours = {(c.case.bits, c.case.rows, c.case.cols, c.case.threads): c.ours for c in comparisons
            if c.case.activation == "int8" and c.case.batch == 1 and c.case.cold}  # fmt: skip
    rows = []
    for record in records:
        if record["rival"] != compare.PAPER or not record.get("k") or not record["cold"]:
            continue
        mine = ours.get((record["bits"], record["rows"], record["cols"], record["threads"]))
        if mine and compare.measured(record):
            times = f"{record['median_ns'] / mine['median_ns']:.2f}"
            shape = f"{record['rows']} x {record['cols']}"
            rows.append([shape, record["bits"], record["threads"], record["form"], record["k"], _ms(record),
                         _ms(mine), times])  # fmt: skip
    header = ["rows x cols", "bits", "threads", "form", "k", "rsr-paper, ms", "ours, ms", "rsr-paper / ours"]
    return _table(header, rows) if rows else ""


def machine_lines(meta, records):
    """What was measured where."""
    lines = [f"- {name}: {value}" for name, value in meta.items()]
    for threads in sorted({r["threads"] for r in records}):
        mine = [r for r in records if r["threads"] == threads]
        for field, name, unit in (
            ("r4_gb_per_s", "pure reading", "GB/s"),
            ("dot_peak_gmac_per_s", "int8 dot products from registers", "GMAC/s"),
            ("tile_peak_gmac_per_s", "int8 products of tiles (AMX)", "GMAC/s"),
            ("fma_peak_gmac_per_s", "fp32 multiply-adds from registers", "GMAC/s"),
        ):
            values = [r[field] for r in mine if r.get(field)]
            if values:
                middle, least, most = statistics.median(values), min(values), max(values)
                lines.append(f"- {name}, {threads} thread(s): {middle:.1f} {unit} ({least:.1f} to {most:.1f})")
    return "\n".join(lines) + "\n"


def _summary(comparisons):
    ratios = [c.ratio for c in comparisons if c.ratio]
    lost = [c for c in comparisons if c.ratio and c.ratio > 1]
    if not ratios:
        return "No rival was measured in these runs.\n"
    middle = statistics.median(ratios)
    text = f"{len(ratios)} comparisons, {len(lost)} lost; the median of `ours / best rival` is {middle:.2f}.\n"
    if lost:
        worst = sorted(lost, key=lambda c: -c.ratio)
        text += "\nLost, the worst first:\n\n" + _table(
            ["inputs", "rows x cols", "bits", "zeros", "batch", "threads", "caches", "ours / best rival"],
            [[c.case.activation, c.case.shape, c.case.bits, f"{c.case.zeros}%", c.case.batch, c.case.threads,
              "cold" if c.case.cold else "warm", _ratio(c)] for c in worst])  # fmt: skip
    return text


def _failed(records):
    rows = [[name, why, count] for (name, why), count in compare.failures(records).items()]
    return _table(["rival", "what happened", "records"], rows) if rows else "None.\n"


SECTIONS = (
    ("One vector, floats in and out", lambda c: c.activation == "quantised" and c.batch == 1),
    ("Batches, floats in and out", lambda c: c.activation == "quantised" and c.batch > 1),
    ("Inputs that stay floats", lambda c: c.activation == "fp32"),
    ("Exact integer products, int8 in, int32 out", lambda c: c.activation == "int8"),
)


def write(meta: dict, records: list[dict], pictures: list[str], whole_models=None, on_device=None) -> str:
    """The page as Markdown; `pictures` are paths from where it will lie, `whole_models` is of rsr.bench hf,
    `on_device` of bench/device.py."""
    comparisons = compare.compare(records)
    parts = ["# Benchmarks\n", "Made by `make bench` (`bench/report.py`); not edited by hand.\n"]
    parts += [machine_lines(meta, records), HOW, "## Won and lost\n", _summary(comparisons)]
    parts += [f"![{path.rsplit('/', 1)[-1].removesuffix('.svg')}]({path})\n" for path in pictures]
    for title, belongs in SECTIONS:
        chosen = [c for c in comparisons if belongs(c.case)]
        if chosen:
            parts += [f"## {title}\n", comparison_table(chosen)]
    parts.append(forms.section(records, _table))
    parts.append(models.section(whole_models, _table))
    parts.append(device_page.section(on_device))
    by_k = k_table(records)
    if by_k:
        parts += ["## Plain RSR by block height, one vector, cold\n", by_k]
    parts += ["## Rivals that failed, or needed a weaker instruction set\n", _failed(records)]
    return "\n".join(parts)
