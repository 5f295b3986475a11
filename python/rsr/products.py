"""Products of several matrices at once, and search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rsr import _rsr, arrays
from rsr.context import Context, default_context
from rsr.errors import InvalidArgument, WrongType
from rsr.packed import PackedMatrix, result_array


def multiply_quantised(matrices: Sequence[PackedMatrix], x: Any, *, context: Context | None = None) -> list[Any]:
    """[W(x, quantise=True) for W in matrices], but x[..., cols] is quantised once, and all products
    are one parallel pass. Errors: no matrices, different numbers of columns, int8 inputs."""
    inputs = arrays.inputs(x)
    if inputs.dtype == arrays.INT8:
        raise WrongType("x: is int8 already; quantise is for floats")
    if not matrices:
        raise InvalidArgument("matrices: there are none")
    for i, matrix in enumerate(matrices):
        if matrix.cols != inputs.shape[-1]:
            raise InvalidArgument(f"x: last dimension is {inputs.shape[-1]}; matrices[{i}] has {matrix.cols} columns")
    results = [result_array((*inputs.shape[:-1], matrix.rows), arrays.FLOAT32) for matrix in matrices]
    if inputs.size:
        weights = [matrix._weight for matrix in matrices]
        flat = [y.reshape(-1) for y in results]
        _rsr.multiply_quantised(context or default_context(), weights, inputs.reshape(-1), flat)
    return [arrays.like(y, x) for y in results]


def top_k(matrix: PackedMatrix, query: Any, k: int, *, context: Context | None = None) -> tuple[Any, Any]:
    """The k rows with the largest scale * (W query), without ever writing all scores.

    query: [cols], floats or int8. Gives (rows int64 [k], scores float32 [k]), best first, equal
    scores by row number; tensors when the query is one. Errors: more than there are rows, a wrong
    length, NaN or infinity.
    """
    vector = arrays.inputs(query, "query")
    if vector.shape != (matrix.cols,):
        raise InvalidArgument(f"query: shape {vector.shape}; must be ({matrix.cols},), one number for each column")
    if not 0 <= k <= matrix.rows:
        raise InvalidArgument(f"k is {k}; must be 0 to the {matrix.rows} rows")
    rows, scores = np.empty(k, np.int64), np.empty(k, np.float32)
    search = _rsr.top_k_i8 if vector.dtype == arrays.INT8 else _rsr.top_k_f32
    search(context or default_context(), matrix._weight, vector, rows, scores)
    if not arrays.is_tensor(query):
        return rows, scores
    return tuple(arrays.tensor(result, query.device) for result in (rows, scores))
