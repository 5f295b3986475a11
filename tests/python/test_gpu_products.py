"""Products of tensors on GPUs: with a stand-in whose memory is this machine's, and on a GPU where there is one.

The stand-in multiplies what lies at the addresses that it is given, so that these tests see what the engine would see.
"""

import contextlib
import copy
import ctypes
import pickle
import threading

import numpy as np
import pytest
import torch
from hf_models import one_thread  # noqa: F401
from package import ternary

import rsr
import rsr.device
import rsr.torch
from rsr import _rsr
from rsr.torch import Linear

STREAM = 7


def memory(address, count, dtype):
    """The tensor that lies there."""
    if not count:
        return torch.empty(0, dtype=getattr(torch, dtype))
    size = getattr(torch, dtype).itemsize
    return torch.frombuffer((ctypes.c_char * (count * size)).from_address(address), dtype=getattr(torch, dtype))


class StandIn:
    """A GPU that is the CPU, and counts what is asked of it."""

    def __init__(self):
        self.uploads, self.products = [], []

    def upload(self, weight):
        if "RSR" in weight.describe():
            raise rsr.Unsupported("weight: no kernel")
        self.uploads.append(weight)
        return rsr.TernaryMatrix._wrap(weight)

    scratch_bytes = staticmethod(_rsr.Device.scratch_bytes)

    def multiply(self, matrix, x, y, quantise, place):
        self.products.append(x[2])
        inputs, results = memory(*x), memory(*y)
        stream, scratch, scratch_bytes = place
        assert stream == STREAM
        if quantise or x[2] == "int8":
            memory(scratch, scratch_bytes, "uint8").fill_(99)
        inputs = inputs.reshape(-1, matrix.cols)
        finite = torch.ones(len(inputs), dtype=torch.bool) if x[2] == "int8" else inputs.isfinite().all(-1)
        for row, good, vector in zip(results.reshape(len(inputs), -1), finite, inputs):
            value = vector if x[2] == "int8" else vector.float()
            row.copy_(torch.from_numpy(matrix(value.numpy(), quantise=quantise)) if good else torch.tensor(torch.nan))


@pytest.fixture(name="gpu")
def stand_in(monkeypatch):
    """CPU tensors of two dimensions and more take the way of GPU tensors."""
    gpu = StandIn()
    monkeypatch.setattr(rsr.device, "_devices", {None: gpu})
    monkeypatch.setattr(rsr.device, "_place", lambda x: contextlib.nullcontext())
    monkeypatch.setattr(rsr.device, "_stream", lambda x: STREAM)
    monkeypatch.setattr(rsr.device, "tensor_of", lambda x: x if isinstance(x, torch.Tensor) else None)
    return gpu


def layer_there(layer, x):
    """The layer's output by the way of GPU tensors."""
    y = layer._kernel._product_there(x)
    assert y is not None and y.dtype == torch.float32
    return y if layer.bias is None else y + layer.bias


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("lead", [(), (1,), (2, 3), (0,), (2, 0)])
def test_a_layer_gives_what_it_gives_on_the_cpu(gpu, dtype, quantise, lead):
    layer = Linear(rsr.TernaryMatrix(ternary(12, 40), scale=0.3), torch.randn(12), quantise=quantise)
    x = torch.randn(*lead, 40).to(dtype)
    y = layer_there(layer, x)
    assert y.shape == (*lead, 12) and y.to(dtype).equal(layer(x))
    assert gpu.products == ([] if 0 in lead else [str(dtype).removeprefix("torch.").replace("float64", "float32")])


def test_inputs_need_not_be_contiguous(gpu):
    layer = Linear(rsr.TernaryMatrix(ternary(5, 20)))
    x = torch.randn(20, 6)
    assert layer_there(layer, x.T).equal(layer(x.T.contiguous()))
    assert layer_there(layer, x.T.requires_grad_()).equal(layer(x.T.contiguous()))


def test_a_matrix_is_copied_once(gpu):
    layer = Linear(rsr.TernaryMatrix(ternary(6, 20)))
    others = [copy.copy(layer), copy.deepcopy(layer)]
    x = torch.randn(2, 20)
    threads = [threading.Thread(target=layer_there, args=(one, x)) for one in [layer, *others] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gpu.uploads) == 1 and len(gpu.products) == 12
    layer_there(pickle.loads(pickle.dumps(layer)), x)
    assert len(gpu.uploads) == 2


def test_what_has_no_kernel_there_stays_on_the_cpu(gpu):
    layer = Linear(rsr.TernaryMatrix(ternary(6, 20), algorithm="rsr"))
    x = torch.randn(2, 20)
    assert layer._kernel._product_there(x) is None
    assert layer.matrix(x).equal(layer(x))
    assert not gpu.products


