"""Prepared matrices: checked and packed once, then multiplied many times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rsr import _rsr, arrays
from rsr.errors import InvalidArgument
from rsr.options import PrepareOptions, fill
from rsr.packed import PackedMatrix

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
    def from_bits(cls, bits: Any, cols: int, *, signs: bool = False, **options: Unpack[PrepareOptions]) -> Self:
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
