"""rsr.hf.accelerate: models of every family, live against transformers."""

import copy
import io
import pickle
import re
import threading

import hf_models
import pytest
import torch
from hf_models import TERNARY, accelerated, continuation, golden, library_model, logits, one_thread  # noqa: F401
from transformers import AutoTokenizer, TextIteratorStreamer, TextStreamer
from transformers.integrations.bitnet import AutoBitLinear, BitLinear, pack_weights

import rsr.hf
from rsr.hf.layers import TernaryLinear


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


@pytest.mark.parametrize("case", TERNARY)
def test_report_tells_what_was_replaced(case):
    model = library_model(case)
    report = rsr.hf.accelerate(model)
    kind, count = TERNARY[case]
    assert len(report.replaced) == count and {layer.kind for layer in report.replaced} == {kind}
    assert all(type(model.get_submodule(layer.name)) is TernaryLinear for layer in report.replaced)
    assert [(layer.name, layer.kind) for layer in report.kept] == [("lm_head", "Linear")]
    assert report.nbytes == sum(model.get_submodule(layer.name).matrix.nbytes for layer in report.replaced) > 0
    text = str(report)
    assert text.startswith(f"{count} of {count} ternary layers replaced") and kind in text
    assert "lm_head (Linear): dense" in text
    with pytest.warns(UserWarning, match="0 of 0 ternary layers"):
        again = rsr.hf.accelerate(model)
    assert not again.replaced and "already" in str(again)


def test_a_dense_model_is_left_alone():
    model = library_model("dense_bf16")
    ids = golden("dense_bf16")["prompts"][0]["ids"]
    before = logits(model, ids)
    with pytest.warns(UserWarning, match="0 of 0"):
        report = rsr.hf.accelerate(model)
    assert not report.replaced and len(report.kept) == 15
    assert logits(model, ids).equal(before)


class Named(torch.nn.Linear):
    """A dense layer that looks ternary to whoever goes by names."""

    def __init__(self):
        super().__init__(8, 8, bias=False)
        self.weight_scale = torch.nn.Buffer(torch.ones(1))


