"""Powers and exponentials of matrices, and products of several tensors."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.ops.linalg import _cross, _t, matmul
from rushlight.ops.matrix import check_square, identity
from rushlight.ops.pointwise import where
from rushlight.ops.solve import linalg_inv, linalg_solve
from rushlight.tensor import Tensor

_INNER: dict[str, Any] = {"public": False, "method": False}

# ---- powers


def _power(name: str, A: Tensor, n: int) -> Tensor:
    if A.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor A must have at least 2 dimensions, got {list(A.shape)}"
        )
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices"
        )
    if n == 0:
        return A.clone().copy_(identity(A))
    if n < 0:
        A, n = linalg_inv(A), -n
    result: Any = None
    while True:  # by squaring
        if n & 1:
            result = A if result is None else matmul(result, A)
        n >>= 1
        if not n:
            return result.clone() if result is A else result
        A = matmul(A, A)


@composed(out="exact", public=False)
def linalg_matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices (*, k, k), by squaring; n < 0 is that of the inverse.

    Raises LinAlgError for a negative power of a singular matrix.
    """
    return _power("linalg.matrix_power", input, n)


@composed(method=True, out="exact")
def matrix_power(input: Tensor, n: int) -> Tensor:
    """Another name of torch.linalg.matrix_power."""
    return _power("linalg.matrix_power", input, n)


# ---- the exponential

# Pade approximants of these degrees are exact to the dtype up to these 1-norms (Higham 2005).
_DOUBLE = (
    (3, 1.495585217958292e-2), (5, 2.539398330063230e-1), (7, 9.504178996162932e-1),
    (9, 2.097847961257068), (13, 5.371920351148152),
)  # fmt: skip
_SINGLE = ((3, 4.258730016922831e-1), (5, 1.880152677804762), (7, 3.925724783138660))


