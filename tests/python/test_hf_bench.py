"""python -m rsr.bench: what it prints and leaves, and the baseline in its fair form. No timing is asserted."""

import copy
import csv
import json
import subprocess
import sys

import hf_models
import numpy as np
import pytest
import torch
from hf_models import MODELS, golden, library_model, logits, one_thread  # noqa: F401

import rsr
import rsr.hf
from rsr.bench import BestK
from rsr.bench.random_model import MODELS as SHAPES
from rsr.bench.random_model import write_model
from rsr.bench.unpacked import unpack_once


def bench(*args):
    """Runs the command to its end."""
    command = [sys.executable, "-m", "rsr.bench", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def small(name):
    """The config of a published model, much smaller."""
    config = SHAPES[name] | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 400,
                             "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 390,
                             "eos_token_id": 391}  # fmt: skip
    return config | ({"head_dim": 16} if "head_dim" in config else {})


@pytest.fixture(scope="module", name="model")
def random_model(tmp_path_factory):
    """Random weights in the layout of 2B-4T."""
    path = tmp_path_factory.mktemp("random") / "model"
    write_model(small("bitnet-2b"), path)
    return path


@pytest.fixture(scope="module", name="best")
def best_k_report(tmp_path_factory):
    """The folder of a search over a small shape."""
    out = tmp_path_factory.mktemp("best")
    done = bench("best-k", "--shapes", "64x96", "30x40", "--k", "2-4", "--threads", 1, "--repeats", 2, "--caches", "warm",
                 "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_hf_measures_every_backend_and_leaves_json_csv_and_plot(tmp_path, model):
    done = bench("hf", "--model", model, "--threads", 1, "--prompt-tokens", 9, "--new-tokens", 4, "--repeats", 2,
                 "--out", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "hf.json").read_text())
    records = {record["backend"]: record for record in content["records"]}
    assert list(records) == ["rsr", "rsr-engine", "hf-bf16", "hf-fp32"]
    for record in records.values():
        assert not record["error"], record["error"]
        assert record["threads"] == 1 and record["repeats"] == 2
        assert record["prompt_tokens"] == records["hf-fp32"]["prompt_tokens"] >= 9 and record["new_tokens"] == 4
        for key in ("load_s", "prefill_tok_s", "ttft_s", "decode_tok_s", "peak_rss_bytes"):
            assert record[key] > 0
        assert record["decode_min"] <= record["decode_tok_s"] <= record["decode_max"]
    base = "hf-bf16 (as shipped, unpacked by its loader)"
    assert records["rsr"][f"decode_vs {base}"] == pytest.approx(
        records["rsr"]["decode_tok_s"] / records["hf-bf16"]["decode_tok_s"]
    )
    assert f"rsr-engine against {base}: prefill x" in done.stdout
    with open(tmp_path / "hf.csv") as file:
        assert [row["backend"] for row in csv.DictReader(file)] == list(records)
    assert (tmp_path / "hf.png").read_bytes().startswith(b"\x89PNG")
    assert content["setting"]["model"] == str(model) and content["setting"]["cpu"]


def test_hf_measures_bitlinear_as_shipped_and_unpacked_and_the_others_prepared(tmp_path):
    source = MODELS / "bitlinear_llama3"
    rsr.hf.prepare(source, tmp_path / "prepared")
    done = bench("hf", "--model", source, "--prepared", tmp_path / "prepared", "--backends", "rsr", "hf-fp32",
                 "--threads", 1, "--prompt-tokens", 5, "--new-tokens", 3, "--repeats", 1, "--out", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "hf.json").read_text())["records"]
    assert [(r["backend"], r["form"]) for r in records] == [
        ("rsr", ""), ("hf-fp32", "as shipped"), ("hf-fp32", "unpacked once")
    ]  # fmt: skip
    assert not any(record["error"] for record in records)
    assert "rsr against hf-fp32 (unpacked once): prefill x" in done.stdout


