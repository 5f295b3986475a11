"""Products and models on a GPU: the tables of bench/device.py, and their part of the page."""

# Program, product, bits: their times do not depend on the weights' values.
RIVALS = (("cublas", "bf16", "ternary"), ("cublas", "int8", "ternary"), ("torch", "bf16", "ternary"))
PAPER = "rsr-paper"

HOW = """\
One product inside a graph, weights cold. The floor is 3 us and the packed bytes at 85% of the bandwidth of copies in
the device's memory, measured in the same run (bytes read and written counted); the share is of that bandwidth.
Products of a graph follow each other; from compute capability 9.0 on each of ours may start, and bring up to 32 KB of
each block nearer, while the one in front still runs, as in a model: it is a time in a row of products, not of one
by itself. `batch 1`: the time as a multiple of one vector's. The last columns are others' times as multiples of ours.
"""


def table(header, rows) -> str:
    lines = ["| " + " | ".join(map(str, header)) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def _time(records, **wanted):
    """The shortest time of those records in microseconds; None where there is none."""
    times = [r["median_ns"] / 1e3 for r in records
             if r["median_ns"] and all(r[name] == value for name, value in wanted.items())]  # fmt: skip
    return min(times, default=None)


def products(records) -> str:
    """One line for each product with int8 inputs."""
    cold = [r for r in records if r.get("cold")]
    rows = []
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
        rows.append(cells)
    header = ["rows x cols", "bits", "batch", "us", "floor us", "share", "batch 1", "t5", "RSR"]
    return table([*header, "cuBLAS bf16", "cuBLAS int8", "torch bf16"], rows)


def models(records) -> str:
    """One line for each prompt and each context."""
    rows = []
    for r in records:
        if r["op"] == "prefill":
            rows.append([r["shape"], f"prompt of {r['context']}", f"{r['prefill_tok_s']:.0f}", "-", "-"])
        elif r["op"] == "decode":
            share = f"{100 * r['share']:.0f}%" if r["share"] else "-"
            rows.append([r["shape"], f"new tokens at {r['context']}", f"{r['decode_tok_s']:.0f}",
                         f"{r['roofline_tok_s']:.0f}", share])  # fmt: skip
    return table(["shape", "what", "tok/s", "by its bytes", "share"], rows)


def section(measured: dict | None) -> str:
    """The page's part about them; empty without measurements."""
    if not measured:
        return ""
    machine = "\n".join(f"- {name}: {value}" for name, value in measured["machine"].items())
    parts = ["## On a GPU\n", machine + "\n", HOW, products(measured["products"])]
    if measured["models"]:
        parts += ["Models with random weights, one sequence, the token's way to the host and back in the time:\n"]
        parts += [models(measured["models"])]
    return "\n".join(parts)
