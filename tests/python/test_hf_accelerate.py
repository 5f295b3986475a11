"""rsr.hf.accelerate: models of every family, live against transformers."""

import copy
import io
import pickle
import threading

import hf_models
import pytest
import torch
from hf_models import TERNARY, accelerated, continuation, golden, library_model, logits, one_thread  # noqa: F401
from transformers import AutoTokenizer, TextIteratorStreamer, TextStreamer

import rsr.hf


@pytest.fixture(scope="module", name="pair")
def models_of_a_case():
    """(transformers' model, the same on this engine) of a case and dtype; each is made once."""
    made = {}

    def get(case, dtype=torch.float32):
        if (case, dtype) not in made:
            made[case, dtype] = library_model(case, dtype), accelerated(library_model(case, dtype))
        return made[case, dtype]

    return get


@pytest.mark.parametrize("case", TERNARY)
def test_float32_logits_are_within_the_golden_tolerance(case, pair):
    theirs, ours = pair(case)
    for prompt in golden(case)["prompts"]:
        ids = prompt["ids"] + prompt["continuation"]
        difference = (logits(ours, ids) - logits(theirs, ids)).abs().amax(-1)
        for position, tolerance in zip(prompt["positions"], prompt["tolerances"]):
            assert difference[position] <= tolerance


def size(difference):
    """(largest, root mean square) of a difference of logits."""
    return difference.abs().max().item(), difference.square().mean().sqrt().item()


@pytest.mark.parametrize("case", TERNARY)
def test_bfloat16_logits_have_transformers_own_noise(case, pair):
    """float32 is the truth, from which bf16 takes both sides equally far; so they are no farther from each other than two
    such noises add up to. The mean square is steady; the largest of thousands needs more room."""
    exact, (theirs, ours) = pair(case)[0], pair(case, torch.bfloat16)
    prompts = [prompt["ids"] + prompt["continuation"] for prompt in golden(case)["prompts"]]
    truth, library, engine = (torch.cat([logits(model, ids) for ids in prompts]) for model in (exact, theirs, ours))
    worst, noise = size(library - truth)
    assert noise > 0.01
    assert size(engine - truth)[0] <= 2.5 * worst and size(engine - truth)[1] <= 1.25 * noise
    assert size(engine - library)[0] <= 2.5 * worst and size(engine - library)[1] <= 1.5 * noise


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", TERNARY)
def test_greedy_text_is_identical(case, dtype, pair):
    theirs, ours = pair(case, dtype)
    for prompt in golden(case)["prompts"]:
        count = len(prompt["continuation"])
        if count:
            wanted = continuation(theirs, prompt["ids"], count)
            assert continuation(ours, prompt["ids"], count) == wanted == prompt["continuation"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", TERNARY)
def test_a_batch_with_left_padding_gives_the_texts_of_its_prompts(case, dtype, pair):
    theirs, ours = pair(case, dtype)
    prompts = [prompt for prompt in golden(case)["prompts"] if prompt["continuation"]]
    width = max(len(prompt["ids"]) for prompt in prompts)
    padding = [width - len(prompt["ids"]) for prompt in prompts]
    assert max(padding) > 0
    ids = torch.tensor([[0] * pad + prompt["ids"] for pad, prompt in zip(padding, prompts)])
    mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding])
    with torch.inference_mode():
        texts = [model.generate(ids, attention_mask=mask, max_new_tokens=16, do_sample=False, pad_token_id=0)[:, width:]
                 for model in (ours, theirs)]  # fmt: skip
    assert texts[0].tolist() == texts[1].tolist() == [prompt["continuation"] for prompt in prompts]


@pytest.mark.parametrize("case", TERNARY)
def test_sampling_repeats_under_a_seed_and_draws_what_transformers_would_allow(case, pair):
    theirs, ours = pair(case)
    ids, limit = golden(case)["prompts"][0]["ids"], golden(case)["tolerance"]["flipped"]

    def draw(model, seed):
        torch.manual_seed(seed)
        return continuation(model, ids, 24, do_sample=True, temperature=1.5, top_k=5)

    texts = [draw(ours, seed) for seed in range(6)]
    assert texts == [draw(ours, seed) for seed in range(6)]
    assert len(set(map(tuple, texts))) > 1
    for text in texts:
        scores = logits(theirs, ids + text)[len(ids) - 1 : -1]
        fifth = scores.topk(5).values[:, -1]
        drawn = scores.gather(1, torch.tensor(text)[:, None])[:, 0]
        assert (drawn >= fifth - 2 * limit).all()


