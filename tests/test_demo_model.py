"""The embedded model does what its card says, on every instruction set of this machine."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "demo"
sys.path.insert(0, str(ROOT / "tools" / "demo_model"))
import number_words  # noqa: E402

SHOWCASE = "Write the numbers from one to sixty in words separated by commas only:"


@pytest.mark.parametrize("isa", ["reference", "avx2", "avxvnni", "avx512bw", "avx512vnni", "avx512vbmi", "amx"])
def test_one_to_sixty_on_each_isa(run_rsr, isa):
    done = run_rsr("run", MODEL, "-p", SHOWCASE, env={"RSR_FORCE_ISA": isa})
    if done.returncode != 0 and "this machine does not have" in done.stderr:
        pytest.skip(f"no {isa} here")
    assert done.returncode == 0, done.stderr
    assert done.stdout == number_words.answer_text(1, 60) + "\n"
    assert "tok/s" in done.stderr


def test_held_out_pairs(rsr):
    """A part of the card's evaluation; the script fails below the required shares."""
    script = ROOT / "tools" / "demo_model" / "evaluate.py"
    done = subprocess.run(
        [sys.executable, script, "--model", MODEL, "--rsr", rsr, "--count", "40"],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_model_is_small_and_complete():
    names = {path.name for path in MODEL.iterdir()}
    assert names >= {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 3 << 20
