"""Batches of examples, and ternary values in bytes: what needs NumPy alone."""

import json
import pathlib

import number_words as nw
import numpy as np
import pytest
from data import IGNORE, LENGTH_STEP, Example, PairSampler, collate, cut_batches
from ternary_bits import pack, unpack

WEIGHTS = pathlib.Path(__file__).resolve().parent.parent.parent / "models" / "demo" / "model.safetensors"


def example(prompt_ids, answer_ids):
    return Example([*prompt_ids, *answer_ids], len(prompt_ids))


def test_only_the_answer_is_a_target():
    inputs, targets = collate([example([1, 2, 3], [7, 8, 9]), example([1], [4])], pad_id=5)
    assert inputs.shape == targets.shape == (2, LENGTH_STEP)
    assert inputs.tolist() == [[1, 2, 3, 7, 8, 5, 5, 5], [1, 5, 5, 5, 5, 5, 5, 5]]
    pad = [IGNORE]
    assert targets.tolist() == [[*pad * 2, 7, 8, 9, *pad * 3], [4, *pad * 7]]


def test_batches_keep_every_example_within_the_budget():
    lengths = [20 + 7 * (i * i % 41) for i in range(50)]
    examples = [example(range(1, 11), range(length - 10)) for length in lengths]
    batches = cut_batches(examples, 2048)
    assert sorted(len(e.ids) for batch in batches for e in batch) == sorted(lengths)
    assert len(batches) < len(examples)
    assert all(collate(batch, 0)[0].size <= 2048 for batch in batches)


def test_the_sampler_draws_training_pairs_and_repeats_itself():
    sampler, again = PairSampler(1), PairSampler(1)
    draws = [sampler.draw(6) for _ in range(500)]
    assert draws == [again.draw(6) for _ in range(500)]
    assert all(b - a <= 6 and not nw.is_held_out(a, b) for a, b, _ in draws)
    assert all(prompt in {nw.prompt_text(a, b, x, y) for x in (0, 1) for y in (0, 1)} for a, b, prompt in draws)


def test_packing_of_a_worked_example():
    rows = [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]]
    packed = np.array([[0xA1, 0x18], [0x90, 0x0A]], dtype=np.uint8)
    assert unpack(packed).tolist() == rows
    for dtype in (np.int8, np.float32):
        bits = pack(np.array(rows, dtype=dtype))
        assert bits.dtype == np.uint8 and bits.tolist() == packed.tolist()


def test_what_is_not_ternary_is_refused():
    with pytest.raises(ValueError, match="code 3"):
        unpack(np.array([[3]], dtype=np.uint8))
    with pytest.raises(ValueError, match="multiple of 4"):
        pack(np.zeros((6, 2)))


def test_the_model_file_holds_ternary_values():
    file = WEIGHTS.read_bytes()
    begin = 8 + int.from_bytes(file[:8], "little")
    tensors = {k: v for k, v in json.loads(file[8:begin]).items() if v.get("dtype") == "U8"}
    assert len(tensors) == 4 * 7
    for name, tensor in tensors.items():
        first, last = tensor["data_offsets"]
        packed = np.frombuffer(file[begin + first : begin + last], dtype=np.uint8).reshape(tensor["shape"])
        values = unpack(packed)
        assert set(np.unique(values)) == {-1, 0, 1}, name
        assert np.array_equal(pack(values), packed), name
