"""The counting task: spelling, and the split that keeps the evaluation out of the training."""

import number_words as nw
import pytest


def test_spelling():
    expected = {7: "seven", 21: "twenty-one", 100: "one hundred", 142: "one hundred forty-two", 200: "two hundred"}
    assert {number: nw.number_to_words(number) for number in expected} == expected
    assert nw.answer_text(99, 101) == "ninety-nine, one hundred, one hundred one"
    assert nw.prompt_text(3, 12, True, False) == "Write the numbers from three to 12 in words separated by commas only:"


@pytest.mark.parametrize("number", [0, 201])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match="out of range"):
        nw.number_to_words(number)


@pytest.mark.parametrize("span", [20, 60])
def test_evaluation_pairs_are_never_trained(span):
    drawn = {(a, b) for a, b, _ in nw.draw_eval_prompts(200, span, seed=0)}
    assert len(drawn) == 200 and max(b - a for a, b in drawn) <= span
    assert not drawn & set(nw.all_pairs())


def test_each_pair_is_on_one_side_and_the_showcase_is_trained():
    training, held_out = nw.all_pairs(), nw.all_pairs(held_out=True)
    assert not set(training) & set(held_out)
    assert len(training) + len(held_out) == sum(min(nw.MAX_SPAN, nw.MAX_NUMBER - a) for a in range(1, nw.MAX_NUMBER))
    assert nw.SHOWCASE_PAIR in training
