"""Models as directories: from the Hugging Face hub, and prepared."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rsr import _rsr

Progress = Callable[[int, int], Any]


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def fetch(model: str | os.PathLike[str], *, update: bool = False, progress: Progress | None = None) -> str:
    """The directory of a model: itself, or that of an id of the Hugging Face hub, "org/name" or
    "org/name@revision", which is downloaded when the cache of Hugging Face's programs lacks it.

    update: asks the hub whether the revision has moved. progress(bytes, total) is called now and
    then, and ends the work by returning False.
    """
    return _rsr.fetch(os.fsdecode(model), update, progress, _warn)


@dataclass(frozen=True)
class PreparedModel:
    """What prepare() made."""

    bytes: int
    """Of its weights' file."""
    source_bytes: int
    """Of the tensors that were read."""
    layers: int
    seconds: float
    isa: str
    formats: str
    """Formats of its packed weights, such as "t5"; empty: all are dense."""


def prepare(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    isa: str = "",
    threads: int = 0,
    replace: bool = False,
    progress: Progress | None = None,
) -> PreparedModel:
    """Makes `target` a prepared model of `source` (a directory or an id of the hub), which loads at once.

    isa: instruction set to pack for, also one that this machine lacks. replace: takes the place of
    a prepared model that is there. progress(done, total), in bytes, is called now and then, and
    ends the work by returning False (Cancelled). `target` appears when it is complete.
    """
    made = _rsr.prepare_model(fetch(source), os.fsdecode(target), isa, threads, replace, progress)
    return PreparedModel(**made)
