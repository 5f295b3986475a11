"""Vectors that are rounded to int8 once, and multiplied with several matrices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from rsr import _rsr, arrays
from rsr.context import Context, default_context
from rsr.errors import WrongType

if TYPE_CHECKING:
    from rsr.packed import PackedMatrix


class QuantisedVectors:
    """Vectors as int8 with a scale each, immutable: what quantise() makes, and what matrices take for them.

    Threads may share them, and calls may name any context. Made by quantise() only.
    """

    _shape: tuple[int, ...]
    _vectors: _rsr.QuantisedVectors | None  # None where there are none
    _original: Any  # None, or an empty tensor of the dtype and device of what was quantised

    def __init__(self) -> None:
        raise TypeError("QuantisedVectors: made by rsr.quantise(x)")

    @classmethod
    def _of(cls, x: Any, context: Context | None) -> QuantisedVectors:
        inputs = arrays.inputs(x)
        if inputs.dtype == arrays.INT8:
            raise WrongType("x: is int8 already; quantise is for floats")
        self = object.__new__(cls)
        self._shape = inputs.shape
        self._original = x.new_empty(0) if arrays.is_tensor(x) else None
        self._vectors = None
        if inputs.size:
            self._vectors = _rsr.quantise(context or default_context(), inputs.reshape(-1), inputs.shape[-1])
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the floats: [..., cols]."""
        return self._shape

    def _like(self, y: arrays.Array) -> Any:
        """A product as the kind of array that the floats were."""
        return arrays.like(y, self._original)

    def __repr__(self) -> str:
        return f"QuantisedVectors(shape={self.shape})"


def quantise(x: Any, *, context: Context | None = None) -> QuantisedVectors:
    """x[..., cols] rounded to int8, vector by vector, by the rule of BitNet b1.58: once for any number of products.

    For q = rsr.quantise(x), W(q) is W(x, quantise=True), bit for bit, in shape, dtype and kind of array too.
    Later changes of x mean nothing to q. Errors: int8 inputs; NaN or infinity, by row and column.
    """
    return QuantisedVectors._of(x, context)


class LastInputs(threading.local):
    """Each thread's last inputs of a quantised product, so that the next matrix need not quantise equal ones again.

    They are known by their values, which are compared bit by bit with a copy. Nothing that happens to arrays,
    to their memory or in other threads can make a difference to a result.
    """

    def __init__(self) -> None:
        self._last = _rsr.LastQuantised()

    @property
    def made(self) -> int:
        """How often inputs were quantised in this thread."""
        return self._last.made

    def multiply(self, matrix: PackedMatrix, x: arrays.Array) -> arrays.Array:
        """matrix(x, quantise=True) for an array of floats."""
        x = arrays.inputs(x)
        matrix._check_cols(x.shape)
        y = np.empty((*x.shape[:-1], matrix.rows), np.float32)
        if x.size:
            _rsr.multiply_remembered(default_context(), matrix._weight, self._last, x.reshape(-1), y.reshape(-1))
        return y
