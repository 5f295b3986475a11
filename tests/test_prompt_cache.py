"""`--prompt-cache`: what was read is not read again, nothing else changes, and no file is lost."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"
PROMPT = "Write the numbers from one to ten in words separated by commas only:"
OTHER = "Write the numbers from one to seven in words separated by commas only:"


@pytest.fixture(name="ask")
def ask_the_demo(run_rsr, tmp_path):
    """Answers a prompt with the cache `p.kv`; gives the JSON of the answer."""

    def ask(prompt, *flags, model=DEMO, cache=tmp_path / "p.kv", env=None):
        kept = [] if cache is None else ["--prompt-cache", cache]
        done = run_rsr("run", model, "-p", prompt, "--json", *kept, *flags, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return ask


@pytest.fixture(name="long_model", scope="module")
def model_with_a_long_context(tmp_path_factory):
    """The demo model, said to be trained for more tokens than it was."""
    path = tmp_path_factory.mktemp("long") / "model"
    shutil.copytree(DEMO, path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 200000}))
    return path


def refused(run_rsr, cache, *flags, model=DEMO, env=None):
    """The error of a run that is refused; the file must stay as it is."""
    before = cache.read_bytes() if cache.is_file() else None
    done = run_rsr("run", model, "-p", PROMPT, "--prompt-cache", cache, *flags, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert before is None or cache.read_bytes() == before
    assert done.stderr.startswith("error: --prompt-cache: ") and done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("kv", ["f32", "f16", "i8"])
def test_a_second_run_reads_one_token_and_says_the_same(ask, tmp_path, kv):
    flags = ("--kv", kv, "--temperature", 1.5, "--seed", 3, "--max-tokens", 40, "--ignore-eos")
    plain = ask(PROMPT, *flags, cache=None)
    first = ask(PROMPT, *flags)
    kept = (tmp_path / "p.kv").read_bytes()
    again = ask(PROMPT, *flags, "--threads", 1)
    assert plain["text"] == first["text"] == again["text"]
    assert first["cached_tokens"] == plain["cached_tokens"] == 0
    assert again["prompt_tokens"] == 1 and again["cached_tokens"] == first["prompt_tokens"] - 1
    assert (tmp_path / "p.kv").read_bytes() == kept
    assert os.listdir(tmp_path) == ["p.kv"]


def test_a_changed_end_reads_what_is_new_and_the_file_follows(ask):
    first, plain = ask(PROMPT), ask(OTHER, cache=None)
    other = ask(OTHER)
    assert other["text"] == plain["text"] != first["text"]
    assert other["cached_tokens"] > 3 and other["prompt_tokens"] > 1
    assert other["cached_tokens"] + other["prompt_tokens"] == plain["prompt_tokens"]
    assert ask(OTHER)["prompt_tokens"] == 1
    assert ask(PROMPT)["text"] == first["text"]


def test_read_only_writes_nothing(ask, run_rsr, tmp_path):
    ask(PROMPT)
    kept = (tmp_path / "p.kv").read_bytes()
    assert ask(OTHER, "--prompt-cache-read-only")["cached_tokens"] > 3
    assert (tmp_path / "p.kv").read_bytes() == kept
    assert "No such file" in refused(run_rsr, tmp_path / "none", "--prompt-cache-read-only")
    assert run_rsr("run", DEMO, "-p", "x", "--prompt-cache-read-only").returncode == 2
    assert run_rsr("run", DEMO, "-p", "x", "--prompt-cache", "").returncode == 2


def test_people_are_told(run_rsr, tmp_path):
    flags = ("run", DEMO, "-p", PROMPT, "--prompt-cache", tmp_path / "p.kv")
    assert "cache" not in run_rsr(*flags).stderr
    done = run_rsr(*flags)
    assert "prompt 1 tokens" in done.stderr
    assert "cache  20 tokens of the prompt were not read again\n" in done.stderr


def test_files_of_other_settings_and_models_are_refused_with_both_names(ask, run_rsr, tmp_path):
    cache = tmp_path / "p.kv"
    ask(PROMPT)
    assert "another type of keys and values (--kv): f16; here it is i8; remove the file" in refused(
        run_rsr, cache, "--kv", "i8"
    )
    model = Path(shutil.copytree(DEMO, tmp_path / "model"))
    ask(PROMPT, model=model)  # a copy is the same model
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-1] ^= 1  # the last bits of a norm
    (model / "model.safetensors").write_bytes(weights)
    said = refused(run_rsr, cache, model=model)
    assert "is a prompt cache of another model: bitnet, " in said and said.count(", weights ") == 2
    said = refused(run_rsr, cache, env={"RSR_FORCE_ISA": "reference"})
    assert "another program or machine: 2, rsr " in said and "here it is 2, rsr " in said
    assert "kernels reference" in said


def test_what_is_no_cache_or_was_damaged_is_refused_and_stays(ask, run_rsr, tmp_path):
    cache = tmp_path / "p.kv"
    ask(PROMPT)
    whole = cache.read_bytes()
    for at in (0, 100, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        cache.write_bytes(damaged)
        assert str(cache) in refused(run_rsr, cache)
    cache.write_bytes(whole[:-1])
    assert "truncated?" in refused(run_rsr, cache)
    cache.write_text("A letter.")
    assert "remove the file, or name another one" in refused(run_rsr, cache)
    cache.write_bytes((DEMO / "model.safetensors").read_bytes())
    assert "is no prompt cache" in refused(run_rsr, cache)
    assert "not a regular file" in refused(run_rsr, tmp_path)
    assert "No such file or directory" in refused(run_rsr, tmp_path / "no" / "p.kv")
    assert "not a regular file" in refused(run_rsr, Path("/dev/full"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told_before_the_prompt(run_rsr, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in refused(run_rsr, tmp_path / "closed" / "p.kv")


def test_a_full_disk_is_an_error_after_the_answer_and_leaves_the_old_file(ask, rsr, tmp_path):
    cache = tmp_path / "p.kv"
    ask(PROMPT)
    whole = cache.read_bytes()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    command = [rsr, "run", DEMO, "-p", OTHER, "--prompt-cache", cache]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1 and done.stdout == "one, two, three, four, five, six, seven\n"
    assert done.stderr.endswith(f"error: --prompt-cache: {cache}: File too large\n")
    assert cache.read_bytes() == whole and os.listdir(tmp_path) == ["p.kv"]


def test_an_interrupted_prompt_keeps_what_was_read(rsr, run_rsr, long_model, tmp_path):
    prompt = tmp_path / "prompt"
    prompt.write_text("one, two, three, four, five. " * 2500)
    cache = tmp_path / "p.kv"
    command = [rsr, "run", long_model, "--raw", "--prompt-file", prompt, "--max-tokens", "1", "--json",
               "--threads", "1", "--prompt-cache", cache]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130, "it was faster than this test"
    goes_on = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert goes_on["cached_tokens"] >= 256 and goes_on["cached_tokens"] % 256 == 0
    again = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert again["prompt_tokens"] == 1
    plain = run_rsr(*command[1:-2])
    assert goes_on["text"] == again["text"] == json.loads(plain.stdout)["text"]


def test_a_smaller_context_takes_what_fits_and_the_longer_file_stays(ask, tmp_path):
    first = ask(PROMPT)
    kept = (tmp_path / "p.kv").read_bytes()
    tokens = first["prompt_tokens"]
    again = ask(PROMPT, "--context", tokens + 3)
    assert again["prompt_tokens"] == 1 and first["text"].startswith(again["text"])
    assert (tmp_path / "p.kv").read_bytes() == kept


def test_prepared_models_have_caches_of_their_own(ask, run_rsr, tmp_path):
    for name in ("a.rsr", "b.rsr"):
        assert run_rsr("prep", DEMO, "-o", tmp_path / name).returncode == 0
    first = ask(PROMPT, model=tmp_path / "a.rsr")
    assert ask(PROMPT, model=tmp_path / "b.rsr")["prompt_tokens"] == 1  # the same bytes
    assert first["text"] == ask(PROMPT, cache=None)["text"]
    assert "another model" in refused(run_rsr, tmp_path / "p.kv")


def test_a_conversation_begins_where_the_last_one_did(run_rsr, tmp_path):
    system = "You are brief. " * 2
    flags = ("chat", DEMO, "--system", system, "--prompt-cache", tmp_path / "p.kv")
    first = run_rsr(*flags, input=f"{PROMPT}\n")
    kept = (tmp_path / "p.kv").read_bytes()
    again = run_rsr(*flags, input=f"{PROMPT}\n")
    assert first.returncode == 0 and first.stdout == again.stdout
    assert (tmp_path / "p.kv").read_bytes() == kept
    run = run_rsr("run", DEMO, "--system", system, "-p", OTHER, "--json", "--prompt-cache", tmp_path / "p.kv")
    stats = json.loads(run.stdout)
    assert stats["cached_tokens"] > 20 and stats["text"] == "one, two, three, four, five, six, seven"


def test_other_tools_read_the_file(ask, tmp_path):
    tokens = ask(PROMPT, "--kv", "i8")["prompt_tokens"]
    config = json.loads((DEMO / "config.json").read_text())
    heads, layers = config["num_key_value_heads"], config["num_hidden_layers"]
    dim = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    with safe_open(tmp_path / "p.kv", "numpy") as file:
        metadata = file.metadata()
        assert metadata["rsr.prompt_cache"] == "1" and metadata["rsr.kv"] == "i8"
        ids = file.get_tensor("ids")
        assert ids.dtype == np.int32 and ids.shape == (tokens,)
        for layer in range(layers):
            keys = file.get_tensor(f"layers.{layer}.keys")
            values = file.get_tensor(f"layers.{layer}.values")
            scales = file.get_tensor(f"layers.{layer}.key_scales")
            blocks = -(-tokens // 16)
            assert keys.shape == (heads, blocks, dim, 16) and keys.dtype == np.int8
            assert values.shape == (heads, tokens, -(-dim // 16) * 16)
            assert scales.shape == (heads, tokens) and (scales > 0).all()
            by_position = keys.transpose(0, 1, 3, 2).reshape(heads, blocks * 16, dim)
            # The largest number of each position is what its scale makes 127 of.
            assert (np.abs(by_position[:, :tokens].astype(int)).max(axis=2) == 127).all()
            assert not by_position[:, tokens:].any()
    content = (tmp_path / "p.kv").read_bytes()
    assert (8 + struct.unpack("<Q", content[:8])[0]) % 4096 == 0
