"""Tensors of torch, which the package reads without needing torch."""

import numpy as np
import pytest
from package import bytes_in, ternary, vectors

import rsr

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_a_tensor_gives_a_tensor_of_its_dtype(dtype):
    values = ternary(6, 10)
    W = rsr.TernaryMatrix(values)
    x = torch.from_numpy(vectors(2, 3, 10)).to(getattr(torch, dtype))
    for y, numbers in (
        (W(x), W(x.float().numpy())),
        (W @ x.transpose(-1, -2), (W @ x.float().transpose(-1, -2).numpy())),
    ):
        assert y.dtype == x.dtype and y.device == x.device and not y.requires_grad
        assert torch.equal(y, torch.from_numpy(numbers).to(x.dtype))
    assert W(x, quantise=True).dtype == x.dtype
    assert [y.dtype for y in rsr.multiply_quantised([W, W], x)] == [x.dtype] * 2


def test_integers_and_gradients():
    W = rsr.TernaryMatrix(ternary(6, 10))
    integers = bytes_in(3, 10)
    assert torch.equal(W(torch.from_numpy(integers)), torch.from_numpy(W(integers)))
    assert W(torch.from_numpy(integers)).dtype == torch.int32
    assert W(torch.ones(10, dtype=torch.int64)).dtype == torch.float32
    parameter = torch.nn.Parameter(torch.ones(10))
    assert not W(parameter).requires_grad
    rows, scores = rsr.top_k(W, torch.ones(10), 2)
    assert rows.dtype == torch.int64 and scores.dtype == torch.float32


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "bfloat16"])
def test_matrices_of_tensors(dtype):
    values = ternary(20, 30)
    tensor = torch.from_numpy(values).to(getattr(torch, dtype))
    x = vectors(30)
    assert (rsr.TernaryMatrix(tensor)(x) == rsr.TernaryMatrix(values)(x)).all()
    assert (rsr.TernaryMatrix(tensor.t().contiguous().t())(x) == rsr.TernaryMatrix(values)(x)).all()
    with pytest.raises(ValueError, match="row 0, column 0 is 2"):
        rsr.TernaryMatrix(torch.full((2, 2), 2).to(tensor.dtype))


def test_whatever_exports_dlpack():
    class Exporter:
        def __init__(self, tensor):
            self.tensor = tensor

        def __dlpack__(self, **options):
            return self.tensor.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.tensor.__dlpack_device__()

    values, x = ternary(6, 10), vectors(10)
    W = rsr.TernaryMatrix(Exporter(torch.from_numpy(values)))
    assert (W(Exporter(torch.from_numpy(x))) == rsr.TernaryMatrix(values)(x)).all()
    assert isinstance(W(Exporter(torch.from_numpy(x))), np.ndarray)
    with pytest.raises(TypeError, match="x: a Exporter that cannot be read as an array"):
        W(Exporter(torch.ones(10, dtype=torch.bfloat16)))
