"""einsum: sums of products of tensors whose dimensions have letters for names."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from rushlight.autograd.op import composed
from rushlight.ops.linalg import matmul
from rushlight.tensor import Tensor


@composed()
def einsum(*args: Any) -> Tensor:
    """Sums of products named by letters: einsum("bij,bjk->bik", a, b).

    Pairs of operands are contracted from left to right, each pair by one batched matrix product.

    A letter that the result lacks is summed over; twice in one operand, it is its diagonal; "..."
    stands for dimensions that broadcast. Without "->" the result has the letters that occur once,
    in alphabetical order.

    Raises:
        RuntimeError: sizes of one letter differ, or a letter of the result is in no operand.
        ValueError: there are more or fewer operands than in the equation.
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
    if len(operands) != equation.count(",") + 1:
        raise ValueError(
            f"einsum(): {'fewer' if len(operands) <= equation.count(',') else 'more'} operands "
            f"were provided than specified in the equation {equation!r}"
        )
    plan = _plan(equation, tuple([x.ndim for x in operands]))
    if plan.diagonals:
        operands = tuple(
            _diagonal(x, pairs, equation) for x, pairs in zip(operands, plan.diagonals)
        )
    result = operands[0]
    for x, pair in zip(operands[1:], plan.pairs):
        result = _contract(result, x, pair, equation)
    if plan.order is not None:
        result = result.permute(plan.order)
    return result.sum(plan.summed) if plan.summed else result


class _Pair(NamedTuple):
    """How two operands become one batched product; dimensions count after the sums.

    A matrix product has its rows and columns in the order in which the result has their letters,
    for what comes out in this order lies row by row and can be viewed in other shapes.
    """

    left_sums: _Sums | None  # what one side alone has and nobody needs: summed first
    right_sums: _Sums | None
    shared: list[tuple[int, int, str]]  # dimensions of both sides with one letter
    swapped: bool  # the right one has the rows
    left_order: list[int] | None  # batch, rows, summed; None: as it is
    right_order: list[int] | None  # batch, summed, columns
    batch: int  # how many dimensions of each kind
    rows: int
    summed: int
    spread: tuple[list[int], list[int]] | None  # nothing summed: where each side gets a size of 1


class _Sums(NamedTuple):
    order: list[int] | None
    dims: list[int]


class _Plan(NamedTuple):
    """What an equation means for operands of given ranks, whatever their sizes."""

    diagonals: list[list[tuple[int, int, str]]]  # of each operand; empty: none has any
    pairs: list[_Pair]
    order: list[int] | None
    summed: list[int]  # of the last product, so ordered


@functools.lru_cache(maxsize=256)  # a model has a few equations, and reading one takes longest
def _plan(equation: str, ranks: tuple[int, ...]) -> _Plan:
    terms, output = _parse(equation, ranks)
    diagonals, named = zip(*map(_without_repeats, terms))
    every = output + sorted({letter for term in named for letter in term}.difference(output))
    letters, pairs = named[0], []
    for i, others in enumerate(named[1:], 1):
        later = set(output).union(*named[i + 1 :])
        pair, letters = _pair_of(letters, others, later, every)
        pairs.append(pair)
    wanted = [letter for letter in every if letter in letters]
    summed = list(range(len(output), len(wanted)))
    order = _order(letters, wanted)
    return _Plan(list(diagonals) if any(diagonals) else [], pairs, order, summed)


def _order(letters: list[str], wanted: list[str]) -> list[int] | None:
    return None if letters == wanted else [letters.index(letter) for letter in wanted]


def _without_repeats(term: list[str]) -> tuple[list[tuple[int, int, str]], list[str]]:
    """The diagonals to take one after the other, and the letters that are left."""
    letters, diagonals = list(term), []
    for letter in dict.fromkeys(term):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            diagonals.append((first, second, letter))
            del letters[second], letters[first]
            letters.append(letter)
    return diagonals, letters


def _pair_of(
    left: list[str], right: list[str], later: set[str], every: list[str]
) -> tuple[_Pair, list[str]]:
    left_sums, left = _sums_of(left, later.union(right), every)
    right_sums, right = _sums_of(right, later.union(left), every)
    batch = [l for l in every if l in left and l in right and l in later]
    summed = [l for l in every if l in left and l in right and l not in later]
    rows = [l for l in every if l in left and l not in right]
    columns = [l for l in every if l in right and l not in left]
    shared = [(left.index(l), right.index(l), l) for l in batch + summed]
    spread = None
    swapped = False
    if summed:
        # PyTorch's rule: all that the left one lacks stands before its rows in the result. What was
        # summed earlier stands last, so a longer equation or a sum over one side prevents it.
        swapped = bool(rows and columns) and not set(every[every.index(rows[0]) :]).difference(left)
        if swapped:
            left, right, rows, columns = right, left, columns, rows
        letters = batch + rows + columns
        first, second = batch + rows + summed, batch + summed + columns
    else:
        letters = [l for l in every if l in left or l in right]
        first, second = [l for l in letters if l in left], [l for l in letters if l in right]
        spread = (
            [i for i, l in enumerate(letters) if l not in left],
            [i for i, l in enumerate(letters) if l not in right],
        )
    orders = _order(left, first), _order(right, second)
    counts = len(batch), len(rows), len(summed)
    return _Pair(left_sums, right_sums, shared, swapped, *orders, *counts, spread), letters


