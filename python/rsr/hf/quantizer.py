"""What transformers calls a quantizer: how a prepared model's layers come into the model that it builds."""

from __future__ import annotations

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin


@register_quantization_config("rsr")
class RsrConfig(QuantizationConfigMixin):
    """Where the packed layers are, and how they compute.

    weights: path of a model.rsr.safetensors; None for a model that rsr.hf.accelerate has changed.
    quantise: inputs become int8. use_rms_norm, rms_norm_eps: each layer has a norm of its own.
    nonfinite: see rsr.torch.Linear.
    """

    def __init__(self, weights: str | None = None, quantise: bool = True, use_rms_norm: bool = False,
                 rms_norm_eps: float = 1e-6, nonfinite: str = "propagate", **unused):  # fmt: skip
        self.quant_method = "rsr"
        self.weights, self.quantise, self.nonfinite = weights, quantise, nonfinite
        self.use_rms_norm, self.rms_norm_eps = use_rms_norm, rms_norm_eps


class Vacant(torch.nn.Module):
    """Keeps the place of a packed layer while transformers loads what is dense: it has no weight to fill."""

    def __init__(self, linear: torch.nn.Linear, rms_norm: torch.nn.Module | None):
        super().__init__()
        self.shape = (linear.out_features, linear.in_features)
        self.rms_norm = rms_norm


@register_quantizer("rsr")
class RsrQuantizer(HfQuantizer):
    """Puts the layers of a prepared file into a model; refuses to save one."""

    requires_calibration = True

    def _process_model_before_weight_loading(self, model, **kwargs):
        from rsr.hf.prepared import PreparedFile

        config = self.quantization_config
        for name in PreparedFile(config.weights).packed:
            linear = dict(model.named_modules()).get(name)
            if not isinstance(linear, torch.nn.Linear):
                raise ValueError(f"{config.weights}: the model has no linear layer {name!r}")
            norm = None
            if config.use_rms_norm:
                with torch.device("meta"):
                    norm = LlamaRMSNorm(linear.in_features, eps=config.rms_norm_eps)
            model.set_submodule(name, Vacant(linear, norm))
        return model

    def _process_model_after_weight_loading(self, model, **kwargs):
        from rsr.hf.prepared import PreparedFile

        config = self.quantization_config
        file = PreparedFile(config.weights)
        for name in file.packed:
            model.set_submodule(name, file.layer(name, model.get_submodule(name), config))
        return model

    def is_serializable(self) -> bool:
        """Asked by save_pretrained(), which would write files that nothing reads."""
        raise NotImplementedError(
            "a model on RSR's layers cannot be saved by save_pretrained(): keep the original, or the directory that "
            "rsr.hf.prepare() made; torch.save(model.state_dict()) works"
        )

    @property
    def is_trainable(self) -> bool:
        return False