class Doubled(BitLinear):
    """A subclass with an idea of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


def bit_linear(cols=32, rows=24, bias=True, kind=BitLinear, scale=3.0, **more):
    """A BitLinear with random packed values."""
    torch.manual_seed(rows + cols)
    layer = kind(cols, rows, bias, dtype=torch.float32, **more)
    layer.weight = pack_weights(torch.randint(-1, 2, (rows, cols)).float())
    layer.weight_scale.fill_(scale)
    if bias:
        layer.bias = torch.randn(rows)
    return layer


def auto_bit_linear(online, cols=32, rows=24, bias=True, scale=1.4, **more):
    """An AutoBitLinear with random values (offline) or masters (online)."""
    torch.manual_seed(rows + cols)
    layer = AutoBitLinear(cols, rows, bias, dtype=torch.float32, online_quant=online, **more).requires_grad_(False)
    if not online:
        layer.weight.copy_(torch.randint(-1, 2, (rows, cols)).float())
        layer.weight_scale.fill_(scale)
    return layer


LAYERS = {
    "bitlinear": bit_linear, "bitlinear no bias": lambda: bit_linear(bias=False),
    "bitlinear norm": lambda: bit_linear(use_rms_norm=True, rms_norm_eps=1e-3),
    "bitlinear tall": lambda: bit_linear(cols=3, rows=400), "bitlinear wide": lambda: bit_linear(cols=700, rows=4),
    "offline": lambda: auto_bit_linear(False), "offline no bias": lambda: auto_bit_linear(False, bias=False),
    "offline negative scale": lambda: auto_bit_linear(False, scale=-0.3),
    "offline norm": lambda: auto_bit_linear(False, use_rms_norm=True),
    "online": lambda: auto_bit_linear(True), "online no bias": lambda: auto_bit_linear(True, bias=False),
    "online norm": lambda: auto_bit_linear(True, use_rms_norm=True, rms_norm_eps=1e-3),
    "online odd": lambda: auto_bit_linear(True, cols=33, rows=7),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_single_layers_scale_and_add_their_bias_as_transformers_does(name):
    layer = LAYERS[name]()
    if layer.rms_norm is not None:
        layer.rms_norm.weight.data = torch.rand(layer.in_features) + 0.5
    model = torch.nn.ModuleDict({"any": layer})
    x = torch.randn(2, 5, layer.in_features)
    x[1, 1] = 0
    wanted = layer(x).detach()
    wrong = x.clone()
    wrong[0, 1, 2], wrong[1, 2, 0] = float("nan"), float("inf")
    wanted_wrong = layer(wrong).detach()
    report = rsr.hf.accelerate(model)
    assert [layer.name for layer in report.replaced] == ["any"] and not report.kept
    torch.testing.assert_close(model["any"](x), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model["any"](wrong), wanted_wrong, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert model["any"](wrong)[[0, 1], [1, 2]].isnan().all()


def test_classes_decide_and_names_do_not():
    model = torch.nn.ModuleDict({
        "q_proj": Named(), "embedding": bit_linear(), "mine": bit_linear(kind=Doubled), "head": torch.nn.Linear(4, 4),
    })  # fmt: skip
    with pytest.warns(UserWarning, match="subclass"):
        report = rsr.hf.accelerate(model)
    assert [layer.name for layer in report.replaced] == ["embedding"]
    kept = {layer.name: layer for layer in report.kept}
    assert not kept["q_proj"].ternary and "class" in kept["q_proj"].reason
    assert kept["mine"].ternary and "a subclass of BitLinear" in kept["mine"].reason
    assert type(model["mine"]) is Doubled and type(model["q_proj"]) is Named


def broken(change, make=bit_linear):
    """A layer after `change`."""
    layer = make()
    change(layer)
    return layer


KEPT = {
    "not one finite number": lambda: broken(lambda layer: layer.weight_scale.fill_(0)),
    r"weight_scale is \[nan\]": lambda: broken(lambda layer: layer.weight_scale.fill_(float("nan"))),
    "row": lambda: broken(lambda layer: layer.weight.__setitem__((2, 3), 255)),
    "column": lambda: broken(lambda layer: layer.weight.__setitem__((2, 3), 0.5), lambda: auto_bit_linear(False)),
    "hooks": lambda: broken(lambda layer: layer.register_forward_hook(print)),
    "exchanged": lambda: broken(lambda layer: layer.__dict__.update(forward=print)),
    "meta": lambda: bit_linear().to("meta"),
    "matrix|its weight is": lambda: broken(lambda layer: setattr(layer, "weight", layer.weight[:-1].clone())),
}


@pytest.mark.parametrize("words", KEPT)
def test_what_cannot_be_replaced_stays_with_its_reason(words):
    layer = KEPT[words]()
    model = torch.nn.ModuleDict({"bad": layer, "good": bit_linear()})
    with pytest.warns(UserWarning, match="1 of 2 ternary layers replaced"):
        report = rsr.hf.accelerate(model)
    assert model["bad"] is layer and isinstance(model["good"], TernaryLinear)
    (kept,) = report.failed
    assert kept.name == "bad"
    assert re.search(words, kept.reason)


def test_a_config_that_contradicts_the_classes_is_believed_with_neither():
    model = library_model("bitnet_packed")
    model.config.quantization_config.linear_class = "bitlinear"
    with pytest.warns(UserWarning, match="the config asks for BitLinear"):
        report = rsr.hf.accelerate(model)
    assert len(report.failed) == 14 and not report.replaced


def test_one_module_at_two_places_stays_one():
    layer = bit_linear()
    model = torch.nn.ModuleDict({"one": layer, "two": layer})
    assert len(rsr.hf.accelerate(model).replaced) == 2
    assert model["one"] is model["two"] and isinstance(model["one"], TernaryLinear)
    with pytest.raises(TypeError, match="pass the module that holds it"):
        rsr.hf.accelerate(layer)


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


@pytest.mark.parametrize("options", [{"no_such_option": 1}, {"k": 99, "algorithm": "rsr"}, {"isa": "avx3"}])
def test_wrong_options_are_errors_and_change_nothing(options):
    model = torch.nn.ModuleDict({"any": bit_linear()})
    with pytest.raises((TypeError, ValueError)):
        rsr.hf.accelerate(model, **options)
    assert type(model["any"]) is BitLinear
