"""What is wrong is an exception with the library's words: never a crash, never a wrong answer."""

import numpy as np
import pytest
from package import ternary, vectors

import rsr

W = rsr.TernaryMatrix(ternary(6, 10))
F = np.float32


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: rsr.TernaryMatrix([[0, 2]]), "matrix: row 0, column 1 is 2; a ternary matrix holds -1, 0 and 1 only"),
        (lambda: rsr.TernaryMatrix(np.array([[0, 1], [-2, 0]], np.int8)), "matrix: row 1, column 0 is -2; a ternary"),
        (lambda: rsr.TernaryMatrix(np.array([[257]])), "row 0, column 0 is 257"),
        (lambda: rsr.TernaryMatrix(np.array([[255]], np.uint8)), "row 0, column 0 is 255"),
        (lambda: rsr.TernaryMatrix([[0.5]]), "row 0, column 0 is 0.5"),
        (lambda: rsr.TernaryMatrix([[1, np.nan]]), "row 0, column 1 is nan"),
        (lambda: rsr.BinaryMatrix([[0, 1], [1, 2]]), "row 1, column 1 is 2; a binary matrix holds 0 and 1 only"),
        (lambda: rsr.BinaryMatrix([[-1]], signs=False), "row 0, column 0 is -1; a binary matrix"),
        (lambda: rsr.TernaryMatrix([1, 0]), "matrix: 1 dimensions; must be 2, rows and columns"),
        (lambda: rsr.TernaryMatrix(np.empty((0, 4), np.int8)), "a matrix of 0 x 4; both must be at least 1"),
        (lambda: rsr.TernaryMatrix(np.empty((4, 0), np.int8)), "a matrix of 4 x 0"),
        (lambda: rsr.TernaryMatrix([[1]], inputs="int4"), "inputs is 'int4', must be one of: any, int8, floats"),
        (lambda: rsr.TernaryMatrix([[1]], isa="mmx"), 'unknown instruction set "mmx"'),
        (
            lambda: rsr.TernaryMatrix([[1]], algorithm="rsr", k=17),
            "k must be 1 to 16 for the form scatter of a ternary matrix, and is 17",
        ),
        (lambda: rsr.TernaryMatrix([[1]], scale=float("inf")), "scale: inf; it must be finite"),
        (lambda: rsr.TernaryMatrix([[1]], row_scales=[1, 2]), r"row_scales: shape \(2,\); must be \(1,\)"),
        (lambda: rsr.TernaryMatrix([[1]], row_scales=[np.nan]), "row_scales"),
        (lambda: rsr.TernaryMatrix([[1]], group_scales=[[1]]), "group_size is 0; must be at least 1"),
        (lambda: rsr.TernaryMatrix(ternary(2, 3), group_scales=ternary(3, 2), group_size=2), r"must be \(2, 2\)"),
        (lambda: rsr.TernaryMatrix.from_packed(np.zeros((2, 4), np.uint8), 9), "9 x 4 needs 12 elements"),
        (lambda: rsr.TernaryMatrix.from_packed(np.full((1, 1), 3, np.uint8), 1), "code 3"),
        (lambda: rsr.TernaryMatrix.from_floats([[1, np.inf]]), "row 0, column 1 is inf; weights must be finite"),
        (lambda: rsr.BinaryMatrix.from_bits(np.zeros((1, 2), np.uint8), 17), "17 columns need 3"),
        (lambda: rsr.TernaryMatrix.from_bytes(b""), "weight"),
        (lambda: rsr.Context(isa="mmx"), 'unknown instruction set "mmx"; known are: reference'),
        (lambda: rsr.Context(threads=-1), "threads"),
    ],
)
def test_matrices_that_are_none(make, words):
    with pytest.raises(ValueError, match=words) as raised:
        make()
    assert isinstance(raised.value, rsr.RsrError) and raised.value.code in ("invalid_argument", "corrupt_data")


