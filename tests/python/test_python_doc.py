"""docs/python.md and the README tell the truth: their Python runs, and prints what they say."""

import pathlib
import re

from package import run_python

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Examples read models/demo and write beside it, so they run in a folder that has a link to it.
HERE = "import os, sys; os.chdir(sys.argv[1]); os.symlink(sys.argv[2], 'models')\n"


def program(page: str, section: str = "") -> str:
    text = (ROOT / page).read_text()
    text = text[text.index(section) :]
    if section:
        text = text[: text.index("\n## ", 1)]
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def promised(code: str) -> list[str]:
    """What the comments behind print() say."""
    return [
        line.split("#")[1].strip() for line in code.splitlines() if line.lstrip().startswith("print(") and "#" in line
    ]


def test_the_page_about_python_is_a_program(tmp_path):
    code = program("docs/python.md")
    printed = run_python(HERE + code, tmp_path, ROOT / "models", isa="avx2")
    assert len(promised(code)) == 4
    for words in promised(code):
        assert words in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.rsr", "matrix.rsr", "models"]


def test_the_readme_about_python_is_a_program(tmp_path):
    code = program("README.md", "\n## Python\n")
    printed = run_python(HERE + code, tmp_path, ROOT / "models")
    assert promised(code)
    for words in promised(code):
        assert words in printed
