"""Arrays of NumPy, of torch and of others, as the engine reads them.

Nothing is copied that has the right dtype and lies in row-major order. torch is never imported
here: who passes a tensor has imported it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsr.errors import InvalidArgument, WrongType

Array = NDArray[Any]

FLOAT32 = np.dtype(np.float32)
INT8 = np.dtype(np.int8)
INT32 = np.dtype(np.int32)

_WHOLE_IN_FLOAT32 = 1 << 24


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _from_tensor(tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    # NumPy itself has no bfloat16.
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def as_array(value: Any, name: str) -> Array:
    """The array that `value` is or exports, in its own dtype: real numbers of this machine's byte order."""
    if isinstance(value, np.ma.MaskedArray):
        raise WrongType(f"{name}: a masked array; fill it first, masked values mean nothing here")
    try:
        if isinstance(value, np.ndarray):
            array = value
        elif is_tensor(value):
            array = _from_tensor(value)
        elif hasattr(value, "__dlpack__"):
            array = np.from_dlpack(value)
        else:
            array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise WrongType(f"{name}: a {type(value).__name__} that cannot be read as an array: {error}") from error
    if array.dtype.byteorder == ">":
        dtype = array.dtype.str
        raise WrongType(f"{name}: dtype {dtype} is big-endian; {name}.astype('{dtype[1:]}') swaps it")
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)  # which holds all of it
    if array.dtype.kind not in "biuf":
        raise WrongType(f"{name}: dtype {array.dtype}; must be a real number's, such as int8 or float32")
    return array


def _is_ready(array: Array, dtype: np.dtype[Any]) -> bool:
    flags = array.flags
    return array.dtype == dtype and flags.c_contiguous and flags.aligned


def _row_major(array: Array, dtype: np.dtype[Any]) -> Array:
    if _is_ready(array, dtype):
        return array
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused by the engine, by its place
        return np.require(array.astype(dtype, copy=False), dtype, ("C", "A"))


def place(array: Array, flat_index: int) -> str:
    """Where an element is: "row 1, column 2", rows being all dimensions but the last."""
    row, column = divmod(flat_index, array.shape[-1])
    return f"row {row}, column {column}"


def floats(value: Any, name: str) -> Array:
    """`value` as float32; integers must be held by it exactly."""
    array = as_array(value, name)
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2 and array.size:
        wrong = (array > _WHOLE_IN_FLOAT32) | (array < -_WHOLE_IN_FLOAT32)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InvalidArgument(
                f"{name}: {place(np.atleast_1d(array), at)} is {array.flat[at]}, which float32 may not hold; "
                "convert it yourself"
            )
    return _row_major(array, FLOAT32)


def inputs(value: Any, name: str = "x") -> Array:
    """Inputs of a product: int8 stays, everything else becomes float32. At least one dimension."""
    if type(value) is np.ndarray and value.ndim and (_is_ready(value, FLOAT32) or _is_ready(value, INT8)):
        return value  # the usual case, which should cost nothing
    array = as_array(value, name)
    if array.ndim == 0:
        raise InvalidArgument(f"{name}: a single number; must be a vector or an array of vectors")
    return _row_major(array, INT8) if array.dtype == INT8 else floats(array, name)


def small_values(value: Any, name: str, rule: str) -> Array:
    """A matrix [rows, cols] of small whole numbers as int8. What int8 does not hold is an error."""
    array = as_array(value, name)
    if array.ndim != 2:
        raise InvalidArgument(f"{name}: {array.ndim} dimensions; must be 2, rows and columns")
    if array.dtype == INT8:
        return _row_major(array, INT8)
    if array.dtype == np.bool_:
        return _row_major(array, array.dtype).view(np.int8)
    converted = _row_major(array, INT8)
    wrong = converted != array
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgument(f"{name}: {place(array, at)} is {array.flat[at]}; {rule}")
    return converted


def packed_bytes(value: Any, name: str) -> Array:
    """A matrix of bytes, which must be uint8."""
    array = as_array(value, name)
    if array.dtype != np.uint8:
        raise WrongType(f"{name}: dtype {array.dtype}; packed values are uint8")
    if array.ndim != 2:
        raise InvalidArgument(f"{name}: {array.ndim} dimensions; must be 2")
    return _row_major(array, array.dtype)


def tensor(result: Array, device: Any) -> Any:
    """`result` as a torch tensor on that device; not copied if that is the CPU."""
    return sys.modules["torch"].from_numpy(result).to(device)


def like(result: Array, original: Any) -> Any:
    """`result` as the kind of array that `original` is: for a tensor a tensor on its device, with its
    dtype where both are floats."""
    if not is_tensor(original):
        return result
    made = tensor(result, original.device)
    return made.to(original.dtype) if result.dtype == FLOAT32 and original.is_floating_point() else made
