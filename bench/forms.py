"""Many vectors: packed weights against RSR in Gray order, as a stream and compiled, by share of zeros."""

import statistics

PART = "forms"  # of a record: it is for this module, and no user's default
SETS = ("avx2", "avx512vnni")  # instruction sets that are forced, where the machine has them
FORMS = {"automatic": "packed", "rsr-stream": "stream", "rsr-compiled": "compiled"}
ZEROS = (33, 50, 70, 90)
SUITE_ZEROS = (33, 70, 90)
BATCHES = (16, 32, 64, 128, 512)
RIVAL_BATCHES = (16, 128, 512)
BATCH = 128  # of the comparison by shape
ACTIVATIONS = ("quantised", "fp32")


def arguments(shape, suite, threads) -> list[list[str]]:
    """The calls of `rsr bench matvec` for one instruction set: `shape` by batch and by state of the
    caches and threads, and all of `suite` at one batch."""
    common = ["--kernel", ",".join(FORMS), "--activation", ",".join(ACTIVATIONS), "--pin"]
    calls = []
    for bits, all_zeros, suite_zeros in (("ternary", ZEROS, SUITE_ZEROS), ("binary", (50,), (50,))):
        one = [*common, "--bits", bits, "--zeros"]
        zeros = ",".join(map(str, all_zeros))
        batches = ["--batch", ",".join(map(str, BATCHES)), "--threads", "1", "--caches", "warm"]
        calls.append([*shape, *one, zeros, *batches])
        both = ["--batch", str(BATCH), "--threads", ",".join(map(str, threads))]
        calls.append([*shape, *one, zeros, *both, "--caches", "cold"])
        if threads[-1] > 1:
            calls.append([*shape, *one, zeros, "--batch", str(BATCH), "--threads", str(threads[-1]), "--caches", "warm"])
        alone = ["--batch", str(BATCH), "--threads", "1", "--caches", "warm"]
        calls += [[*of, *one, ",".join(map(str, suite_zeros)), *alone] for of in suite]
    return calls


def belongs(record) -> bool:
    return record.get("part") == PART and not record["rival"] and bool(record.get("median_ns"))


def peak(record) -> float:
    """GMAC/s from registers that the record is held against."""
    if record["activation"] == "fp32":
        return record["fma_peak_gmac_per_s"]
    return record.get("pair_peak_gmac_per_s") or record["dot_peak_gmac_per_s"]


def share(record) -> float:
    return record["gmac_per_s"] / peak(record)


def weights(record) -> str:
    return "binary" if record["bits"] == "binary" else f"ternary, {record['zeros']}% zeros"


def groups(records, *names):
    """Records by the values of some fields, in their order."""
    found: dict[tuple, list[dict]] = {}
    for record in records:
        found.setdefault(tuple(record[name] for name in names), []).append(record)
    return found


def _kinds(records):
    """Which kernels packed weights ran: dense products, look-ups, or a matvec for each vector."""
    names = {"gemm_tables": "look-ups", "gemm": "dense", "matvec": "one by one"}
    found = [next(name for start, name in names.items() if r["kernel"].startswith(start)) for r in records]
    return ", ".join(dict.fromkeys(found))


def shares_by_shape(records) -> list[list]:
    """One line for each instruction set, inputs and weights: what each form reaches, the median over
    the shapes and the least."""
    chosen = [r for r in records if r["batch"] == BATCH and r["threads"] == 1 and not r["cold"]]
    lines = []
    for (isa, activation, _, _), mine in groups(chosen, "isa", "activation", "bits", "zeros").items():
        by_form = groups(mine, "algorithm")
        line = [isa, activation, weights(mine[0])]
        for form in FORMS:
            found = [share(r) for r in by_form.get((form,), [])]
            line.append(f"{statistics.median(found):.2f} ({min(found):.2f})" if found else "-")
        lines.append([*line, _kinds(by_form.get(("automatic",), [])), len(by_form.get(("automatic",), []))])
    return lines


