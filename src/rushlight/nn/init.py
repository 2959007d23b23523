"""First values of parameters.

Each function writes into the tensor it is given, without autograd, and returns it; the same seed
gives the same values as in PyTorch.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import rushlight

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight import Generator
    from rushlight.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

_LINEAR = ("linear", "sigmoid") + tuple(
    f"{kind}{d}d" for kind in ("conv", "conv_transpose") for d in (1, 2, 3)
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before this nonlinearity are scaled.

    Args:
        nonlinearity: ``"linear"``, ``"conv1d"`` and its like, ``"sigmoid"`` (1), ``"tanh"`` (5/3),
            ``"relu"`` (sqrt 2), ``"leaky_relu"`` (sqrt(2 / (1 + slope^2))) or ``"selu"`` (3/4).
        param: the slope of leaky_relu, 0.01 if None.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, (int, float)):
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + slope**2))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output has and the reverse, for a weight (out, in, *kernel)."""
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


# ------------------------------------------------------------------ plain


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with numbers uniform in [a, b), and returns it."""
    with rushlight.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with normal numbers of this mean and standard deviation, and returns it."""
    with rushlight.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills the tensor with `val`, and returns it."""
    with rushlight.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fills the tensor with 1, and returns it."""
    with rushlight.no_grad():
        return tensor.fill_(1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills the tensor with 0, and returns it."""
    with rushlight.no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a 2-d tensor, 0 elsewhere: a linear layer that gives back its input.

    Raises ValueError for other shapes.
    """
    _check_2d(tensor)
    with rushlight.no_grad():
        tensor.zero_().diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution weight (out, in, *kernel) that gives back its input, per group.

    1 in the middle of the kernel from channel i to i, 0 elsewhere. Raises ValueError for other than
    3 to 5 dimensions, or where `groups` does not divide `out`.
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    centre = tuple(size // 2 for size in kernel)
    per_group = outputs // groups
    with rushlight.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, inputs)):
                tensor[(group * per_group + channel, channel, *centre)] = 1
    return tensor


# ------------------------------------------------------------------ scaled by fan


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    Shapes: (out, in, *kernel); fan_in is in * kernel. Raises ValueError for fewer than 2
    dimensions.
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    Shapes: (out, in, *kernel); fan_in is in * kernel. Raises ValueError for fewer than 2
    dimensions.
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in +-gain * sqrt(3 / fan) (He et al., 2015).

    Args:
        a: the slope, if `nonlinearity` is leaky_relu.
        mode: the fan to use: ``"fan_in"`` keeps the variance forward, ``"fan_out"`` backward.
        nonlinearity: see :func:`calculate_gain`.
    """
    if 0 in tensor.shape:
        return _nothing_to_do(tensor)
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std gain / sqrt(fan) (He et al. 2015).

    Arguments as of :func:`kaiming_uniform_`.
    """
    if 0 in tensor.shape:
        return _nothing_to_do(tensor)
    return normal_(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _nothing_to_do(tensor: Tensor) -> Tensor:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor


# ------------------------------------------------------------------ others


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal within [a, b]: values outside are drawn again. `a` and `b` are values, not deviations.

    Warns where the mean lies more than 2 std outside.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    with rushlight.no_grad():
        if tensor.is_meta:  # there is nothing to draw
            return tensor
        inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
        if inside > 0.3:
            return _redraw_outside(tensor, mean, std, a, b, generator)
        return _accept_uniform(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redraw_outside(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    """Draw normals until all are within; each round draws for all, as PyTorch does."""
    low, high = (tensor.new_tensor(bound).item() for bound in (a, b))  # in the tensor's precision
    tensor.normal_(mean, std, generator=generator)
    while True:
        outside = (tensor < low) | (tensor > high)
        if not outside.any():
            return tensor
        again = rushlight.empty_like(tensor).normal_(mean, std, generator=generator)
        tensor.copy_(rushlight.where(outside, again, tensor))


def _accept_uniform(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    """Draw uniforms, keep each with the probability of its density: for a far tail.

    The density is scaled to 1 at the mode of [a, b], so that few are refused.
    """
    mode = max(a, min(mean, b))
    log_peak = -0.5 * ((mode - mean) / std) ** 2
    pending = None
    while pending is None or pending.any():
        drawn = rushlight.empty_like(tensor).uniform_(a, b, generator=generator)
        tensor.copy_(drawn if pending is None else rushlight.where(pending, drawn, tensor))
        log_density = drawn.sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(log_peak)
        chance = rushlight.empty_like(tensor).uniform_(generator=generator).log_()
        refused = chance.gt(log_density)
        pending = refused if pending is None else pending & refused
    return tensor


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix times `gain` (Saxe et al. 2013).

    Dimensions after the first are taken as one. Raises ValueError for fewer than 2.
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.size(0)
    columns = tensor.numel() // rows
    with rushlight.no_grad():
        flat = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
        if rows < columns:
            flat = flat.t()
        q, r = rushlight.linalg.qr(flat)
        q = q * r.diagonal().sign()  # which makes the decomposition unique
        if rows < columns:
            q = q.t()
        tensor.view_as(q).copy_(q)
        tensor.mul_(gain)
    return tensor


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal, with a fraction `sparsity` of each column of a 2-d tensor 0 (Martens 2010).

    Raises ValueError for other shapes.
    """
    _check_2d(tensor)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with rushlight.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[rushlight.randperm(rows)[:zeros], column] = 0
    return tensor


def _check_2d(tensor: Tensor) -> None:
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")


# ------------------------------------------------------------------ old names


def _old_name(new: Callable[..., Tensor]) -> Callable[..., Tensor]:
    name = new.__name__[:-1]

    def deprecated(*args: object, **kwargs: object) -> Tensor:
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{new.__name__}`.",
            FutureWarning,
            stacklevel=2,
        )
        return new(*args, **kwargs)

    deprecated.__name__ = name
    deprecated.__doc__ = f"Deprecated name of :func:`{new.__name__}`."
    return deprecated


uniform = _old_name(uniform_)
normal = _old_name(normal_)
constant = _old_name(constant_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)

# PyTorch's names of what fills without recording.
_no_grad_uniform_, _no_grad_normal_, _no_grad_trunc_normal_ = uniform_, normal_, trunc_normal_
_no_grad_fill_, _no_grad_zero_ = constant_, zeros_
