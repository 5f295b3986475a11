"""The command `rsr` as a user meets it: help, wrong usage, `rsr run`, `rsr inspect`."""

import json
import os

import pytest

from command import DEMO, PROMPT, assert_fails, rsr, run_demo

# --- help and wrong usage


def test_version():
    done = rsr("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(b"rsr 0.")
    assert done.stderr == b""


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["chat", "--help"], ["inspect", "--help"], ["fetch", "--help"]])
def test_help(args):
    done = rsr(*args)
    assert done.returncode == 0
    assert b"Usage: rsr" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("args", [[], ["sing"], ["run"], ["run", "x"], ["inspect"], ["fetch"], ["run", "x", "-p", "y", "--loud"], ["chat"]])
def test_wrong_usage(args):
    done = rsr(*args)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")


@pytest.mark.parametrize(
    "flag, value",
    [
        ("--threads", "-1"),
        ("--threads", "100000"),
        ("--threads", "two"),
        ("--max-tokens", "-5"),
        ("--max-tokens", "1.5"),
        ("--temperature", "-0.5"),
        ("--temperature", "nan"),
        ("--temperature", "inf"),
        ("--temperature", "warm"),
        ("--seed", "-1"),
        ("--seed", "99999999999999999999999"),
        ("--context", "-1"),
        ("--top-k", "-1"),
        ("--top-k", "few"),
        ("--top-p", "0"),
        ("--top-p", "1.1"),
        ("--top-p", "nan"),
        ("--min-p", "-0.1"),
        ("--min-p", "2"),
        ("--repetition-penalty", "0"),
        ("--repetition-penalty", "inf"),
        ("--presence-penalty", "2.5"),
        ("--frequency-penalty", "-3"),
        ("--logit-bias", "7"),
        ("--logit-bias", "7=101"),
        ("--logit-bias", "-7=1"),
        ("--logit-bias", "7=nan"),
        ("--stop", ""),
        ("--chat-template", "latin"),
    ],
)
def test_value_out_of_range_names_the_flag(flag, value):
    done = run_demo(flag, value)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")
    assert flag.encode() in done.stderr


# --- run


def test_run_prints_the_text_and_one_newline():
    done = run_demo("--max-tokens", 12)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert text.endswith("\n") and text.strip()
    prompt, decode = done.stderr.decode().splitlines()
    assert prompt.startswith("prompt ") and prompt.endswith(" tok/s")
    assert decode.startswith("decode ")
    for unit in ("tok/s", "ms per token", "GB/s"):
        assert unit in decode


def test_run_json():
    plain = run_demo("--max-tokens", 12)
    done = run_demo("--max-tokens", 12, "--json")
    assert done.returncode == 0
    assert done.stderr == b""
    answer = json.loads(done.stdout)
    assert answer["text"] + "\n" == plain.stdout.decode()
    assert answer["finish"] in ("stop", "length")
    assert 1 <= answer["new_tokens"] <= 12
    assert answer["decode_steps"] == answer["new_tokens"] - 1
    assert answer["prompt_tokens"] > 5
    assert answer["prompt_seconds"] > 0 and answer["decode_seconds"] > 0
    rate = answer["decode_steps"] / answer["decode_seconds"]
    assert answer["decode_tokens_per_second"] == pytest.approx(rate)
    assert answer["gigabytes_per_second"] == pytest.approx(rate * answer["bytes_per_token"] / 1e9)


@pytest.mark.parametrize("flags", [[], ["--temperature", 0.9, "--top-k", 8, "--seed", 3]])
def test_a_scan_of_the_head_gives_the_same_text(flags):
    full = json.loads(run_demo("--json", "--head", "full", *flags).stdout)
    scan = json.loads(run_demo("--json", "--head", "scan", *flags).stdout)
    assert scan["text"] == full["text"]
    assert full["head_candidates"] == 0 and scan["head_candidates"] >= 1
    assert b"candidates per token" in run_demo("--head", "scan", *flags).stderr


def test_prompt_from_standard_input():
    piped = rsr("run", DEMO, "-p", "-", "--max-tokens", 8, input=PROMPT.encode())
    assert piped.returncode == 0
    assert piped.stdout == run_demo("--max-tokens", 8).stdout


