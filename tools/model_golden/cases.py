"""The table of golden models: what each one is there to prove."""

from dataclasses import dataclass, field

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False,
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    "initializer_range": 0.02, "max_position_embeddings": 256, "mlp_bias": False, "num_hidden_layers": 2,
    "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": None, "rope_theta": 10000.0,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 128,
}  # fmt: skip
BITNET = {
    "architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "attention_bias": False,
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "relu2",
    "initializer_range": 0.02, "max_position_embeddings": 256, "num_hidden_layers": 2,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
    "use_cache": True, "vocab_size": 128,
}  # fmt: skip
BITLINEAR = {"quant_method": "bitnet", "modules_to_not_convert": None}
LLAMA3_ROPE = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64}


@dataclass(frozen=True)
class Case:
    """One model directory.

    kind is how the projections are stored: packed, masters, trilm or dense. A changed config among
    `alternatives` describes the same model in other words; None deletes a key.
    """

    name: str
    about: str
    seed: int
    kind: str
    config: dict
    linear: str
    float_dtype: str = "BF16"
    scale_dtype: str = "BF16"
    shards: int = 1
    tokenizer: bool = False
    eos: int | list[int] = 2
    alternatives: dict[str, dict] = field(default_factory=dict)


def sizes(hidden: int, ffn: int, heads: int, kv_heads: int, **more) -> dict:
    """The size entries of a config.json, and `more` entries."""
    keys = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    return dict(zip(keys, (hidden, ffn, heads, kv_heads))) | more


def autobitlinear(mode: str) -> dict:
    """quantization_config of the 2B-4T models."""
    return {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": mode}


def bitlinear(**more) -> dict:
    """quantization_config in the short, older form."""
    return {"quantization_config": BITLINEAR | more, "is_bitnet_config": True}


BITNET_CASES = [
    Case("bitnet_packed", "2B-4T layout: packed, AutoBitLinear offline, tied head, GQA, with a tokenizer", 1101,
         "packed", BITNET | sizes(64, 128, 4, 2, quantization_config=autobitlinear("offline"), vocab_size=300,
                                  bos_token_id=297, eos_token_id=298, auto_map={
             "AutoConfig": "configuration_bitnet.BitNetConfig",
             "AutoModelForCausalLM": "modeling_bitnet.BitNetForCausalLM"}),
         "AutoBitLinear", tokenizer=True, eos=[298, 299]),
    Case("bitnet_masters", "2B-4T-bf16 layout: BF16 masters, AutoBitLinear online", 1102,
         "masters", BITNET | sizes(40, 64, 4, 1, quantization_config=autobitlinear("online"), vocab_size=96,
                                   rms_norm_eps=1e-3, rope_theta=None,
                                   rope_parameters={"rope_type": "default", "rope_theta": 5e5}),
         "AutoBitLinear"),
]  # fmt: skip
BITLINEAR_CASES = [
    Case("bitlinear_llama3", "Llama3-8B-1.58: BitLinear packed, untied head, GQA, with a tokenizer", 1203,
         "packed", LLAMA | sizes(48, 96, 4, 2, rope_theta=500000.0, vocab_size=300, bos_token_id=297,
                                 eos_token_id=299, **bitlinear()),
         "BitLinear", tokenizer=True, eos=[298, 299]),
    Case("bitlinear_head20", "head_dim 20, heads * head_dim 80 of hidden 48, three layers, weight_scale F32", 1204,
         "packed", LLAMA | sizes(48, 96, 4, 2, head_dim=20, num_hidden_layers=3, **bitlinear()),
         "BitLinear", scale_dtype="F32"),
    Case("bitlinear_head80", "Falcon3-like: head_dim 80, rope_theta 1000042, eps 1e-6", 1205,
         "packed", LLAMA | sizes(80, 128, 2, 1, head_dim=80, rope_theta=1000042.0, rms_norm_eps=1e-6,
                                 vocab_size=96, eos_token_id=11, bos_token_id=None,
                                 **bitlinear(linear_class="bitlinear", quantization_mode="offline")),
         "BitLinear", eos=11),
    Case("bitlinear_head100", "head_dim 100, tied head, sizes that are no multiples of 8 or 16", 1206,
         "packed", LLAMA | sizes(60, 100, 3, 1, head_dim=100, tie_word_embeddings=True, **bitlinear()),
         "BitLinear", scale_dtype="F16"),
    Case("bitlinear_rms_norm", "use_rms_norm: a norm of its own in every linear, with its own eps", 1207,
         "packed", LLAMA | sizes(64, 96, 4, 2, **bitlinear(
             linear_class="bitlinear", quantization_mode="offline", use_rms_norm=True, rms_norm_eps=1e-3)),
         "BitLinear"),
    Case("bitlinear_sharded", "Falcon-E-like: three shards with an index, GQA 6:1, head_dim 16", 1208,
         "packed", LLAMA | sizes(96, 64, 6, 1, vocab_size=96, **bitlinear()), "BitLinear", shards=3),
]  # fmt: skip
PLAIN_CASES = [
    Case("trilm", "TriLM: plain FP16 whose projections hold only -s, 0, s with several s per matrix", 1309,
         "trilm", LLAMA | sizes(24, 256, 2, 2, vocab_size=96, rms_norm_eps=1e-6, torch_dtype="float16"),
         "Linear", float_dtype="F16"),
    Case("dense_bf16", "dense Llama in BF16, tied head", 1310,
         "dense", LLAMA | sizes(40, 80, 4, 2, tie_word_embeddings=True, rms_norm_eps=1e-3), "Linear"),
    Case("dense_fp16", "dense Llama in FP16, untied head, MHA", 1311,
         "dense", LLAMA | sizes(40, 64, 4, 4, torch_dtype="float16", num_key_value_heads=None), "Linear",
         float_dtype="F16"),
    Case("rope_llama3", "RoPE scaling llama3, as rope_parameters; config.rope_scaling.json says the same", 1312,
         "dense", LLAMA | sizes(40, 64, 2, 1, vocab_size=96, rope_theta=None, rope_parameters=LLAMA3_ROPE | {
             "rope_type": "llama3", "rope_theta": 10000.0}),
         "Linear", alternatives={"config.rope_scaling.json": {
             "rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": LLAMA3_ROPE | {"rope_type": "llama3"}}}),
    Case("rope_linear", "RoPE scaling linear, as rope_scaling with `type`; config.rope_parameters.json says the same",
         1313, "dense", LLAMA | sizes(40, 64, 2, 1, vocab_size=96, rope_scaling={"type": "linear", "factor": 4.0}),
         "Linear", alternatives={"config.rope_parameters.json": {
             "rope_theta": None, "rope_scaling": None,
             "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}}}),
]  # fmt: skip
CASES = BITNET_CASES + BITLINEAR_CASES + PLAIN_CASES