def _coefficients(degree: int) -> list[int]:
    """Of the numerator, rising, all divided by the last."""
    f = math.factorial
    return [f(2 * degree - j) // (f(degree - j) * f(j)) for j in range(degree + 1)]


def _rational(A: Tensor, degree: int) -> Tensor:
    """exp(A) for small A: (V + U) / (V - U), with the odd terms of the numerator in U."""
    b = [float(c) for c in _coefficients(degree)]
    eye = identity(A)
    square = matmul(A, A)
    powers = [eye, square]
    while len(powers) < min(degree // 2 + 1, 4):
        powers.append(matmul(powers[-1], square))

    def total(terms: list[float]) -> Tensor:
        found = powers[0] * terms[0]
        for power, term in zip(powers[1:], terms[1:]):
            found = found + power * term
        return found

    odd, even = b[1::2], b[0::2]
    if degree == 13:
        sixth = powers[3]
        high = powers[1] * odd[4] + powers[2] * odd[5] + sixth * odd[6]
        U = matmul(sixth, high) + total(odd[:4])
        high = powers[1] * even[4] + powers[2] * even[5] + sixth * even[6]
        V = matmul(sixth, high) + total(even[:4])
    else:
        while len(powers) < len(odd):
            powers.append(matmul(powers[-1], square))
        U, V = total(odd), total(even)
    U = matmul(A, U)
    return linalg_solve(V - U, V + U)


def _exponential(A: Tensor) -> Tensor:
    single = A.dtype in (_core.float32, _core.complex64)
    degrees = _SINGLE if single else _DOUBLE
    norms = A.abs().sum(-2).amax(-1)
    largest = norms.max().item()
    if not math.isfinite(largest):
        return A * math.nan
    for degree, limit in degrees[:-1]:
        if largest <= limit:
            return _rational(A, degree)
    degree, limit = degrees[-1]
    if largest <= limit:
        return _rational(A, degree)
    # exp(A) = exp(A / 2^s)^(2^s), with each matrix's own s
    steps = (norms / limit).clamp(min=1.0).log2().ceil()
    result = _rational(A / (2.0**steps)[..., None, None], degree)
    for step in range(int(steps.max().item())):
        squared = matmul(result, result)
        result = _core.where((steps > step)[..., None, None], squared, result)
    return result


@op(node="LinalgMatrixExpBackward0", method="matrix_exp", public=False)
def linalg_matrix_exp(A: Tensor) -> Tensor:
    """exp(A) = I + A + A^2 / 2 + ... of square matrices (*, n, n).

    By a rational function, scaling and squaring (Higham 2005). Raises RuntimeError for integers.
    """
    check_square("linalg.matrix_exp", A)
    if A.numel() == 0:
        return _core.clone(A)
    if A.shape[-1] == 1:
        return _core.exp(A)
    return _exponential(A)


def _exponential_gradient(grad: Tensor, A: Tensor) -> Tensor:
    """The derivative of exp at A^H in the direction grad: a block of exp([[A^H, grad], [0, A^H]])
    (Mathias 1996)."""
    from rushlight.ops.join import cat

    n = A.shape[-1]
    adjoint = _t(A)
    zero = _core.full(tuple(A.shape), 0, A.dtype)
    # The block is linear in grad: scaled, a large one does not ask for more squarings.
    size = grad.detach().abs().sum(-2, keepdim=True).amax(-1, keepdim=True)
    size = where(size == 0, 1.0, size)
    both = cat((cat((adjoint, grad / size), -1), cat((zero, adjoint), -1)), -2)
    return linalg_matrix_exp(both)[..., :n, n:] * size


linalg_matrix_exp.vjp(A=_exponential_gradient)


@composed()
def matrix_exp(A: Tensor) -> Tensor:
    """Another name of torch.linalg.matrix_exp."""
    return linalg_matrix_exp(A)


# ---- products of several


def _best_order(sizes: list[int]) -> list[list[int]]:
    """Where to split each chain so that the products cost least (dynamic programming)."""
    count = len(sizes) - 1
    cost = [[0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i][j], split[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return split


def _chain(tensors: list[Tensor], split: list[list[int]], i: int, j: int) -> Tensor:
    if i == j:
        return tensors[i]
    at = split[i][j]
    return matmul(_chain(tensors, split, i, at), _chain(tensors, split, at + 1, j))


@composed(public=False)
def linalg_multi_dot(tensors: Any, *, out: Any = None) -> Tensor:
    """The product of two or more matrices, in the order that costs least.

    The first may be a row vector and the last a column vector, whose dimensions go. Raises
    RuntimeError for fewer than 2 tensors, or where shapes or dtypes do not fit.
    """
    name = "multi_dot()"
    given = list(tensors)
    if len(given) < 2:
        raise RuntimeError(f"{name}: expected at least 2 tensors but got {len(given)}")
    first, last = given[0], given[-1]
    for place, tensor in enumerate(given):
        ends = place in (0, len(given) - 1)
        if tensor.ndim != 2 and not (ends and tensor.ndim == 1):
            raise RuntimeError(
                f"{name}: tensor {place} must be {'1D or 2D' if ends else '2D'} but got "
                f"{tensor.ndim}D"
            )
        if tensor.dtype is not first.dtype:
            raise RuntimeError(
                f"{name}: all tensors must have be the same dtype but tensor 0 is {first.dtype} "
                f"and tensor {place} {tensor.dtype}"
            )
    if first.ndim == 1:
        given[0] = first.unsqueeze(0)
    if last.ndim == 1:
        given[-1] = last.unsqueeze(-1)
    for place in range(len(given) - 1):
        one, two = given[place], given[place + 1]
        if one.shape[1] != two.shape[0]:
            raise RuntimeError(
                f"{name}: tensors {place} and {place + 1} with shapes {list(one.shape)} and "
                f"{list(two.shape)} cannot be multiplied"
            )
    sizes = [given[0].shape[0], *(tensor.shape[1] for tensor in given)]
    result = _chain(given, _best_order(sizes), 0, len(given) - 1)
    if first.ndim == 1:
        result = result.squeeze(0)
    if last.ndim == 1:
        result = result.squeeze(-1)
    return result if out is None else _core.write_out("linalg_multi_dot", result, out, exact=True)


@composed(out="exact", public=False)
def linalg_vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of conj(x) * y along a dimension; the shapes broadcast.

    Raises RuntimeError for integers or two dtypes.
    """
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise RuntimeError(
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype}"
        )
    if x.dtype is not y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of type "
            f"{x.dtype} and y of type {y.dtype} instead"
        )
    return (_c(x) * y).sum(dim)


@composed(out="exact", public=False)
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector products along a dimension of size 3; the shapes broadcast.

    Raises RuntimeError for another size.
    """
    return _cross("linalg.cross", input, other, dim)


@composed(public=False)
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view: (*, m, n) -> (*, k); as :func:`diagonal`."""
    return A.diagonal(offset, dim1, dim2)


@composed(public=False)
def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element: Vandermonde's matrices.

    Shapes: (*, n) -> (*, n, N); N is n by default.
    """
    from rushlight.ops.join import cat

    if x.ndim == 0:
        x = x.unsqueeze(0)
    if x.dtype is _core.bool:
        raise RuntimeError("linalg.vander supports floating point, complex, and integer tensors")
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError(f"linalg.vander: N must be greater than 1, got {count}")
    rest = x.unsqueeze(-1).expand(*x.shape, count - 1).cumprod(-1)
    if x.dtype.is_floating_point:
        rest = rest.to(x.dtype)
    return cat((_core.full((*x.shape, 1), 1, rest.dtype), rest), -1)


# ---- systems of tensors


@composed(out=True, public=False)
def linalg_tensorinv(input: Tensor, ind: int = 2) -> Tensor:
    """The inverse of a tensor as a map from its last dimensions to its first `ind`.

    tensordot(tensorinv(input), B, ind) solves input X = B. Raises RuntimeError for ind <= 0, or
    where the sizes on both sides have different products.
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', got {ind}")
    rows, cols = input.shape[:ind], input.shape[ind:]
    if math.prod(rows) != math.prod(cols):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(cols)} != {math.prod(rows)}"
        )
    square = input.reshape(math.prod(rows), -1 if input.numel() else 0)
    return linalg_inv(square).reshape(*cols, *rows)


@composed(out=True, public=False)
def linalg_tensorsolve(input: Tensor, other: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(input, X, X.ndim) = other.

    Args:
        input: (*other.shape, *X.shape), as many elements before as after, once `dims` are moved.
        other: of any shape.
        dims: dimensions of input that are first moved to its end.

    Raises:
        RuntimeError: the sizes on both sides have different products.
        LinAlgError: input is singular.
    """
    if dims is not None:
        input = input.movedim(tuple(dims), tuple(range(input.ndim - len(dims), input.ndim)))
    shape = tuple(input.shape[other.ndim :])
    size = math.prod(shape)
    if size != math.prod(input.shape[: other.ndim]):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            "prod(self.shape[:other.ndim]), but got "
            f"{size} != {math.prod(input.shape[: other.ndim])}"
        )
    return linalg_solve(input.reshape(size, size), other.reshape(size)).reshape(shape)