def test_prompt_from_a_file(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text(PROMPT)
    from_file = rsr("run", DEMO, "--prompt-file", path, "--max-tokens", 8)
    assert from_file.returncode == 0
    assert from_file.stdout == run_demo("--max-tokens", 8).stdout
    assert_fails(rsr("run", DEMO, "--prompt-file", tmp_path / "none"), "none")
    assert run_demo("--prompt-file", path).returncode == 2


def prompt_tokens(*args):
    """How many tokens the model read before its answer."""
    return json.loads(run_demo("--max-tokens", 1, "--json", *args).stdout)["prompt_tokens"]


def test_system_message_stands_in_front():
    assert prompt_tokens("--system", "Be brief.") > prompt_tokens()
    assert prompt_tokens("--system", "") == prompt_tokens()
    assert run_demo("--system", "Be brief.", "--raw").returncode == 2


def test_stop_strings_are_not_printed():
    whole = run_demo("--max-tokens", 40).stdout.decode().rstrip("\n")
    stop = whole[len(whole) // 2 :][:3]
    done = run_demo("--max-tokens", 40, "--stop", "never said", "--stop", stop)
    assert done.returncode == 0
    assert done.stdout.decode() == whole[: whole.index(stop)] + "\n"
    answer = json.loads(run_demo("--max-tokens", 40, "--stop", stop, "--json").stdout)
    assert answer["text"] == whole[: whole.index(stop)]
    assert answer["finish"] == "stop"


def test_biases_change_the_choice():
    text = run_demo("--max-tokens", 3, "--logit-bias", "64=100", "--logit-bias", "65=-100").stdout
    assert len(text) == 4 and len(set(text[:3])) == 1
    assert_fails(run_demo("--logit-bias", "999999=1"), "logit_bias", "999999")


def test_top_k_of_one_is_greedy():
    greedy = run_demo("--max-tokens", 12, "--temperature", 0).stdout
    for flags in (["--top-k", 1], ["--top-p", 1e-9], ["--min-p", 1]):
        assert run_demo("--max-tokens", 12, "--temperature", 5, *flags).stdout == greedy


def test_ignore_eos_goes_on():
    answer = json.loads(run_demo("--ignore-eos", "--max-tokens", 200, "--json").stdout)
    assert (answer["new_tokens"], answer["finish"]) == (200, "length")


def test_raw_prompt_differs_from_chat():
    counts = [json.loads(run_demo("--max-tokens", 1, "--json", *raw).stdout)["prompt_tokens"] for raw in ([], ["--raw"])]
    assert counts[1] < counts[0]


def test_seed_decides_whatever_the_threads():
    def sample(seed, threads):
        options = ["--max-tokens", 40, "--temperature", 8, "--seed", seed, "--threads", threads]
        return run_demo(*options).stdout

    assert sample(1, 1) == sample(1, 3)
    assert len({sample(seed, 1) for seed in range(4)}) > 1


def test_instruction_sets_give_the_same_text():
    texts = {run_demo("--max-tokens", 40, env={**os.environ, "RSR_FORCE_ISA": "reference"}).stdout, run_demo("--max-tokens", 40).stdout}
    assert len(texts) == 1


# --- inspect


def test_inspect():
    done = rsr("inspect", DEMO)
    assert done.returncode == 0
    text = done.stdout.decode()
    for part in ("self_attn.q_proj", "mlp.down_proj", "bits/weight", "zeros", "kernel", "matvec_"):
        assert part in text


def test_inspect_json():
    everything = json.loads(rsr("inspect", DEMO, "--json", "--threads", 1).stdout)
    config = json.loads((DEMO / "config.json").read_text())
    assert everything["model"]["layers"] == config["num_hidden_layers"]
    assert everything["model"]["threads"] == 1
    matrices = everything["matrices"]
    assert len(matrices) == 7
    assert sum(m["bytes"] for m in matrices) == everything["totals"]["ternary_bytes"]
    weights = sum(m["count"] * m["rows"] * m["cols"] for m in matrices)
    assert weights == everything["totals"]["ternary_weights"]
    assert all(0 < m["zero_share"] < 1 and 1 < m["bits_per_weight"] < 4 for m in matrices)
