"""rsr.torch.Linear: against dense products, and as a citizen of PyTorch."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest
import torch
from hf_models import one_thread  # noqa: F401
from package import ternary

import rsr
from rsr.torch import Linear

SHAPES = [(1, 1), (3, 5), (12, 20), (7, 100), (65, 33), (64, 256)]


def quantised(x):
    """BitNet's rule: int8 values as float32, and their scale, vector by vector."""
    scale = 127 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
    return (x * scale).round(), scale


@pytest.fixture(name="layer")
def small_layer():
    """12 x 20, scale 0.5, with a bias."""
    return Linear(rsr.TernaryMatrix(ternary(12, 20), scale=0.5), torch.arange(12.0))


@pytest.mark.parametrize("rows, cols", SHAPES)
@pytest.mark.parametrize("lead", [(), (1,), (4,), (2, 3), (1, 2, 1, 2)])
def test_any_shape_equals_a_dense_product(rows, cols, lead):
    torch.manual_seed(rows * cols)
    values, bias, x = ternary(rows, cols), torch.randn(rows), torch.randn(*lead, cols)
    dense = torch.from_numpy(values).float()
    matrix = rsr.TernaryMatrix(values, scale=0.25)
    y = Linear(matrix, bias)(x)
    assert y.shape == (*lead, rows) and y.dtype == torch.float32
    torch.testing.assert_close(y, x @ dense.T * 0.25 + bias, rtol=0, atol=2e-6 * cols)
    q, scale = quantised(x)
    y = Linear(matrix, bias, quantise=True)(x)
    torch.testing.assert_close(y, q @ dense.T / scale * 0.25 + bias, rtol=2e-6, atol=1e-6)


