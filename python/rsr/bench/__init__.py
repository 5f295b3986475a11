"""Measurements: `python -m rsr.bench hf`, `best-k` and `random-model`; `--help` explains them.

What `best-k` finds is read again by `BestK.load(path)`.
"""

from rsr.bench.best_k_report import BestK

__all__ = ["BestK"]
