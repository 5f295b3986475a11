"""The command `rsr` where something is wrong: messages, exit codes, signals, closed pipes, full disks."""

import json
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from command import DEMO, RSR, assert_fails, edit_json, rsr, run_demo, start


@pytest.fixture(name="copied")
def copied_model(tmp_path):
    """A copy of the demo model, to be changed."""
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


@pytest.fixture(name="endless")
def endless_model(copied):
    """The demo model without any stop token and with a large context: it never ends by itself."""
    edit_json(copied / "config.json", eos_token_id=None, max_position_embeddings=100000)
    edit_json(copied / "generation_config.json", eos_token_id=None)
    edit_json(copied / "tokenizer_config.json", eos_token=None, chat_template=None)
    return copied


# --- failures


def test_missing_directory(tmp_path):
    for source in ("no/such/model", tmp_path / "none"):
        assert_fails(rsr("run", source, "-p", "x"), str(source), "no such directory", "org/name")
        assert_fails(rsr("inspect", source), str(source), "no such directory", "org/name")
    assert_fails(rsr("inspect", tmp_path), f"{tmp_path}/config.json")


def test_missing_weights(copied):
    (copied / "model.safetensors").unlink()
    assert_fails(rsr("run", copied, "-p", "x"), str(copied))


def test_damaged_weights(copied):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert_fails(rsr("run", copied, "-p", "x"), "model.safetensors")


def test_unknown_architecture(copied):
    edit_json(copied / "config.json", model_type="mamba")
    assert_fails(rsr("run", copied, "-p", "x"), "model_type", "mamba")


def test_unknown_chat_template_offers_the_known_ones(copied):
    edit_json(copied / "tokenizer_config.json", chat_template="{{ messages }}")
    assert_fails(rsr("run", copied, "-p", "x"), "--chat-template", "bitnet", "chatml", "falcon3", "llama3")
    for flags in (["--raw"], ["--chat-template", "bitnet"]):
        assert rsr("run", copied, "-p", "x", "--max-tokens", 1, *flags).returncode == 0


def test_system_message_needs_a_template(copied):
    edit_json(copied / "tokenizer_config.json", chat_template=None)
    assert_fails(rsr("run", copied, "-p", "x", "--system", "y"), "--system", "no chat template")


def test_context_is_checked():
    assert_fails(run_demo("--context", 100000), "--context", "100000", "512")
    assert_fails(run_demo("--context", 5), "does not fit", "room for 5")


def test_prompt_that_is_not_utf8():
    assert_fails(rsr("run", DEMO, "-p", "-", input=b"\xff\xfe"))


def test_unknown_instruction_set():
    assert_fails(run_demo(env={**os.environ, "RSR_FORCE_ISA": "abacus"}), "abacus")


# --- signals and pipes


def test_interrupt_ends_the_answer(endless):
    process = start("run", endless, "-p", "one", stdout=subprocess.PIPE)
    first = process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (first + rest).endswith(b"\n")
    assert errors.startswith(b"prompt ") and b"\ndecode " in errors


def test_interrupt_with_json(endless):
    process = start("run", endless, "-p", "one", "--json", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["finish"] == "cancelled"
    assert errors == b""


def test_closed_pipe_is_a_quiet_end(endless):
    process = start("run", endless, "-p", "one", stdout=subprocess.PIPE)
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == b""


def test_full_disk_is_an_error(endless):
    with open("/dev/full", "wb") as full:
        for args in (["run", endless, "-p", "one"], ["inspect", endless], ["--version"]):
            process = start(*args, stdout=full)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 1
            assert b"error: standard output: No space left" in errors


def test_progress_only_on_a_terminal():
    ours, theirs = pty.openpty()
    command = [str(RSR), "run", str(DEMO), "-p", "one", "--max-tokens", "1"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    shown = os.read(ours, 10000)
    os.close(ours)
    assert b"loading" in shown and b"\r\x1b[K" in shown
    assert b"loading" not in done.stdout
