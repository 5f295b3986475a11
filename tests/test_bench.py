"""`rsr bench` as a user meets it, and the report that is made of its records. Nothing is asserted
about speed."""

import csv
import dataclasses
import io
import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import compare  # noqa: E402
import forms  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402

SMALL = ["--rows", 64, "--cols", 80, "--repeats", 2, "--cold-bytes", 100_000]
LEADING = (
    "op bits activation rows cols batch threads kernel isa format_bits_per_weight cold median_ns min_ns bytes "
    "gb_per_s r4_gb_per_s share gmac_per_s exact rival"
).split()


@pytest.fixture(name="bench")
def bench_command(run_rsr):
    """Runs `rsr bench matvec` on a small matrix; gives the finished process."""
    return lambda *flags: run_rsr("bench", "matvec", *SMALL, *flags)


def records_of(done):
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # progress is for terminals
    return json.loads(done.stdout)


def test_json_has_the_fields_in_order(bench):
    cold, warm = records_of(bench("--json", "--threads", 1))
    assert list(cold)[: len(LEADING)] == LEADING
    assert list(warm) == list(cold)
    assert (cold["cold"], warm["cold"]) == (True, False)
    assert (cold["rows"], cold["cols"], cold["batch"], cold["threads"]) == (64, 80, 1, 1)
    assert cold["exact"] and not cold["whole_call"] and cold["checked"] == 64 and cold["error_norm"] == 0
    assert 0 < cold["min_ns"] <= cold["median_ns"] <= cold["max_ns"]
    assert cold["gb_per_s"] == pytest.approx(cold["bytes"] / cold["median_ns"])
    assert cold["gmac_per_s"] == pytest.approx(64 * 80 / cold["median_ns"])
    assert cold["share"] == pytest.approx(cold["gb_per_s"] / cold["r4_gb_per_s"])
    assert cold["rival"] == "" and cold["error"] == ""


def test_csv_is_the_same_table(bench):
    done = bench("--csv", "--threads", 1)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 0 and len(rows) == 2
    (record, _) = records_of(bench("--json", "--threads", 1))
    assert list(rows[0]) == list(record)
    same = ("op", "bits", "rows", "cols", "bytes", "kernel", "isa", "format", "zeros")
    assert {name: rows[0][name] for name in same} == {name: str(record[name]) for name in same}
    assert rows[0]["cold"] == "true" and rows[0]["rival"] == ""


def test_lists_are_combined(bench):
    flags = ["--threads", "1,2", "--batch", "1,3", "--bits", "ternary,binary", "--zeros", "33,90"]
    flags += ["--activation", "int8,quantised,fp32", "--caches", "warm", "--json"]
    records = records_of(bench(*flags))
    found = [(r["threads"], r["batch"], r["bits"], r["zeros"], r["activation"]) for r in records]
    assert len(set(found)) == len(found) == 2 * 2 * 3 * (2 + 1)  # zeros are for ternary only
    assert {r["zeros"] for r in records if r["bits"] == "binary"} == {50}
    assert not any(r["cold"] for r in records)
    assert {r["whole_call"] for r in records if r["activation"] != "int8"} == {True}


def test_kernels_and_whose_they_are(bench):
    kernels = "automatic,multiply-add,rsr,rsr:fold,rsr:gray:3,rsr:scatter:5"
    records = records_of(bench("--kernel", kernels, "--caches", "cold", "--json"))
    assert [(r["algorithm"], r["form"], r["k"]) for r in records] == [
        ("automatic", "", 0),
        ("multiply-add", "", 0),
        ("rsr", "scatter", 0),
        ("rsr", "fold", 0),
        ("rsr", "gray", 3),
        ("rsr", "scatter", 5),
    ]
    paper = "rsr-paper"
    assert [r["rival"] for r in records] == ["", "", paper, paper, "", paper]


def test_page_and_table(bench):
    page = bench("--threads", 1).stdout
    assert "64 x 80 ternary, batch 1, activations int8" in page and "\ncold" in page and "\nwarm" in page
    lines = bench("--threads", 1, "--batch", "1,2").stdout.splitlines()
    assert lines[2].split()[:3] == ["rows", "x", "cols"] and len(lines) == 3 + 4


