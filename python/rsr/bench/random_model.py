"""Writes a model of random weights in the exact layout of a published one: config, packed tensors, tokenizer.

What such a model says means nothing, but it takes the time and memory of the published one.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from rsr.bench import output

BITNET = {
    "architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "attention_bias": False, "attention_dropout": 0.0,
    "hidden_act": "relu2", "initializer_range": 0.02, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True, "bos_token_id": 128000,
    "eos_token_id": 128001, "vocab_size": 128256, "hidden_size": 2560, "intermediate_size": 6912,
    "num_hidden_layers": 30, "num_attention_heads": 20, "num_key_value_heads": 5, "max_position_embeddings": 4096,
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "attention_dropout": 0.0,
    "hidden_act": "silu", "initializer_range": 0.02, "mlp_bias": False, "pretraining_tp": 1,
    "rms_norm_eps": 1e-5, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    "use_cache": True,
}  # fmt: skip


def _quantization(**more) -> dict:
    return {"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": None, **more}}


MODELS = {
    "bitnet-2b": BITNET | _quantization(linear_class="autobitlinear", quantization_mode="offline"),
    "bitnet-2b-masters": BITNET | _quantization(linear_class="autobitlinear", quantization_mode="online"),
    "llama3-8b": LLAMA | _quantization() | {
        "bos_token_id": 128000, "eos_token_id": 128001, "vocab_size": 128256, "hidden_size": 4096,
        "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "max_position_embeddings": 8192, "rope_theta": 500000.0},
    "falcon3-1b": LLAMA | _quantization() | {
        "bos_token_id": 131070, "eos_token_id": 131071, "vocab_size": 131072, "hidden_size": 2048,
        "intermediate_size": 8192, "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 256, "max_position_embeddings": 8192, "rope_theta": 1000042.0, "rms_norm_eps": 1e-6},
}  # fmt: skip

TERNARY_RMS = (2 / 3) ** 0.5  # of -1, 0, 1 in equal shares
MULTIPLY_SCALE = 1.5  # AutoBitLinear's weight_scale: 2B-4T has 1.2 to 1.6, and small norms
EMBED_RMS, LOGIT_RMS = 1.0, 3.5
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class Maker:
    """Draws the tensors of one config; signals keep sizes near one, so that nothing overflows."""

    def __init__(self, config: dict, seed: int):
        self.config = config
        self.random = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, torch.Tensor] = {}
        quantization = config["quantization_config"]
        self.multiply = quantization.get("linear_class") == "autobitlinear"
        self.masters = quantization.get("quantization_mode") == "online"

    def norm(self, name: str, width: int, size: float) -> None:
        """A norm weight [width] near `size`."""
        noise = 1 + 0.1 * torch.randn(width, generator=self.random)
        self.tensors[name + ".weight"] = (size * noise).to(torch.bfloat16)

    def table(self, name: str, rows: int, cols: int) -> None:
        """An embedding or head [rows, cols], bfloat16."""
        values = torch.empty(rows, cols, dtype=torch.bfloat16).normal_(generator=self.random)
        self.tensors[name + ".weight"] = values * EMBED_RMS

    def projection(self, name: str, rows: int, cols: int, gain: float) -> None:
        """A ternary projection whose output has the size `gain` for inputs behind a norm of inner_norm()."""
        if self.masters:
            values = torch.empty(rows, cols, dtype=torch.bfloat16).normal_(generator=self.random)
            self.tensors[name + ".weight"] = values * MULTIPLY_SCALE * gain
            return
        codes = torch.randint(3, (4, rows // 4, cols), dtype=torch.uint8, generator=self.random)
        self.tensors[name + ".weight"] = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6
        scale = gain * MULTIPLY_SCALE if self.multiply else TERNARY_RMS * cols**0.5 / gain
        self.tensors[name + ".weight_scale"] = torch.tensor([scale], dtype=torch.bfloat16)

    def inner_norm(self, name: str, width: int) -> None:
        """The norm in front of a projection of `width` inputs."""
        self.norm(name, width, 1 / (MULTIPLY_SCALE * TERNARY_RMS * width**0.5) if self.multiply else 1.0)

    def layer(self, prefix: str) -> None:
        """All tensors of one layer."""
        c = self.config
        hidden, ffn, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
        head_dim = c.get("head_dim") or hidden // heads
        wide, narrow = heads * head_dim, c["num_key_value_heads"] * head_dim
        self.inner_norm(f"{prefix}.input_layernorm", hidden)
        for part, rows in (("q", wide), ("k", narrow), ("v", narrow)):
            self.projection(f"{prefix}.self_attn.{part}_proj", rows, hidden, 1.0)
        self.inner_norm(f"{prefix}.post_attention_layernorm", hidden)
        for part in ("gate", "up"):
            self.projection(f"{prefix}.mlp.{part}_proj", ffn, hidden, 1.0)
        if c["model_type"] == "bitnet":
            self.inner_norm(f"{prefix}.self_attn.attn_sub_norm", wide)
            self.inner_norm(f"{prefix}.mlp.ffn_sub_norm", ffn)
        self.projection(f"{prefix}.self_attn.o_proj", hidden, wide, 0.3)
        self.projection(f"{prefix}.mlp.down_proj", hidden, ffn, 0.3)

    def make(self) -> dict[str, torch.Tensor]:
        """The tensors by their Hugging Face names."""
        c = self.config
        self.table("model.embed_tokens", c["vocab_size"], c["hidden_size"])
        if not c["tie_word_embeddings"]:
            self.table("lm_head", c["vocab_size"], c["hidden_size"])
        for layer in range(c["num_hidden_layers"]):
            output.progress(f"layer {layer + 1} of {c['num_hidden_layers']}")
            self.layer(f"model.layers.{layer}")
        self.norm("model.norm", c["hidden_size"], LOGIT_RMS / c["hidden_size"] ** 0.5)
        if c["tie_word_embeddings"]:  # with one sign a token would follow itself
            self.tensors["model.norm.weight"][::2] *= -1
        return self.tensors


def make_tokenizer(bos: int, eos: int, size: int) -> Tokenizer:
    """A byte-level tokenizer of `size` tokens: bytes, tokens that only a random model ever writes, special ones."""
    vocabulary = {byte: index for index, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary |= {f"Ġt{index}": index for index in range(len(vocabulary), min(bos, eos))}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    names = {bos: "<|begin_of_text|>", eos: "<|end_of_text|>"}
    tokenizer.add_special_tokens([names.get(index, f"<|special_{index}|>") for index in range(min(bos, eos), size)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{names[bos]} $A", special_tokens=[(names[bos], bos)]
    )
    return tokenizer


def write_model(config: dict, out: Path, seed: int = 1) -> int:
    """Writes the directory, under a temporary name until it is whole; gives the bytes of its weights.

    Errors: FileExistsError when `out` is there.
    """
    if out.exists():
        raise FileExistsError(f"{out} is there already")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        bos, eos = config["bos_token_id"], config["eos_token_id"]
        (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        generation = {"bos_token_id": bos, "eos_token_id": eos, "do_sample": False}
        (partial / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
        make_tokenizer(bos, eos, config["vocab_size"]).save(str(partial / "tokenizer.json"))
        texts = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>",
                 "clean_up_tokenization_spaces": False, "tokenizer_class": "PreTrainedTokenizerFast"}  # fmt: skip
        (partial / "tokenizer_config.json").write_text(json.dumps(texts, indent=2) + "\n")
        save_file(Maker(config, seed).make(), partial / "model.safetensors", {"format": "pt"})
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return (out / "model.safetensors").stat().st_size


def run(args) -> int:
    """`python -m rsr.bench random-model`."""
    config = dict(MODELS[args.shape])
    if args.layers:
        config["num_hidden_layers"] = args.layers
    size = write_model(config, args.out, args.seed)
    print(f"{args.out}: {args.shape}, {config['num_hidden_layers']} layers, {size / 1e9:.2f} GB, random weights")
    return 0
