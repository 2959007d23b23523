"""Products of matrices and vectors, and what is made of them."""

from __future__ import annotations

import math
from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op, synonyms
from rushlight.ops.complex import _c
from rushlight.ops.other_forms import older_form
from rushlight.tensor import Tensor
from rushlight.warned import warn_once


def _t(x: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions: what gradients of products need."""
    return _c(x.transpose(-2, -1))


def _columns(x: Tensor) -> Tensor:
    """The columns of a batch of matrices, side by side in one."""
    return x.movedim(-2, 0).flatten(1)


def _matmul_gradient(grad: Tensor, input: Tensor, other: Tensor, needs: tuple) -> tuple:
    first = second = None
    a, b = input, other
    if a.ndim == 1 and b.ndim == 1:
        return (grad * _c(b) if needs[0] else None, grad * _c(a) if needs[1] else None)
    # Vectors as matrices with one row or column, dropped again by the sum to the input's shape.
    if a.ndim == 1:
        a, grad = a.unsqueeze(0), grad.unsqueeze(-2)
    if b.ndim == 1:
        b, grad = b.unsqueeze(-1), grad.unsqueeze(-1)
    if needs[0]:
        alone = b.ndim > 2 and a.shape[:-2].numel() == 1
        # One matrix for a batch: one product over all columns instead of a sum of products.
        if alone and grad.shape[-1] <= min(a.shape[-2:]):
            first = matmul(_columns(grad), _t(_columns(b))).view(a.shape)
        else:
            first = matmul(grad, _t(b))
        if input.ndim == 1:
            first = first.reshape(-1, input.shape[0]).sum(0)
    if needs[1]:
        if b.ndim == 2 and a.ndim > 2:  # the same over all rows
            second = matmul(_t(a.reshape(-1, a.shape[-1])), grad.reshape(-1, grad.shape[-1]))
        else:
            second = matmul(_t(a), grad)
        if other.ndim == 1:
            second = second.reshape(-1, *other.shape).sum(0) if second.ndim > 2 else second.view(-1)
    return first, second


def _matmul_name(input_ndim: int, other_ndim: int) -> str:
    """The name of the last of the ops that PyTorch makes a product of."""
    ranks = (input_ndim, other_ndim)
    known = {(1, 1): "Dot", (2, 1): "Mv", (2, 2): "Mm", (1, 2): "Squeeze", (2, 3): "Clone"}
    name = known.get(ranks, "UnsafeView")
    return f"{name}Backward{4 if ranks == (1, 2) else 0}"


@op(_core.matmul, out="exact", node=_matmul_name)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, batched over leading dimensions: (*, m, k) @ (*, k, n) -> (*, m, n).

    A vector on the left is a row, on the right a column, and its dimension goes: (k) @ (k) -> ().
    Leading dimensions broadcast. Raises RuntimeError where k or the dtypes differ, or for a 0-dim
    tensor.
    """


matmul.vjp_all(("input", "other"), _matmul_gradient, uses={"input": "other", "other": "input"})
_matmul_operator = matmul.operator_form()
Tensor.__matmul__ = _matmul_operator.method()
Tensor.__rmatmul__ = lambda self, other: _matmul_operator(other, self)  # type: ignore[misc]


@op(_core.mm, out="exact")
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices: (m, k) @ (k, n) -> (m, n), without broadcasting.

    Raises RuntimeError where shapes or dtypes do not fit, NotImplementedError for bool.
    """


mm.vjp(
    input=lambda grad, mat2: mm(grad, _t(mat2)),
    mat2=lambda grad, input: mm(_t(input), grad),
)


@op(_core.bmm, out="exact")
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices: (b, m, k) @ (b, k, n) -> (b, m, n).

    Raises RuntimeError where shapes or dtypes do not fit: nothing broadcasts.
    """


bmm.vjp(
    input=lambda grad, mat2: bmm(grad, _t(mat2)),
    mat2=lambda grad, input: bmm(_t(input), grad),
)


@op(_core.mv, out="exact")
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector: (m, k) @ (k) -> (m).

    Raises RuntimeError where shapes or dtypes do not fit.
    """


mv.vjp(
    input=lambda grad, vec: outer(grad, _c(vec)),
    vec=lambda grad, input: mv(_t(input), grad),
)


@op(_core.dot, out="exact")
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors: (n), (n) -> ().

    Nothing is conjugated, cf. :func:`vdot`. Raises RuntimeError for other shapes.
    """


dot.vjp(input=lambda grad, tensor: grad * _c(tensor), tensor=lambda grad, input: grad * _c(input))


@composed(method=True, out="exact")
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of conj(input) * other over two vectors: (n), (n) -> ()."""
    return dot(_c(input), other)


@composed(method=True, out="exact")
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products along the last dimension: (*a, n), (*b, n) -> (*a, *b).

    Raises RuntimeError where the last dimensions differ.
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    if input.ndim == other.ndim == 1:
        return dot(input, other)
    if other.ndim == 2:
        return matmul(input, other.mT)
    rows = other.reshape(math.prod(other.shape[:-1]), other.shape[-1])
    return matmul(input, rows.mT).reshape(*input.shape[:-1], *other.shape[:-1])


@composed(method=True, out=True)
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors: (m), (n) -> (m, n).

    Raises RuntimeError for what is no vector.
    """
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(
            f"outer: Expected 1-D arguments, but got {input.ndim}-D and {vec2.ndim}-D tensors."
        )
    return input.unsqueeze(1) * vec2


synonyms(outer, "ger")


@composed(method=True, out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: the blocks input[i, j, ...] * other, side by side.

    Sizes multiply, dimension by dimension; the shorter shape gets ones in front.
    """
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    sizes = [m * n for m, n in zip(a, b)]
    tail = []
    # Factors with rows as long as the result's make long loops, of a few copies.
    if rank > 1 and b[-1] < 256 and input.numel() * other.numel() >= 8192:
        tail = sizes[-1:]
        input = input.reshape((*a, 1)).expand((*a, b[-1]))
        other = other.reshape((*b[:-1], 1, b[-1])).expand((*b[:-1], a[-1], b[-1]))
        rank -= 1
    left = input.reshape([*(size for m in a[:rank] for size in (m, 1)), *tail])
    right = other.reshape([*(size for n in b[:rank] for size in (1, n)), *tail])
    return (left * right).reshape(sizes)


@composed(method=True, out="exact")
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector products along a dimension of size 3, by default the first such. Shapes broadcast.

    Raises RuntimeError where there is none.
    """
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError(
                "torch.cross: no dimension of size 3 in input, whose shape is "
                f"{list(input.shape)}"
            )
        warn_once(
            "Using torch.cross without specifying the dim arg is deprecated: pass dim, or use "
            "torch.linalg.cross, whose default (-1) it will have in a future release."
        )
        dim = tuple(input.shape).index(3)
    return _cross("torch.cross", input, other, dim)


def _cross(name: str, input: Tensor, other: Tensor, dim: int) -> Tensor:
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"{name}: inputs must have the same number of dimensions, got {input.ndim} and "
            f"{other.ndim}"
        )
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-input.ndim}, "
            f"{input.ndim - 1}], but got {dim})"
        )
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"{name}: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and "
            f"{other.shape[dim]}"
        )
    return _cross_product(input, other, dim if dim < 0 else dim - input.ndim)