def _sums_of(
    letters: list[str], needed: set[str], every: list[str]
) -> tuple[_Sums | None, list[str]]:
    """The sums over what nobody needs, and the letters that are left."""
    if needed.issuperset(letters):
        return None, letters
    ordered = [l for l in every if l in letters]
    dims = [d for d, l in enumerate(ordered) if l not in needed]
    return _Sums(_order(letters, ordered), dims), [l for l in ordered if l in needed]


def _diagonal(x: Tensor, pairs: list[tuple[int, int, str]], equation: str) -> Tensor:
    for first, second, letter in pairs:
        if x.shape[first] != x.shape[second]:
            raise RuntimeError(
                f"einsum(): subscript {letter} is repeated for an operand but the sizes don't "
                f"match, {x.shape[second]} != {x.shape[first]} (in {equation!r})"
            )
        x = x.diagonal(0, first, second)
    return x


def _contract(a: Tensor, b: Tensor, pair: _Pair, equation: str) -> Tensor:
    """Two operands as one batched product over the letters that nobody needs any more."""
    if pair.left_sums is not None:
        a = _summed(a, pair.left_sums)
    if pair.right_sums is not None:
        b = _summed(b, pair.right_sums)
    left, right = a.shape, b.shape
    for i, j, letter in pair.shared:
        if left[i] != right[j]:
            a, b = _broadcast(a, b, i, j, letter, equation)
    if pair.swapped:
        a, b = b, a
    if pair.left_order is not None:
        a = a.permute(pair.left_order)
    if pair.right_order is not None:
        b = b.permute(pair.right_order)
    if pair.spread is not None:
        return _spread(a, pair.spread[0]) * _spread(b, pair.spread[1])
    left, right, nb = a.shape, b.shape, pair.batch
    head, rows = left[:nb], left[nb : nb + pair.rows]
    columns = right[nb + pair.summed :]
    if nb == 1 == pair.rows == pair.summed == len(columns):
        return matmul(a, b)
    count = math.prod(left[nb + pair.rows :])
    matrix: tuple = (math.prod(rows), count)
    other: tuple = (count, math.prod(columns))
    if nb:
        batch = (math.prod(head),)
        matrix, other = batch + matrix, batch + other
    return matmul(a.reshape(matrix), b.reshape(other)).reshape((*head, *rows, *columns))


def _summed(x: Tensor, sums: _Sums) -> Tensor:
    return (x if sums.order is None else x.permute(sums.order)).sum(sums.dims)


def _spread(x: Tensor, dims: list[int]) -> Tensor:
    """x with a size of 1 at each of these places of the result."""
    shape = list(x.shape)
    for dim in dims:
        shape.insert(dim, 1)
    return x.reshape(shape) if dims else x


def _broadcast(
    a: Tensor, b: Tensor, i: int, j: int, letter: str, equation: str
) -> tuple[Tensor, Tensor]:
    """The two with one size for a letter that has size 1 in one of them."""
    size, other = a.shape[i], b.shape[j]
    if size == 1:
        return a.expand((*a.shape[:i], other, *a.shape[i + 1 :])), b
    if other == 1:
        return a, b.expand((*b.shape[:j], size, *b.shape[j + 1 :]))
    raise RuntimeError(
        f"einsum(): operands do not broadcast with remapped shapes: subscript '{letter}' of "
        f"{equation!r} has sizes {size} and {other}"
    )


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


def _parse(equation: str, ranks: tuple[int, ...]) -> tuple[list[list[str]], list[str]]:
    """The letters of each operand and of the result; "..." as letters of their own."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    wide = 0
    for term, ndim in zip(terms, ranks):
        count = len(term.replace("...", ""))
        if "..." in term:
            wide = max(wide, ndim - count)
        elif count != ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({count}) does not match the "
                f"number of dimensions ({ndim}) for operand '{term}' and no ellipsis was given"
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

    named = [spread(t, ndim - len(t.replace("...", ""))) for t, ndim in zip(terms, ranks)]
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
