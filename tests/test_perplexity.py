"""`rsr perplexity` as a user meets it: numbers, JSON, comparisons, errors, Ctrl-C."""

import json
import math
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"
TEXT = "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen. " * 8
TIMES = ("seconds", "tokens_per_second")
OF_MODEL = {"model", "isa", "device", "kv", "threads", "perplexity", "perplexity_error", "mean_nll", "mean_nll_error",
            "bits_per_byte", *TIMES}  # fmt: skip
OF_TEXT = {"file", "window", "stride", "windows", "text_tokens", "predicted_tokens", "predicted_bytes",
           "read_tokens"}  # fmt: skip
OF_COMPARISON = {"nll_difference", "nll_difference_error", "perplexity_ratio", "perplexity_ratio_error", "mean_kl",
                 "mean_kl_error", "median_kl", "p99_kl", "max_kl", "top1_agreement", "top1_agreement_error",
                 "max_logit_difference"}  # fmt: skip


@pytest.fixture(name="text")
def text_file(tmp_path):
    """A text that the demo model knows something about."""
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(name="measure")
def measure_json(run_rsr, text):
    """The JSON of `rsr perplexity` for that text."""

    def measure(*args, model=DEMO):
        done = run_rsr("perplexity", model, text, "--json", *args)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" and done.stdout.count("\n") == 1
        return json.loads(done.stdout)

    return measure


def without_times(result):
    """What must not differ from run to run."""
    return {key: value for key, value in result.items() if key not in (*TIMES, "model", "threads")}


# --- numbers


def test_json_of_one_model(measure, text):
    result = measure()
    assert result.keys() == OF_TEXT | OF_MODEL
    assert result["model"] == str(DEMO) and result["file"] == str(text) and result["kv"] == "f16"
    assert result["perplexity"] == pytest.approx(math.exp(result["mean_nll"]), rel=1e-12)
    assert result["perplexity_error"] == pytest.approx(result["perplexity"] * result["mean_nll_error"])
    bits = result["mean_nll"] * result["predicted_tokens"] / math.log(2)
    assert result["bits_per_byte"] == pytest.approx(bits / len(TEXT), rel=1e-12)
    assert result["predicted_tokens"] == result["text_tokens"] == result["read_tokens"]
    assert result["predicted_bytes"] == len(TEXT)
    assert result["windows"] == math.ceil(result["text_tokens"] / 511)
    assert result["window"] == 512 and result["stride"] == 511


def test_what_the_model_was_trained_on_is_likelier(run_rsr, measure, tmp_path):
    strange = tmp_path / "strange.txt"
    strange.write_text(" ".join(reversed(TEXT.split())))
    done = run_rsr("perplexity", DEMO, strange, "--json")
    assert measure()["perplexity"] < 0.5 * json.loads(done.stdout)["perplexity"]


def test_windows_and_their_overlap(measure):
    tokens = measure()["text_tokens"]
    short = measure("--window", 33)
    long = measure("--window", 33, "--stride", 1)
    assert short["windows"] == math.ceil(tokens / 32) and short["read_tokens"] == tokens
    assert long["windows"] == tokens - 31 and long["read_tokens"] == 32 * (tokens - 31)
    assert short["predicted_tokens"] == long["predicted_tokens"] == tokens
    assert long["mean_nll"] < short["mean_nll"], "a longer past should help"
    assert measure("--max-tokens", 40)["predicted_tokens"] == 40


def test_threads_change_nothing_but_time(measure):
    one = measure("--threads", 1, "--window", 100)
    assert one["threads"] == 1
    assert without_times(one) == without_times(measure("--threads", 3, "--window", 100))


def test_standard_input_is_a_file(run_rsr, measure):
    done = run_rsr("perplexity", DEMO, "-", "--json", input=TEXT)
    result = json.loads(done.stdout)
    assert result.pop("file") == "-"
    expected = without_times(measure())
    expected.pop("file")
    assert without_times(result) == expected