def test_nan_stays_in_its_vector_or_is_named(gpu):
    x = torch.randn(3, 20, dtype=torch.bfloat16)
    x[1, 4] = float("-inf")
    layer = Linear(rsr.TernaryMatrix(ternary(6, 20)), quantise=True)
    y = layer_there(layer, x)
    assert y[1].isnan().all() and y[[0, 2]].isfinite().all()
    layer = Linear(layer.matrix, quantise=True, nonfinite="raise")
    with pytest.raises(ValueError, match="x: row 1, column 4 is -inf; inputs must be finite") as there:
        layer_there(layer, x)
    with pytest.raises(ValueError) as here:
        layer(x)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int8])
def test_matrices_multiply_tensors_there(gpu, dtype):
    matrix = rsr.TernaryMatrix(ternary(12, 40), scale=0.3)
    x = (torch.randn(3, 5, 40) * 30).to(dtype)
    here = x.float().numpy() if dtype is not torch.int8 else x.numpy()
    wanted = torch.from_numpy(matrix(here)).to(torch.int32 if dtype is torch.int8 else dtype)
    assert matrix(x).equal(wanted) and matrix(x).dtype == wanted.dtype
    assert (matrix @ x.mT).equal(wanted.mT)
    assert (matrix @ x[0, 0]).equal(wanted[0, 0])
    if dtype is not torch.int8:
        assert matrix(x, quantise=True).equal(torch.from_numpy(matrix(here, quantise=True)).to(dtype))
    assert len(gpu.uploads) == 1 and len(gpu.products) == (4 if dtype is torch.int8 else 5)


def test_matrices_say_what_is_wrong_as_on_the_cpu(gpu):
    matrix = rsr.TernaryMatrix(ternary(12, 40))
    x = torch.randn(2, 40)
    x[1, 2] = torch.nan
    for wrong, options, words in [
        (x, {}, "x: row 1, column 2 is nan; inputs must be finite"),
        (torch.full((40,), 1e300, dtype=torch.float64), {}, "row 0, column 0 is inf"),
        (torch.randn(39), {}, "last dimension is 39"),
        (torch.tensor(1.0), {}, "a single number"),
        (torch.ones(40, dtype=torch.int8), {"quantise": True}, "is int8 already"),
    ]:
        with pytest.raises(rsr.InvalidArgument, match=words):
            matrix(wrong, **options)
    assert not gpu.products
    assert matrix(torch.ones(40, dtype=torch.int32)).dtype == torch.float32  # the CPU's
    with pytest.raises(rsr.InvalidArgument, match="group scales"):
        rsr.TernaryMatrix(ternary(4, 32), group_scales=np.ones((4, 1)), group_size=32)(
            torch.ones(32, dtype=torch.int8)
        )


def test_without_a_gpu_nothing_changes(monkeypatch):
    """A tensor from a GPU that the engine has no way to is multiplied on the CPU."""
    monkeypatch.setattr(rsr.device, "_devices", {})
    opened = []

    def refuse(name):
        opened.append(name)
        raise rsr.IoError("no driver")

    monkeypatch.setattr(_rsr, "open_device", refuse)
    layer = Linear(rsr.TernaryMatrix(ternary(4, 8)))
    assert rsr.device.copy_on(layer.matrix, 1) is None
    assert rsr.device.copy_on(rsr.TernaryMatrix(ternary(4, 8)), 1) is None
    assert opened == ["cuda:1"]
    assert layer._kernel._product_here(torch.ones(8)).equal(layer(torch.ones(8)))


def test_the_module_says_why_there_is_no_gpu():
    try:
        device = _rsr.open_device("cuda")
    except rsr.RsrError as error:
        assert "device 'cuda'" in str(error)
    else:
        assert device.describe().startswith("cuda:0, ")
    with pytest.raises(rsr.InvalidArgument, match="device 'tpu' is unknown"):
        _rsr.open_device("tpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_on_a_gpu(dtype):
    x = torch.randn(5, 200).to(dtype)
    layer = Linear(rsr.TernaryMatrix(ternary(70, 200), scale=0.3), torch.randn(70), quantise=True)
    wanted = layer(x)
    y = layer.cuda()(x.cuda())
    assert rsr.device.copy_on(layer.matrix, 0) is not None, "the engine was built without CUDA"
    assert y.is_cuda and y.dtype == dtype and y.cpu().equal(wanted)
    x[2, 3] = torch.nan
    y = layer(x.cuda()).cpu()
    assert y[2].isnan().all() and y[[0, 1, 3, 4]].equal(wanted[[0, 1, 3, 4]])
    with torch.cuda.stream(torch.cuda.Stream()):
        assert layer.matrix(x[3:].cuda()).cpu().isfinite().all()
