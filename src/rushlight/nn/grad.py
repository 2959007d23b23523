"""Gradients of convolutions by themselves; PyTorch's ``torch.nn.grad``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = [
    "conv1d_input",
    "conv1d_weight",
    "conv2d_input",
    "conv2d_weight",
    "conv3d_input",
    "conv3d_weight",
]


def _gradient(of: str, dimensions: int, input: Any, weight: Any, grad: Tensor, how: tuple) -> Any:
    """The gradient of conv with respect to `of`, which is given by its shape."""
    given = grad.new_zeros(tuple(input if of == "input" else weight))
    input, weight = (given, weight) if of == "input" else (input, given)
    names = ("stride", "padding", "dilation", "groups")
    conv: Any = getattr(rushlight.nn.functional, f"conv{dimensions}d")

    recorded = rushlight.is_grad_enabled() and (
        grad.requires_grad or (weight if of == "input" else input).requires_grad
    )
    with rushlight.enable_grad():
        given.requires_grad_()
        output = conv(input, weight, **dict(zip(names, how, strict=True)))
        (result,) = rushlight.autograd.grad(output, (given,), grad, create_graph=recorded)
    return result


def conv1d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient (N, C, L) = `input_size` of `conv1d` with respect to its input."""
    how = (stride, padding, dilation, groups)
    return _gradient("input", 1, input_size, weight, grad_output, how)


def conv1d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of shape `weight_size` of `conv1d` with respect to its weight."""
    how = (stride, padding, dilation, groups)
    return _gradient("weight", 1, input, weight_size, grad_output, how)


def conv2d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient (N, C, H, W) = `input_size` of `conv2d` with respect to its input."""
    how = (stride, padding, dilation, groups)
    return _gradient("input", 2, input_size, weight, grad_output, how)


def conv2d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of shape `weight_size` of `conv2d` with respect to its weight."""
    how = (stride, padding, dilation, groups)
    return _gradient("weight", 2, input, weight_size, grad_output, how)


def conv3d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient (N, C, D, H, W) = `input_size` of `conv3d` with respect to its input."""
    how = (stride, padding, dilation, groups)
    return _gradient("input", 3, input_size, weight, grad_output, how)


def conv3d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of shape `weight_size` of `conv3d` with respect to its weight."""
    how = (stride, padding, dilation, groups)
    return _gradient("weight", 3, input, weight_size, grad_output, how)
