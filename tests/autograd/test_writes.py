"""Writes in place, as PyTorch takes and refuses them."""

from __future__ import annotations

import pytest

import rushlight as rl


def test_a_value_may_have_more_dimensions_of_one_than_the_place() -> None:
    x = rl.zeros(3)
    x[0] = rl.tensor([5.0])
    x[1] = rl.tensor([[6.0]])
    x[rl.tensor(2)] = rl.tensor([7.0])
    assert x.tolist() == [5, 6, 7]


def test_parts_that_are_added_to_one_after_the_other() -> None:
    """A view's place in its base is no value: later writes to the base do not forbid backward."""
    x = rl.tensor([1.0, 2.0], requires_grad=True)
    forces = rl.zeros(2, 2)
    forces[0] += x * 2
    forces[1] -= x
    forces[:, 1] -= 3.0
    assert forces.tolist() == [[2, 1], [-1, -5]]
    (forces * forces).sum().backward()
    assert x.grad.tolist() == [2 * 2 * 2 + 2, 2 * 2 * 1 + 10]


def test_a_strided_view_of_what_is_written_to_later() -> None:
    x = rl.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    base = (x * 2).view(2, 2).t()
    view = base.as_strided((3,), (1,), 1)
    squares = view * 1.0
    base.add_(1)
    squares.sum().backward()
    assert x.grad.tolist() == [0, 2, 2, 2]


def test_integers_have_no_history() -> None:
    counts, x = rl.zeros(2, dtype=rl.int64), rl.tensor([1.5, 2.5], requires_grad=True)
    counts.copy_(x)
    assert counts.tolist() == [1, 2] and not counts.requires_grad and counts.is_leaf
    counts[0] = x[1]
    assert counts.tolist() == [2, 2] and not counts.requires_grad


def test_a_leaf_that_was_detached_gets_no_gradient() -> None:
    x = rl.ones(2, requires_grad=True)
    y = (x * 2).sum()
    x.requires_grad_(False)
    y.backward()
    assert x.grad is None


def test_empty_tensors_may_be_written_to_whatever_their_strides() -> None:
    empty = rl.zeros(1, 0).expand(3, 0)
    assert empty.add_(1).shape == (3, 0)
    with pytest.raises(RuntimeError, match="single memory location"):
        rl.zeros(1).expand(3).add_(1)


@pytest.mark.parametrize(
    "difference",
    [
        lambda mask: 1 - mask, lambda mask: mask - 1, lambda mask: mask - mask,
        lambda mask: rl.ones(2) - mask, lambda mask: mask.sub(rl.ones(2)),
        lambda mask: rl.rsub(mask, 1), lambda mask: rl.ones(2).sub_(mask), lambda mask: mask - True,
    ],
)  # fmt: skip
def test_truth_values_are_not_subtracted(difference) -> None:
    with pytest.raises(RuntimeError, match="Subtraction.*bool"):
        difference(rl.tensor([True, False]))


def _real_part(c):
    y = c.real
    y *= 2.5
    y += 1
    return c


def _row_of_imaginary_part(c):
    c.imag[1].mul_(3.0)
    c.imag[:, 0] = 0.5
    return c


def _pairs(c):
    pairs = rl.view_as_real(c)
    pairs[..., 0].mul_(pairs[..., 1].exp())
    return c


def _complex_view(c):
    pairs = rl.view_as_real(c).clone()
    z = rl.view_as_complex(pairs)
    z *= 2 - 1j
    return pairs


@pytest.mark.parametrize("write", [_real_part, _row_of_imaginary_part, _pairs, _complex_view])
def test_writes_through_views_of_another_dtype(write):
    rl.manual_seed(0)
    x = rl.randn(3, 2, dtype=rl.complex128, requires_grad=True)

    def function(x):
        written = write((x * (1 + 2j)).sin())
        return rl.view_as_real(written) if written.is_complex() else written

    assert rl.autograd.gradcheck(function, (x,))
    assert rl.autograd.gradgradcheck(function, (x,))
