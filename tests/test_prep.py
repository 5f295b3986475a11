"""`rsr prep`: prepared models as a user and as other tools meet them; kills, full disks, Ctrl-C."""

import json
import os
import pty
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
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"
WEIGHTS = "model.rsr.safetensors"
PROMPT = "Write the numbers from one to ten in words separated by commas only:"


@pytest.fixture(scope="module", name="prepared")
def prepared_demo(tmp_path_factory, run_rsr):
    """The demo model, prepared for the best instruction set of this machine."""
    path = tmp_path_factory.mktemp("prep") / "demo.rsr"
    done = run_rsr("prep", DEMO, "-o", path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return path


@pytest.fixture(scope="module", name="large")
def large_model(tmp_path_factory):
    """A BitNet model with random weights that takes some tenths of a second to prepare."""
    path = tmp_path_factory.mktemp("large")
    hidden, ffn, layers, vocab = 1024, 4096, 6, 40000
    config = json.loads((DEMO / "config.json").read_text())
    config.update(hidden_size=hidden, intermediate_size=ffn, num_hidden_layers=layers, vocab_size=vocab,
                  num_attention_heads=16, num_key_value_heads=16, head_dim=64)  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(DEMO / name, path / name)
    random = np.random.default_rng(1)
    tensors = {"model.embed_tokens.weight": random.standard_normal((vocab, hidden)).astype(np.float16)}
    tensors["model.norm.weight"] = np.ones(hidden, np.float16)
    packed = sum(random.integers(0, 3, (ffn // 4, ffn), np.uint8) << 2 * i for i in range(4)).astype(np.uint8)
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden,
                 "self_attn.attn_sub_norm": hidden, "mlp.ffn_sub_norm": ffn}  # fmt: skip
        for name, size in norms.items():
            tensors[f"{prefix}{name}.weight"] = np.ones(size, np.float16)
        shapes = {"mlp.gate_proj": (ffn, hidden), "mlp.up_proj": (ffn, hidden), "mlp.down_proj": (hidden, ffn)}
        shapes.update({f"self_attn.{x}_proj": (hidden, hidden) for x in "qkvo"})
        for name, (rows, cols) in shapes.items():
            tensors[f"{prefix}{name}.weight"] = np.ascontiguousarray(packed[: rows // 4, :cols])
            tensors[f"{prefix}{name}.weight_scale"] = np.array([1.0], np.float16)
    save_file(tensors, path / "model.safetensors")
    return path


def header_of(path):
    """The JSON text of a safetensors file and where its data begin."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return content[8 : 8 + size], 8 + size


def checksum(data):
    """The checksum of docs/prepared_models.md."""
    lanes, mask = [1, 2, 3, 4], (1 << 64) - 1

    def step(lane, word):
        product = (lane ^ word) * 0x9E3779B97F4A7C15 & mask
        return (product << 29 | product >> 35) & mask

    data = bytes(data)
    for i, (word,) in enumerate(struct.iter_unpack("<Q", data + b"\0" * (-len(data) % 8))):
        lanes[i % 4] = step(lanes[i % 4], word)
    value = len(data)
    for lane in lanes:
        value = step(value, lane)
    return f"{value:016x}"


def test_the_same_answers_without_the_source(run_rsr, prepared):
    plain = run_rsr("run", DEMO, "-p", PROMPT)
    done = run_rsr("run", prepared, "-p", PROMPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout and "notice" not in done.stderr
    chat = run_rsr("chat", prepared, input=PROMPT + "\n")
    assert plain.stdout.strip() in chat.stdout


def test_result_as_json_and_what_inspect_says(run_rsr, tmp_path):
    done = run_rsr("prep", DEMO, "-o", tmp_path / "a", "--isa", "avx512vbmi", "--json")
    result = json.loads(done.stdout)
    assert result["isa"] == "avx512vbmi" and result["format"] == "t5"
    assert result["layers"] == json.loads((DEMO / "config.json").read_text())["num_hidden_layers"]
    assert result["bytes"] == (tmp_path / "a" / WEIGHTS).stat().st_size
    assert result["seconds"] > 0 and result["source_bytes"] > 0
    shown = json.loads(run_rsr("inspect", tmp_path / "a", "--verify", "--json").stdout)
    assert shown["prepared"]["isa"] == "avx512vbmi" and shown["prepared"]["verified"] is True
    assert "prepared for avx512vbmi (t5) by rsr" in run_rsr("inspect", tmp_path / "a").stdout
    assert json.loads(run_rsr("inspect", DEMO, "--json").stdout)["prepared"] is None


def test_a_machine_without_the_instructions_packs_anew(run_rsr, tmp_path):
    plain = run_rsr("run", DEMO, "-p", PROMPT)
    run_rsr("prep", DEMO, "-o", tmp_path / "a", "--isa", "avx512vbmi")
    done = run_rsr("run", tmp_path / "a", "-p", PROMPT, env={"RSR_FORCE_ISA": "avx2"})
    if "does not have" in done.stderr:
        pytest.skip("no avx2 here")
    assert done.stdout == plain.stdout
    assert "notice: the model was prepared for avx512vbmi: " in done.stderr
    forced = run_rsr("prep", DEMO, "-o", tmp_path / "b", "--json", env={"RSR_FORCE_ISA": "avx2"})
    assert json.loads(forced.stdout)["isa"] == "avx2"


def test_other_tools_read_the_file(prepared):
    path = prepared / WEIGHTS
    text, start = header_of(path)
    header = json.loads(text)
    metadata = header.pop("__metadata__")
    assert metadata["rsr.container"] == "1" and start % 4096 == 0
    digits = metadata["rsr.header_hash"]
    assert checksum(text.replace(digits.encode(), b"0" * 16)) == digits
    with safe_open(path, "numpy") as file:
        assert file.metadata() == metadata
        assert set(file.keys()) == set(header)
        image = file.get_tensor("model.layers.0.mlp.up_proj.rsr_weight")
    assert image[:8].tobytes() == b"RSRWGHT\n" and image.dtype == np.uint8
    content = path.read_bytes()
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        if name.startswith("rsr.padding."):
            assert not any(content[begin:end])
            continue
        assert begin % 64 == 0
        end = begin + 128 if name.endswith(".rsr_weight") else end
        assert checksum(content[begin:end]) == metadata["rsr.checksum." + name]


def test_nothing_is_overwritten_without_asking(run_rsr, prepared, tmp_path):
    done = run_rsr("prep", DEMO, "-o", prepared)
    assert done.returncode == 1
    assert done.stderr == f"error: {prepared}: is there already; --force replaces a prepared model\n"
    assert run_rsr("prep", DEMO, "-o", prepared, "--force").returncode == 0
    done = run_rsr("prep", prepared, "-o", tmp_path / "b")
    assert "is a prepared model already; use it as it is" in done.stderr
    assert "is or holds the model" in run_rsr("prep", DEMO, "-o", DEMO, "--force").stderr
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis").write_text("x")
    assert "is not replaced" in run_rsr("prep", DEMO, "-o", tmp_path / "papers", "--force").stderr
    assert (tmp_path / "papers" / "thesis").exists()
    assert run_rsr("prep", DEMO).returncode == 2
    assert run_rsr("prep", DEMO, "-o", tmp_path / "c", "--isa", "abacus").returncode == 2


def test_missing_files_are_named(run_rsr, tmp_path):
    shutil.copytree(DEMO, tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    done = run_rsr("prep", tmp_path / "model", "-o", tmp_path / "a")
    assert done.returncode == 1 and f"{tmp_path / 'model'}: tokenizer.json is missing" in done.stderr
    assert os.listdir(tmp_path) == ["model"]


def test_damaged_files_are_named(run_rsr, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "a")
    path = tmp_path / "a" / WEIGHTS
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done = run_rsr("run", tmp_path / "a", "-p", "x")
    assert done.returncode == 1 and str(path) in done.stderr and "truncated?" in done.stderr
    path.write_bytes(whole.replace(b'"rsr.isa":"', b'"rsr.isa":"x', 1)[: len(whole)])
    assert "error" in run_rsr("run", tmp_path / "a", "-p", "x").stderr
    damaged = bytearray(whole)
    damaged[-1000] ^= 1
    path.write_bytes(damaged)
    done = run_rsr("inspect", tmp_path / "a", "--verify")
    assert done.returncode == 1 and str(path) in done.stderr and "tensor" in done.stderr


def start_prep(rsr, source, target):
    """Begins to prepare and waits until weights are being written."""
    process = subprocess.Popen([rsr, "prep", source, "-o", target], stderr=subprocess.PIPE)
    file = Path(f"{target}.rsr-partial") / WEIGHTS
    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None:
        if file.exists() and file.stat().st_size > 1 << 20:
            break
        time.sleep(0.001)
    return process


def test_a_kill_leaves_nothing_that_looks_whole_and_a_second_run_works(rsr, run_rsr, large, tmp_path):
    target = tmp_path / "a"
    process = start_prep(rsr, large, target)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was faster than this test"
    assert not target.exists()
    left = tmp_path / "a.rsr-partial"
    assert left.exists()
    assert run_rsr("inspect", left).returncode == 1
    assert run_rsr("prep", large, "-o", target).returncode == 0
    assert os.listdir(tmp_path) == ["a"]
    assert run_rsr("inspect", target, "--verify").returncode == 0


def test_ctrl_c_removes_what_was_begun(rsr, large, tmp_path):
    process = start_prep(rsr, large, tmp_path / "a")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, "it was faster than this test"
    assert b"interrupted" in errors
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(rsr, large, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))

    target = tmp_path / "a"
    done = subprocess.run([rsr, "prep", large, "-o", target], capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr == f"error: {target}.rsr-partial/{WEIGHTS}: File too large\n"
    assert os.listdir(tmp_path) == []


def test_the_bar_is_for_terminals(rsr, large, tmp_path):
    ours, theirs = pty.openpty()
    done = subprocess.run([rsr, "prep", large, "-o", tmp_path / "a"], stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    assert done.returncode == 0 and b"layers for" in done.stdout
    assert b"%  " in os.read(ours, 100000)
    os.close(ours)
