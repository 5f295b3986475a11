"""The committed golden models are whole: files, keys, sizes, packed codes, and logits that follow from them.

Needs numpy only. tests/golden/models/README.md describes the format.
"""

import json
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from model_golden.reference import Reference  # noqa: E402
from model_golden.store import INDEX, read_file, read_header, read_model, unpack, weight_files  # noqa: E402

GOLDEN = ROOT / "tests/golden/models"
CASES = sorted(path.parent for path in GOLDEN.glob("*/golden.json"))
WANTED = {"bitnet_packed", "bitnet_masters", "bitlinear_llama3", "bitlinear_head20", "bitlinear_head80",
          "bitlinear_head100", "bitlinear_rms_norm", "bitlinear_sharded", "trilm", "dense_bf16", "dense_fp16",
          "rope_llama3", "rope_linear"}  # fmt: skip
KEYS = {"about", "seed", "versions", "linear_classes", "alternative_configs", "tolerance", "prompts"}
PROMPT_KEYS = {"ids", "continuation", "smallest_gap", "positions", "tolerances", "logits", "redraws"}
TOTAL_BYTES = 1_153_433
CASE_BYTES = 110_000

each_case = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)


def load(case, name="golden.json"):
    """A JSON file of a case."""
    return json.loads((case / name).read_text())


def test_every_case_is_there_and_small():
    assert {case.name for case in CASES} == WANTED
    files = {case: [f.stat().st_size for f in case.rglob("*") if f.is_file()] for case in CASES}
    assert max(sum(sizes) for sizes in files.values()) < CASE_BYTES
    assert sum(sum(sizes) for sizes in files.values()) < TOTAL_BYTES


@each_case
def test_weight_files_have_no_holes(case):
    for path in [*weight_files(case), case / "golden.safetensors"]:
        header, start = read_header(path)
        spans = sorted(entry["data_offsets"] for entry in header.values())
        assert spans[0][0] == 0 and spans[-1][1] + start == path.stat().st_size
        assert all(a[1] == b[0] for a, b in zip(spans, spans[1:]))


@each_case
def test_tensors_have_the_sizes_of_the_config(case):
    config, tensors = load(case, "config.json"), read_model(case)
    heads, hidden, ffn = (config[k] for k in ("num_attention_heads", "hidden_size", "intermediate_size"))
    head_dim = config.get("head_dim") or hidden // heads
    wide, narrow = heads * head_dim, (config["num_key_value_heads"] or heads) * head_dim
    attention = {"q_proj": (wide, hidden), "k_proj": (narrow, hidden), "v_proj": (narrow, hidden),
                 "o_proj": (hidden, wide)}  # fmt: skip
    mlp = {"gate_proj": (ffn, hidden), "up_proj": (ffn, hidden), "down_proj": (hidden, ffn)}
    packed = 0
    for layer in range(config["num_hidden_layers"]):
        for block, parts in (("self_attn", attention), ("mlp", mlp)):
            for part, shape in parts.items():
                weight = tensors[f"model.layers.{layer}.{block}.{part}.weight"]
                packed += weight.dtype == np.uint8
                assert (unpack(weight) if weight.dtype == np.uint8 else weight).shape == shape
    assert packed in (0, 7 * config["num_hidden_layers"])
    assert tensors["model.embed_tokens.weight"].shape == (config["vocab_size"], hidden)
    assert ("lm_head.weight" in tensors) != config["tie_word_embeddings"]
    assert all(np.isfinite(t).all() for t in tensors.values() if t.dtype != np.uint8)


@each_case
def test_the_wanted_linears_ran(case):
    config, classes = load(case, "config.json"), load(case)["linear_classes"]
    projections = 7 * config["num_hidden_layers"]
    quantization = config.get("quantization_config")
    if quantization is None:
        assert classes == {"Linear": projections + 1}
        return
    auto = quantization.get("linear_class") == "autobitlinear"
    assert classes == {"AutoBitLinear" if auto else "BitLinear": projections, "Linear": 1}


@each_case
def test_prompts_are_decided_and_complete(case):
    golden, config = load(case), load(case, "config.json")
    assert golden.keys() == KEYS
    for name in golden["alternative_configs"]:
        assert load(case, name)["model_type"] == config["model_type"]
    logits = read_file(case / "golden.safetensors")
    ends = load(case, "generation_config.json")["eos_token_id"]
    ends = ends if isinstance(ends, list) else [ends]
    assert set(logits) == {prompt["logits"] for prompt in golden["prompts"]}
    *greedy, exact = golden["prompts"]
    assert all(p["smallest_gap"] > 4 * golden["tolerance"]["flipped"] for p in greedy)
    assert [len(p["continuation"]) for p in golden["prompts"]] == [16, 16, 0]
    assert exact["positions"] == [0, 1, 2, 3] and set(exact["tolerances"]) == {golden["tolerance"]["exact"]}
    for prompt in golden["prompts"]:
        assert prompt.keys() - {"text", "continuation_text"} == PROMPT_KEYS
        ids, positions, rows = prompt["ids"] + prompt["continuation"], prompt["positions"], logits[prompt["logits"]]
        assert not set(ends) & set(prompt["continuation"])
        assert all(0 <= i < config["vocab_size"] for i in ids)
        assert rows.dtype == np.float32 and rows.shape == (len(positions), config["vocab_size"])
        assert len(prompt["tolerances"]) == len(positions) and positions == sorted(set(positions))
        assert positions[-1] == len(ids) - 1
        for position, row in zip(positions, rows):
            if len(prompt["ids"]) - 1 <= position < len(ids) - 1:
                best = np.sort(row)[-2:]
                assert row.argmax() == ids[position + 1]
                assert best[1] - best[0] > 4 * golden["tolerance"]["flipped"]


@each_case
def test_an_independent_forward_pass_agrees(case):
    logits = read_file(case / "golden.safetensors")
    reference = Reference(case)
    for prompt in load(case)["prompts"]:
        computed = reference.logits(prompt["ids"] + prompt["continuation"])
        distance = np.abs(computed[prompt["positions"]] - logits[prompt["logits"]]).max(-1)
        assert (distance <= prompt["tolerances"]).all()
        start = len(prompt["ids"]) - 1
        assert computed[start:].argmax(-1).tolist()[: len(prompt["continuation"])] == prompt["continuation"]


def test_shards_match_their_index():
    case = GOLDEN / "bitlinear_sharded"
    weight_map = load(case, INDEX)["weight_map"]
    assert not (case / "model.safetensors").exists() and len(set(weight_map.values())) == 3
    found = {name: path.name for path in weight_files(case) for name in read_header(path)[0]}
    assert found == weight_map


def magnitudes(line):
    """Number of distinct nonzero magnitudes."""
    return len(set(np.abs(line[line != 0]).tolist()))


def test_trilm_has_scales_by_rows_and_in_one_matrix_by_columns():
    tensors = read_model(GOLDEN / "trilm")
    for name, weight in tensors.items():
        if not name.endswith("_proj.weight"):
            continue
        lines = weight
        if name == "model.layers.1.mlp.down_proj.weight":
            assert magnitudes(weight[0]) == 2
            lines = np.split(weight, 2, axis=1)
        assert max(magnitudes(line) for line in lines) == 1
        assert magnitudes(weight) > 1
