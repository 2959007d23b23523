"""Window functions, symmetric or periodic; PyTorch's ``torch.signal.windows``.

All take the number of points `M` and, by keyword, `sym` (True: symmetric, for filter design; False:
periodic, one point of a window of M + 1 left out, for spectral analysis), `dtype` (floating; the
default one if left out), `layout`, `device` and `requires_grad`, and return a tensor of shape (M,).
They raise ValueError for a negative M or a dtype that is not floating. Formulas: Harris, "On the
use of windows for harmonic analysis with the discrete Fourier transform", 1978.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from rushlight._core import dtype as DType
    from rushlight.tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _checked(name: str, M: int, dtype: DType | None, layout: Any) -> DType:
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not rushlight.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    found = rushlight.get_default_dtype() if dtype is None else dtype
    if found not in (rushlight.float32, rushlight.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {found}")
    return found


def _points(
    start: float, step: float, M: int, dtype: DType, device: Any, requires_grad: bool
) -> Tensor:
    """start, start + step, ...: M points."""
    return rushlight.linspace(
        start, start + (M - 1) * step, M, dtype=dtype, device=device, requires_grad=requires_grad
    )


def _trivial(M: int, dtype: DType, device: Any, requires_grad: bool) -> Tensor | None:
    """The windows that do not depend on the formula: of no point and of one."""
    if M > 1:
        return None
    return rushlight.ones((M,), dtype=dtype, device=device, requires_grad=requires_grad)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-|n - center| / tau), n = 0 ... M - 1; `center` is the middle by default.

    `tau` in points. Raises ValueError for tau <= 0, or a `center` with `sym`. Other arguments as of
    :func:`hann`.
    """
    dtype = _checked("exponential", M, dtype, layout)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    if center is None:
        center = (M - 1 if sym else M) / 2.0
    return (-_points(-center / tau, 1 / tau, M, dtype, device, requires_grad).abs()).exp()


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """sin(pi (n + 1/2) / M), n = 0 ... M - 1; the arguments as of :func:`hann`."""
    dtype = _checked("cosine", M, dtype, layout)
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    step = pi / (M if sym else M + 1)
    return _points(0.5 * step, step, M, dtype, device, requires_grad).sin()


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-(n - middle)^2 / (2 std^2)), n = 0 ... M - 1; `std` is counted in points.

    Raises ValueError for std <= 0. Other arguments as of :func:`hann`.
    """
    dtype = _checked("gaussian", M, dtype, layout)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    step = 1 / (std * sqrt(2))
    start = -(M - 1 if sym else M) / 2.0 * step
    return (-(_points(start, step, M, dtype, device, requires_grad).square())).exp()


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """I0(beta sqrt(1 - x^2)) / I0(beta) for x from -1 to 1; beta is the shape, at least 0."""
    dtype = _checked("kaiser", M, dtype, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    step = 2.0 * beta / (M - 1 if sym else M)
    end = min(beta, -beta + (M - 1) * step)  # rounding must not lead beyond the root's domain
    k = rushlight.linspace(
        -beta, end, M, dtype=dtype, device=device, requires_grad=requires_grad
    )
    scale = rushlight.tensor(beta, dtype=dtype, device=device)
    return rushlight.i0((beta * beta - k.square()).sqrt()) / rushlight.i0(scale)


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.54 - 0.46 cos(2 pi n / (M - 1)), n = 0 ... M - 1; the arguments as of :func:`hann`."""
    return general_hamming(
        M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad
    )


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """(1 - cos(2 pi n / (M - 1))) / 2, n = 0 ... M - 1.

    A vector of M points. `sym`: symmetric, for filters; else periodic, for spectra, where M stands
    in place of M - 1. Raises ValueError for a negative M or a dtype that is no float.
    """
    return general_hamming(
        M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)).

    The arguments as of :func:`hann`.
    """
    return general_cosine(
        M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle from 0 to 1 and back to 0; the arguments as of :func:`hann`."""
    dtype = _checked("bartlett", M, dtype, layout)
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    step = 2 / (M - 1 if sym else M)
    return 1 - _points(-1.0, step, M, dtype, device, requires_grad).abs()


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The sum over i of (-1)^i a_i cos(2 pi i n / (M - 1)), n = 0 ... M - 1.

    Raises TypeError where `a` is no sequence, ValueError where it is empty. Other arguments as of
    :func:`hann`.
    """
    dtype = _checked("general_cosine", M, dtype, layout)
    if (found := _trivial(M, dtype, device, requires_grad)) is not None:
        return found
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")
    step = 2 * pi / (M - 1 if sym else M)
    k = _points(0, step, M, dtype, device, requires_grad)
    signed = [weight if i % 2 == 0 else -weight for i, weight in enumerate(weights)]
    orders = rushlight.arange(len(signed), dtype=dtype, device=device).unsqueeze(-1)
    factors = rushlight.tensor(signed, dtype=dtype, device=device).unsqueeze(-1)
    return (factors * (orders * k).cos()).sum(0)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi n / (M - 1)), n = 0 ... M - 1.

    The arguments as of :func:`hann`.
    """
    return general_cosine(
        M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = rushlight.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Four cosine terms with the least side lobes (Nuttall 1981).

    The arguments as of :func:`hann`.
    """
    return general_cosine(
        M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, dtype=dtype, layout=layout,
        device=device, requires_grad=requires_grad,
    )  # fmt: skip