def rates(records, columns, value) -> list[list]:
    """One line for each instruction set, inputs, weights and form; `value(record)` says which of the
    columns a record belongs to."""
    lines = []
    for (isa, activation, _, _), mine in groups(records, "isa", "activation", "bits", "zeros").items():
        for form, name in FORMS.items():
            rate = {value(r): f"{r['gmac_per_s']:.0f}" for r in mine if r["algorithm"] == form}
            if rate:
                lines.append([isa, activation, weights(mine[0]), name, *(rate.get(c, "-") for c in columns)])
    return lines


def section(records, table) -> str:
    """The page's part about forms; empty without such records. `table(header, rows)` writes one."""
    mine = [r for r in records if belongs(r)]
    if not mine:
        return ""
    first = ["instruction set", "inputs", "weights"]
    sweep = (mine[0]["rows"], mine[0]["cols"])
    of_sweep = [r for r in mine if (r["rows"], r["cols"]) == sweep]
    warm = [r for r in of_sweep if r["threads"] == 1 and not r["cold"]]
    batches = sorted({r["batch"] for r in warm})
    at_batch = [r for r in of_sweep if r["batch"] == BATCH]
    columns = sorted({(r["threads"], r["cold"]) for r in at_batch})
    names = [f"{threads} thread(s), {'cold' if cold else 'warm'}" for threads, cold in columns]
    return "\n".join([
        "## Many vectors: packed weights, RSR as a stream, RSR compiled\n",
        "Every form is forced here, also where the planner would not take it. *Packed* is what runs without an index.\n",
        f"{BATCH} vectors, one thread, warm: share of multiply-adds from registers (int8: of the instruction set's dot",
        "product, or of maddubs and paddw where it has none; fp32: of fused multiply-adds), measured in between; the median",
        "over the shapes, and the least.\n",
        table([*first, *FORMS.values(), "packed runs", "shapes"], shares_by_shape(mine)),
        f"GMAC/s by batch, {sweep[0]} x {sweep[1]}, one thread, warm:\n",
        table([*first, "form", *batches], rates(warm, batches, lambda r: r["batch"])),
        f"GMAC/s of {BATCH} vectors by threads and caches, {sweep[0]} x {sweep[1]}:\n",
        table([*first, "form", *names], rates(at_batch, columns, lambda r: (r["threads"], r["cold"]))),
    ])  # fmt: skip


def draw(axes, records, activation) -> bool:
    """GMAC/s by batch for each form, of the widest instruction set; False when there is nothing."""
    mine = [r for r in records if belongs(r) and r["activation"] == activation and r["threads"] == 1 and not r["cold"]]
    if not mine:
        return False
    sweep, isa = (mine[0]["rows"], mine[0]["cols"]), mine[-1]["isa"]
    mine = [r for r in mine if (r["rows"], r["cols"], r["isa"]) == (*sweep, isa)]
    mine = [r for r in mine if r["bits"] == "binary" or r["zeros"] in SUITE_ZEROS]
    styles = {"automatic": "-", "rsr-stream": ":", "rsr-compiled": "--"}
    kinds = list(dict.fromkeys(weights(r) for r in mine))
    for (algorithm, bits, zeros), line in groups(mine, "algorithm", "bits", "zeros").items():
        line.sort(key=lambda r: r["batch"])
        name = f"{FORMS[algorithm]}: {weights(line[0])}"
        axes.plot([r["batch"] for r in line], [r["gmac_per_s"] for r in line], styles[algorithm], marker=".",
                  color=f"C{kinds.index(weights(line[0]))}", label=name)  # fmt: skip
    axes.axhline(statistics.median(map(peak, mine)), color="black", linewidth=0.8, label="from registers")
    for rival in ("openblas-fp32", "onednn-fp32"):
        found = sorted((r["batch"], r["gmac_per_s"]) for r in records if r["rival"] == rival and r.get("median_ns")
                       and (r["rows"], r["cols"]) == sweep and r["threads"] == 1 and not r["cold"])  # fmt: skip
        if found:
            axes.plot(*zip(*found), marker="x", color="gray", linewidth=0.8, label=rival)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("vectors")
    axes.set_ylabel("GMAC/s, one thread, warm")
    axes.set_title(f"{sweep[0]} x {sweep[1]}, inputs {activation}, {isa}: more is better")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=5, ncols=3)
    return True
