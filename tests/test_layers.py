"""The layer rule holds, and its checker finds what breaks it."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from check_layers import check_tree  # noqa: E402


def test_the_tree_keeps_the_rule():
    assert check_tree(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "word"),
    [
        ("src/base/a.h", '#include "linear/linear.h"', "base must not include linear"),
        ("src/text/a.cc", '#include "io/safetensors.h"', "text must not include io"),
        ("src/kernels/matvec/avx2.cc", "#include <vector>", "instruction-set file"),
        ("src/kernels/matvec/avx2.cc", '#include "kernels/dense/dense.h"', "instruction-set file"),
        ("src/model/a.cc", '#include "config.h"', "does not name a room"),
        ("src/attic/a.cc", "", "no room of the plan"),
    ],
)
def test_offences_are_found(tmp_path, file, line, word):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    offences = check_tree(tmp_path)
    assert len(offences) == 1 and word in offences[0]


def test_lawful_includes_pass(tmp_path):
    path = tmp_path / "src/kernels/matvec/avx2.cc"
    path.parent.mkdir(parents=True)
    path.write_text('#include <immintrin.h>\n\n#include "kernels/matvec/matvec.h"\n')
    assert check_tree(tmp_path) == []
