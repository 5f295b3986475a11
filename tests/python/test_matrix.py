"""Matrices: what they are made of, and their products with arrays of every kind."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from package import assert_product, bytes_in, isas, ternary, vectors

import rsr

SHAPES = [(1, 1), (1, 7), (3, 4), (5, 1), (17, 33), (64, 64), (100, 257), (300, 1000)]
WAYS = [
    {},
    {"inputs": "int8"},
    {"inputs": "floats"},
    {"residency": "cache"},
    {"algorithm": "rsr"},
    {"algorithm": "rsr", "k": 1},
    {"algorithm": "rsr", "k": 16},
    {"algorithm": "rsr", "form": "fold", "k": 5},
    {"algorithm": "rsr", "form": "gray", "k": 3},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_any_shape(shape, way):
    values = ternary(*shape)
    W = rsr.TernaryMatrix(values, scale=0.25, **way)
    assert W.shape == shape and (W.rows, W.cols) == shape and W.nbytes > 0
    for batch in (1, 3, 40):
        x = vectors(batch, shape[1])
        assert_product(W(x), values, x, 0.25)
        integers = bytes_in(batch, shape[1])
        y = W(integers)  # exact, without scales
        assert y.dtype == np.int32 and (y == integers.astype(np.int64) @ values.T).all()


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("way", WAYS[:5], ids=str)
def test_binary_products(signs, way):
    values = (ternary(65, 130) > 0).astype(np.int8)
    values = values * 2 - 1 if signs else values
    B = rsr.BinaryMatrix(values, **way)
    assert B.signs == signs
    x, integers = vectors(3, 130), bytes_in(3, 130)
    assert_product(B(x), values, x)
    assert (B(integers) == integers.astype(np.int64) @ values.T).all()


def test_signs_are_found_in_the_values():
    assert rsr.BinaryMatrix([[1, -1]]).signs and rsr.BinaryMatrix([[-1]]).signs
    assert not rsr.BinaryMatrix([[0, 1]]).signs and not rsr.BinaryMatrix([[1, 1]]).signs
    assert rsr.BinaryMatrix([[1, 1]], signs=True).signs
    with pytest.raises(ValueError, match="row 0, column 2 is 0; a matrix of signs holds -1 and 1 only"):
        rsr.BinaryMatrix([[1, -1, 0]])


def test_leading_dimensions_of_a_call():
    values = ternary(6, 10)
    W = rsr.TernaryMatrix(values)
    for shape in [(10,), (1, 10), (2, 3, 10), (2, 1, 3, 10)]:
        x = vectors(*shape)
        assert_product(W(x), values, x)


def test_matmul_is_that_of_numpy():
    values = ternary(6, 10)
    W = rsr.TernaryMatrix(values)
    for shape in [(10,), (10, 1), (10, 4), (3, 10, 4), (2, 3, 10, 4)]:
        x = vectors(*shape)
        assert (W @ x).shape == (values @ x).shape
        np.testing.assert_allclose(W @ x, values @ x, atol=1e-5)
    assert (W @ bytes_in(10, 4)).dtype == np.int32
    assert (W @ ([1] * 10) == values.sum(axis=1)).all()


def test_only_the_right_side_can_be_an_array():
    W = rsr.TernaryMatrix(ternary(4, 4))
    with pytest.raises(TypeError):
        np.ones(4, np.float32) @ W
    with pytest.raises(TypeError):
        W @ W


def test_empty_batches_and_zero_inputs():
    W = rsr.TernaryMatrix(ternary(6, 10), scale=3)
    assert W(np.empty((0, 10), np.float32)).shape == (0, 6)
    assert W(np.empty((2, 0, 10), np.int8)).shape == (2, 0, 6)
    assert W(np.empty((0, 10), np.float32), quantise=True).dtype == np.float32
    assert (W @ np.empty((10, 0), np.float32)).shape == (6, 0)
    for zeros in (np.zeros((3, 10), np.float32), np.zeros((3, 10), np.int8)):
        assert not W(zeros).any()
    assert not W(np.zeros(10, np.float32), quantise=True).any()


def test_arrays_that_do_not_lie_in_order_are_copied():
    values = ternary(9, 12)
    x = vectors(4, 12)
    wanted = rsr.TernaryMatrix(values)(x)
    assert (rsr.TernaryMatrix(np.asfortranarray(values))(np.asfortranarray(x)) == wanted).all()
    wide = np.repeat(np.repeat(values, 2, axis=0), 3, axis=1)
    assert (rsr.TernaryMatrix(wide[::2, ::3])(np.repeat(x, 2, axis=1)[:, ::2]) == wanted).all()
    assert (
        rsr.TernaryMatrix(values[:, ::-1])(x[:, ::-1]) == rsr.TernaryMatrix(values[:, ::-1].copy())(x[:, ::-1].copy())
    ).all()
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert not unaligned.flags.aligned and (rsr.TernaryMatrix(values)(unaligned) == wanted).all()
    x.flags.writeable = values.flags.writeable = False
    assert (rsr.TernaryMatrix(values)(x) == wanted).all()


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float64, ml_dtypes.bfloat16, np.longdouble, np.int16, np.int64, np.uint8, np.bool_]
)
def test_other_dtypes_are_computed_in_float32(dtype):
    values = ternary(5, 20)
    x = (vectors(3, 20) * 3).astype(dtype) if dtype is not np.uint8 else np.arange(60, dtype=dtype).reshape(3, 20)
    W = rsr.TernaryMatrix(values)
    assert (W(x) == W(x.astype(np.float32))).all() and W(x).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_values_of_other_dtypes_are_converted(dtype):
    values = ternary(5, 20)
    x = vectors(20)
    assert (rsr.TernaryMatrix(values.astype(dtype))(x) == rsr.TernaryMatrix(values)(x)).all()
    assert (rsr.BinaryMatrix((values > 0).astype(dtype))(x) == rsr.BinaryMatrix(values > 0)(x)).all()


def test_quantised_inputs_follow_bitnet():
    values = ternary(50, 200)
    x = vectors(4, 200)
    x[1] = np.arange(200) % 2 * 127 + 0.5  # halves, which go to even
    s = (np.float32(127) / np.maximum(np.abs(x).max(-1, keepdims=True), np.float32(1e-5))).astype(np.float32)
    q = np.rint(x * s)
    wanted = (q @ values.T.astype(np.float64)) / s * 0.5
    np.testing.assert_allclose(rsr.TernaryMatrix(values, scale=0.5)(x, quantise=True), wanted, rtol=1e-6, atol=1e-6)


def test_several_products_share_a_quantisation():
    matrices = [rsr.TernaryMatrix(ternary(rows, 70, seed=rows)) for rows in (5, 16, 33)]
    x = vectors(2, 3, 70)
    for W, y in zip(matrices, rsr.multiply_quantised(matrices, x)):
        assert (y == W(x, quantise=True)).all() and y.shape == (2, 3, W.rows)
    assert [y.shape for y in rsr.multiply_quantised(matrices, x[:0])] == [(0, 3, 5), (0, 3, 16), (0, 3, 33)]


def test_scales_of_rows_and_groups():
    values, x = ternary(7, 50), vectors(2, 50)
    rows = np.linspace(-1, 2, 7)
    np.testing.assert_allclose(
        rsr.TernaryMatrix(values, row_scales=rows, scale=2)(x), x @ values.T * rows * 2, atol=1e-5
    )
    groups = vectors(7, 4)
    scaled = values * np.repeat(groups, 16, axis=1)[:, :50]
    np.testing.assert_allclose(
        rsr.TernaryMatrix(values, group_scales=groups, group_size=16)(x), x @ scaled.T, atol=1e-5
    )


def test_packings():
    values, x = ternary(10, 12), bytes_in(12)
    padded = np.vstack([values, np.zeros((2, 12), np.int8)]).reshape(4, 3, 12)
    packed = sum((padded[i] + 1).astype(np.uint8) << (2 * i) for i in range(4)).astype(np.uint8)
    assert (rsr.TernaryMatrix.from_packed(packed, 10) @ x == values.astype(np.int64) @ x).all()
    bits = np.packbits(values > 0, axis=1, bitorder="little")
    assert (rsr.BinaryMatrix.from_bits(bits, 12) @ x == (values > 0).astype(np.int64) @ x).all()
    signs = np.where(values > 0, 1, -1)
    assert (rsr.BinaryMatrix.from_bits(bits, 12, signs=True) @ x == signs @ x).all()


def test_floats_become_ternary_by_their_mean():
    floats = vectors(20, 30)
    a = max(np.abs(floats.astype(np.float64)).mean(), 1e-5)
    values = np.clip(np.rint(floats * (np.float32(1) / np.float32(a))), -1, 1)
    W = rsr.TernaryMatrix.from_floats(floats)
    x = bytes_in(30)
    assert (W @ x == values @ x).all()
    np.testing.assert_allclose(W @ x.astype(np.float32), a * (values @ x), rtol=1e-5)


def traced_peak(work) -> int:
    """The most bytes that Python and NumPy held during work()."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_nothing_is_copied_on_the_way_in_and_out():
    values = ternary(512, 4096)
    assert traced_peak(lambda: rsr.TernaryMatrix(values)) < values.nbytes / 10
    assert traced_peak(lambda: rsr.BinaryMatrix(values != 0)) < 2.1 * values.nbytes  # of the comparison
    W = rsr.TernaryMatrix(values)
    x, y = vectors(256, 4096), np.empty((256, 512), np.float32)
    W(x[:1])
    assert traced_peak(lambda: W(x)) < y.nbytes + x.nbytes / 10
    assert traced_peak(lambda: W(x, out=y)) < x.nbytes / 10
    assert traced_peak(lambda: W(x, quantise=True, out=y)) < x.nbytes / 10
    assert W(x, out=y) is y and (y == W(x)).all()