def test_page(run_rsr, text, measure):
    done = run_rsr("perplexity", DEMO, text)
    assert done.returncode == 0 and done.stderr == ""
    lines = dict((line[:18].strip(), line[18:]) for line in done.stdout.splitlines())
    assert list(lines) == ["perplexity", "nats per token", "bits per byte", "text", "windows", "speed"]
    assert lines["perplexity"].startswith(f"{measure()['perplexity']:.4f} +/- ")


# --- comparisons


def test_a_prepared_model_predicts_the_same_to_the_bit(run_rsr, measure, tmp_path):
    prepared = tmp_path / "demo.rsr"
    assert run_rsr("prep", DEMO, "-o", prepared).returncode == 0
    assert without_times(measure(model=prepared)) == without_times(measure())
    result = measure("--against", prepared)
    assert result.keys() == OF_TEXT | OF_MODEL | {"against", "comparison"}
    assert result["against"].keys() == OF_MODEL and result["comparison"].keys() == OF_COMPARISON
    assert result["against"]["model"] == str(prepared)
    assert result["against"]["mean_nll"] == result["mean_nll"] == measure()["mean_nll"]
    equal = {"perplexity_ratio": 1, "top1_agreement": 1}
    assert {key: value for key, value in result["comparison"].items() if value != 0} == equal


def test_a_cache_of_bytes_loses_little(measure):
    result = measure("--kv", "f32", "--against-kv", "i8")
    assert result["kv"] == "f32" and result["against"]["kv"] == "i8"
    comparison = result["comparison"]
    assert 0 < comparison["mean_kl"] < 0.1
    assert comparison["median_kl"] <= comparison["p99_kl"] <= comparison["max_kl"]
    assert comparison["top1_agreement"] > 0.9
    assert comparison["max_logit_difference"] > 0
    difference = result["against"]["mean_nll"] - result["mean_nll"]
    assert comparison["nll_difference"] == pytest.approx(difference, abs=1e-12)
    assert measure("--kv", "i8")["mean_nll"] == result["against"]["mean_nll"]


def test_instruction_sets_are_compared(measure):
    result = measure("--isa", "reference", "--against-isa", "reference", "--against-kv", "f32", "--max-tokens", 60)
    assert result["isa"] == result["against"]["isa"] == "reference"
    assert (result["kv"], result["against"]["kv"]) == ("f16", "f32")
    best = measure("--against-isa", "reference", "--max-tokens", 60)
    assert best["against"]["isa"] == "reference"
    assert best["against"]["mean_nll"] == result["mean_nll"]
    assert best["comparison"]["mean_kl"] < 1e-3


def test_page_of_two(run_rsr, text):
    done = run_rsr("perplexity", DEMO, text, "--kv", "f32", "--against-kv", "i8")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[0].split() == ["model", str(DEMO), str(DEMO)]
    for label in ("f32 cache", "i8 cache", "perplexity ratio", "KL divergence", "same best token", "logits apart"):
        assert label in done.stdout


# --- errors


def test_help(run_rsr):
    done = run_rsr("perplexity", "--help")
    assert done.returncode == 0
    for flag in ("--against", "--against-kv", "--against-isa", "--window", "--stride", "--max-tokens", "--kv",
                 "--isa", "--threads", "--pin", "--verify", "--json", "KL divergence"):  # fmt: skip
        assert flag in done.stdout
    assert "perplexity" in run_rsr("--help").stdout


@pytest.mark.parametrize(
    "args",
    [
        ["models/demo"],
        ["models/demo", "-", "--window", "-1"],
        ["models/demo", "-", "--stride", "few"],
        ["models/demo", "-", "--max-tokens", "1.5"],
        ["models/demo", "-", "--kv", "f64"],
        ["models/demo", "-", "--against-kv", "f64"],
        ["models/demo", "-", "--isa", "abacus"],
        ["models/demo", "-", "--against-isa", "abacus"],
    ],
)
def test_wrong_usage(run_rsr, args):
    done = run_rsr("perplexity", *args, input="")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("error: ")


def assert_fails(done, *parts):
    """Exit code 1, nothing on standard output, one line that holds all parts."""
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    for part in parts:
        assert str(part) in done.stderr


