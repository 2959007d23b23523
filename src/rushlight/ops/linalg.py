"""Products of matrices and vectors, and what is made of them."""

from __future__ import annotations

from typing import Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.complex import _c
from rushlight.tensor import Tensor


def _t(x: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions: what gradients of products need."""
    return _c(x.transpose(-2, -1))


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
        first = matmul(grad, _t(b))
        if input.ndim == 1:
            first = first.reshape(-1, input.shape[0]).sum(0)
    if needs[1]:
        if b.ndim == 2 and a.ndim > 2:  # one product over all rows instead of a sum of products
            second = matmul(_t(a.reshape(-1, a.shape[-1])), grad.reshape(-1, grad.shape[-1]))
        else:
            second = matmul(_t(a), grad)
        if other.ndim == 1:
            second = second.reshape(-1, *other.shape).sum(0) if second.ndim > 2 else second.view(-1)
    return first, second


@op(_core.matmul, out=True)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, batched over leading dimensions; vectors as rows or columns."""


matmul.vjp_all(("input", "other"), _matmul_gradient)
Tensor.__matmul__ = matmul
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)


@op(_core.mm, out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""


mm.vjp(
    input=lambda grad, mat2: mm(grad, _t(mat2)),
    mat2=lambda grad, input: mm(_t(input), grad),
)


@op(_core.bmm, out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices."""


bmm.vjp(
    input=lambda grad, mat2: bmm(grad, _t(mat2)),
    mat2=lambda grad, input: bmm(_t(input), grad),
)


@op(_core.mv, out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""


mv.vjp(
    input=lambda grad, vec: outer(grad, _c(vec)),
    vec=lambda grad, input: mv(_t(input), grad),
)


@op(_core.dot, out=True)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors."""


dot.vjp(input=lambda grad, tensor: grad * _c(tensor), tensor=lambda grad, input: grad * _c(input))


@composed(method=True)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """dot with the first vector conjugated."""
    return dot(_c(input), other)


@composed(method=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products along the last dimension."""
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ((-1,), (-1,)))


@composed(method=True)
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(
            f"outer: Expected 1-D arguments, but got {input.ndim}-D and {vec2.ndim}-D tensors."
        )
    return input.unsqueeze(1) * vec2


ger = Tensor.ger = outer


def _scaled(value: Tensor, factor: Any) -> Tensor:
    return value if factor == 1 else value * _c(factor)


@op(_core.addmm, inplace=True, out=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2)."""


addmm.vjp(
    input=lambda grad, beta: _scaled(grad, beta),
    mat1=lambda grad, mat2, alpha: _scaled(mm(grad, _t(mat2)), alpha),
    mat2=lambda grad, mat1, alpha: _scaled(mm(_t(mat1), grad), alpha),
)


@op(_core.baddbmm, inplace=True, out=True)
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2), for batches of matrices."""


baddbmm.vjp(
    input=lambda grad, beta: _scaled(grad, beta),
    batch1=lambda grad, batch2, alpha: _scaled(bmm(grad, _t(batch2)), alpha),
    batch2=lambda grad, batch1, alpha: _scaled(bmm(_t(batch1), grad), alpha),
)


@composed(method=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""
    product = _scaled(mv(mat, vec), alpha)
    return product if beta == 0 else _scaled(input, beta) + product


@composed(method=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)."""
    product = _scaled(outer(vec1, vec2), alpha)
    return product if beta == 0 else _scaled(input, beta) + product


@composed(method=True)
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta * input + alpha * the sum of the products of two batches of matrices."""
    product = _scaled(bmm(batch1, batch2).sum(0), alpha)
    return product if beta == 0 else _scaled(input, beta) + product


@op(_core.linear, public=False, method=False, node="AddmmBackward0")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias. Shapes: (*, in), (out, in), (out) -> (*, out)."""


def _linear_gradient(grad: Tensor, input: Tensor, weight: Tensor, needs: tuple) -> tuple:
    if not _core.is_grad_enabled():
        return _core.linear_backward(grad, input, weight, *needs)
    rows = grad.reshape(-1, grad.shape[-1]) if grad.ndim != 1 else grad.unsqueeze(0)
    x = input.reshape(-1, input.shape[-1])
    return (
        matmul(grad, _c(weight)) if needs[0] else None,
        mm(rows.t(), _c(x)) if needs[1] else None,
        rows.sum(0) if needs[2] else None,
    )


linear.vjp_all(("input", "weight", "bias"), _linear_gradient)


@composed()
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
    """Sums of products over pairs of dimensions: the last n of a with the first n of b, or lists."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        over_a, over_b = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        over_a, over_b = (list(d) if not isinstance(d, int) else [d] for d in dims)
    over_a = [d % a.ndim for d in over_a]
    over_b = [d % b.ndim for d in over_b]
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
    return result if out is None else out.copy_(result)


@composed()
def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of several matrices."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = mm(result, matrix)
    return result if out is None else out.copy_(result)


# ---- einsum


@composed()
def einsum(*args: Any) -> Tensor:
    """Sums of products named by letters: einsum("bij,bjk->bik", a, b).

    Pairs of operands are contracted from left to right, each pair by one batched matrix product.
    """
    if not args:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if isinstance(args[0], str):
        equation, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = tuple(operands[0])
    else:
        equation, operands = _equation_of(args)
    if not operands:
        raise ValueError("einsum(): must specify at least one operand")
    terms, output = _parse(equation, operands)
    # Each operand with one dimension per letter (diagonals taken, missing ones left out).
    named = [_named(x, term, equation) for x, term in zip(operands, terms)]
    sizes: dict[str, int] = {}
    for x, letters in named:
        for letter, size in zip(letters, x.shape):
            known = sizes.get(letter, 1)
            if size != 1 and known not in (1, size):
                raise RuntimeError(
                    f"einsum(): operands do not broadcast with remapped shapes: subscript "
                    f"'{letter}' of {equation!r} has sizes {known} and {size}"
                )
            sizes[letter] = max(known, size) if size != 0 else 0
    result, letters = named[0]
    for i, (x, its) in enumerate(named[1:], 1):
        later = set(output).union(*(l for _, l in named[i + 1 :]))
        result, letters = _contract(result, letters, x, its, later, sizes)
    drop = [d for d, letter in enumerate(letters) if letter not in output]
    if drop:
        result = result.sum(drop)
        letters = [letter for letter in letters if letter in output]
    return result.permute([letters.index(letter) for letter in output])


def _equation_of(args: tuple) -> tuple[str, tuple]:
    """einsum(a, [0, 1], b, [1, 2], [0, 2]) as letters."""

    def letters(numbers: Any) -> str:
        return "".join(
            "..." if n is Ellipsis else chr(ord("A") + n) if n < 26 else chr(ord("a") + n - 26)
            for n in numbers
        )

    operands, terms = args[0 : len(args) - len(args) % 2 : 2], args[1::2]
    equation = ",".join(letters(term) for term in terms)
    if len(args) % 2:
        equation += "->" + letters(args[-1])
    return equation, operands


def _parse(equation: str, operands: tuple) -> tuple[list[list[str]], list[str]]:
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise ValueError(
            f"einsum(): {'more' if len(terms) < len(operands) else 'fewer'} operands were provided "
            f"than specified in the equation {equation!r}"
        )
    wide = 0
    for term, x in zip(terms, operands):
        count = len(term.replace("...", ""))
        if "..." in term:
            wide = max(wide, x.ndim - count)
        elif count != x.ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({count}) does not match the "
                f"number of dimensions ({x.ndim}) for operand '{term}' and no ellipsis was given"
            )

    def spread(term: str, rank: int) -> list[str]:
        for letter in term.replace("...", ""):
            if not letter.isalpha():
                raise ValueError(
                    f"einsum(): invalid subscript given: {letter!r}, subscripts must be in [a-zA-Z]"
                )
        before, dots, after = term.partition("...")
        dotted = [f"...{wide - rank + i}" for i in range(rank)] if dots else []
        return [*before, *dotted, *after]

    named = [spread(t, x.ndim - len(t.replace("...", ""))) for t, x in zip(terms, operands)]
    if arrow:
        result = spread(output, wide)
        known = set().union(*named)
        for letter in result:
            if letter not in known:
                raise RuntimeError(
                    f"einsum(): output subscript {letter} does not appear in the equation for any "
                    "input operand"
                )
            if result.count(letter) > 1:
                raise RuntimeError(
                    f"einsum(): output subscript {letter} appears more than once in the output"
                )
    else:
        flat = [letter for term in named for letter in term]
        result = [f"...{i}" for i in range(wide)]
        result += sorted(l for l in set(flat) if flat.count(l) == 1 and not l.startswith("..."))
    return named, result


def _named(x: Tensor, term: list[str], equation: str) -> tuple[Tensor, list[str]]:
    letters = list(term)
    for letter in dict.fromkeys(term):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise RuntimeError(
                    f"einsum(): subscript {letter} is repeated for an operand but the sizes don't "
                    f"match, {x.shape[second]} != {x.shape[first]} (in {equation!r})"
                )
            x = x.diagonal(0, first, second)
            del letters[second], letters[first]
            letters.append(letter)
    return x, letters


def _contract(
    a: Tensor, la: list[str], b: Tensor, lb: list[str], later: set[str], sizes: dict[str, int]
) -> tuple[Tensor, list[str]]:
    """Two operands as one batched product over the letters that nobody needs any more."""
    # What one side alone has and nobody needs, or what only broadcasts, is summed first.
    for side in (0, 1):
        x, letters, others = ((a, la, lb), (b, lb, la))[side]
        drop = [d for d, l in enumerate(letters) if l not in later and l not in others]
        if drop:
            x = x.sum(drop)
            letters = [l for d, l in enumerate(letters) if d not in drop]
        if side == 0:
            a, la = x, letters
        else:
            b, lb = x, letters
    both = [l for l in la if l in lb]
    batch = [l for l in both if l in later]
    summed = [l for l in both if l not in later]
    rows = [l for l in la if l not in lb]
    cols = [l for l in lb if l not in la]

    def arranged(x: Tensor, letters: list[str], order: list[str]) -> Tensor:
        x = x.permute([letters.index(l) for l in order])
        shape = [sizes[l] if l in both else x.shape[i] for i, l in enumerate(order)]
        return x.expand(shape)

    left = arranged(a, la, batch + rows + summed)
    right = arranged(b, lb, batch + summed + cols)
    nb, nr = len(batch), len(rows)
    head = tuple(left.shape[:nb])
    row_shape = tuple(left.shape[nb : nb + nr])
    col_shape = tuple(right.shape[nb + len(summed) :])
    count = _product(left.shape[nb + nr :])
    flat_batch = _product(head)
    if not summed:
        product = left.reshape(*head, *row_shape, *(1,) * len(cols)) * right.reshape(
            *head, *(1,) * nr, *col_shape
        )
    else:
        product = matmul(
            left.reshape(flat_batch, _product(row_shape), count),
            right.reshape(flat_batch, count, _product(col_shape)),
        ).reshape(*head, *row_shape, *col_shape)
    return product, batch + rows + cols


def _product(values: Any) -> int:
    result = 1
    for value in values:
        result *= value
    return result
