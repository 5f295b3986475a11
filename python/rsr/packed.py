"""What matrices of all kinds have in common: products, bytes, files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rsr import _rsr, arrays, device
from rsr.context import Context, default_context
from rsr.errors import InvalidArgument, WrongType
from rsr.options import byte_count
from rsr.quantised import QuantisedVectors

if TYPE_CHECKING:
    from typing_extensions import Self


class PackedMatrix:
    """What TernaryMatrix and BinaryMatrix have in common: a packed matrix [rows, cols], immutable.

    Threads may share it. It is pickled and copied like any value; the bytes are the same on every
    machine, and are packed anew in memory where the instruction set has no kernel for them.
    """

    _weight: _rsr.Weight
    _kinds: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _wrap(cls, weight: _rsr.Weight, notice: str = "") -> Self:
        self = object.__new__(cls)
        self._weight = weight
        self._index_notice = notice
        return self

    _index_notice: str = ""
    _copies: dict[int, Any] | None = None  # on GPUs: device.copy_on()

    # What it is.

    @property
    def rows(self) -> int:
        """Outputs of a product."""
        return self._weight.rows

    @property
    def cols(self) -> int:
        """Inputs of a product."""
        return self._weight.cols

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)"""
        return (self.rows, self.cols)

    @property
    def nbytes(self) -> int:
        """Bytes of packed values and scales in memory."""
        return self._weight.nbytes

    @property
    def index_bytes(self) -> int:
        """Bytes of the index for batches that with_index() has added; not part of nbytes."""
        return self._weight.index_bytes

    @property
    def notice(self) -> str:
        """What was changed when it was read from bytes, or why with_index() added nothing or another
        index than was asked for; empty when there is nothing to say."""
        return "; ".join(text for text in (self._weight.notice, self._index_notice) if text)

    def describe(self) -> str:
        """One line: format, algorithm, bits per weight."""
        return self._weight.describe()

    def explain(self, batch: int = 1, threads: int | None = None) -> str:
        """Which kernels products of `batch` vectors run here, and why.

        threads: None is the default context's, 0 as many as this process may use.
        """
        if batch < 1:
            raise InvalidArgument(f"batch is {batch}; must be at least 1")
        context = default_context() if threads is None else Context(threads=threads)
        lines = [f"{self.rows} x {self.cols} {self._weight.kind}: {self.describe()}"]
        lines += [
            f"{name}: {self._weight.explain(context, of_floats, batch)}"
            for name, of_floats in (("floats", True), ("int8 or quantised", False))
        ]
        return "\n".join(lines + ([self.notice] if self.notice else []))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rows} x {self.cols}, {self.describe()})"

    # Products.

    def __call__(
        self, x: Any, *, quantise: bool = False, context: Context | None = None, out: arrays.Array | None = None
    ) -> Any:
        """y[..., rows] = scale * (W x) for x[..., cols], as torch.nn.Linear has it.

        Floats (float16, bfloat16, float32, float64) are computed in float32; int8 gives exact int32,
        to which scales are not applied. Other whole numbers become float32, which must hold them.
        quantise: x is rounded to int8 first, vector by vector, by the rule of BitNet b1.58.
        A NumPy array gives a NumPy array, a torch tensor a tensor on its device, of its dtype if
        that is a float's, without a gradient; one on a GPU is multiplied there where it can be, and
        waited for to see whether it is finite. out: a C-contiguous array of the result's shape and
        dtype that takes the result. Errors: another last dimension than cols; NaN or infinity, by
        row and column.
        What rsr.quantise(x) gave stands for x with quantise=True, and is not quantised again.
        """
        if isinstance(x, QuantisedVectors):
            return self._multiply_vectors(x, context, out)
        if out is None and (there := device.tensor_of(x)) is not None:
            y = device.call(self, there, quantise)
            if y is not None:
                return y
        y = self._multiply(arrays.inputs(x), quantise, context, out)
        return y if out is not None else arrays.like(y, x)

    def __matmul__(self, x: Any) -> Any:
        """W @ x as NumPy has it: x[cols] gives [rows], x[..., cols, n] gives [..., rows, n]. Quantised
        vectors lie along their last dimension, so that only one of them can stand here."""
        if isinstance(x, PackedMatrix):
            return NotImplemented
        if isinstance(x, QuantisedVectors) and len(x.shape) != 1:
            raise InvalidArgument(f"x: quantised vectors of shape {x.shape}; W(x) multiplies several, W @ x only one")
        if isinstance(x, QuantisedVectors) or getattr(x, "ndim", 0) == 1:
            return self(x)
        if (there := device.tensor_of(x)) is not None and there.dim() > 1 and there.shape[-2] == self.cols:
            y = device.call(self, there.mT, False)
            if y is not None:
                return y.mT
        array = arrays.as_array(x, "x")
        if array.ndim < 2:
            return self(x)
        if array.shape[-2] != self.cols:
            raise InvalidArgument(f"x: shape {array.shape}; its last dimension but one must be the {self.cols} columns")
        y = self._multiply(arrays.inputs(np.swapaxes(array, -1, -2)), False, None, None)
        return arrays.like(np.swapaxes(y, -1, -2), x)

    # NumPy arrays on the left must not take the matrix for an object among numbers.
    __array_ufunc__ = None

    def _multiply(
        self, x: arrays.Array, quantise: bool, context: Context | None, out: arrays.Array | None
    ) -> arrays.Array:
        self._check_cols(x.shape)
        integers = x.dtype == arrays.INT8
        if quantise and integers:
            raise WrongType("x: is int8 already; quantise is for floats")
        y = result_array((*x.shape[:-1], self.rows), arrays.INT32 if integers else arrays.FLOAT32, out)
        if out is not None and np.may_share_memory(out, x):
            raise InvalidArgument("out: must not overlap x")
        if x.size == 0:
            return y
        context = context or default_context()
        flat_x, flat_y = x.reshape(-1), y.reshape(-1)
        if quantise:
            _rsr.multiply_quantised(context, [self._weight], flat_x, [flat_y])
        elif integers:
            _rsr.multiply_i8(context, self._weight, flat_x, flat_y)
        else:
            _rsr.multiply_f32(context, self._weight, flat_x, flat_y)
        return y

    def _multiply_vectors(self, x: QuantisedVectors, context: Context | None, out: arrays.Array | None) -> Any:
        """What __call__ gives for quantised vectors."""
        self._check_cols(x.shape)
        y = result_array((*x.shape[:-1], self.rows), arrays.FLOAT32, out)
        if x._vectors is not None:
            _rsr.multiply_vectors(context or default_context(), self._weight, x._vectors, y.reshape(-1))
        return y if out is not None else x._like(y)

    def _check_cols(self, shape: tuple[int, ...]) -> None:
        if shape[-1] != self.cols:
            raise InvalidArgument(f"x: last dimension is {shape[-1]}; the matrix has {self.cols} columns")

    def with_index(
        self,
        memory: int | str = "64MB",
        *,
        jit: bool = False,
        always: bool = False,
        context: Context | None = None,
    ) -> Self:
        """The same matrix with an index beside it that products of many vectors use where they gain by
        it: of int8 or quantised vectors, whose results keep their bits, or of floats when the matrix was
        made with inputs="floats", whose results are then within 1e-4 of the sum of |scale * x| (2e-4 for
        -1 and 1; random inputs within 1e-6).

        memory: bytes that the index may take, such as 1000000 or "64MB". jit: machine code, about
        1.4 times as fast and 3 to 4 times as large. always: even where it should not be faster.
        Where none can be had the matrix comes back without one, and `notice` says why. The index
        suits the context's instruction set, and is not saved or pickled.
        """
        most = byte_count(memory, "memory")
        if most < 0:
            raise InvalidArgument(f"memory is {most}; must not be negative")
        weight, notice = self._weight.with_index(context or default_context(), most, jit, always)
        return self._wrap(weight, notice)

    # Bytes and files.

    def to_bytes(self) -> bytes:
        """The matrix as bytes: the same on every machine, with a version and a checksum."""
        return self._weight.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, isa: str = "") -> Self:
        """The matrix again. Everything is checked; damaged bytes are an error. isa: the instruction set
        that it will be used with; empty: RSR_FORCE_ISA, or the best of this machine."""
        weight = _rsr.weight_from_bytes(np.frombuffer(data, np.uint8), isa)
        return cls._wrap(cls._checked(weight, "data"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes to_bytes() to a file, under a temporary name until it is whole."""
        self._weight.save(os.fsdecode(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, isa: str = "") -> Self:
        """The matrix that save() wrote; as from_bytes()."""
        name = os.fsdecode(path)
        return cls._wrap(cls._checked(_rsr.load_weight(name, isa), name))

    @classmethod
    def _checked(cls, weight: _rsr.Weight, name: str) -> _rsr.Weight:
        if weight.kind in cls._kinds:
            return weight
        other = "TernaryMatrix" if weight.kind == "ternary" else "BinaryMatrix"
        raise InvalidArgument(f"{name}: holds a {other}, not a {cls.__name__}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_bytes, (self.to_bytes(),))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def result_array(shape: tuple[int, ...], dtype: np.dtype[Any], out: arrays.Array | None = None) -> arrays.Array:
    """An array for a product of that shape, or `out` when that can be it."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InvalidArgument(f"out: {found}; must be a NumPy array, {dtype} {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise InvalidArgument("out: must be C-contiguous, aligned and writeable")
    return out