@pytest.mark.parametrize(
    "product, words",
    [
        (lambda: W(vectors(3, 9)), "x: last dimension is 9; the matrix has 10 columns"),
        (lambda: W(vectors(100)), "x: last dimension is 100; the matrix has 10 columns"),
        (lambda: W @ vectors(9, 2), r"x: shape \(9, 2\); its last dimension but one must be the 10 columns"),
        (lambda: W @ vectors(9), "x: last dimension is 9; the matrix has 10 columns"),
        (lambda: W(F(1)), "x: a single number"),
        (
            lambda: W(np.full((2, 10), [[0] * 10, [0] * 9 + [np.nan]], F)),
            "x: row 1, column 9 is nan; inputs must be finite",
        ),
        (lambda: W(np.full(10, np.inf, F), quantise=True), "x: row 0, column 0 is inf"),
        (lambda: W(np.full(10, 1e300)), "x: row 0, column 0 is inf"),
        (lambda: W([2**24 + 1] * 10), "x: row 0, column 0 is 16777217, which float32 may not hold"),
        (lambda: W(np.zeros(10, np.int8), quantise=True), "x: is int8 already"),
        (lambda: W(vectors(10), out=np.empty(6)), r"out: float64 \(6,\); must be a NumPy array, float32 \(6,\)"),
        (lambda: W(vectors(10), out=np.empty(5, F)), r"out: float32 \(5,\)"),
        (lambda: W(vectors(10), out=np.empty(12, F)[::2]), "out: must be C-contiguous"),
        (lambda: rsr.top_k(W, vectors(10), 7), "k is 7; must be 0 to the 6 rows"),
        (lambda: rsr.top_k(W, vectors(10), -1), "k is -1"),
        (lambda: rsr.top_k(W, vectors(2, 10), 1), r"query: shape \(2, 10\); must be \(10,\)"),
        (lambda: rsr.multiply_quantised([], vectors(10)), "matrices: there are none"),
        (lambda: rsr.multiply_quantised([W, rsr.TernaryMatrix([[1]])], vectors(10)), r"matrices\[1\] has 1 columns"),
        (lambda: W.with_index("64 monkeys"), "memory is '64 monkeys'; must be a number of bytes"),
        (lambda: W.with_index(-1), "memory is -1"),
        (lambda: W.explain(batch=0), "batch is 0"),
    ],
)
def test_products_that_are_none(product, words):
    with pytest.raises(ValueError, match=words):
        product()


def test_an_overlapping_result_is_refused():
    square, x = rsr.TernaryMatrix(ternary(4, 4)), vectors(2, 4)
    with pytest.raises(ValueError, match="out: must not overlap x"):
        square(x, out=x)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: W(np.zeros(10, ">f4")), "x: dtype >f4 is big-endian"),
        (lambda: rsr.TernaryMatrix(np.zeros((2, 2), ">i2")), "matrix: dtype >i2 is big-endian"),
        (lambda: W(np.array([None] * 10)), "x: dtype object; must be a real number's"),
        (lambda: W(np.zeros(10, np.complex64)), "x: dtype complex64"),
        (lambda: W("a string"), "x: dtype <U8"),
        (lambda: W([[1, 2], [3]]), "x: a list that cannot be read as an array"),
        (lambda: W(np.ma.masked_array(vectors(10), mask=[True] * 10)), "x: a masked array"),
        (
            lambda: rsr.TernaryMatrix.from_packed(np.zeros((1, 1), np.int8), 1),
            "data: dtype int8; packed values are uint8",
        ),
        (lambda: rsr.TernaryMatrix([[1]], k="three"), "k is 'three'; must be: int"),
        (lambda: rsr.TernaryMatrix([[1]], kk=3), "there is no option kk; there are: scale, "),
        (lambda: rsr.load("models/demo", threads=1.5), "threads is 1.5; must be: int"),
    ],
)
def test_types_that_mean_nothing_here(call, words):
    with pytest.raises(TypeError, match=words) as raised:
        call()
    assert isinstance(raised.value, rsr.WrongType)


def test_codes_are_those_of_the_library():
    codes = {kind.code: kind for kind in rsr.RsrError.__subclasses__()}
    assert set(codes) == {
        "invalid_argument",
        "not_found",
        "corrupt_data",
        "unsupported",
        "limit_exceeded",
        "io_error",
        "cancelled",
    }
    assert issubclass(rsr.NotFound, FileNotFoundError) and issubclass(rsr.IoError, OSError)
    assert issubclass(rsr.Unsupported, NotImplementedError) and issubclass(rsr.LimitExceeded, ValueError)