@pytest.mark.parametrize(
    "flags",
    [
        ["--threads", "a"],
        ["--threads", "1,-2"],
        ["--threads", ""],
        ["--batch", "1,x"],
        ["--bits", "ternary,quaternary"],
        ["--activation", "fp64"],
        ["--zeros", "33,101"],
        ["--caches", "tepid"],
        ["--residency", "disk"],
        ["--kernel", "fast"],
        ["--kernel", "automatic:fold"],
        ["--kernel", "rsr:fold:17"],
        ["--kernel", "rsr:fold:4x"],
        ["--kernel", "rsr", "--k", "3"],
        ["--suite", "models"],  # with --rows
        ["--repeats", "0"],
        ["--cold-bytes", "-1"],
        ["--json", "--csv"],
    ],
)
def test_wrong_usage(bench, flags):
    done = bench(*flags)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and flags[0] in done.stderr


def test_a_list_is_one_argument(bench):
    assert bench("--threads", "1", "2").returncode == 2


@pytest.mark.parametrize(
    "flags", [["--rows", 0], ["--batch", "0"], ["--rows", 2**31], ["--algorithm", "rsr", "--form", "fold", "--k", 16]]
)
def test_what_cannot_be_measured(run_rsr, flags):
    done = run_rsr("bench", "matvec", "--cold-bytes", 1000, *flags)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: ")


def test_what_was_measured_before_an_error_stays(bench):
    done = bench("--kernel", "automatic,rsr:fold:16", "--json")
    assert done.returncode == 1 and "error: " in done.stderr
    assert len(json.loads(done.stdout)) == 2


# --- the report


def record(rival="", ms=1.0, **changes):
    """A record as `rsr bench` and the rivals write it."""
    base = {
        "op": "matvec", "bits": "ternary", "activation": "quantised", "rows": 64, "cols": 256, "batch": 1,
        "threads": 1, "kernel": "k", "isa": "i", "format_bits_per_weight": 2.0, "cold": True, "median_ns": ms * 1e6,
        "min_ns": ms * 1e6, "bytes": 4096, "gb_per_s": 1.0, "r4_gb_per_s": 10.0, "share": 0.1, "gmac_per_s": 5.0,
        "exact": False, "rival": rival, "zeros": 33, "algorithm": "automatic", "form": "", "k": 0,
        "residency": "stream", "cpu": "c", "error": "",
    }  # fmt: skip
    return {**base, **changes}


def test_best_rival_and_ratio():
    records = [
        record(ms=2.0),
        record("slow", ms=4.0),
        record("fast", ms=1.0),
        record("fast", ms=3.0),
        record("broken", ms=0.1, error="wrong result"),
        record("other batch", ms=0.1, batch=8),
        record("integers", ms=0.1, activation="int8"),
        record(ms=0.1, algorithm="multiply-add"),  # not what a user gets who chooses nothing
    ]
    (one,) = compare.compare(records)
    assert one.best == "fast" and one.ratio == 2.0 and set(one.rivals) == {"slow", "fast"}
    assert compare.failures(records) == {("broken", "wrong result"): 1}


@pytest.mark.parametrize(
    "ours, rival, compete",
    [
        ({"activation": "quantised"}, {"activation": "fp32"}, True),
        ({"activation": "quantised"}, {"activation": "bf16"}, True),
        ({"activation": "fp32"}, {"activation": "quantised"}, False),
        ({"activation": "fp32"}, {"activation": "fp32"}, True),
        ({"activation": "int8"}, {"activation": "fp32"}, False),
        ({"bits": "binary", "zeros": 50}, {"bits": "ternary"}, True),
        ({"bits": "ternary"}, {"bits": "binary", "zeros": 50}, False),
        ({"zeros": 90}, {"zeros": 33}, True),
        ({"zeros": 90}, {"rival": "rsr-paper", "zeros": 33}, False),
        ({"activation": "int8"}, {"rival": "rsr-paper", "activation": "int8"}, True),
    ],
)
def test_who_competes_with_whom(ours, rival, compete):
    (one,) = compare.compare([record(**ours), record(**{"rival": "a", **rival})])
    assert bool(one.rivals) == compete


