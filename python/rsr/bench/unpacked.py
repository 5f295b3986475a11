"""The baseline in its fair form: transformers' ternary layers with their weights unpacked once.

As transformers ships them, BitLinear unpacks its weight in every call, and AutoBitLinear online makes its masters
ternary in every call. Here that is done once; what else is computed, and by which functions, stays the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.integrations.bitnet import ActQuant, AutoBitLinear, BitLinear, WeightQuant, unpack_weights


class UnpackedBitLinear(torch.nn.Module):
    """A BitLinear over a dense weight of -1, 0, 1 [out, in]."""

    def __init__(self, source: BitLinear):
        super().__init__()
        self.weight = unpack_weights(source.weight, dtype=source.dtype)[: source.out_features]
        source.weight = torch.empty(0)
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        """As BitLinear.forward() behind its unpacking."""
        source = self.source
        if source.rms_norm is not None:
            x = source.rms_norm(x)
        q, scale = source.activation_quant(x)
        y = F.linear(q.to(source.dtype), self.weight)
        y = source.post_quant_process(y, source.weight_scale, scale)
        return y if source.bias is None else y + source.bias


class UnpackedAutoBitLinear(torch.nn.Module):
    """An AutoBitLinear online over the dense weight that it makes of its masters [out, in]."""

    def __init__(self, source: AutoBitLinear):
        super().__init__()
        self.weight = WeightQuant.apply(source.weight).detach()
        self.bias, self.rms_norm = source.bias, source.rms_norm

    def forward(self, x: Tensor) -> Tensor:
        """As AutoBitLinear.forward() behind WeightQuant."""
        if self.rms_norm is not None:
            x = self.rms_norm(x)
        return F.linear(ActQuant.apply(x), self.weight, self.bias)


@torch.no_grad()
def unpack_once(model: torch.nn.Module) -> int:
    """Exchanges, in place, the layers that unpack in every call; gives their number."""
    count = 0
    for name, module in list(model.named_modules()):
        if isinstance(module, BitLinear):
            model.set_submodule(name, UnpackedBitLinear(module))
        elif isinstance(module, AutoBitLinear) and module.online_quant:
            model.set_submodule(name, UnpackedAutoBitLinear(module))
        else:
            continue
        count += 1
    return count
