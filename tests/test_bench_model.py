"""`rsr bench model` as a user meets it, on the demo model. Nothing is asserted about speed."""

import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"

QUICK = ["--repeats", 3, "--prompt-repeats", 1, "--threads", 1]
LEADING = (
    "op shape synthetic threads context prefill_tok_s decode_tok_s bytes_per_token r4_gb_per_s roofline_tok_s share "
    "load_s peak_rss_bytes"
).split()
STAGES = ["linears_s", "attention_s", "head_s", "rest_s"]


@pytest.fixture(name="bench")
def bench_command(run_rsr):
    """Runs `rsr bench model`; gives the finished process."""
    return lambda *flags: run_rsr("bench", "model", *flags)


def records_of(done):
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # progress is for terminals
    return json.loads(done.stdout)


@pytest.fixture(name="records", scope="module")
def demo_records(run_rsr):
    return records_of(run_rsr("bench", "model", DEMO, *QUICK, "--json", "--prompts", "7,500", "--contexts", "1,64,512", "--guesses", "1,7"))


def test_json_has_one_record_for_each_length(records):
    assert [(r["op"], r["context"], r["guesses"]) for r in records] == [
        ("prefill", 7, 0),
        ("prefill", 500, 0),
        ("decode", 1, 0),
        ("decode", 64, 0),
        ("decode", 512, 0),
        ("verify", 1, 1),
        ("verify", 1, 7),
    ]
    for record in records:
        assert list(record)[: len(LEADING)] == LEADING
        assert list(record) == list(records[0])
        assert record["shape"] == str(DEMO) and not record["synthetic"] and record["threads"] == 1
        assert record["load_s"] > 0 and 1_000_000 < record["peak_rss_bytes"] < 1_000_000_000
        assert 0 < record["min_s"] <= record["median_s"] <= record["max_s"]
        assert record["r4_gb_per_s"] > 0
        assert all(record[stage] > 0 for stage in STAGES)


def test_decode_is_held_against_the_roofline(records):
    for record in (r for r in records if r["op"] == "decode"):
        assert record["prefill_tok_s"] is None
        assert record["decode_tok_s"] == pytest.approx(1 / record["median_s"])
        assert record["roofline_tok_s"] == pytest.approx(record["r4_gb_per_s"] * 1e9 / record["bytes_per_token"])
        assert record["share"] == pytest.approx(record["decode_tok_s"] / record["roofline_tok_s"])


def test_only_decoding_has_a_roofline(records):
    nothing = ["decode_tok_s", "bytes_per_token", "roofline_tok_s", "share"]
    for record in (r for r in records if r["op"] != "decode"):
        assert [record[name] for name in nothing] == [None] * 4
        rate = record["context"] / record["median_s"]
        assert record["prefill_tok_s"] == (pytest.approx(rate) if record["op"] == "prefill" else None)


def test_prompts_are_held_against_their_products(records):
    for record in records:
        if record["op"] == "prefill":
            assert 0 < record["gemm_s"] < record["median_s"]
            assert record["gemm_share"] == pytest.approx(record["gemm_s"] / record["median_s"])
        else:
            assert record["gemm_s"] is None and record["gemm_share"] is None


def test_bytes_grow_by_the_cache(records):
    one, many, most = (r["bytes_per_token"] for r in records if r["op"] == "decode")
    config = json.loads((DEMO / "config.json").read_text())
    numbers = 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]
    assert (many - one, most - one) == (63 * numbers * 2, 511 * numbers * 2)  # of f16
    # Weights: projections of 2 bits at most, the 16-bit table that is the head, norms.
    file = (DEMO / "model.safetensors").stat().st_size
    assert 0.5 * file < one < 1.1 * file


def test_cache_type_and_head_are_followed(bench):
    flags = [DEMO, *QUICK, "--json", "--prompts", 4, "--contexts", "1,33"]
    (_, one, many, *_) = records_of(bench(*flags, "--kv", "f32", "--head", "scan"))
    config = json.loads((DEMO / "config.json").read_text())
    numbers = 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]
    assert (one["kv"], one["head"]) == ("f32", "scan") and one["head_candidates"] >= 1
    table = config["vocab_size"] * config["hidden_size"]
    scanned = one["bytes_per_token"] - one["head_candidates"] * config["hidden_size"] * 2
    (_, full, *_) = records_of(bench(*flags[:-1], 1, "--kv", "f32", "--head", "full"))
    assert full["head"] == "full" and full["head_candidates"] == 0
    assert 0.7 * table < full["bytes_per_token"] - scanned < table
    assert many["bytes_per_token"] > one["bytes_per_token"] + 30 * numbers * 4


def test_a_prepared_model_is_measured_the_same(bench, run_rsr, tmp_path):
    assert run_rsr("prep", DEMO, "-o", tmp_path / "demo.rsr").returncode == 0
    flags = [*QUICK, "--json", "--prompts", 4, "--contexts", 16]
    plain, prepared = (records_of(bench(model, *flags)) for model in (DEMO, tmp_path / "demo.rsr"))
    assert [r["bytes_per_token"] for r in plain] == [r["bytes_per_token"] for r in prepared]


def test_the_page_names_what_was_measured(bench):
    done = bench(DEMO, *QUICK)
    assert done.returncode == 0 and done.stderr == ""
    for text in ("1 thread,", "tok/s", "roofline", "linears attention", "MB/token", "peak memory"):
        assert text in done.stdout
    # The usual lengths, as far as the model's 512 positions go.
    lengths = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ")]
    assert lengths == ["32", "128", "512", "128", "1", "3", "7"]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "MODEL or --shape"),
        ([DEMO, "--shape", "bitnet-2b"], 2, "--shape"),
        (["--shape", "gpt"], 2, "bitnet-2b"),
        ([DEMO, "--contexts", "128,513"], 1, "--contexts: 513"),
        ([DEMO, "--prompts", "0"], 2, "--prompts"),
        ([DEMO, "--guesses", "8"], 2, "--guesses"),
        (["--shape", "bitnet-2b", "--prompts", 4097], 1, "4096"),
    ],
)
def test_wrong_flags_are_named(bench, flags, code, message):
    done = bench(*flags)
    assert done.returncode == code and message in done.stderr and done.stdout == ""