def test_activations_round_half_to_even():
    x = torch.tensor([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
    layer = Linear(rsr.TernaryMatrix(np.eye(7, dtype=np.int8)), quantise=True)
    assert layer(x).tolist() == [127, 0, 2, 2, 0, -2, -2]
    many = torch.cat([x, torch.zeros(93)]).repeat(9, 1)  # vectors that reach the ends of all kernels' loops
    layer = Linear(rsr.TernaryMatrix(np.eye(100, dtype=np.int8)), quantise=True)
    assert layer(many)[:, :7].tolist() == [[127, 0, 2, 2, 0, -2, -2]] * 9


def test_zero_gives_zero_and_the_bias(layer):
    assert Linear(layer.matrix, quantise=True)(torch.zeros(2, 20)).tolist() == [[0.0] * 12] * 2
    assert layer(torch.zeros(20)).tolist() == list(map(float, range(12)))


def test_binary_matrices():
    values = np.random.default_rng(3).integers(0, 2, (9, 40)).astype(np.int8)
    x = torch.randn(3, 40)
    y = Linear(rsr.BinaryMatrix(values))(x)
    torch.testing.assert_close(y, x @ torch.from_numpy(values).float().T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("quantise", [False, True])
def test_dtype_is_kept_and_the_product_is_float32(dtype, quantise):
    values = ternary(16, 64)
    x = torch.randn(2, 3, 64).to(dtype)
    layer = Linear(rsr.TernaryMatrix(values), torch.randn(16), quantise=quantise)
    assert layer(x).dtype == dtype
    assert layer(x).equal(layer(x.float()).to(dtype))


def test_module_to_changes_the_bias_alone(layer):
    x = torch.randn(20)
    wanted = layer(x)
    layer.to(torch.bfloat16)
    assert layer.bias.dtype == torch.bfloat16
    assert layer(x).dtype == torch.float32 and layer(x).equal(wanted)  # 0 to 11 are bf16 numbers


def test_inputs_need_not_be_contiguous_and_stay_as_they_are(layer):
    x = torch.randn(20, 6)
    before = x.clone()
    assert layer(x.T).equal(layer(x.T.contiguous()))
    assert x.equal(before)


def test_no_vectors(layer):
    assert layer(torch.zeros(0, 20)).shape == (0, 12)
    assert layer(torch.zeros(2, 0, 20)).shape == (2, 0, 12)


def test_meta_device_gives_shapes(layer):
    y = layer(torch.zeros(2, 20, device="meta", dtype=torch.bfloat16))
    assert y.is_meta and y.shape == (2, 12) and y.dtype == torch.bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no other device")
def test_other_devices_get_a_copy(layer):
    x = torch.randn(3, 20)
    y = layer.cuda()(x.cuda())
    assert y.is_cuda and y.cpu().equal(layer.cpu()(x))


@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_nonfinite_vectors_become_nan_and_others_are_untouched(wrong, quantise):
    layer = Linear(rsr.TernaryMatrix(ternary(12, 20)), torch.ones(12), quantise=quantise)
    x = torch.randn(2, 3, 20)
    wanted = layer(x)
    x[0, 1, 7] = wrong
    y = layer(x)
    assert y[0, 1].isnan().all()
    wanted[0, 1] = y[0, 1] = 0
    assert y.equal(wanted)
    assert layer(torch.full((20,), wrong)).isnan().all()


@pytest.mark.parametrize("quantise", [False, True])
def test_nonfinite_raise_names_the_place(quantise):
    layer = Linear(rsr.TernaryMatrix(ternary(12, 20)), quantise=quantise, nonfinite="raise")
    x = torch.randn(3, 20)
    x[2, 7] = float("nan")
    with pytest.raises(ValueError, match="2.*7"):
        layer(x)


def test_wrong_arguments_are_named(layer):
    for x, error, words in [
        (torch.randn(2, 21), ValueError, r"last dimension of 20, got shape \(2, 21\)"),
        (torch.randn(20, 1), ValueError, "last dimension"),
        (torch.tensor(1.0), ValueError, "last dimension"),
        (torch.ones(20, dtype=torch.int8), TypeError, "floating dtype, got torch.int8"),
    ]:
        with pytest.raises(error, match=words):
            layer(x)
    with pytest.raises(TypeError, match="matrix: expected TernaryMatrix or BinaryMatrix, got ndarray"):
        Linear(ternary(3, 3))
    with pytest.raises(ValueError, match="bias: expected 12 elements"):
        Linear(layer.matrix, torch.ones(11))
    with pytest.raises(ValueError, match="nonfinite.*'ignore'"):
        Linear(layer.matrix, nonfinite="ignore")


def test_forward_works_with_gradients_on_and_backward_says_why_not(layer):
    x = torch.randn(3, 20, requires_grad=True)
    y = layer(x)
    assert y.equal(layer(x.detach()))
    with pytest.raises(NotImplementedError, match="no gradients"):
        y.sum().backward()


def test_copies_share_the_matrix_and_give_the_same_bits(layer):
    x = torch.randn(4, 20)
    for other in (copy.copy(layer), copy.deepcopy(layer)):
        assert other.matrix is layer.matrix and other(x).equal(layer(x))
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for other in (pickle.loads(pickle.dumps(layer)), torch.load(buffer, weights_only=False)):
        assert other(x).equal(layer(x))
        assert torch.compile(other, fullgraph=True, backend="eager")(x).equal(layer(x))


def test_state_dict_holds_the_matrix(layer):
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    other = Linear(rsr.TernaryMatrix(ternary(12, 20, seed=9)), torch.zeros(12))
    x = torch.randn(4, 20)
    assert not other(x).equal(layer(x))
    assert other.load_state_dict(state)
    assert other(x).equal(layer(x))
    with pytest.raises(RuntimeError, match="_extra_state"):
        other.load_state_dict({"bias": torch.zeros(12)})
    with pytest.raises(ValueError, match="12 x 20, this layer 4 x 4"):
        Linear(rsr.TernaryMatrix(ternary(4, 4))).set_extra_state(state["_extra_state"])
    state["_extra_state"][-1] ^= 1
    with pytest.raises(rsr.RsrError):
        other.load_state_dict(state)
    assert other(x).equal(layer(x))


def test_several_threads_use_one_layer():
    layer = Linear(rsr.TernaryMatrix(ternary(300, 500)), quantise=True)
    inputs = [torch.randn(1 + index % 3, 500) for index in range(40)]
    wanted = [layer(x) for x in inputs]
    wrong = []

    def work(offset):
        for turn in range(200):
            index = (turn + offset) % len(inputs)
            if not layer(inputs[index]).equal(wanted[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(7 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_print_says_what_it_is(layer):
    text = repr(layer)
    assert "in_features=20, out_features=12, bias=True, quantise=False" in text
    assert layer.matrix.describe() in text
