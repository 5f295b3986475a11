"""Matrices as bytes, as files and pickled: on this machine and for others."""

import copy
import pathlib
import pickle

import numpy as np
import pytest
from package import ALL_ISAS, bytes_in, isas, run_python, ternary, vectors

import rsr

MATRICES = {
    "any": lambda: rsr.TernaryMatrix(ternary(37, 500), scale=0.5),
    "int8": lambda: rsr.TernaryMatrix(ternary(37, 500), inputs="int8", row_scales=vectors(37)),
    "floats": lambda: rsr.TernaryMatrix(ternary(37, 500), inputs="floats"),
    "groups": lambda: rsr.TernaryMatrix(ternary(37, 500), group_scales=vectors(37, 4), group_size=128),
    "rsr": lambda: rsr.TernaryMatrix(ternary(37, 500), algorithm="rsr", form="fold"),
    "binary": lambda: rsr.BinaryMatrix(ternary(37, 500) > 0),
    "signs": lambda: rsr.BinaryMatrix(np.where(ternary(37, 500) > 0, 1, -1), algorithm="rsr"),
}


def same(a, b) -> bool:
    x = vectors(3, 500)
    return (
        type(a) is type(b)
        and a.shape == b.shape
        and bool((a(x) == b(x)).all() and (a(x, quantise=True) == b(x, quantise=True)).all())
    )


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_survives_bytes_files_and_pickles(name, tmp_path):
    W = MATRICES[name]()
    kind = type(W)
    assert same(kind.from_bytes(W.to_bytes()), W)
    assert same(kind.from_bytes(memoryview(bytearray(W.to_bytes()))), W)
    W.save(tmp_path / "matrix.rsr")
    assert same(kind.load(str(tmp_path / "matrix.rsr")), W)
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.rsr"]
    assert (tmp_path / "matrix.rsr").read_bytes() == W.to_bytes()
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert same(pickle.loads(pickle.dumps(W, protocol)), W)
    assert copy.copy(W) is W and copy.deepcopy(W) is W


# Prints the result of a pickled matrix, and what the machine had to change.
USE = """
import pickle, sys, numpy as np, rsr
W = pickle.load(open(sys.argv[1], "rb"))
V = type(W).load(sys.argv[2])
x = np.load(sys.argv[3])
assert (W(x) == V(x)).all() and W.notice == V.notice
print(W(x).tobytes().hex(), rsr.default_context().isa, W.notice, sep="|")
"""
MAKE = """
import pickle, sys, numpy as np, rsr
W = rsr.TernaryMatrix(np.load(sys.argv[4]), inputs="int8")
pickle.dump(W, open(sys.argv[1], "wb"))
W.save(sys.argv[2])
print(W.describe())
"""


@pytest.mark.parametrize("maker", [isas()[-1], "reference"])
def test_what_one_machine_wrote_another_one_reads(maker, tmp_path):
    """Machines are instruction sets here: forced in the process that writes and in those that read."""
    values, x = ternary(50, 600), bytes_in(4, 600)
    files = [tmp_path / name for name in ("W.pickle", "W.rsr", "x.npy", "values.npy")]
    np.save(files[2], x)
    np.save(files[3], values)
    described = run_python(MAKE, *files, isa=maker)
    wanted = (x.astype(np.int64) @ values.T).astype(np.int32).tobytes().hex()
    notices = {}
    for isa in isas():
        result, used, notices[isa] = run_python(USE, *files[:3], isa=isa).rstrip("\n").split("|")
        assert result == wanted and used == isa
    assert notices[maker] == ""
    if described.startswith("t5"):  # packed for byte permutes, which AVX2 does not have
        assert "repacked from t5" in notices["avx2"]


def test_packing_for_machines_that_are_not_this_one(tmp_path):
    values, x = ternary(50, 600), bytes_in(4, 600)
    for isa in ALL_ISAS:
        W = rsr.TernaryMatrix(values, isa=isa, inputs="int8")
        assert (W(x) == x.astype(np.int64) @ values.T).all()
        assert same_product(rsr.TernaryMatrix.from_bytes(W.to_bytes(), isa="reference"), x, values)


def same_product(W, x, values) -> bool:
    return bool((W(x) == x.astype(np.int64) @ values.T).all())


def test_each_class_refuses_what_the_other_has_written(tmp_path):
    T, B = rsr.TernaryMatrix([[1, 0]]), rsr.BinaryMatrix([[1, 0]])
    T.save(tmp_path / "t")
    B.save(tmp_path / "b")
    with pytest.raises(ValueError, match="/b: holds a BinaryMatrix, not a TernaryMatrix"):
        rsr.TernaryMatrix.load(tmp_path / "b")
    with pytest.raises(ValueError, match="/t: holds a TernaryMatrix, not a BinaryMatrix"):
        rsr.BinaryMatrix.load(tmp_path / "t")
    with pytest.raises(ValueError, match="data: holds a TernaryMatrix"):
        rsr.BinaryMatrix.from_bytes(T.to_bytes())


@pytest.mark.parametrize("name", MATRICES)
def test_damaged_bytes_are_refused(name):
    W = MATRICES[name]()
    data = W.to_bytes()
    random = np.random.default_rng(5)
    for at in [0, 9, 33, len(data) - 1, *random.integers(0, len(data), 30)]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(random.integers(0, 8))
        with pytest.raises(rsr.RsrError, match="weight"):
            type(W).from_bytes(damaged)
    for length in (0, 10, 127, len(data) - 1):
        with pytest.raises(rsr.RsrError, match="weight"):
            type(W).from_bytes(data[:length])


def test_errors_of_files_have_their_names(tmp_path):
    W = rsr.TernaryMatrix([[1]])
    with pytest.raises(FileNotFoundError, match="nowhere: No such file") as raised:
        rsr.TernaryMatrix.load(tmp_path / "nowhere")
    assert isinstance(raised.value, rsr.NotFound)
    with pytest.raises(FileNotFoundError, match="nowhere/x"):
        W.save(tmp_path / "nowhere" / "x")
    with pytest.raises(OSError, match="not a regular file"):
        rsr.TernaryMatrix.load(tmp_path)
    (tmp_path / "text").write_text("a text, and no matrix")
    with pytest.raises(rsr.RsrError, match="/text: weight"):
        rsr.TernaryMatrix.load(tmp_path / "text")


def test_a_full_disk_leaves_the_old_file(tmp_path):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    path = tmp_path / "matrix"
    rsr.TernaryMatrix([[1, 0]]).save(path)
    before = path.read_bytes()
    code = """
import resource, sys, numpy as np, rsr
W = rsr.TernaryMatrix(np.ones((500, 500), np.int8))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    W.save(sys.argv[1])
except rsr.IoError as error:
    print(error)
"""
    assert "too large" in run_python(code, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["matrix"]