def test_several_threads_use_one_model(pair):
    ours = pair("bitlinear_llama3")[1]
    prompts = [prompt for prompt in golden("bitlinear_llama3")["prompts"] if prompt["continuation"]]
    wrong = []

    def work(number):
        for turn in range(4):
            prompt = prompts[(number + turn) % len(prompts)]
            if continuation(ours, prompt["ids"], 16) != prompt["continuation"]:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_projections_do_not_depend_on_the_order_of_calls(pair):
    layer = pair("bitnet_packed")[1].model.layers[0].self_attn
    parts = {name: getattr(layer, name) for name in ("q_proj", "k_proj", "v_proj")}
    one, two = torch.randn(1, 3, 64), torch.randn(1, 3, 64)
    wanted = {name: (part(one), part(two)) for name, part in parts.items()}
    for name in ("v_proj", "q_proj", "k_proj", "v_proj"):
        for index, x in ((1, two), (0, one)):
            assert parts[name](x).equal(wanted[name][index])


def test_streamers_and_tokenizers_work_as_usual(pair, capsys):
    theirs, ours = pair("bitnet_packed")
    tokenizer = AutoTokenizer.from_pretrained(hf_models.MODELS / "bitnet_packed")
    prompt = golden("bitnet_packed")["prompts"][0]
    inputs = tokenizer(prompt["text"], return_tensors="pt", return_token_type_ids=False)
    assert inputs.input_ids[0].tolist() == prompt["ids"]
    options = {"max_new_tokens": 16, "do_sample": False, "pad_token_id": 0}
    ours.generate(**inputs, **options, streamer=TextStreamer(tokenizer, skip_prompt=True))
    assert capsys.readouterr().out == prompt["continuation_text"] + "\n"
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True)
    thread = threading.Thread(target=ours.generate, kwargs={**inputs, **options, "streamer": streamer})
    thread.start()
    assert "".join(streamer) == prompt["continuation_text"]
    thread.join()


@pytest.fixture(name="poisoned")
def batch_with_nan(pair):
    """Both models with a NaN embedding for token 5 (and a head of their own), and a batch of which one prompt has it."""
    models = [copy.deepcopy(model) for model in pair("bitnet_packed")]
    head = torch.randn(300, 64)
    for model in models:
        model.model.embed_tokens.weight.data[5] = float("nan")
        model.lm_head.weight = torch.nn.Parameter(head)
    return models, torch.tensor([[1, 7, 5, 9], [1, 7, 8, 9]])


def test_nan_goes_where_it_goes_in_transformers(poisoned):
    (theirs, ours), ids = poisoned
    wanted, found = logits(theirs, ids), logits(ours, ids)
    assert found.isnan().equal(wanted.isnan())
    assert found[0, 2:].isnan().all() and found[1].isfinite().all()
    assert found[1].equal(logits(ours, ids[1:])[0])


def test_nonfinite_raise_is_for_every_layer(poisoned):
    (theirs, _), ids = poisoned
    rsr.hf.accelerate(theirs, nonfinite="raise")
    with pytest.raises(ValueError):
        logits(theirs, ids)
    assert logits(theirs, ids[1:]).isfinite().all()


def test_save_and_load_by_state_dict_and_pickle(pair):
    ours = pair("bitlinear_rms_norm")[1]
    ids = golden("bitlinear_rms_norm")["prompts"][0]["ids"]
    wanted = logits(ours, ids)
    buffer = io.BytesIO()
    torch.save(ours.state_dict(), buffer)
    buffer.seek(0)
    other = accelerated(library_model("bitlinear_rms_norm"))
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert logits(other, ids).equal(wanted)
    assert logits(pickle.loads(pickle.dumps(ours)), ids).equal(wanted)
    assert logits(copy.deepcopy(ours), ids).equal(wanted)


def test_save_pretrained_refuses_and_writes_nothing(pair, tmp_path):
    with pytest.raises(NotImplementedError, match="rsr.hf.prepare"):
        pair("bitnet_packed")[1].save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_the_whole_model_compiles_without_a_break(pair):
    theirs, ours = pair("bitlinear_llama3")
    ids = torch.tensor([golden("bitlinear_llama3")["prompts"][1]["ids"]])
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    with torch.inference_mode():
        found = compiled(ids, use_cache=False).logits
    torch.testing.assert_close(found, logits(ours, ids), rtol=0, atol=golden("bitlinear_llama3")["tolerance"]["flipped"])


@pytest.mark.parametrize("options", [{"algorithm": "rsr", "form": "fold", "k": 3}, {"algorithm": "rsr", "k": 5},
                                     {"algorithm": "multiply_add", "residency": "cache"}])  # fmt: skip
def test_options_reach_the_matrices_and_change_no_integer(options, pair):
    model = library_model("bitnet_packed")
    report = rsr.hf.accelerate(model, **options)
    if "k" in options:
        assert all(f"k = {options['k']}," in layer.format for layer in report.replaced)
    ids = golden("bitnet_packed")["prompts"][1]["ids"]
    assert logits(model, ids).equal(logits(pair("bitnet_packed")[1], ids))
