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
    if plan.summed:
        result = result.sum(plan.summed)
    return result if plan.order is None else result.permute(plan.order)


class _Pair(NamedTuple):
    """How two operands become one batched product; dimensions count after the sums."""

    left_sums: list[int]  # what one side alone has and nobody needs: summed first
    right_sums: list[int]
    shared: list[tuple[int, int, str]]  # dimensions of both sides with one letter
    left_order: list[int] | None  # batch, rows, summed; None: as it is
    right_order: list[int] | None  # batch, summed, columns
    batch: int  # how many dimensions of each kind
    rows: int
    summed: int
    columns: int


class _Plan(NamedTuple):
    """What an equation means for operands of given ranks, whatever their sizes."""

    diagonals: list[list[tuple[int, int, str]]]  # of each operand; empty: none has any
    pairs: list[_Pair]
    summed: list[int]  # of the last product
    order: list[int] | None


@functools.lru_cache(maxsize=256)  # a model has a few equations, and reading one takes longest
def _plan(equation: str, ranks: tuple[int, ...]) -> _Plan:
    terms, output = _parse(equation, ranks)
    diagonals, named = zip(*map(_without_repeats, terms))
    letters, pairs = named[0], []
    for i, others in enumerate(named[1:], 1):
        later = set(output).union(*named[i + 1 :])
        pair, letters = _pair_of(letters, others, later)
        pairs.append(pair)
    summed = [d for d, letter in enumerate(letters) if letter not in output]
    letters = [letter for letter in letters if letter in output]
    return _Plan(list(diagonals) if any(diagonals) else [], pairs, summed, _order(letters, output))


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


def _pair_of(left: list[str], right: list[str], later: set[str]) -> tuple[_Pair, list[str]]:
    left_sums = [d for d, l in enumerate(left) if l not in later and l not in right]
    right_sums = [d for d, l in enumerate(right) if l not in later and l not in left]
    left = [l for d, l in enumerate(left) if d not in left_sums]
    right = [l for d, l in enumerate(right) if d not in right_sums]
    batch = [l for l in left if l in right and l in later]
    summed = [l for l in left if l in right and l not in later]
    rows = [l for l in left if l not in right]
    columns = [l for l in right if l not in left]
    shared = [(left.index(l), right.index(l), l) for l in batch + summed]
    pair = _Pair(
        left_sums,
        right_sums,
        shared,
        _order(left, batch + rows + summed),
        _order(right, batch + summed + columns),
        len(batch),
        len(rows),
        len(summed),
        len(columns),
    )
    return pair, batch + rows + columns


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
    if pair.left_sums:
        a = a.sum(pair.left_sums)
    if pair.right_sums:
        b = b.sum(pair.right_sums)
    left, right = a.shape, b.shape
    for i, j, letter in pair.shared:
        if left[i] != right[j]:
            a, b = _broadcast(a, b, i, j, letter, equation)
    if pair.left_order is not None:
        a = a.permute(pair.left_order)
    if pair.right_order is not None:
        b = b.permute(pair.right_order)
    left, right, nb = a.shape, b.shape, pair.batch
    head, rows = left[:nb], left[nb : nb + pair.rows]
    columns = right[nb + pair.summed :]
    if not pair.summed:
        ones = (1,) * pair.columns
        if pair.rows:
            b = b.reshape((*head, *(1,) * pair.rows, *columns))
        return (a.reshape((*left, *ones)) if ones else a) * b
    if nb == 1 == pair.rows == pair.summed == pair.columns:
        return matmul(a, b)
    count = math.prod(left[nb + pair.rows :])
    matrix: tuple = (math.prod(rows), count)
    other: tuple = (count, math.prod(columns))
    if nb:
        batch = (math.prod(head),)
        matrix, other = batch + matrix, batch + other
    return matmul(a.reshape(matrix), b.reshape(other)).reshape((*head, *rows, *columns))


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
