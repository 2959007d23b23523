"""torch.gradient: derivatives of sampled functions by finite differences."""

from __future__ import annotations

from typing import Any

from rushlight.autograd.op import composed
from rushlight.ops.join import cat
from rushlight.tensor import Tensor


def _coordinates(spacing: Any, rank: int, dim: Any) -> list[Any]:
    """The spacing of each dimension: a number, or the coordinates of the samples."""
    if isinstance(spacing, (int, float, complex)) or (
        isinstance(spacing, Tensor) and spacing.ndim == 0
    ):
        return [spacing] * rank
    given = list(spacing)
    if len(given) != rank:
        what = "'self.dim()'" if dim is None else "the length of 'dim'"
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to {what} = {rank}, but got a list of length {len(given)}"
        )
    return given


def _along(f: Tensor, spacing: Any, dim: int, order: int) -> Tensor:
    """Three-point differences inside, one-sided ones of `order` at both ends."""

    def part(start: int, length: int) -> Tensor:
        return f.narrow(dim, start, length)

    n = f.shape[dim]
    if isinstance(spacing, Tensor) and spacing.ndim == 1:
        shape = [-1 if d == dim else 1 for d in range(f.ndim)]
        steps = (spacing[1:] - spacing[:-1]).reshape(shape)
        h, k = steps.narrow(dim, 0, n - 2), steps.narrow(dim, 1, n - 2)
        h0, k0 = steps.narrow(dim, 0, 1), steps.narrow(dim, min(1, n - 2), 1)
        hn, kn = steps.narrow(dim, max(n - 3, 0), 1), steps.narrow(dim, n - 2, 1)
    else:
        h = k = h0 = k0 = hn = kn = spacing
    # The derivative of the parabola through three points, h and k apart.
    inside = (
        part(0, n - 2) * (-k / (h * (h + k)))
        + part(1, n - 2) * ((k - h) / (h * k))
        + part(2, n - 2) * (h / (k * (h + k)))
    )
    if order == 1:
        first = (part(1, 1) - part(0, 1)) / h0
        last = (part(n - 1, 1) - part(n - 2, 1)) / kn
    else:
        first = (
            part(0, 1) * (-(2 * h0 + k0) / (h0 * (h0 + k0)))
            + part(1, 1) * ((h0 + k0) / (h0 * k0))
            + part(2, 1) * (-h0 / (k0 * (h0 + k0)))
        )
        last = (
            part(n - 3, 1) * (kn / (hn * (hn + kn)))
            + part(n - 2, 1) * (-(hn + kn) / (hn * kn))
            + part(n - 1, 1) * ((2 * kn + hn) / (kn * (hn + kn)))
        )
    return cat((first, inside, last), dim)


@composed()
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Estimates of the partial derivatives of a function sampled on a grid, one per dimension.

    spacing: the step of all dimensions, or a list with a step or the coordinates for each.
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    for d in dims:
        if not -input.ndim <= d < input.ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.ndim}, "
                f"{input.ndim - 1}], but got {d})"
            )
    dims = [d % input.ndim for d in dims]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"dim {dims[0]} appears multiple times in the list of dims")
    results = []
    for d, step in zip(dims, _coordinates(spacing, len(dims), dim)):
        if input.shape[d] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1, but "
                f"dimension {d} has size {input.shape[d]}"
            )
        if isinstance(step, Tensor) and step.ndim == 1 and step.numel() != input.shape[d]:
            raise RuntimeError(
                f"torch.gradient expected {input.shape[d]} coordinates for dimension {d}, got "
                f"{step.numel()}"
            )
        results.append(_along(input, step, d, edge_order))
    return tuple(results)
