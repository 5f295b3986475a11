"""Options: what functions take by keyword, and how they reach the library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar

from rsr.errors import InvalidArgument, WrongType

_Options = TypeVar("_Options")


class PrepareOptions(TypedDict, total=False):
    """How a matrix is prepared; see TernaryMatrix."""

    scale: float
    row_scales: Any
    group_scales: Any
    group_size: int
    inputs: Literal["any", "int8", "floats"]
    residency: Literal["memory", "cache"]
    isa: str
    algorithm: Literal["automatic", "multiply_add", "rsr"]
    form: Literal["scatter", "fold", "gray"]
    k: int


class EngineOptions(TypedDict, total=False):
    """How a model is opened; see load()."""

    device: str
    threads: int
    pin_threads: bool
    isa: str
    context_length: int
    kv_cache: Literal["f32", "f16", "i8"]
    chat_template: str
    verify: bool
    head: Literal["automatic", "full", "scan"]
    rsr_memory: int | str
    jit: bool


class GenerateOptions(TypedDict, total=False):
    """How an answer is generated; see Session.generate()."""

    max_tokens: int
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float
    repetition_penalty: float | None
    presence_penalty: float
    frequency_penalty: float
    logit_bias: dict[int, float]
    seed: int
    raw: bool
    ignore_eos: bool
    stop: Sequence[str]
    draft: Literal["none", "ngram"]


def fill(options: _Options, values: Mapping[str, Any], known: type) -> _Options:
    """`options` of the library with `values` set by name; `known` is the TypedDict of them."""
    for name, value in values.items():
        if name not in known.__annotations__:
            raise WrongType(f"there is no option {name}; there are: {', '.join(known.__annotations__)}")
        try:
            setattr(options, name, value)
        except (TypeError, OverflowError):
            wanted = known.__annotations__[name].__forward_arg__
            raise WrongType(f"{name} is {value!r}; must be: {wanted}") from None
    return options


def byte_count(value: int | str, name: str) -> int:
    """A number of bytes: 1000, "500K", "64MB", "2G"; units are powers of 1024."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(value), re.IGNORECASE)
    if match is None:
        raise InvalidArgument(f"{name} is {value!r}; must be a number of bytes, such as 1000, '64MB' or '2G'")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
