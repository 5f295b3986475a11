"""The tokenizer, and prompts and answers in its ids."""

import json
import pathlib

import number_words as nw
import pytest

pytest.importorskip("tokenizers", reason="needs tokenizers: tools/demo_model/requirements.txt")
import build_tokenizer  # noqa: E402
from data import IGNORE, collate, cut_batches  # noqa: E402
from encoder import Encoder  # noqa: E402

SHIPPED = pathlib.Path(__file__).resolve().parent.parent.parent / "models" / "demo" / "tokenizer.json"


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    tokenizer = build_tokenizer.build()
    build_tokenizer.check(tokenizer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def encoder(tokenizer_file):
    return Encoder(tokenizer_file)


def test_the_shipped_tokenizer_is_what_the_script_builds(tokenizer_file):
    assert json.loads(tokenizer_file.read_text()) == json.loads(SHIPPED.read_text())


@pytest.mark.parametrize("pair", [(1, 60), (88, 89), (140, 200)])
def test_answers_are_what_the_tokenizer_gives(encoder, pair):
    ids = encoder.tokenizer.encode(nw.answer_text(*pair), add_special_tokens=False).ids
    assert encoder.answer(*pair) == [*ids, encoder.end_id]


def test_only_the_answer_is_a_target(encoder):
    example = encoder.example(3, 4, nw.prompt_text(3, 4, True, False))
    _, targets = collate([example], encoder.end_id)
    assert [t for t in targets[0].tolist() if t != IGNORE] == encoder.answer(3, 4)


def test_batches_of_prompts_keep_to_the_budget(encoder):
    batches = cut_batches([encoder.example(*p) for p in nw.draw_eval_prompts(50, 60, seed=3)], 2048)
    assert sum(map(len, batches)) == 50
    assert all(collate(batch, 0)[0].size <= 2048 for batch in batches)