@op(_core.cross, method=False, public=False, node="LinalgCrossBackward0")
def _cross_product(input: Tensor, other: Tensor, dim: int) -> Tensor:
    """The vector products along `dim`, counted from the back. Shapes broadcast."""


_cross_product.vjp(
    input=lambda grad, other, dim: _cross_product(_c(other), grad, dim),
    other=lambda grad, input, dim: _cross_product(grad, _c(input), dim),
)


def _scaled(value: Tensor, factor: Any) -> Tensor:
    return value if factor == 1 else value * _c(factor)


@op(_core.addmm, inplace=True, out="exact")
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2): (n, m) or broadcast to it, (n, k), (k, m) -> (n, m).

    With beta = 0 the input is not read, nan in it does not count.
    """


addmm.vjp(
    input=lambda grad, beta: _scaled(grad, beta),
    mat1=lambda grad, mat2, alpha: _scaled(mm(grad, _t(mat2)), alpha),
    mat2=lambda grad, mat1, alpha: _scaled(mm(_t(mat1), grad), alpha),
)


@op(_core.baddbmm, inplace=True, out="exact")
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2), for batches of matrices.

    Shapes: (b, n, m) or what broadcasts to it, (b, n, k), (b, k, m) -> (b, n, m).
    """


baddbmm.vjp(
    input=lambda grad, beta: _scaled(grad, beta),
    batch1=lambda grad, batch2, alpha: _scaled(bmm(grad, _t(batch2)), alpha),
    batch2=lambda grad, batch1, alpha: _scaled(bmm(_t(batch1), grad), alpha),
)


def _times(value: Tensor, factor: Any) -> Tensor:
    """value * factor in the dtype of value."""
    if factor == 1:
        return value
    if value.dtype is _core.bool:
        return value & (factor != 0)
    if not (value.dtype.is_floating_point or value.dtype.is_complex):
        factor = int(factor)
    return value * factor


@composed(method=True, inplace=True, out="exact")
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *older: Any, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * (mat @ vec): (m) or broadcast to it, (m, k), (k) -> (m)."""
    if older:
        return older_form(addmv, input, mat, vec, *older)
    product = _times(mv(mat, vec), alpha)
    return product if beta == 0 else _times(input, beta) + product


@composed(method=True, inplace=True, out=True)
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *older: Any, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2): (m, n) or broadcast to it, (m), (n) -> (m, n).

    Raises RuntimeError where all are integers and beta or alpha is not.
    """
    if older:
        return older_form(addr, input, vec1, vec2, *older)
    if isinstance(beta, float) or isinstance(alpha, float):
        dtypes = [t.dtype for t in (input, vec1, vec2)]
        if not any(d.is_floating_point or d.is_complex for d in dtypes):
            raise RuntimeError(
                "addr: for integral input tensors, beta and alpha must not be floating point "
                f"numbers, got {beta} and {alpha}"
            )
    product = _times(outer(vec1, vec2), alpha)
    return product if beta == 0 else _times(input, beta) + product


