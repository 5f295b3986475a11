"""What the tests of the Python package share: random matrices, exact products, other processes."""

import functools
import os
import subprocess
import sys

import numpy as np

import rsr

ALL_ISAS = ("reference", "avx2", "avxvnni", "avx512bw", "avx512vnni", "avx512vbmi", "amx")


@functools.cache
def isas() -> list[str]:
    """The instruction sets of this machine."""

    def is_here(name: str) -> bool:
        try:
            return rsr.Context(threads=1, isa=name).isa == name
        except (rsr.InvalidArgument, rsr.Unsupported) as error:
            assert "this machine does not have" in str(error)
            return False

    return [name for name in ALL_ISAS if is_here(name)]


def ternary(rows: int, cols: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 2, (rows, cols), np.int8)


def vectors(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bytes_in(*shape: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def assert_product(y: np.ndarray, values: np.ndarray, x: np.ndarray, scale: float = 1.0) -> None:
    """y is W x within the documented error: 1e-6 of the sum of |scale * w * x|."""
    w, x = values.astype(np.float64) * scale, x.astype(np.float64)
    assert y.dtype == np.float32 and y.shape == (*x.shape[:-1], len(w))
    assert (np.abs(y - x @ w.T) <= 1e-6 * (np.abs(x) @ np.abs(w).T) + 1e-30).all()


def run_python(code: str, *args: object, isa: str = "", timeout: float = 120) -> str:
    """What a new interpreter prints that runs `code`; its standard error must be empty."""
    env = {**os.environ, "RSR_FORCE_ISA": isa} if isa else dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, env=env, timeout=timeout
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout
