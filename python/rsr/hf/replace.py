"""`rsr.hf.accelerate`: the ternary layers of a loaded model, exchanged in place."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from transformers import PreTrainedModel

from rsr import RsrError, TernaryMatrix
from rsr.hf.layers import NotTaken, TernaryLinear, convert, kind_of
from rsr.hf.quantizer import RsrConfig, RsrQuantizer
from rsr.hf.report import Kept, Replaced, Report


def _config_contradicts(model: torch.nn.Module, kind: str) -> str | None:
    """Why the model's quantisation config cannot mean a layer of this kind; None where it does, or is missing."""
    config = getattr(getattr(model, "config", None), "quantization_config", None)
    if config is None:
        return None
    config = config if isinstance(config, dict) else config.to_dict()
    method = getattr(config.get("quant_method"), "value", config.get("quant_method"))
    if method != "bitnet":
        return f"the config's quant_method is {method!r}, not 'bitnet'"
    linear, mode = config.get("linear_class", "bitlinear"), config.get("quantization_mode", "offline")
    wanted = "BitLinear" if linear == "bitlinear" else f"AutoBitLinear {mode}"
    return None if kind == wanted else f"the config asks for {wanted}"


def _options(module: torch.nn.Module, best_k, given: dict) -> dict:
    """Arguments for the matrix of a layer; those that the caller gave win over the report's."""
    if best_k is None:
        return given
    asked = {name: given[name] for name in ("form", "k") if given.get(name)}
    return best_k.options(module.out_features, module.in_features, **asked) | given


def _replace(model: torch.nn.Module, module: torch.nn.Module, nonfinite: str, options: dict):
    """The new module, or why there is none."""
    kind = kind_of(module)
    contradiction = _config_contradicts(model, kind)
    if contradiction:
        return contradiction
    try:
        return convert(module, nonfinite, options)
    except (NotTaken, RsrError) as reason:
        return str(reason)


def _dense(name: str, module: torch.nn.Module) -> Kept | None:
    """What a report says of a module that is of no ternary class; None where it is not linear."""
    if isinstance(module, rsr_linear := TernaryLinear.__base__):
        return Kept(name, type(module).__name__, False, f"runs on this engine already ({rsr_linear.__module__})")
    if isinstance(module, torch.nn.Linear):
        return Kept(name, type(module).__name__, False, "dense: its class is no ternary one")
    return None


def accelerate(model: torch.nn.Module, *, nonfinite: str = "propagate", best_k=None, **options) -> Report:
    """Exchanges the ternary linear layers of a loaded transformers model, in place; gives a report.

    A layer is ternary by its class, BitLinear or AutoBitLinear, whose fields and the model's quantization_config
    say how it computes; names mean nothing, and a module that merely has a weight_scale is left alone. What is of
    such a class but cannot be exchanged stays as it was, with the reason in the report and a warning.

    nonfinite: "propagate" or "raise"; see rsr.torch.Linear.
    best_k: a rsr.bench.BestK; matrices are then prepared for RSR with the form and k that it found for their shape.
    options: more arguments of rsr.TernaryMatrix, such as isa, residency, algorithm, form and k. They win over best_k.

    Layers that get equal inputs one after the other, as q, k and v or gate and up do, quantise them once. They compare
    values, bit for bit, so that nothing depends on the order of calls, on other threads or on what happens to a
    tensor in between. The model's own weights are freed. It is for inference: no gradients, and save_pretrained() refuses. Errors: options that
    TernaryMatrix does not know or take.
    """
    if kind_of(model):
        raise TypeError("model: a layer cannot be exchanged within itself; pass the module that holds it")
    TernaryMatrix(np.zeros((1, 1), np.int8), **options)  # wrong options are the caller's, not a layer's
    replaced, kept, done = [], [], {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        kind = kind_of(module)
        if kind is None:
            kept += filter(None, [_dense(name, module)])
            continue
        if module not in done:
            done[module] = _replace(model, module, nonfinite, _options(module, best_k, options))
        layer = done[module]
        if isinstance(layer, str):
            kept.append(Kept(name, kind, True, layer))
            continue
        model.set_submodule(name, layer)
        matrix = layer.matrix
        replaced.append(Replaced(name, kind, *matrix.shape, matrix.nbytes, matrix.describe()))
    report = Report(tuple(replaced), tuple(kept))
    if replaced and isinstance(model, PreTrainedModel):
        model.hf_quantizer = RsrQuantizer(RsrConfig())
    if report.failed or not replaced:
        warnings.warn(f"rsr.hf.accelerate: {report}", stacklevel=2)
    return report