def test_a_backend_that_fails_is_a_line_of_the_table(tmp_path, model):
    rsr.hf.prepare(model, tmp_path / "prepared")
    done = bench("hf", "--model", tmp_path / "prepared", "--backends", "rsr", "hf-fp32", "--threads", 1,
                 "--prompt-tokens", 4, "--new-tokens", 2, "--repeats", 1, "--out", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads((tmp_path / "hf.json").read_text())["records"]
    assert not ours["error"] and "model.safetensors" in theirs["error"]
    assert theirs["error"] in done.stdout


def test_a_gpu_is_measured_or_the_reason_is_said(tmp_path, model):
    done = bench("hf", "--model", model, "--device", "cuda", "--backends", "rsr", "rsr-engine", "hf-bf16", "--threads", 1,
                 "--prompt-tokens", 9, "--new-tokens", 3, "--repeats", 1, "--out", tmp_path)  # fmt: skip
    records = json.loads((tmp_path / "hf.json").read_text())["records"]
    assert [record["device"] for record in records] == ["cuda"] * 3
    if torch.cuda.is_available():
        assert done.returncode == 0 and not any(record["error"] for record in records)
    else:
        assert done.returncode == 1 and all(record["error"] for record in records)
        assert "device 'cuda': " in records[1]["error"]


@pytest.mark.parametrize("case", ["bitnet_packed", "bitnet_masters", "bitlinear_llama3", "bitlinear_rms_norm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fair_form_gives_the_bits_of_transformers(case, dtype):
    model = library_model(case, dtype)
    other = copy.deepcopy(model)
    assert unpack_once(other) == (0 if case == "bitnet_packed" else 14)
    for prompt in golden(case)["prompts"]:
        assert logits(other, prompt["ids"]).equal(logits(model, prompt["ids"]))


def test_best_k_searches_every_k_of_every_form(best):
    out, text = best
    report = BestK.load(out / "best_k.json")
    assert report.shapes() == [(64, 96, "ternary"), (64, 96, "binary"), (30, 40, "ternary"), (30, 40, "binary")]
    assert {(t.form, t.k) for t in report.timings if t.bits == "binary" and t.rows == 64} == {
        (form, k) for form in ("scatter", "fold", "gray") for k in (2, 3, 4)
    }
    fastest = min((t for t in report.timings if (t.rows, t.bits) == (64, "ternary")), key=lambda t: t.median_ns)
    assert report.best(64, 96) == fastest
    assert f"{fastest.form}" in text and "64 x 96" in text
    with open(out / "best_k.csv") as file:
        assert len(list(csv.DictReader(file))) == len(report.timings) == 36
    assert (out / "best_k.png").read_bytes().startswith(b"\x89PNG")
    assert report.setting["threads"] == 1 and report.setting["caches"] == "warm"


def test_best_k_is_used_and_a_given_k_wins(best):
    report = BestK.load(best[0] / "best_k.json")
    chosen = report.best(64, 96)
    assert report.options(64, 96) == {"algorithm": "rsr", "form": chosen.form, "k": chosen.k}
    assert report.options(64, 96, k=3)["k"] == 3
    assert report.options(64, 96, k=9, form="scatter") == {"algorithm": "rsr", "form": "scatter", "k": 9}
    assert report.options(5, 5) == {} and report.options(5, 5, k=4) == {"algorithm": "rsr", "k": 4}
    values = np.random.default_rng(0).integers(-1, 2, (64, 96)).astype(np.int8)
    x = np.random.default_rng(1).integers(-127, 128, 96).astype(np.int8)
    for options in (report.options(64, 96), report.options(64, 96, k=4)):
        assert (rsr.TernaryMatrix(values, **options) @ x == values.astype(np.int32) @ x).all()


def test_accelerate_takes_best_k_by_shape_and_a_given_k_wins(best):
    report = BestK.load(best[0] / "best_k.json")
    timings = tuple(t for t in report.timings if t.form == "scatter" and t.k == 4 and t.bits == "ternary")
    report = BestK(tuple(type(t)(128, 64, *list(vars(t).values())[2:]) for t in timings), {})  # gate and up
    ids = golden("bitnet_packed")["prompts"][0]["ids"]
    plain, chosen, given = (library_model("bitnet_packed") for _ in range(3))
    rsr.hf.accelerate(plain)
    by_shape = {(r.rows, r.cols): r.format for r in rsr.hf.accelerate(chosen, best_k=report).replaced}
    assert "RSR scatter, k = 4," in by_shape[128, 64] and "RSR" not in by_shape[64, 128]
    formats = {r.format for r in rsr.hf.accelerate(given, best_k=report, algorithm="rsr", k=3).replaced}
    assert all("k = 3," in form for form in formats), formats
    assert logits(plain, ids).equal(logits(chosen, ids)) and logits(plain, ids).equal(logits(given, ids))


def test_a_report_that_is_none_is_refused(tmp_path, best):
    good = json.loads((best[0] / "best_k.json").read_text())
    path = tmp_path / "report.json"
    for content in ("{", "[]", "{}", json.dumps(good | {"rsr_best_k": 9}), json.dumps(good | {"timings": [{"k": 1}]})):
        path.write_text(content)
        with pytest.raises(ValueError, match="report.json: not a report"):
            BestK.load(path)
    with pytest.raises(FileNotFoundError):
        BestK.load(tmp_path / "none.json")


@pytest.mark.parametrize("name", SHAPES)
def test_random_models_are_read_by_transformers_and_by_the_engine(name, tmp_path):
    size = write_model(small(name), tmp_path / "model")
    assert size == (tmp_path / "model/model.safetensors").stat().st_size
    theirs = library_model(name, directory=tmp_path / "model")
    ids = list(range(20, 30))
    scores = logits(theirs, ids)
    assert scores.isfinite().all() and 0.5 < scores.std() < 20
    hf_models.accelerated(theirs)
    assert scores.sub(logits(theirs, ids)).abs().max() < 0.5
    engine = rsr.load(tmp_path / "model")
    answer = engine.generate("the river", raw=True, ignore_eos=True, max_tokens=5)
    assert answer.stats.new_tokens == 5
    with pytest.raises(FileExistsError):
        write_model(small(name), tmp_path / "model")


def test_random_model_command_writes_the_layout_of_the_original(tmp_path):
    config = SHAPES["bitnet-2b"]
    assert (config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]) == (2560, 6912, 30)
    done = bench("random-model", "--shape", "bitnet-2b", "--layers", 0, "--out", tmp_path / "m")
    assert done.returncode == 2 and "--layers" in done.stderr
    (tmp_path / "there").mkdir()
    done = bench("random-model", "--layers", 1, "--out", tmp_path / "there")
    assert done.returncode == 1 and "is there already" in done.stderr


@pytest.mark.parametrize("args, words", [
    (["hf"], "--model"), (["hf", "--model", "x", "--backends", "cuda"], "cuda"),
    (["hf", "--model", "x", "--new-tokens", "1"], "--new-tokens"), (["best-k", "--k", "0"], "--k"),
    (["best-k", "--k", "5-3"], "5-3"), (["best-k", "--shapes", "12"], "ROWSxCOLS"), ([], "COMMAND"),
])  # fmt: skip
def test_wrong_usage(args, words):
    done = bench(*args)
    assert done.returncode == 2 and words in done.stderr


def test_failures_are_one_line(tmp_path):
    done = bench("hf", "--model", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
