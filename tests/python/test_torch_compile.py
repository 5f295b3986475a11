"""rsr.torch.Linear under torch.compile and torch.export."""

import pytest
import torch
from hf_models import one_thread  # noqa: F401
from package import ternary

import rsr
from rsr.torch import Linear


@pytest.fixture(name="layer")
def small_layer():
    """12 x 20, scale 0.5, with a bias."""
    return Linear(rsr.TernaryMatrix(ternary(12, 20), scale=0.5), torch.arange(12.0))


def test_compile_takes_the_layer_as_one_operation():
    layers = [Linear(rsr.TernaryMatrix(ternary(24, 24, seed), scale=0.1), torch.randn(24)) for seed in range(3)]
    model = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())])
    nodes = []

    def backend(graph, _):
        nodes.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    compiled = torch.compile(model, fullgraph=True, backend=backend)
    x = torch.randn(5, 24)
    with torch.no_grad():
        assert compiled(x).equal(model(x))
    assert sum("rsr.linear" in node for node in nodes) == 3


@pytest.mark.parametrize("quantise", [False, True])
def test_compile_with_autograd_tracing_dynamic_shapes_and_nan(quantise):
    layer = Linear(rsr.TernaryMatrix(ternary(8, 30)), torch.ones(8), quantise=quantise)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for lead in [(2,), (5,), (3, 4)]:
        x = torch.randn(*lead, 30, dtype=torch.bfloat16)
        assert compiled(x).equal(layer(x))
    x[0, 0, 0] = float("nan")
    assert compiled(x)[0, 0].isnan().all() and compiled(x)[1].equal(layer(x)[1])


def test_layers_of_a_shape_share_one_compiled_graph():
    class Block(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x) * 2

    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    x = torch.randn(4, 16)
    for seed in range(12):  # more than the compiler would compile anew
        block = Block(Linear(rsr.TernaryMatrix(ternary(16, 16, seed))))
        block.compile(fullgraph=True, backend=backend)
        with torch.no_grad():
            assert block(x).equal(block.forward(x))
    assert len(graphs) == 1


def test_export_and_the_rules_of_custom_operations(layer):
    x = torch.randn(2, 20)
    assert torch.export.export(layer, (x,)).module()(x).equal(layer(x))
    for bias in (layer.bias, None):
        torch.library.opcheck(rsr.torch._linear, (x, layer._number, bias, 12))


def test_a_graph_does_not_outlive_its_layer():
    layer = Linear(rsr.TernaryMatrix(ternary(4, 4)))
    number = layer._number
    del layer
    with pytest.raises(RuntimeError, match="is gone"):
        torch.ops.rsr.linear(torch.randn(1, 4), number, None, 4)