def test_report_of_saved_records(tmp_path):
    records = [record(ms=2.0), record("ggml-tq2_0", ms=1.0), record("onednn-bf16", error="died of signal 4")]
    records += [record(ms=1.0, activation="int8"), record("rsr-paper", ms=3.0, activation="int8", form="fold", k=4)]
    saved = tmp_path / "records.json"
    saved.write_text(report.save({"processor": "a test"}, records))
    assert report.main(["--input", str(saved), "--output", str(tmp_path)]) == 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert "- processor: a test" in page
    assert "2 comparisons, 1 lost" in page and "**2.00** (ggml-tq2_0)" in page and "0.33 (rsr-paper)" in page
    assert "died of signal 4" in page
    assert report.load([tmp_path / "benchmarks" / "records.json"]) == ({"processor": "a test"}, records)


def form(algorithm, gmacs, **changes):
    """A record of a form of products of many vectors."""
    peaks = {"dot_peak_gmac_per_s": 100.0, "fma_peak_gmac_per_s": 10.0}
    usual = {"batch": 128, "cold": False, "part": "forms", "kernel": "gemm_t2_i8_x", **peaks}
    return record(algorithm=algorithm, gmac_per_s=gmacs, **{**usual, **changes})


def test_forms_are_held_against_registers():
    records = [form("automatic", 90.0), form("automatic", 70.0, rows=640), form("automatic", 80.0, rows=6400)]
    records += [form("rsr-compiled", 120.0), form("rsr-compiled", 30.0, activation="fp32")]
    records += [form("automatic", 60.0, isa="j", pair_peak_gmac_per_s=50.0, kernel="gemm_tables_t2_i8_j")]
    records += [form("automatic", 1.0, threads=2), form("automatic", 1.0, cold=True), form("automatic", 1.0, batch=16)]
    assert forms.shares_by_shape(records) == [
        ["i", "quantised", "ternary, 33% zeros", "0.80 (0.70)", "-", "1.20 (1.20)", "dense", 3],
        ["i", "fp32", "ternary, 33% zeros", "-", "-", "3.00 (3.00)", "", 0],
        ["j", "quantised", "ternary, 33% zeros", "1.20 (1.20)", "-", "-", "look-ups", 1],
    ]
    assert compare.compare(records) == []  # no user's default
    page = forms.section(records, report.page._table)
    assert "| i | quantised | ternary, 33% zeros | packed | 1 | 90 |" in page


def test_whole_models_are_on_the_page(tmp_path):
    one = {"form": "", "threads": 2, "repeats": 3, "error": "", "ttft_s": 0.5, "decode_min": 1.0, "decode_max": 3.0,
           "rss_bytes": 3e6, "packages_bytes": 1e6, "prompt_tokens": 9, "new_tokens": 4, "note": ""}  # fmt: skip
    measured = {
        "setting": {"model": "/x/bitnet", "threads": 2, "warmup": 1, "cpu": "c", "torch": "2", "transformers": "5"},
        "records": [
            {**one, "backend": "rsr-engine", "prefill_tok_s": 90.0, "decode_tok_s": 20.0},
            {**one, "backend": "hf-bf16", "form": "as shipped", "prefill_tok_s": 30.0, "decode_tok_s": 2.0},
            {**one, "backend": "hf-fp32", "error": "no memory"},
        ],
    }
    (tmp_path / "hf.json").write_text(json.dumps(measured))
    report.write_report({}, [record()], tmp_path, tmp_path / "hf.json")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| this engine's own runtime | 90.0 | 0.50 | 20.00 | 1.00 to 3.00 | 2 | 3.0 | 10.0 |" in page
    assert "| transformers, bfloat16 (as shipped) | 30.0 |" in page and "float32: no memory" in page
    report.write_report({}, [record()], tmp_path)  # a later report keeps them
    assert "this engine's own runtime" in (tmp_path / "benchmarks.md").read_text()


def test_what_a_gpu_gave_is_on_the_page(tmp_path):
    measured = {"machine": {"device": "cuda:0, SOME GPU", "date": "2026-01-02"}, "products": [], "models": []}
    (tmp_path / "gpu.json").write_text(json.dumps(measured))
    report.write_report({}, [record()], tmp_path, device=tmp_path / "gpu.json")
    assert "## On a GPU\n\n- device: cuda:0, SOME GPU\n" in (tmp_path / "benchmarks.md").read_text()
    report.write_report({}, [record()], tmp_path)  # a later report keeps it
    assert "SOME GPU" in (tmp_path / "benchmarks.md").read_text()