def test_results_belong_to_their_callers():
    W = rsr.TernaryMatrix(ternary(8, 16))
    x = vectors(16)
    first = W(x)
    kept = first.copy()
    second = W(-x)
    assert (first == kept).all() and not np.shares_memory(first, second)


def test_the_best_rows_are_found():
    values = ternary(500, 64)
    values[100] = values[7]  # an equal score: the lower row comes first
    for query in (vectors(64), bytes_in(64)):
        W = rsr.TernaryMatrix(values, scale=0.5)
        scores = values @ query.astype(np.float64) * 0.5
        rows, found = rsr.top_k(W, query, 20)
        assert rows.dtype == np.int64 and found.dtype == np.float32
        assert (rows == np.lexsort((np.arange(500), -scores.astype(np.float32)))[:20]).all()
        np.testing.assert_allclose(found, scores[rows], rtol=1e-5)
    assert [len(part) for part in rsr.top_k(W, query, 0)] == [0, 0]


def test_an_index_for_batches_keeps_the_bits():
    W = rsr.TernaryMatrix(ternary(128, 640))
    indexed = W.with_index("4MB", always=True)
    assert indexed.index_bytes > 0 == W.index_bytes and indexed.notice == "" and "index" in repr(indexed)
    x = bytes_in(64, 640)
    assert (indexed(x) == W(x)).all()
    none = W.with_index(10, always=True)
    assert none.index_bytes == 0 and "more memory than it may take" in none.notice