@composed(method=True, out="exact")
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *older: Any, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * the sum of the products of two batches of matrices.

    Shapes: (n, m) or what broadcasts to it, (b, n, k), (b, k, m) -> (n, m).
    """
    if older:
        return older_form(addbmm, input, batch1, batch2, *older)
    product = _times(bmm(batch1, batch2).sum(0), alpha)
    return product if beta == 0 else _times(input, beta) + product


def _addbmm_(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """In-place form of :func:`addbmm`; takes the shape of the result, as in PyTorch."""
    result = addbmm(self.clone(), *args, **kwargs)
    if result.shape == self.shape:
        return self.copy_(result)
    self._set_array(result)
    if result.grad_fn is not None:
        self._grad_fn = (result.grad_fn, result.output_nr)
    return self


Tensor.addbmm_ = _addbmm_


def _linear_name(input_ndim: int, recorded: tuple) -> str:
    """The name of the last of the ops that PyTorch makes it of."""
    bias = recorded[2]
    if input_ndim == 2:
        return "AddmmBackward0" if bias else "MmBackward0"
    if bias:
        return "ViewBackward0"
    return "SqueezeBackward4" if input_ndim == 1 else "UnsafeViewBackward0"


@op(_core.linear, public=False, method=False, node=_linear_name)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias. Shapes: (*, in), (out, in), (out) -> (*, out).

    Raises RuntimeError where shapes or dtypes do not fit.
    """


def _linear_gradient(grad: Tensor, input: Tensor, weight: Tensor, needs: tuple) -> tuple:
    rows = grad.reshape(-1, grad.shape[-1]) if grad.ndim != 1 else grad.unsqueeze(0)
    x = input.reshape(-1, input.shape[-1])
    return (
        matmul(grad, _c(weight)) if needs[0] else None,
        mm(rows.t(), _c(x)) if needs[1] else None,
        rows.sum(0) if needs[2] else None,
    )


linear.vjp_all(
    ("input", "weight", "bias"),
    _linear_gradient,
    uses={"input": "weight", "weight": "input", "bias": ""},
    kernel=_core.linear_backward,
)


@composed()
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
    """Sums of products over pairs of dimensions: a's last n with b's first n, or lists of them.

    `dims`: n, or (dimensions of a, dimensions of b). The result has the other dimensions of a, then
    those of b. Raises RuntimeError where paired sizes differ.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(
                f"tensordot expects dims <= {min(a.ndim, b.ndim)}, the fewest dimensions of "
                f"shapes {list(a.shape)} and {list(b.shape)}, but got dims={dims}"
            )
        over_a, over_b = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        over_a, over_b = (list(d) if not isinstance(d, int) else [d] for d in dims)
    over_a = [d % a.ndim for d in over_a]
    over_b = [d % b.ndim for d in over_b]
    # Where one side of a pair has size 1 it broadcasts: the other is summed over that dimension.
    narrow_a = [d for d, e in zip(over_a, over_b) if a.shape[d] != 1 and b.shape[e] == 1]
    narrow_b = [e for d, e in zip(over_a, over_b) if a.shape[d] == 1 and b.shape[e] != 1]
    a = a.sum(narrow_a, keepdim=True) if narrow_a else a
    b = b.sum(narrow_b, keepdim=True) if narrow_b else b
    if [a.shape[d] for d in over_a] != [b.shape[d] for d in over_b]:
        raise RuntimeError(
            f"tensordot: contracted dimensions need to match, but got shapes {list(a.shape)} over "
            f"{over_a} and {list(b.shape)} over {over_b}"
        )
    free_a = [d for d in range(a.ndim) if d not in over_a]
    free_b = [d for d in range(b.ndim) if d not in over_b]
    shared = 1
    for d in over_a:
        shared *= a.shape[d]
    shape = [a.shape[d] for d in free_a] + [b.shape[d] for d in free_b]
    rows, cols = 1, 1
    for d in free_a:
        rows *= a.shape[d]
    for d in free_b:
        cols *= b.shape[d]
    left = a.permute(free_a + over_a).reshape(rows, shared)
    right = b.permute(over_b + free_b).reshape(shared, cols)
    result = mm(left, right).reshape(shape)
    return result if out is None else _core.write_out("tensordot", result, out, exact=True)


@composed()
def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The older name of :func:`torch.linalg.multi_dot`, with the matrices one by one."""
    warn_once(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use "
        "torch.linalg.multi_dot instead, which takes a list of the tensors."
    )
    result = matrices[0]
    for matrix in matrices[1:]:
        result = mm(result, matrix)
    return result if out is None else _core.write_out("chain_matmul", result, out, exact=True)
