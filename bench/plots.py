"""Draws the measurements: time by shape, share of the bandwidth, plain RSR by k."""

import pathlib

import compare
import forms

_SIZE = (8, 4.2)  # inches; with 80 dots an inch a PNG stays far below 60 kB


def _one_vector(records, activation):
    """Cold comparisons of one vector with the default share of zeros, by most threads."""
    found = [c for c in compare.compare(records)
             if c.case.activation == activation and c.case.batch == 1 and c.case.cold
             and c.case.zeros in (33, 50)]  # fmt: skip
    threads = max((c.case.threads for c in found), default=0)
    return threads, found


def _bars(axes, labels, series):
    """Groups of bars: one group a label, one bar a series."""
    width = 0.8 / max(1, len(series))
    for index, (name, values) in enumerate(series.items()):
        places = [at + (index - (len(series) - 1) / 2) * width for at in range(len(labels))]
        axes.bar(places, values, width, label=name)
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right", fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=7, ncols=3)


def draw_times(axes, records):
    """Time by shape, ours and every rival; False when there is nothing to draw."""
    threads, found = _one_vector(records, "quantised")
    found = [c for c in found if c.case.threads == threads and c.case.bits == "ternary" and c.case.zeros == 33]
    names = list(dict.fromkeys(name for c in found for name in c.rivals))
    series = {"ours": [c.ours["median_ns"] / 1e6 for c in found]}
    for name in names:
        series[name] = [c.rivals[name]["median_ns"] / 1e6 if name in c.rivals else 0 for c in found]
    if not found:
        return False
    _bars(axes, [c.case.shape for c in found], series)
    axes.set_yscale("log")
    axes.set_ylabel("ms, cold")
    axes.set_title(f"One vector, ternary, floats in and out, {threads} thread(s): less is better")
    return True


def draw_shares(axes, records):
    """Share of the read bandwidth by shape, one bar for each kind and number of threads."""
    _, found = _one_vector(records, "quantised")
    found = [c for c in found if c.ours["share"]]
    shapes = list(dict.fromkeys(c.case.shape for c in found))
    series: dict[str, list[float]] = {}
    for c in found:
        name = f"{c.case.bits}, {c.case.threads} thread(s)"
        if c.case.zeros == (50 if c.case.bits == "binary" else 33):
            series.setdefault(name, [0.0] * len(shapes))[shapes.index(c.case.shape)] = 100 * c.ours["share"]
    if not series:
        return False
    _bars(axes, shapes, series)
    axes.axhline(100, color="black", linewidth=0.8)
    axes.set_ylabel("% of pure reading")
    axes.set_title("Share of the read bandwidth, one vector, cold: more is better")
    return True


def draw_by_k(axes, records):
    """How many times faster this project's choice is than plain RSR, by block height."""
    threads, found = _one_vector(records, "int8")
    ours = {(c.case.bits, c.case.shape): c.ours["median_ns"] for c in found if c.case.threads == threads}
    lines: dict[str, list[tuple[int, float]]] = {}
    for r in records:
        key = (r["bits"], f"{r['rows']} x {r['cols']}")
        wanted = r["rival"] == compare.PAPER and r.get("k") and r["cold"] and r["threads"] == threads
        if wanted and key in ours and compare.measured(r):
            lines.setdefault(f"{r['bits']}, {r['form']}", []).append((r["k"], r["median_ns"] / ours[key]))
    for name, points in lines.items():
        points.sort()
        axes.plot([k for k, _ in points], [times for _, times in points], marker="o", label=name)
    if not lines:
        return False
    axes.set_xlabel("k, rows of a block")
    axes.set_ylabel("speed-up over plain RSR")
    axes.set_title(f"This project's choice against plain RSR, {threads} thread(s), cold")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return True


PLOTS = {
    "time_by_shape": draw_times,
    "share_of_bandwidth": draw_shares,
    "speedup_by_k": draw_by_k,
    "forms_int8": lambda axes, records: forms.draw(axes, records, "quantised"),
    "forms_fp32": lambda axes, records: forms.draw(axes, records, "fp32"),
}


def draw(records: list[dict], folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes each plot as SVG and PNG; gives the SVG files. ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "rsr"  # the same records give the same file
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, plot in PLOTS.items():
        figure, axes = pyplot.subplots(figsize=_SIZE, layout="constrained")
        if plot(axes, records):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=80)
            written.append(folder / f"{name}.svg")
        pyplot.close(figure)
    return written
