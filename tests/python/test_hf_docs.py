"""The Python in docs/python.md about torch and transformers runs."""

import re
import subprocess
import sys
from pathlib import Path

import hf_models  # noqa: F401  (for what it asks of the environment)

ROOT = Path(__file__).resolve().parent.parent.parent
BEGIN = "## PyTorch"


def test_the_code_of_the_document_runs():
    text = (ROOT / "docs/python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text[text.index(BEGIN) :], re.DOTALL)
    assert len(blocks) >= 4
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "28 of 28 ternary layers replaced" in done.stdout
