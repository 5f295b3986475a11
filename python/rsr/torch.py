"""PyTorch over prepared matrices: `rsr.torch.Linear`."""

from __future__ import annotations

import itertools
import weakref

import torch
from torch import Tensor

from rsr import BinaryMatrix, TernaryMatrix, device
from rsr.quantised import LastInputs

__all__ = ["Linear"]

NONFINITE = ("propagate", "raise")

# Layers that read one input (q, k and v; gate and up) quantise it once.
_last_inputs = LastInputs()


class _Kernel:
    """A matrix and how it is multiplied: what compiled code must not look into."""

    def __init__(self, matrix: TernaryMatrix | BinaryMatrix, quantise: bool, nonfinite: str):
        self.matrix, self.quantise, self.nonfinite = matrix, quantise, nonfinite

    def product(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's output [..., rows], of the dtype and on the device of `x` [..., cols]."""
        y = self._product_there(x) if x.is_cuda else None
        if y is None:
            y = self._product_here(x)
        if bias is not None:
            y += bias.detach().to(y.device, torch.float32)
        return y if x.dtype is torch.float32 and y.is_cpu == x.is_cpu else y.to(x.device, x.dtype)

    def _product_there(self, x: Tensor) -> Tensor | None:
        """W x in float32 on the GPU where `x` lies; None where there is no way to it."""
        if self.nonfinite == "raise" and device.copy_on(self.matrix, x.device.index) is not None:
            device.check_finite(x.detach().float())
        return device.product(self.matrix, x, self.quantise)

    def _product_here(self, x: Tensor) -> Tensor:
        """W x in float32 on the CPU."""
        inputs = x.detach()
        if inputs.dtype is not torch.float32 or not inputs.is_cpu:
            inputs = inputs.to("cpu", torch.float32)
        inputs = inputs.contiguous()
        try:
            return self._multiply(inputs)
        except ValueError:
            if self.nonfinite == "raise" or inputs.isfinite().all():
                raise
            return self._finite_rows(inputs)

    def _multiply(self, inputs: Tensor) -> Tensor:
        """W x for float32 in row-major order, without the bias."""
        x = inputs.numpy()
        return torch.from_numpy(_last_inputs.multiply(self.matrix, x) if self.quantise else self.matrix(x))

    def _finite_rows(self, inputs: Tensor) -> Tensor:
        """Products of the vectors without NaN and infinity; NaN for the others, as torch has it."""
        finite = inputs.isfinite().all(-1)
        y = torch.full((*finite.shape, self.matrix.shape[0]), torch.nan)
        if finite.any():
            y[finite] = self._multiply(inputs[finite])
        return y


# Compiled graphs know a kernel by its number, which a tensor holds: a number that was written into the
# graph would make each layer of a model a graph of its own.
_kernels: weakref.WeakValueDictionary[int, _Kernel] = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


@torch.library.custom_op("rsr::linear", mutates_args=())
def _linear(x: Tensor, number: Tensor, bias: Tensor | None, rows: int) -> Tensor:
    kernel = _kernels.get(int(number))
    if kernel is None:
        raise RuntimeError("this graph's rsr.torch.Linear is gone: keep the module as long as what was compiled of it")
    return kernel.product(x, bias)


@_linear.register_fake
def _(x: Tensor, number: Tensor, bias: Tensor | None, rows: int) -> Tensor:
    return x.new_empty((*x.shape[:-1], rows))


def _no_gradient(context, gradient):
    raise NotImplementedError(
        "rsr.torch.Linear has no gradients: its weight is packed for inference; train the original model"
    )


_linear.register_autograd(_no_gradient)


def _is_plain(x: Tensor) -> bool:
    """Whether nothing but the values of `x` is asked for: no graph, gradient, trace or stand-in."""
    return (
        type(x) is Tensor
        and (x.is_cpu or x.is_cuda)
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.jit.is_tracing()
        and torch._C._len_torch_dispatch_stack() == 0
    )


class Linear(torch.nn.Module):
    """y = W x + bias over a prepared matrix: torch.nn.Linear for inference.

    matrix: rsr.TernaryMatrix or rsr.BinaryMatrix [out_features, in_features], with its scales.
    bias: None, or a tensor [out_features]; it becomes a buffer, and is added in float32.
    quantise: inputs become int8, vector by vector, by the rule of BitNet b1.58: s = 127 / max(max |x|, 1e-5),
        q = round_half_to_even(x * s), y = W q / s. Layers that get equal inputs one after the other quantise them
        once: equal bit for bit, so that no result can depend on it. False: they are multiplied as they are.
    nonfinite: what a vector with NaN or infinity gives. "propagate": NaN in all of its outputs, and the other
        vectors of the batch are as they would be without it. "raise": ValueError with its place.

    Input [..., in_features] of any floating dtype and on any device; the output [..., out_features] has both. The
    product itself is computed in float32: on an NVIDIA GPU where the input lies there, this build has CUDA and the
    matrix is not in a form of RSR (it is copied there once; inputs and outputs are not copied); else on the CPU, where
    inputs from another device are copied to, and the output back. The state_dict holds the packed matrix; it is loaded into a module of the same shape.
    torch.compile and torch.export take the module as one opaque operation. There are no gradients: backward() raises
    NotImplementedError. Errors: TypeError, ValueError (last dimension).
    """

    def __init__(
        self,
        matrix: TernaryMatrix | BinaryMatrix,
        bias: Tensor | None = None,
        *,
        quantise: bool = False,
        nonfinite: str = "propagate",
    ):
        super().__init__()
        if not isinstance(matrix, (TernaryMatrix, BinaryMatrix)):
            raise TypeError(f"matrix: expected TernaryMatrix or BinaryMatrix, got {type(matrix).__name__}")
        if nonfinite not in NONFINITE:
            raise ValueError(f"nonfinite: expected one of {', '.join(NONFINITE)}, got {nonfinite!r}")
        self.out_features, self.in_features = matrix.shape
        if bias is not None and tuple(bias.shape) != (self.out_features,):
            raise ValueError(f"bias: expected {self.out_features} elements, got shape {tuple(bias.shape)}")
        self.quantise, self.nonfinite = bool(quantise), nonfinite
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self._take(matrix)

    @property
    def matrix(self) -> TernaryMatrix | BinaryMatrix:
        """The prepared matrix, immutable; shared by copies of the module."""
        return self._kernel.matrix

    def _take(self, matrix: TernaryMatrix | BinaryMatrix) -> None:
        """Makes `matrix` the module's, under a number of its own."""
        number = next(_numbers)
        self._kernel = _kernels[number] = _Kernel(matrix, self.quantise, self.nonfinite)
        self._number = torch.tensor(number, dtype=torch.int64, device="cpu")

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in_features] -> [..., out_features]."""
        if not x.is_floating_point():
            raise TypeError(f"x: expected a floating dtype, got {x.dtype}")
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected a last dimension of {self.in_features}, got shape {tuple(x.shape)}")
        if torch.compiler.is_compiling() or not _is_plain(x):
            return _linear(x, self._number, self.bias, self.out_features)
        return self._kernel.product(x, self.bias)

    def get_extra_state(self) -> Tensor:
        """The packed matrix [bytes] as uint8, for state_dict()."""
        return torch.frombuffer(bytearray(self.matrix.to_bytes()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """The matrix of a state_dict. Errors: ValueError for another shape; what from_bytes() raises."""
        matrix = type(self.matrix).from_bytes(state.cpu().numpy())
        if matrix.shape != (self.out_features, self.in_features):
            raise ValueError(
                f"state: the matrix is {matrix.shape[0]} x {matrix.shape[1]}, "
                f"this layer {self.out_features} x {self.in_features}"
            )
        self._take(matrix)

    def __getstate__(self) -> dict:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_kernel", "_number")}
        return state | {"_matrix": self.matrix}

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        matrix = state.pop("_matrix")
        super().__setstate__(state)
        self._take(matrix)

    def extra_repr(self) -> str:
        """For print(model)."""
        parts = [f"in_features={self.in_features}", f"out_features={self.out_features}",
                 f"bias={self.bias is not None}", f"quantise={self.quantise}", self.matrix.describe()]  # fmt: skip
        return ", ".join(parts)
