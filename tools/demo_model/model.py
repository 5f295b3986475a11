"""The BitNet-b1.58 graph in plain PyTorch, for training and as a reference.

Module names follow the Hugging Face implementation, so a state dict has the
tensor names of the exported file. Shapes: B sequences, T tokens, C hidden.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS_SCALE = 1e-5  # floor of the weight mean and of the activation maximum
Cache = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ModelConfig:
    """Architecture; the names are those of config.json."""

    vocab_size: int
    hidden_size: int = 192
    intermediate_size: int = 384
    num_hidden_layers: int = 4
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    max_position_embeddings: int = 512
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def as_dict(self) -> dict:
        return asdict(self)


def weight_scale(weight: Tensor) -> Tensor:
    """Mean absolute value of a matrix, rounded to BF16 as in the file; fp32 scalar."""
    return weight.abs().mean().clamp(min=EPS_SCALE).bfloat16().float()


def ternary(weight: Tensor, scale: Tensor) -> Tensor:
    """Values in {-1, 0, +1} nearest to weight / scale."""
    return (weight / scale).round().clamp(-1, 1)


def fake_quant_weight(weight: Tensor) -> Tensor:
    """ternary * scale in the forward pass, identity in the backward pass."""
    scale = weight_scale(weight)
    return weight + (ternary(weight, scale) * scale - weight).detach()


class _ActivationQuant(torch.autograd.Function):
    """Per-token absmax int8 with a straight-through gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        # |x * scale| never exceeds 127, so no clamp is needed.
        scale = 127.0 / x.abs().amax(dim=-1, keepdim=True).clamp(min=EPS_SCALE)
        return x.mul(scale).round_().div_(scale)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad


def fake_quant_activation(x: Tensor) -> Tensor:
    """Round each token (last dimension) to a grid of 255 values, -127..127 times its scale."""
    return _ActivationQuant.apply(x)


class _RMSNorm(torch.autograd.Function):
    """x / rms(x) * weight with a hand-written gradient (fewer passes over memory)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        inverse = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, inverse)
        return x.mul(inverse).mul_(weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        product = grad * x
        grad_weight = (product * inverse).flatten(0, -2).sum(0)
        dot = product.mul_(weight).mean(-1, keepdim=True)
        grad_x = (grad * weight).mul_(inverse).addcmul_(x, -dot * inverse**3)
        return grad_x, grad_weight, None


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last dimension, in fp32."""

    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return _RMSNorm.apply(x, self.weight, self.eps)


class BitLinear(nn.Module):
    """Ternary projection of an already quantised input; master weight [out, in].

    After freeze() the weight holds the ternary values and the scale is fixed.
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) * in_features**-0.5)
        self.frozen_scale: Tensor | None = None

    def freeze(self, values: Tensor, scale: Tensor) -> None:
        """Use exactly these ternary values [out, in] and this scale from now on."""
        self.weight = nn.Parameter(values.float(), requires_grad=False)
        self.frozen_scale = scale.float()

    def forward(self, x: Tensor) -> Tensor:
        if self.frozen_scale is not None:
            return F.linear(x, self.weight) * self.frozen_scale
        return F.linear(x, fake_quant_weight(self.weight))


class Attention(nn.Module):
    """Causal grouped-query attention with RoPE and a norm before the output projection."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim
        kv_size = self.kv_heads * self.head_dim
        self.q_proj = BitLinear(config.hidden_size, config.hidden_size)
        self.k_proj = BitLinear(config.hidden_size, kv_size)
        self.v_proj = BitLinear(config.hidden_size, kv_size)
        self.o_proj = BitLinear(config.hidden_size, config.hidden_size)
        self.attn_sub_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def split(self, x: Tensor, heads: int) -> Tensor:
        """[B, T, heads * head_dim] -> [B, heads, T, head_dim]."""
        return x.view(x.shape[0], x.shape[1], heads, self.head_dim).transpose(1, 2)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], past: tuple | None) -> tuple[Tensor, tuple]:
        """x [B, T, C] after the norm; past is (k, v) of earlier tokens. Returns output, (k, v)."""
        x = fake_quant_activation(x)
        q = rotate(self.split(self.q_proj(x), self.heads), rope)
        k = rotate(self.split(self.k_proj(x), self.kv_heads), rope)
        v = self.split(self.v_proj(x), self.kv_heads)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        group = self.heads // self.kv_heads
        out = F.scaled_dot_product_attention(
            q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), is_causal=past is None
        )
        out = self.attn_sub_norm(out.transpose(1, 2).flatten(2))
        return self.o_proj(fake_quant_activation(out)), (k, v)


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the pairs (x_i, x_{i + d/2}) of [B, heads, T, d] by cos, sin [T, d/2]."""
    cos, sin = rope
    x0, x1 = x.chunk(2, -1)
    return torch.cat((x0 * cos - x1 * sin, x1 * cos + x0 * sin), -1)


class MLP(nn.Module):
    """Gated squared-ReLU block with a norm before the down projection."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_proj = BitLinear(config.hidden_size, config.intermediate_size)
        self.up_proj = BitLinear(config.hidden_size, config.intermediate_size)
        self.down_proj = BitLinear(config.intermediate_size, config.hidden_size)
        self.ffn_sub_norm = RMSNorm(config.intermediate_size, config.rms_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = fake_quant_activation(x)
        middle = F.relu(self.gate_proj(x)).square() * self.up_proj(x)
        return self.down_proj(fake_quant_activation(self.ffn_sub_norm(middle)))


class Layer(nn.Module):
    """Attention and MLP, each with a pre-norm and a residual connection."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, h: Tensor, rope: tuple[Tensor, Tensor], past: tuple | None) -> tuple[Tensor, tuple]:
        out, present = self.self_attn(self.input_layernorm(h), rope, past)
        h = h + out
        return h + self.mlp(self.post_attention_layernorm(h)), present


class Backbone(nn.Module):
    """Embedding, layers and final norm (named `model` inside BitNet)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=config.hidden_size**-0.5)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class BitNet(nn.Module):
    """The language model with a tied output head."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        half = config.head_dim // 2
        frequency = config.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.outer(torch.arange(config.max_position_embeddings, dtype=torch.float64), frequency)
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """ids [B, T] -> logits [B, T, vocab] and the cache; with a cache, T must be 1."""
        start = cache[0][0].shape[2] if cache else 0
        rope = (self.cos[start : start + ids.shape[1]], self.sin[start : start + ids.shape[1]])
        h = self.model.embed_tokens(ids)
        present: Cache = []
        for i, layer in enumerate(self.model.layers):
            h, kv = layer(h, rope, cache[i] if cache else None)
            present.append(kv)
        return F.linear(self.model.norm(h), self.model.embed_tokens.weight), present

    def bit_linears(self) -> dict[str, BitLinear]:
        """Every ternary projection by its tensor name without ".weight"."""
        return {name: m for name, m in self.named_modules() if isinstance(m, BitLinear)}
