"""examples/python/huggingface.py runs from its first cell to its last."""

import subprocess
import sys
from pathlib import Path

import hf_models  # noqa: F401  (for what it asks of the environment)

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_example_runs_and_says_what_it_should():
    command = [sys.executable, "examples/python/huggingface.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "28 of 28 ternary layers replaced" in done.stdout
    assert done.stdout.count("one, two, three, four, five, six, seven, eight, nine, ten") == 2
    assert done.stdout.count("seven, eight, nine, ten, eleven, twelve") == 3
    difference = float(done.stdout.rpartition("largest difference:")[2])
    assert difference < 1e-5