def test_an_index_for_floats_is_near():
    W = rsr.TernaryMatrix(ternary(128, 640), inputs="floats")
    indexed = W.with_index("4MB", always=True)
    assert indexed.index_bytes > 0 and "index" in indexed.explain(batch=64).splitlines()[1]
    x = np.random.default_rng(5).standard_normal((64, 640)).astype(np.float32)
    np.testing.assert_allclose(indexed(x), W(x), rtol=0, atol=1e-6 * np.abs(x).sum(-1).max())


def test_a_matrix_tells_about_itself():
    W = rsr.TernaryMatrix(ternary(30, 40), inputs="floats")
    assert repr(W) == f"TernaryMatrix(30 x 40, {W.describe()})" and "bits per weight" in W.describe()
    context = rsr.default_context()
    text = W.explain(batch=4)
    assert text.startswith("30 x 40 ternary: ") and "floats: " in text and context.isa in text
    assert W.explain(threads=1).count("\n") == 2


@pytest.mark.parametrize("isa", isas())
def test_every_instruction_set_gives_the_same_integers(isa):
    values, x = ternary(70, 300), bytes_in(5, 300)
    context = rsr.Context(threads=2, isa=isa)
    assert context.isa == isa and context.threads == 2 and isa in repr(context)
    W = rsr.TernaryMatrix(values, isa=isa)
    assert (W(x, context=context) == x.astype(np.int64) @ values.T).all()
    assert_product(W(vectors(5, 300), context=context), values, vectors(5, 300))


def test_the_default_context_can_be_set():
    before = rsr.default_context()
    assert before is rsr.default_context()
    try:
        rsr.set_threads(1)
        assert rsr.default_context().threads == 1
    finally:
        rsr.set_threads(0)
    assert rsr.default_context().threads == before.threads