def test_plots_are_small(tmp_path):
    pytest.importorskip("matplotlib")
    import plots

    records = [record(ms=2.0, threads=t, rows=64 * r) for t in (1, 2) for r in range(1, 13)]
    records += [record("ggml-tq2_0", ms=1.0, threads=2, rows=64 * r) for r in range(1, 13)]
    records += [record(ms=1.0, activation="int8", threads=2)]
    records += [record("rsr-paper", ms=9.0 / k, activation="int8", form="fold", k=k, threads=2) for k in (2, 4)]
    kinds = [(a, i, b) for a in forms.FORMS for i in ("quantised", "fp32") for b in (16, 64, 512)]
    records += [form(a, 80.0, activation=i, batch=b) for a, i, b in kinds]
    assert {path.stem for path in plots.draw(records, tmp_path)} == set(plots.PLOTS)
    for name in plots.PLOTS:
        assert 0 < (tmp_path / f"{name}.png").stat().st_size < 60_000


def test_report_measures(rsr, tmp_path):
    flags = ["--quick", "--no-rivals", "--shapes", "64x80", "--threads", "1", "--repeats", "2", "--cold-bytes", "100000"]
    assert report.main([*flags, "--build", str(rsr.parent), "--output", str(tmp_path)]) == 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert "64 x 80" in page and "rsr-paper" in page and "## Plain RSR by block height" in page


def test_forms_are_measured(rsr, tmp_path):
    plan = measure.Plan(build=rsr.parent, threads=(1,), shapes=((64, 200), (32, 64)), rivals=False, repeats=1)
    plan = dataclasses.replace(plan, cold_bytes=100_000)
    records = measure.run_forms(plan)
    if not records:
        pytest.skip("no instruction set with these forms here")
    assert {r["algorithm"] for r in records} == set(forms.FORMS) and {r["part"] for r in records} == {"forms"}
    assert {(r["activation"], r["bits"]) for r in records} == {
        (a, b) for a in forms.ACTIVATIONS for b in ("ternary", "binary")
    }
    (line, *_) = forms.shares_by_shape(records)
    assert line[-1] == 2  # shapes


@pytest.mark.parametrize("content", ["[]", "{}", "nonsense"])
def test_report_of_useless_files(tmp_path, capsys, content):
    (tmp_path / "a.json").write_text(content)
    assert report.main(["--input", str(tmp_path / "a.json"), "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_all_programs_pin_their_threads(tmp_path):
    program = tmp_path / "bench" / "rival_openblas"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "[{\\"given\\": \\"$*\\"}]"\n')
    program.chmod(0o755)
    plan = measure.Plan(build=tmp_path, threads=(2,))
    (found,) = measure.run_rival(plan, ("openblas", "fp32", "ternary"), (4, 8), 1, 2)
    assert "--threads 2" in found["given"] and "--pin" in found["given"].split()
    assert all("--pin" in call for call in measure.rsr_arguments(plan))


def test_a_rival_that_dies_is_a_record(tmp_path):
    program = tmp_path / "bench" / "rival_onednn"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nif [ "$ONEDNN_MAX_CPU_ISA" = AVX512_CORE ]; then echo "[{}]"; else kill -ILL $$; fi\n')
    program.chmod(0o755)
    plan = measure.Plan(build=tmp_path, threads=(1,))
    (found,) = measure.run_rival(plan, ("onednn", "bf16", "ternary"), (4, 8), 1, 1)
    assert found["note"].count("illegal instruction") == 2
    program.rename(program.with_name("rival_ggml"))
    (found,) = measure.run_rival(plan, ("ggml", "tq1_0", "ternary"), (4, 8), 1, 1)
    assert "illegal instruction" in found["error"] and found["rival"] == "ggml-tq1_0"


@pytest.mark.parametrize("parts, products, forms_too", [("all", True, True), ("products", True, False), ("forms", False, True)])
def test_halves_of_the_work_are_measured_by_themselves(parts, products, forms_too):
    plan = report.make_plan(report.parse(["--parts", parts]))
    assert (plan.products, plan.forms) == (products, forms_too)
