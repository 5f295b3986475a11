"""Products of ternary and binary matrices on plain CPUs, and language models that live on them.

    W = rsr.TernaryMatrix(values)          # NumPy or torch, [rows, cols] of -1, 0, 1
    y = W @ x                              # [cols] -> [rows]

    model = rsr.load("models/demo")        # a directory, or an id of the Hugging Face hub
    print(model.generate("Hello").text)

Needs NumPy. rsr.torch and rsr.hf need torch and transformers, and are imported by their names.
"""

from rsr import _rsr
from rsr.context import Context, default_context, set_threads
from rsr.directories import PreparedModel, fetch, prepare
from rsr.errors import (
    Cancelled,
    CorruptData,
    InvalidArgument,
    IoError,
    LimitExceeded,
    NotFound,
    RsrError,
    Unsupported,
    WrongType,
)
from rsr.matrix import BinaryMatrix, TernaryMatrix
from rsr.model import Model, Session, chat_template_names, load
from rsr.products import multiply_quantised, top_k
from rsr.quantised import QuantisedVectors, quantise
from rsr.stream import Generation, Stats, Stream

__version__ = _rsr.version()

__all__ = [
    "BinaryMatrix",
    "Cancelled",
    "Context",
    "CorruptData",
    "Generation",
    "InvalidArgument",
    "IoError",
    "LimitExceeded",
    "Model",
    "NotFound",
    "PreparedModel",
    "QuantisedVectors",
    "RsrError",
    "Session",
    "Stats",
    "Stream",
    "TernaryMatrix",
    "Unsupported",
    "WrongType",
    "chat_template_names",
    "default_context",
    "fetch",
    "load",
    "multiply_quantised",
    "prepare",
    "quantise",
    "set_threads",
    "top_k",
]
