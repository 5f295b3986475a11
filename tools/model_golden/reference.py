"""An independent forward pass in numpy, float64 or float32, that can show and bend its roundings.

It judges the library's float32 noise, tells how near a rounding came to a tie, and measures what a
flipped rounding does to the logits. The golden values themselves are the library's.
"""

import json
from pathlib import Path

import numpy as np

from model_golden.store import read_model, unpack

# Linears that read the same vector share one quantisation, unless each has a norm of its own.
SHARED_SITE = {"q_proj": "attention", "k_proj": "attention", "v_proj": "attention"}
SHARED_SITE |= {"gate_proj": "mlp", "up_proj": "mlp"}


def inverse_frequencies(config: dict, head_dim: int) -> np.ndarray:
    """RoPE frequencies [head_dim / 2] of a config.json in the old or the new style."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    theta = rope.get("rope_theta", config.get("rope_theta"))
    kind = rope.get("rope_type", rope.get("type", "default"))
    frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    if kind == "default":
        return frequencies
    scaled = frequencies / rope["factor"]
    if kind == "linear":
        return scaled
    if kind != "llama3":
        raise ValueError(f"RoPE type {kind}")
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 - smooth) * scaled + smooth * frequencies


class Reference:
    """A model directory of this tool, computed in `dtype` throughout."""

    def __init__(self, directory: Path, dtype: type = np.float64):
        self.dtype = dtype
        self.config = json.loads((directory / "config.json").read_text())
        self.quantization = self.config.get("quantization_config")
        self.tensors = {
            name: array if array.dtype == np.uint8 else array.astype(dtype)
            for name, array in read_model(directory).items()
        }
        heads, hidden = self.config["num_attention_heads"], self.config["hidden_size"]
        self.head_dim = self.config.get("head_dim") or hidden // heads
        self.frequencies = inverse_frequencies(self.config, self.head_dim).astype(dtype)
        self.matrices = {n: self._matrix(n) for n in self.tensors if n.endswith("_proj.weight")}
        self.trace: dict[str, np.ndarray] = {}

    def _matrix(self, name: str) -> tuple[np.ndarray, float]:
        """A projection as (values [out, in], factor of the product)."""
        weight = self.tensors[name]
        if self.quantization is None:
            return weight, 1.0
        if weight.dtype != np.uint8:
            mean = max(np.abs(weight).mean(), self.dtype(1e-5))
            return np.clip(np.rint(weight * (1 / mean)), -1, 1).astype(self.dtype), mean
        scale = self.tensors[name + "_scale"][0]
        multiply = self.quantization.get("linear_class") == "autobitlinear"
        return unpack(weight).astype(self.dtype), scale if multiply else 1 / scale

    def _norm(self, x: np.ndarray, name: str, eps: float | None = None) -> np.ndarray:
        """RMS norm over the last axis of x [tokens, width]; the input itself if there is no such weight."""
        if name not in self.tensors:
            return x
        eps = self.config["rms_norm_eps"] if eps is None else eps
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.dtype(eps)) * self.tensors[name]

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        """One projection: x [tokens, in] to [tokens, out], with int8 activations if the model has them."""
        values, factor = self.matrices[name + ".weight"]
        if self.quantization is None:
            return x @ values.T
        layer, last = name.split(".")[2], name.rpartition(".")[2]
        site = f"{layer}.{SHARED_SITE.get(last, last)}"
        if f"{name}.rms_norm.weight" in self.tensors:
            site = f"{layer}.{last}"
            x = self._norm(x, f"{name}.rms_norm.weight", self.quantization["rms_norm_eps"])
        if self.noise is not None and site not in self.trace:
            self.bent[site] = 1 + self.noise_size * self.noise.standard_normal(x.shape)
        scale = 127 / np.maximum(np.abs(x).max(-1, keepdims=True), self.dtype(1e-5))
        scaled = x * self.bent.get(site, 1) * scale
        self.trace[site] = scaled
        rounded = np.clip(np.rint(scaled), -128, 127)
        if self.flip and self.flip[0] == site:
            _, token, element, step = self.flip
            rounded[token, element] += step
        return (rounded @ values.T) / scale * factor

    def _rotate(self, x: np.ndarray) -> np.ndarray:
        """RoPE of x [tokens, heads, head_dim], halves paired, positions from 0."""
        angle = np.arange(len(x), dtype=self.dtype)[:, None] * self.frequencies
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def _attention(self, x: np.ndarray, prefix: str) -> np.ndarray:
        """Causal grouped-query attention: x [tokens, hidden] to [tokens, hidden]."""
        tokens = len(x)
        q, k, v = (self._linear(x, f"{prefix}.{p}_proj").reshape(tokens, -1, self.head_dim) for p in "qkv")
        group = q.shape[1] // k.shape[1]
        k, v = np.repeat(self._rotate(k), group, 1), np.repeat(v, group, 1)
        scores = np.einsum("qhd,khd->hqk", self._rotate(q), k) * self.dtype(self.head_dim**-0.5)
        scores = np.where(np.tri(tokens, dtype=bool), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", weights, v).reshape(tokens, -1)
        return self._linear(self._norm(mixed, f"{prefix}.attn_sub_norm.weight"), f"{prefix}.o_proj")

    def _mlp(self, x: np.ndarray, prefix: str) -> np.ndarray:
        """Gated feed-forward block: x [tokens, hidden] to [tokens, hidden]."""
        gate, up = self._linear(x, f"{prefix}.gate_proj"), self._linear(x, f"{prefix}.up_proj")
        squared = self.config["hidden_act"] == "relu2"
        gate = np.maximum(gate, 0) ** 2 if squared else gate / (1 + np.exp(-gate))
        return self._linear(self._norm(gate * up, f"{prefix}.ffn_sub_norm.weight"), f"{prefix}.down_proj")

    def logits(self, ids: list[int], flip: tuple | None = None, noise: np.random.Generator | None = None,
               noise_size: float = 0) -> np.ndarray:
        """Logits [tokens, vocab]; afterwards `trace` holds x * scale [tokens, in] of every quantisation.

        flip = (site, token, element, step) adds step to one rounded value; noise multiplies the input
        of every quantisation by 1 + noise_size * normal.
        """
        self.flip, self.noise, self.noise_size = flip, noise, noise_size
        self.trace, self.bent = {}, {}
        h = self.tensors["model.embed_tokens.weight"][ids]
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}"
            h = h + self._attention(self._norm(h, f"{prefix}.input_layernorm.weight"), f"{prefix}.self_attn")
            h = h + self._mlp(self._norm(h, f"{prefix}.post_attention_layernorm.weight"), f"{prefix}.mlp")
        head = self.tensors.get("lm_head.weight", self.tensors["model.embed_tokens.weight"])
        return self._norm(h, "model.norm.weight") @ head.T

    def tie_distances(self) -> np.ndarray:
        """After logits(): how near each token's roundings, and all before it, came to a tie [tokens]."""
        if not self.trace:
            return np.array([np.inf])
        nearest = [np.abs(np.abs(s - np.floor(s)) - 0.5).min(-1) for s in self.trace.values()]
        return np.minimum.accumulate(np.min(nearest, axis=0))
