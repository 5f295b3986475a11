"""The ternary linear classes of transformers, read as prepared matrices."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers.integrations.bitnet import AutoBitLinear, BitLinear

import rsr.torch
from rsr import TernaryMatrix


class NotTaken(Exception):
    """A layer of a ternary class that cannot be replaced; the message says why."""


class TernaryLinear(rsr.torch.Linear):
    """In the place of a BitLinear or AutoBitLinear: int8 inputs, behind the norm that some models put there.

    rms_norm: None, or the module's own norm over in_features, which runs before inputs are quantised.
    """

    def __init__(self, matrix: TernaryMatrix, bias: Tensor | None = None, *, rms_norm: torch.nn.Module | None = None,
                 quantise: bool = True, nonfinite: str = "propagate"):  # fmt: skip
        super().__init__(matrix, bias, quantise=quantise, nonfinite=nonfinite)
        self.rms_norm = rms_norm

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in_features] -> [..., out_features]."""
        return super().forward(x if self.rms_norm is None else self.rms_norm(x))


def kind_of(module: torch.nn.Module) -> str | None:
    """What a ternary layer is called in a report; None for any other module."""
    if isinstance(module, AutoBitLinear):
        return f"AutoBitLinear {'online' if module.online_quant else 'offline'}"
    return "BitLinear" if isinstance(module, BitLinear) else None


def _numbers(tensor: Tensor) -> np.ndarray:
    """The tensor in main memory, floats of any kind as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _stored_scale(module: torch.nn.Module) -> np.float32:
    """weight_scale, one number."""
    values = _numbers(module.weight_scale).astype(np.float32).reshape(-1)
    if values.size != 1 or not np.isfinite(values[0]) or values[0] == 0:
        raise NotTaken(f"its weight_scale is {values.tolist()}, not one finite number other than 0")
    return values[0]


def _check(module: torch.nn.Module) -> None:
    """Raises NotTaken for what could not be replaced without changing what the model computes."""
    if type(module) not in (BitLinear, AutoBitLinear):
        raise NotTaken(f"a subclass of {type(module).__mro__[1].__name__}, which may compute something else")
    if "forward" in module.__dict__:
        raise NotTaken("its forward() was exchanged, as offloading and tools that wrap modules do")
    if module._forward_hooks or module._forward_pre_hooks:
        raise NotTaken("it has hooks, which would be lost: accelerate the model before they are set")
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        raise NotTaken("its weights are not in memory (device meta)")
    if module.weight.dim() != 2:
        raise NotTaken(f"its weight has shape {tuple(module.weight.shape)}, not rows x columns")


def convert(module: torch.nn.Module, nonfinite: str, options: dict) -> TernaryLinear:
    """The layer on this engine. `options`: more arguments of TernaryMatrix. Raises NotTaken, and what
    TernaryMatrix raises for values that are not ternary.

    BitLinear divides by weight_scale and adds its bias afterwards; AutoBitLinear offline multiplies
    what it has computed, its bias included, by weight_scale; online makes values and scale of the
    masters by the absmean rule.
    """
    _check(module)
    bias = None if module.bias is None else module.bias.detach()
    options = {"inputs": "int8", **options}
    if isinstance(module, BitLinear):
        scale = np.float32(1) / _stored_scale(module)
        matrix = TernaryMatrix.from_packed(_numbers(module.weight), module.out_features, scale=float(scale), **options)
    elif module.online_quant:
        matrix = TernaryMatrix.from_floats(_numbers(module.weight), **options)
    else:
        scale = _stored_scale(module)
        matrix = TernaryMatrix(_numbers(module.weight), scale=float(scale), **options)
        bias = None if bias is None else bias.float() * float(scale)
    if matrix.shape != (module.out_features, module.in_features):
        raise NotTaken(f"its weight is {matrix.shape}, the layer {module.out_features} x {module.in_features}")
    layer = TernaryLinear(matrix, bias, rms_norm=module.rms_norm, nonfinite=nonfinite)
    return layer.train(module.training)
