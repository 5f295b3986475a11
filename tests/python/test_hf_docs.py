"""The Python in docs/huggingface.md runs."""

import re
import subprocess
import sys
from pathlib import Path

import hf_models  # noqa: F401  (for what it asks of the environment)

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_code_of_the_document_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/huggingface.md").read_text(), re.DOTALL)
    assert len(blocks) >= 4
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "28 of 28 ternary layers replaced" in done.stdout
