"""rsr.quantise: vectors that are rounded to int8 once, for several matrices."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest
from package import isas, ternary, vectors

import rsr
from rsr.quantised import LastInputs

MATRICES = [
    rsr.TernaryMatrix(ternary(7, 70), scale=0.5),
    rsr.TernaryMatrix(ternary(33, 70, seed=4), inputs="int8", row_scales=np.linspace(-1, 1, 33)),
    rsr.TernaryMatrix(ternary(12, 70), algorithm="rsr", form="fold", k=3),
    rsr.BinaryMatrix(ternary(20, 70, seed=5) > 0),
]


@pytest.mark.parametrize("shape", [(70,), (1, 70), (5, 70), (2, 3, 70), (0, 70), (2, 0, 70)], ids=str)
def test_quantised_vectors_give_the_bits_of_quantise(shape):
    x = vectors(*shape)
    q = rsr.quantise(x)
    assert q.shape == shape and repr(q) == f"QuantisedVectors(shape={shape})"
    for W in MATRICES:
        wanted = W(x, quantise=True)
        assert W(q).dtype == np.float32 and W(q).shape == wanted.shape and (W(q) == wanted).all()
        assert (W(q, quantise=True) == wanted).all()
        out = np.empty_like(wanted)
        assert W(q, out=out) is out and (out == wanted).all()


def test_what_was_quantised_may_change_and_go():
    x = vectors(4, 70)
    wanted = MATRICES[0](x, quantise=True)
    q = rsr.quantise(x)
    x[:] = np.nan
    del x
    assert (MATRICES[0](q) == wanted).all()


@pytest.mark.parametrize("isa", isas())
def test_any_context_takes_them(isa):
    x = vectors(3, 70)
    q = rsr.quantise(x, context=rsr.Context(threads=2, isa=isa))
    for W in MATRICES:
        assert (W(q) == W(x, quantise=True)).all()
        assert (W(rsr.quantise(x), context=rsr.Context(threads=1, isa=isa)) == W(q)).all()


def test_matmul_takes_one_vector():
    W, x = MATRICES[0], vectors(70)
    assert (W @ rsr.quantise(x) == W(x, quantise=True)).all()
    with pytest.raises(ValueError, match=r"shape \(2, 70\); W\(x\) multiplies several, W @ x only one"):
        W @ rsr.quantise(vectors(2, 70))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16, np.int64])
def test_other_dtypes_are_quantised_as_float32(dtype):
    x = (vectors(3, 70) * 3).astype(dtype)
    assert (MATRICES[0](rsr.quantise(x)) == MATRICES[0](x, quantise=True)).all()


def test_a_tensor_gives_tensors():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(vectors(2, 3, 70)).bfloat16()
    for W in MATRICES:
        y, wanted = W(rsr.quantise(x)), W(x, quantise=True)
        assert y.dtype == torch.bfloat16 and y.device == x.device and y.equal(wanted)
    assert not MATRICES[0](rsr.quantise(torch.nn.Parameter(torch.ones(70)))).requires_grad


def test_what_is_wrong_is_named():
    nan = vectors(3, 70)
    nan[2, 5] = np.nan
    for make, error, words in [
        (lambda: rsr.quantise(np.zeros(70, np.int8)), TypeError, "x: is int8 already"),
        (lambda: rsr.quantise(nan), ValueError, "x: row 2, column 5 is nan"),
        (lambda: rsr.quantise(3.0), ValueError, "x: a single number"),
        (lambda: MATRICES[0](rsr.quantise(vectors(69))), ValueError, "last dimension is 69; the matrix has 70 columns"),
        (lambda: MATRICES[0](rsr.quantise(vectors(70)), out=np.empty(6, np.float32)), ValueError, "out: float32"),
        (rsr.QuantisedVectors, TypeError, "made by rsr.quantise"),
        (lambda: pickle.dumps(rsr.quantise(vectors(70))), TypeError, "pickle"),
    ]:
        with pytest.raises(error, match=words):
            make()


def test_threads_may_share_them():
    x = vectors(4, 70)
    q = rsr.quantise(x)
    wanted = [W(x, quantise=True) for W in MATRICES]
    with ThreadPoolExecutor(6) as threads:
        for i, y in enumerate(threads.map(lambda i: MATRICES[i % 4](q), range(400))):
            assert (y == wanted[i % 4]).all()


# What rsr.torch.Linear multiplies by.


def test_equal_inputs_are_quantised_once_and_changed_ones_again():
    last, x = LastInputs(), vectors(3, 70)
    for turn in range(3):
        for W in MATRICES:
            for array in (x, x.copy(), np.asfortranarray(x)):
                assert (last.multiply(W, array) == W(x, quantise=True)).all()
        assert last.made == turn + 1
        x[2, 69] += 1
    assert last.multiply(MATRICES[0], x[:0]).shape == (0, 7)
    with pytest.raises(ValueError, match="last dimension is 210; the matrix has 70 columns"):
        last.multiply(MATRICES[0], x.reshape(-1))


def test_each_thread_has_last_inputs_of_its_own():
    last, W = LastInputs(), MATRICES[0]
    inputs = [vectors(2, 70, seed=seed) for seed in range(4)]
    wanted = [W(x, quantise=True) for x in inputs]

    def work(i: int) -> int:
        before = last.made
        for _ in range(200):
            assert (last.multiply(W, inputs[i]) == wanted[i]).all()
        return last.made - before

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(work, range(4))) == 1
