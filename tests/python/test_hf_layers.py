"""Which layers rsr.hf.accelerate exchanges, and what each class computes; against transformers' own layers."""

import re

import pytest
import torch
from hf_models import TERNARY, golden, library_model, logits, one_thread  # noqa: F401
from transformers.integrations.bitnet import AutoBitLinear, BitLinear, pack_weights

import rsr.hf
from rsr.hf.layers import TernaryLinear


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


@pytest.mark.parametrize("options", [{"no_such_option": 1}, {"k": 99, "algorithm": "rsr"}, {"isa": "avx3"}])
def test_wrong_options_are_errors_and_change_nothing(options):
    model = torch.nn.ModuleDict({"any": bit_linear()})
    with pytest.raises((TypeError, ValueError)):
        rsr.hf.accelerate(model, **options)
    assert type(model["any"]) is BitLinear
