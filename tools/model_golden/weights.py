"""Random tensors of a model whose signals keep sizes like those of a trained one."""

import itertools

import numpy as np
import torch
from transformers.integrations.bitnet import pack_weights

from model_golden.cases import Case

TORCH = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
EMBED_RMS = 1.0
LOGIT_RMS = 3.5
# Wanted size of a projection's output for input of size one. Gated products shrink, so gate and up are
# larger; o and down are smaller than the embedding, else int8 noise would grow from layer to layer.
GAIN = {"q": 1.2, "k": 1.2, "v": 1.2, "o": 0.3, "gate": 1.4, "up": 1.4, "down": 0.3}
# How far the logit of a token's successor stands out, in deviations of the logits. A trained model's
# best logit stands out; among purely random logits the two best are mostly too close to compare.
SUCCESSOR = {"tied": 3.5, "untied": 6.0}
# A normal of deviation 1, made ternary by its mean of absolute values, has this root mean square.
TERNARY_RMS = 0.665


def round_to(array: np.ndarray, dtype: str) -> torch.Tensor:
    """An array as a tensor of the storage type `dtype` (same shape)."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(TORCH[dtype])


def ternary(masters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 masters [out, in] as (values -1, 0, 1 [out, in], mean of absolute values [])."""
    mean = masters.abs().mean().clamp(min=1e-5)
    return (masters * (1 / mean)).round().clamp(-1, 1), mean


def blocks_of_scales(values: np.ndarray, size: float, by_columns: bool, rng: np.random.Generator) -> np.ndarray:
    """Ternary values [out, in] times a scale for each of two to four blocks of rows or two of columns."""
    rows, columns = values.shape
    count = 2 if by_columns or rows < 64 else 4
    scales = size * np.linspace(0.7, 1.4, count) * rng.uniform(0.95, 1.05, count)
    scales = np.float16(scales)
    per_line = np.repeat(scales, (columns if by_columns else rows) // count)
    return values * (per_line[None, :] if by_columns else per_line[:, None])


class Maker:
    """Draws the tensors of one case in a fixed order."""

    def __init__(self, case: Case):
        self.case, self.config = case, case.config
        self.rng = np.random.default_rng(case.seed)
        self.tensors: dict[str, torch.Tensor] = {}
        self.multiply = case.linear == "AutoBitLinear"
        quantization = self.config.get("quantization_config") or {}
        self.own_norms = quantization.get("use_rms_norm", False)

    def norm(self, name: str, width: int, size: float | np.ndarray) -> None:
        """A norm weight [width] spread around `size` (one number or [width]), none of them alike."""
        weight = size * np.exp(0.3 * self.rng.standard_normal(width))
        self.tensors[name + ".weight"] = round_to(weight, self.case.float_dtype)

    def norm_size(self, width: int) -> float:
        """Size of the norm before a projection of `width` inputs.

        The multiply class has masters near 1.7 whatever the width, as 2B-4T has, so its norms are small.
        """
        return 1 / (TERNARY_RMS * 1.7 * width**0.5) if self.multiply else self.rng.uniform(0.6, 1.4)

    def projection(self, name: str, rows: int, columns: int, input_size: float) -> None:
        """One projection [rows, columns] whose output has the size GAIN; by_columns for one TriLM matrix."""
        gain = GAIN[name.rpartition(".")[2].removesuffix("_proj")]
        if self.own_norms:
            input_size = self.norm_size(columns)
            self.norm(name + ".rms_norm", columns, input_size)
        size = gain / (input_size * columns**0.5)
        if self.case.kind == "dense":
            masters = size * self.rng.standard_normal((rows, columns))
            self.tensors[name + ".weight"] = round_to(masters, self.case.float_dtype)
            return
        masters = round_to(size / TERNARY_RMS * self.rng.standard_normal((rows, columns)), "BF16")
        if self.case.kind == "masters":
            self.tensors[name + ".weight"] = masters
            return
        values, mean = ternary(masters.float())
        if self.case.kind == "trilm":
            by_columns = name.endswith("layers.1.mlp.down_proj")
            array = blocks_of_scales(values.numpy(), mean.item(), by_columns, self.rng)
            self.tensors[name + ".weight"] = round_to(array, "F16")
            return
        self.tensors[name + ".weight"] = pack_weights(values)
        scale = mean if self.multiply else 1 / mean
        self.tensors[name + ".weight_scale"] = scale.reshape(1).to(TORCH[self.case.scale_dtype])

    def layer(self, prefix: str) -> None:
        """All tensors of one layer; sizes of the inputs of o and down without a sub norm are estimates."""
        c = self.config
        hidden, ffn, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
        head_dim = c.get("head_dim") or hidden // heads
        wide, narrow = heads * head_dim, (c["num_key_value_heads"] or heads) * head_dim
        size = self.norm_size(hidden)
        self.norm(f"{prefix}.input_layernorm", hidden, size)
        for part, rows in (("q", wide), ("k", narrow), ("v", narrow)):
            self.projection(f"{prefix}.self_attn.{part}_proj", rows, hidden, size)
        self.projection(f"{prefix}.self_attn.o_proj", hidden, wide, self.sub_norm(f"{prefix}.self_attn.attn", wide))
        size = self.norm_size(hidden)
        self.norm(f"{prefix}.post_attention_layernorm", hidden, size)
        for part in ("gate", "up"):
            self.projection(f"{prefix}.mlp.{part}_proj", ffn, hidden, size)
        self.projection(f"{prefix}.mlp.down_proj", hidden, ffn, self.sub_norm(f"{prefix}.mlp.ffn", ffn))

    def sub_norm(self, name: str, width: int) -> float:
        """Adds a sub norm to a bitnet model; returns the size of what comes out of it, or without it."""
        if self.config["model_type"] != "bitnet":
            return 0.8
        size = self.norm_size(width)
        self.norm(f"{name}_sub_norm", width, size)
        return size

    def make(self) -> dict[str, torch.Tensor]:
        """The tensors of the model by their Hugging Face names."""
        vocab, hidden = self.config["vocab_size"], self.config["hidden_size"]
        tied = self.config["tie_word_embeddings"]
        # With a tied head a token would follow itself; signs in the last norm prevent that.
        signs = self.rng.choice([-1.0, 1.0], hidden) if tied else np.ones(hidden)
        table = self.rng.standard_normal((vocab, hidden))
        order = self.rng.permutation(vocab)
        if tied:
            for token, successor in itertools.pairwise(order):
                table[successor] = self.follow(table[token] * signs, table[successor], "tied")
        self.tensors["model.embed_tokens.weight"] = round_to(EMBED_RMS * table, self.case.float_dtype)
        for layer in range(self.config["num_hidden_layers"]):
            self.layer(f"model.layers.{layer}")
        if not tied:
            head = self.rng.standard_normal((vocab, hidden))
            head[np.roll(order, -1)] = self.follow(table[order], head[np.roll(order, -1)], "untied")
            self.tensors["lm_head.weight"] = round_to(head, self.case.float_dtype)
        self.norm("model.norm", hidden, signs * LOGIT_RMS / hidden**0.5)
        return self.tensors

    def follow(self, token: np.ndarray, row: np.ndarray, head: str) -> np.ndarray:
        """A head row [..., hidden] that answers to `token` with a logit of SUCCESSOR deviations."""
        cosine = min(0.85, SUCCESSOR[head] / row.shape[-1] ** 0.5)
        return cosine * token + (1 - cosine**2) ** 0.5 * row
