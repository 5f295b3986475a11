"""Ternary values in bytes, as the model file holds them. NumPy only.

A ternary matrix [out, in] is stored as U8 [out / 4, in]: quarter i of the rows
lies in bits 2i..2i+1 of the bytes, coded as value + 1.
"""

import numpy as np

QUARTERS = 4


def pack(values: np.ndarray) -> np.ndarray:
    """Ternary values [out, in] to bytes [out / 4, in]."""
    rows, columns = values.shape
    if rows % QUARTERS:
        raise ValueError(f"{rows} rows are not a multiple of {QUARTERS}")
    codes = (values + 1).astype(np.uint8).reshape(QUARTERS, rows // QUARTERS, columns)
    return codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6


def unpack(packed: np.ndarray) -> np.ndarray:
    """Bytes [out / 4, in] to ternary values [out, in] as int8."""
    codes = np.concatenate([(packed >> shift) & 3 for shift in (0, 2, 4, 6)])
    if (codes == 3).any():
        raise ValueError("code 3 is not a ternary value")
    return codes.astype(np.int8) - 1