def test_bad_texts(run_rsr, tmp_path):
    def measure(content, *args):
        (tmp_path / "text").write_bytes(content)
        return run_rsr("perplexity", DEMO, tmp_path / "text", *args)

    assert_fails(run_rsr("perplexity", DEMO, tmp_path / "none"), tmp_path / "none", "No such file")
    assert_fails(run_rsr("perplexity", DEMO, tmp_path), tmp_path, "not a regular file")
    assert_fails(measure(b""), tmp_path / "text", "is empty")
    assert_fails(run_rsr("perplexity", DEMO, "-", input=""), "standard input: is empty")
    assert_fails(measure(b"one\xff"), tmp_path / "text", "not UTF-8 at byte 3")
    assert_fails(measure(b"\x01"), "too short: 1 token")
    assert_fails(measure(b"one, two, three", "--max-tokens", 1), "too short: 1 token")
    with open(tmp_path / "large", "wb") as large:
        large.truncate((64 << 20) + 1)
    assert_fails(run_rsr("perplexity", DEMO, tmp_path / "large"), tmp_path / "large", "at most 67108864")
    with open(tmp_path / "large", "rb") as large:
        assert_fails(run_rsr("perplexity", DEMO, "-", stdin=large), "standard input", "67108864")


def test_bad_windows(run_rsr, text):
    assert_fails(run_rsr("perplexity", DEMO, text, "--window", 1), "--window is 1, must be at least 2")
    assert_fails(run_rsr("perplexity", DEMO, text, "--window", 513), "--window is 513", DEMO, "trained for 512")
    assert_fails(run_rsr("perplexity", DEMO, text, "--window", 9, "--stride", 9), "--stride is 9, must be 1 to 8")


def test_bad_models(run_rsr, text, tmp_path):
    assert_fails(run_rsr("perplexity", tmp_path / "none", text), tmp_path / "none", "no such directory")
    assert_fails(run_rsr("perplexity", DEMO, text, "--against", tmp_path / "none"), tmp_path / "none")
    copied = Path(shutil.copytree(DEMO, tmp_path / "model"))
    tokenizer = json.loads((copied / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    (copied / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert_fails(run_rsr("perplexity", DEMO, text, "--against", copied), "different ids before a text")
    (copied / "tokenizer.json").unlink()
    assert_fails(run_rsr("perplexity", copied, text), copied / "tokenizer.json")
    other = ROOT / "tests" / "golden" / "models" / "bitnet_packed"
    assert_fails(run_rsr("perplexity", DEMO, text, "--against", other), "vocabularies of 432 and 300")


def test_full_disk(rsr, text):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([rsr, "perplexity", DEMO, text], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"error: standard output: No space left" in done.stderr


# --- terminals and Ctrl-C


@pytest.fixture(name="terminal")
def open_terminal():
    """Both ends of a pseudo terminal: ours, and the one for the command."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def read_until(terminal, word):
    """What the terminal shows until a word is there."""
    shown = b""
    while word not in shown:
        shown += os.read(terminal, 10000)
    return shown


def test_ctrl_c_ends_it_and_says_how_far_it_was(rsr, tmp_path, terminal):
    text = tmp_path / "long.txt"
    text.write_text(TEXT * 2000)
    ours, theirs = terminal
    process = subprocess.Popen([rsr, "perplexity", DEMO, text], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = read_until(ours, b"perplexity so far")
    process.send_signal(signal.SIGINT)
    shown += read_until(ours, b"interrupted after ")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == b""
    assert b" s left\r\x1b[Kinterrupted after " in shown, "the bar is wiped first"


def test_the_bar_is_for_terminals(rsr, text, terminal):
    ours, theirs = terminal
    done = subprocess.run([rsr, "perplexity", DEMO, text, "--window", "30"], stdout=subprocess.PIPE, stderr=theirs,
                          timeout=60, check=True)  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100000)
    assert b"loading " in shown and b"%  0 of " in shown and b" s left" in shown
    assert b"\r\x1b[K" not in done.stdout and b"s left" not in done.stdout
