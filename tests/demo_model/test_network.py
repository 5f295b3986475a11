"""The network's arithmetic, which the exported file stands for."""

import json

import pytest

torch = pytest.importorskip("torch", reason="needs torch: tools/demo_model/requirements.txt")
pytest.importorskip("safetensors", reason="needs safetensors: tools/demo_model/requirements.txt")
from export import check  # noqa: E402
from model import BitNet, ModelConfig, fake_quant_activation, ternary, weight_scale  # noqa: E402
from packing import write_model  # noqa: E402

SMALL = ModelConfig(vocab_size=432, hidden_size=64, intermediate_size=96, num_attention_heads=2, num_key_value_heads=1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    with torch.no_grad():
        yield BitNet(SMALL)


def test_activations_round_half_to_even():
    x = torch.tensor([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
    assert fake_quant_activation(x).tolist() == [127, 0, 2, 2, 0, -2, -2]


def test_frozen_model_equals_the_training_model(net):
    ids = torch.arange(12).reshape(1, 12)
    expected = net(ids)[0]
    for module in net.bit_linears().values():
        scale = weight_scale(module.weight)
        module.freeze(ternary(module.weight, scale), scale)
    torch.testing.assert_close(net(ids)[0], expected)


def test_cache_equals_the_whole_sequence(net):
    ids = torch.arange(6).reshape(1, 6)
    expected = net(ids)[0][0, -1]
    _, cache = net(ids[:, :5])
    torch.testing.assert_close(net(ids[:, 5:], cache)[0][0, -1], expected)


def test_the_file_gives_back_the_ternary_values(net, tmp_path):
    ids = {"bos_token_id": 416, "eos_token_id": [417, 418], "pad_token_id": 417}
    (tmp_path / "generation_config.json").write_text(json.dumps(ids))
    write_model(net, tmp_path)
    check(net, tmp_path)
