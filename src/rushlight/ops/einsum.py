"""einsum: sums of products of tensors whose dimensions have letters for names."""

from __future__ import annotations

from typing import Any

from rushlight.autograd.op import composed
from rushlight.ops.linalg import matmul
from rushlight.tensor import Tensor


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
    if letters == output:
        return result
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
