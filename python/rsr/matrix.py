"""Prepared matrices: checked and packed once, then multiplied many times."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rsr import _rsr, arrays
from rsr.context import Context, default_context
from rsr.errors import InvalidArgument, WrongType
from rsr.options import PrepareOptions, byte_count, fill

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


def _prepare_options(values: PrepareOptions, shape: tuple[int, ...]) -> _rsr.PrepareOptions:
    """The options of the library for a matrix of that shape, (rows, cols)."""
    rest = dict(values)
    row_scales = rest.pop("row_scales", None)
    group_scales = rest.pop("group_scales", None)
    options = fill(_rsr.PrepareOptions(), rest, PrepareOptions)
    if row_scales is not None:
        scales = arrays.floats(row_scales, "row_scales")
        if scales.shape != shape[:1]:
            raise InvalidArgument(f"row_scales: shape {scales.shape}; must be ({shape[0]},), one for each row")
        options.set_row_scales(scales)
    if group_scales is not None:
        if options.group_size < 1:
            raise InvalidArgument(f"group_size is {options.group_size}; must be at least 1 with group_scales")
        scales = arrays.floats(group_scales, "group_scales")
        groups = -(-shape[1] // options.group_size)
        if scales.shape != (shape[0], groups):
            raise InvalidArgument(
                f"group_scales: shape {scales.shape}; must be ({shape[0]}, {groups}), "
                f"for {shape[1]} columns in groups of {options.group_size}"
            )
        options.set_group_scales(scales.reshape(-1))
    return options


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
        that is a float's, without a gradient. out: a C-contiguous array of the result's shape and
        dtype that takes the result. Errors: another last dimension than cols; NaN or infinity, by
        row and column.
        """
        y = self._multiply(arrays.inputs(x), quantise, context, out)
        return y if out is not None else arrays.like(y, x)

    def __matmul__(self, x: Any) -> Any:
        """W @ x as NumPy has it: x[cols] gives [rows], x[..., cols, n] gives [..., rows, n]."""
        if isinstance(x, PackedMatrix):
            return NotImplemented
        if getattr(x, "ndim", 0) == 1:
            return self(x)
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
        if x.shape[-1] != self.cols:
            raise InvalidArgument(f"x: last dimension is {x.shape[-1]}; the matrix has {self.cols} columns")
        integers = x.dtype == arrays.INT8
        if quantise and integers:
            raise WrongType("x: is int8 already; quantise is for floats")
        y = result_array(x, self.rows, arrays.INT32 if integers else arrays.FLOAT32, out)
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

    def with_index(
        self,
        memory: int | str = "64MB",
        *,
        jit: bool = False,
        always: bool = False,
        context: Context | None = None,
    ) -> Self:
        """The same matrix with an index beside it that products of many int8 or quantised vectors use
        where they gain by it; results keep their bits.

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


def result_array(x: arrays.Array, rows: int, dtype: np.dtype[Any], out: arrays.Array | None = None) -> arrays.Array:
    """An array for the product of x[..., cols]: [..., rows], or `out` when that can be it."""
    shape = (*x.shape[:-1], rows)
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InvalidArgument(f"out: {found}; must be a NumPy array, {dtype} {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise InvalidArgument("out: must be C-contiguous, aligned and writeable")
    if np.may_share_memory(out, x):
        raise InvalidArgument("out: must not overlap x")
    return out


class TernaryMatrix(PackedMatrix):
    """A matrix of -1, 0 and 1.

    values: [rows, cols], an array of NumPy or torch or whatever exports DLPack. int8 in row-major
    order is read where it lies; any other dtype must hold exactly -1, 0 and 1, and is converted.
    Afterwards it is not needed any more.

    scale, row_scales [rows], group_scales [rows, ceil(cols / group_size)]: factors of the products
    of floats. inputs: "int8" packs for int8 and quantised inputs, "floats" for floats, "any" for
    both. residency: "cache" for a small matrix that stays in the cache. isa: an instruction set to
    pack for, such as "avx2". algorithm, form, k: "rsr" computes by Redundant Segment Reduction, with
    that form and height of blocks (0: chosen).

    Errors name the row and column of a value that does not belong there.
    """

    _kinds = ("ternary",)

    def __init__(self, values: Any, **options: Unpack[PrepareOptions]) -> None:
        array = arrays.small_values(values, "matrix", "a ternary matrix holds -1, 0 and 1 only")
        self._weight = _rsr.prepare_values(array, "ternary", _prepare_options(options, array.shape))

    @classmethod
    def from_packed(cls, data: Any, rows: int, **options: Unpack[PrepareOptions]) -> Self:
        """A matrix as Hugging Face BitNet checkpoints pack it: uint8 [ceil(rows / 4), cols], where bits
        2i and 2i + 1 of byte (r, c) hold W[r + i * ceil(rows / 4), c] + 1."""
        array = arrays.packed_bytes(data, "data")
        prepare_options = _prepare_options(options, (rows, array.shape[1]))
        return cls._wrap(_rsr.prepare_packed(array, rows, prepare_options))

    @classmethod
    def from_floats(cls, values: Any, **options: Unpack[PrepareOptions]) -> Self:
        """A matrix of floats [rows, cols], ternarised by the absmean rule of BitNet b1.58: with
        a = max(mean |W|, 1e-5), a * clamp(round_half_to_even(W / a), -1, 1)."""
        array = arrays.floats(values, "matrix")
        if array.ndim != 2:
            raise InvalidArgument(f"matrix: {array.ndim} dimensions; must be 2, rows and columns")
        return cls._wrap(_rsr.prepare_floats(array, _prepare_options(options, array.shape)))


class BinaryMatrix(PackedMatrix):
    """A matrix of 0 and 1, or of -1 and 1.

    values: [rows, cols], as for TernaryMatrix. signs: True for -1 and 1, False for 0 and 1; None
    finds out from the values (all ones are taken for 0 and 1). The other options are TernaryMatrix's.
    """

    _kinds = ("binary", "signs")

    def __init__(self, values: Any, *, signs: bool | None = None, **options: Unpack[PrepareOptions]) -> None:
        array = arrays.small_values(values, "matrix", "a binary matrix holds 0 and 1, or -1 and 1, only")
        if signs is None:
            signs = bool(array.size) and int(array.min()) < 0
        prepare_options = _prepare_options(options, array.shape)
        self._weight = _rsr.prepare_values(array, "signs" if signs else "binary", prepare_options)

    @classmethod
    def from_bits(
        cls, bits: Any, cols: int, *, signs: bool = False, **options: Unpack[PrepareOptions]
    ) -> Self:
        """A matrix of bits: uint8 [rows, ceil(cols / 8)], column c of a row being bit c % 8 of its byte
        c // 8, as np.packbits(values, axis=1, bitorder="little") gives. signs: a zero bit means -1."""
        array = arrays.packed_bytes(bits, "bits")
        if array.shape[1] != -(-cols // 8):
            raise InvalidArgument(f"bits: {array.shape[1]} bytes in a row; {cols} columns need {-(-cols // 8)}")
        prepare_options = _prepare_options(options, (array.shape[0], cols))
        return cls._wrap(_rsr.prepare_bits(array, cols, signs, prepare_options))

    @property
    def signs(self) -> bool:
        """Whether the values are -1 and 1."""
        return self._weight.kind == "signs"
