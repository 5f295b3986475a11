"""The file format of the model directory: writing and reading it back."""

import json
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model import BitNet, ModelConfig, ternary, weight_scale
from ternary_bits import pack, unpack


def export_tensors(net: BitNet) -> dict[str, Tensor]:
    """The tensors of model.safetensors from a trained model with master weights."""
    packed = net.bit_linears()
    tensors = {}
    for name, value in net.state_dict().items():
        module = name.removesuffix(".weight")
        if module in packed:
            scale = weight_scale(value)
            tensors[name] = torch.from_numpy(pack(ternary(value, scale).numpy()))
            tensors[f"{module}.weight_scale"] = scale.bfloat16().reshape(1)
        else:
            tensors[name] = value.bfloat16()
    return tensors


def config_json(config: ModelConfig, tokenizer_files: Path) -> dict:
    """The contents of config.json; token ids come from generation_config.json."""
    generation = json.loads((tokenizer_files / "generation_config.json").read_text())
    return {
        "architectures": ["BitNetForCausalLM"],
        "model_type": "bitnet",
        **config.as_dict(),
        "head_dim": config.head_dim,
        "hidden_act": "relu2",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "use_cache": True,
        "bos_token_id": generation["bos_token_id"],
        "eos_token_id": generation["eos_token_id"][0],
        "pad_token_id": generation["pad_token_id"],
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
        },
    }


def write_model(net: BitNet, directory: Path) -> None:
    """Write config.json and model.safetensors beside the tokenizer's files."""
    config = config_json(net.config, directory)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = directory / "model.safetensors"
    save_file(export_tensors(net), weights, metadata={"format": "pt"})
    weights.chmod(0o644)


def read_model(directory: Path) -> BitNet:
    """Load an exported directory as a frozen model in fp32."""
    raw = json.loads((directory / "config.json").read_text())
    net = BitNet(ModelConfig(**{f.name: raw[f.name] for f in fields(ModelConfig)}))
    tensors = load_file(directory / "model.safetensors")
    for name, module in net.bit_linears().items():
        values = torch.from_numpy(unpack(tensors.pop(f"{name}.weight").numpy()))
        module.freeze(values, tensors.pop(f"{name}.weight_scale"))
    expected = {k for k in net.state_dict() if k.removesuffix(".weight") not in net.bit_linears()}
    if expected != set(tensors):
        raise ValueError(f"unexpected or missing tensors: {sorted(expected ^ set(tensors))}")
    net.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    return net.eval()
