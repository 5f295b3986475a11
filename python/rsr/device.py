"""Products on NVIDIA GPUs: torch tensors that lie there are read, and results written, where they are.

A matrix is copied to a GPU when it first meets a tensor from there. Where this build, the machine or the matrix
has no way to it, the functions here give None, and the CPU does the work. torch is never imported unasked.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from rsr import _rsr, arrays
from rsr.errors import InvalidArgument, RsrError, Unsupported

if TYPE_CHECKING:
    from rsr.packed import PackedMatrix

CUDA = 2  # what DLPack calls it

_TYPES = {f"torch.{name}": name for name in ("float32", "float16", "bfloat16", "int8")}

_lock = threading.Lock()
_devices: dict[int, _rsr.Device | None] = {}


def tensor_of(x: Any) -> Any:
    """`x` as a torch tensor if it lies on a GPU: it is one, or exports DLPack and torch is there to take it."""
    torch = sys.modules.get("torch")
    if torch is None or type(x) is np.ndarray:
        return None
    if isinstance(x, torch.Tensor):
        return x if x.is_cuda else None
    if hasattr(x, "__dlpack_device__") and x.__dlpack_device__()[0] == CUDA:
        return torch.from_dlpack(x)
    return None


def _open(index: int) -> _rsr.Device | None:
    """The GPU of that number; None where there is no way to it. The caller has the lock."""
    if index not in _devices:
        try:
            _devices[index] = _rsr.open_device(f"cuda:{index}")
        except RsrError:
            _devices[index] = None
    return _devices[index]


def _copy(matrix: PackedMatrix, index: int) -> tuple[_rsr.Device, _rsr.DeviceWeight] | None:
    device = _open(index)
    if device is None:
        return None
    try:
        return device, device.upload(matrix._weight)
    except Unsupported:  # matrices in a form of RSR, and with groups of uncommon sizes
        return None


def copy_on(matrix: PackedMatrix, index: int) -> tuple[_rsr.Device, _rsr.DeviceWeight] | None:
    """The GPU and the matrix there, copied once; None where there is no way. Errors: no memory there."""
    copies: dict[int, tuple[_rsr.Device, _rsr.DeviceWeight] | None] | None = matrix._copies
    if copies is None or index not in copies:
        with _lock:  # two threads must not both copy
            copies = matrix._copies = {} if matrix._copies is None else matrix._copies
            if index not in copies:
                copies[index] = _copy(matrix, index)
    return copies[index]


def _place(x: Any) -> Any:
    """What makes x's GPU the current one, for `with`."""
    return sys.modules["torch"].cuda.device(x.device)


def _stream(x: Any) -> int:
    """torch's current stream there."""
    return int(sys.modules["torch"].cuda.current_stream(x.device).cuda_stream)


def _readable(x: Any) -> Any:
    """`x` in a dtype that the engine reads: its own, or float32."""
    return x if str(x.dtype) in _TYPES else x.float()


def product(matrix: PackedMatrix, x: Any, quantise: bool) -> Any:
    """W x [..., rows] for a tensor [..., cols] on a GPU, which may compute it later: float32, or int32 for int8. None
    where there is no way. Vectors with NaN or infinity give NaN."""
    copy = copy_on(matrix, x.device.index)
    if copy is None:
        return None
    device, weight = copy
    torch = sys.modules["torch"]
    inputs = _readable(x.detach()).contiguous()
    integers = inputs.dtype is torch.int8
    y = inputs.new_empty((*x.shape[:-1], matrix.rows), dtype=torch.int32 if integers else torch.float32)
    if not inputs.numel():
        return y
    # Memory of torch's own knows by which stream it was last used, and may be part of a graph.
    scratch_bytes = device.scratch_bytes(inputs.numel() // matrix.cols, matrix.cols)
    scratch = inputs.new_empty(scratch_bytes if quantise or integers else 0, dtype=torch.uint8)
    with _place(x):
        device.multiply(
            weight,
            (inputs.data_ptr(), inputs.numel(), _TYPES[str(inputs.dtype)]),
            (y.data_ptr(), y.numel(), "int32" if integers else "float32"),
            quantise,
            (_stream(x), scratch.data_ptr(), scratch.numel()),
        )
    return y


def check_finite(x: Any) -> None:
    """Raises InvalidArgument for NaN and infinity, by row and column, as products on the CPU do. Waits for the GPU."""
    wrong = x.isfinite().logical_not().reshape(-1)
    if bool(wrong.any()):
        at = int(wrong.byte().argmax())
        value = float(x.reshape(-1)[at])
        raise InvalidArgument(f"x: {arrays.place(x, at)} is {value}; inputs must be finite")


def call(matrix: PackedMatrix, x: Any, quantise: bool) -> Any:
    """W(x) for a tensor on a GPU. None where there is no way, or something is wrong that the CPU finds words for."""
    torch = sys.modules["torch"]
    integers = x.dtype is torch.int8
    if not (x.is_floating_point() or (integers and not quantise)) or not x.dim() or x.shape[-1] != matrix.cols:
        return None
    if copy_on(matrix, x.device.index) is None:
        return None
    inputs = _readable(x)
    if not integers:
        check_finite(inputs)
    y = product(matrix, inputs, quantise)
    return y if integers else y.to(x.dtype)
