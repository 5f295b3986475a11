"""Layers of rsr.torch that get equal inputs quantise them once, and no result tells."""

import threading

import numpy as np
import pytest
import torch
from hf_models import accelerated, golden, library_model, logits, one_thread  # noqa: F401
from package import ternary

import rsr
import rsr.torch
from rsr.torch import Linear

COLS = 96
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(name="layers")
def three_layers():
    """q, k and v."""
    return [Linear(rsr.TernaryMatrix(ternary(rows, COLS, rows), scale=0.1), quantise=True) for rows in (40, 8, 24)]


def made() -> int:
    """How often this thread has quantised."""
    return rsr.torch._last_inputs.made


def alone(layer, x):
    """What the layer gives when nothing is remembered."""
    return torch.from_numpy(layer.matrix(x.detach().float().numpy(), quantise=True)).to(x.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(), (1, 1), (2, 3), (0,)])
def test_layers_share_one_quantisation(layers, dtype, lead):
    x = torch.randn(*lead, COLS).to(dtype)
    before = made()
    outputs = [layer(x) for layer in layers]
    assert made() - before == (1 if x.numel() else 0)
    assert all(y.equal(alone(layer, x)) for layer, y in zip(layers, outputs))
    [layer(x + 1) for layer in layers]
    assert made() - before == (2 if x.numel() else 0)


@pytest.mark.parametrize("options", [{}, {"algorithm": "rsr"}, {"row_scales": np.linspace(0, 1, 40)}])
def test_matrices_of_any_kind_share(layers, options):
    layers.append(Linear(rsr.TernaryMatrix(ternary(40, COLS), **options), torch.randn(40), quantise=True))
    x = torch.randn(3, COLS)
    before = made()
    outputs = [layer(x) for layer in layers]
    assert made() - before == 1
    assert outputs[3].equal(alone(layers[3], x) + layers[3].bias)


def change_in_place(x):
    x[-1, -1] += 1


def change_data(x):
    x.data[0, 0] = 5


def change_by_numpy(x):
    x.detach().view(torch.int16).numpy()[0, 1] ^= 64


def change_storage(x):
    x.set_(torch.full_like(x, 0.5))


def swap_rows(x):
    x.copy_(x.flip(0).clone())


CHANGES = [change_in_place, change_data, change_by_numpy, change_storage, swap_rows]


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_the_calls_are_seen(layers, change, dtype, inference):
    q, k, v = layers
    with torch.inference_mode(inference):
        x = torch.randn(2, COLS).to(dtype)
        q(x)
        before, version = made(), None if inference else x._version
        change(x)
        assert change not in (change_data, change_by_numpy) or inference or x._version == version  # nobody was told
        assert k(x).equal(alone(k, x)) and v(x).equal(alone(v, x))
        assert made() - before == 1


def test_memory_that_comes_back_with_other_values(layers):
    """A new tensor where a freed one lay is a new input."""
    memory = np.empty((1, COLS), np.float32)
    for _ in range(5):
        memory[:] = np.random.standard_normal((1, COLS))
        x = torch.from_numpy(memory)
        for layer in layers:
            assert layer(x).equal(alone(layer, x))
        del x


def test_equal_values_elsewhere_share(layers):
    q, k, v = layers
    x = torch.randn(2, COLS, dtype=torch.bfloat16)
    before = made()
    outputs = q(x), k(x.clone()), v(x.float().requires_grad_()), v(x.T.contiguous().T)
    assert made() - before == 1
    assert outputs[0].equal(alone(q, x)) and outputs[1].equal(alone(k, x)) and outputs[3].equal(alone(v, x))
    assert outputs[2].equal(alone(v, x.float()))


def test_order_and_repetition_mean_nothing(layers):
    inputs = [torch.randn(1, COLS), torch.randn(4, COLS), torch.randn(COLS), torch.randn(2, 2, COLS)]
    inputs.append(inputs[1].reshape(2, 2, COLS))
    wanted = {(i, j): alone(layer, x) for i, layer in enumerate(layers) for j, x in enumerate(inputs)}
    random = np.random.default_rng(1)
    for _ in range(500):
        i, j = int(random.integers(len(layers))), int(random.integers(len(inputs)))
        assert layers[i](inputs[j]).equal(wanted[i, j])


def test_nan_is_not_remembered(layers):
    x = torch.randn(3, COLS)
    wanted = [layer(x) for layer in layers]
    poisoned = x.clone()
    poisoned[1, 5] = float("nan")
    for layer, right in zip(layers, wanted):
        y = layer(poisoned)
        assert y[1].isnan().all() and y[[0, 2]].equal(right[[0, 2]])
        assert layer(x).equal(right)


def test_floats_that_are_multiplied_as_they_are_do_not_take_part(layers):
    x = torch.randn(2, COLS)
    before = made()
    plain = Linear(layers[0].matrix)
    layers[0](x)
    assert plain(x).equal(torch.from_numpy(layers[0].matrix(x.numpy()))) and made() - before == 1


def test_threads_share_nothing_but_the_layers(layers):
    """Each thread changes its own input in place, over and over, and reads a common one between."""
    common = torch.randn(2, COLS)
    wrong, counts = [], []

    def work(seed):
        random = torch.Generator().manual_seed(seed)
        x = torch.randn(2, COLS, generator=random)
        for _ in range(100):
            x.data.copy_(torch.randn(2, COLS, generator=random))
            for layer in layers:
                if not layer(x).equal(alone(layer, x)):
                    wrong.append(seed)
            if not layers[1](common).equal(alone(layers[1], common)):
                wrong.append(seed)
        counts.append(made())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and counts == [200] * 6


def test_compiled_graphs_share_too(layers):
    class Heads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleList(layers)

        def forward(self, x):
            return [part(x) for part in self.parts]

    heads = Heads()
    compiled = torch.compile(heads, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, COLS, dtype=torch.bfloat16)
    with torch.no_grad():
        compiled(x)
        before = made()
        x += 1
        assert all(y.equal(alone(layer, x)) for layer, y in zip(layers, compiled(x)))
        assert made() - before == 1


@pytest.mark.parametrize("case", ["bitnet_packed", "bitlinear_llama3"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_quantises_four_times_a_layer(case, dtype):
    """Once for q, k and v, once for o, once for gate and up, once for down."""
    model = accelerated(library_model(case, dtype))
    ids = golden(case)["prompts"][0]["ids"]
    before = made()
    logits(model, ids)
    assert made() - before == 4 * model.config.num_hidden_layers
