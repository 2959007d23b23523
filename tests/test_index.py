"""Brackets: `x[key]` and `x[key] = value` for keys of every form, against NumPy.

tests/ops/index.py has the rows of what is behind them; tests/parity/test_index.py keys that NumPy
reads in another way.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

import rushlight as rl

SHAPES = [(), (5,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (3, 0, 2)]


def part(draw: random.Random, size: int) -> Any:
    """An integer, if there is room for one, or a slice of a dimension of that size."""
    if size and draw.random() < 0.4:
        return draw.randrange(-size, size)
    ends = [None, *range(-size - 1, size + 2)]
    return slice(draw.choice(ends), draw.choice(ends), draw.choice([None, 1, 2, 3]))


def basic_key(draw: random.Random, shape: tuple[int, ...]) -> tuple:
    """Integers and slices for some first or last dimensions, with None and an Ellipsis."""
    before = draw.randint(0, len(shape))
    after = draw.randint(0, len(shape) - before)
    key = [part(draw, size) for size in shape[:before]]
    if after or draw.random() < 0.3:
        key += [Ellipsis, *(part(draw, size) for size in shape[len(shape) - after :])]
    for _ in range(draw.choice([0, 0, 1, 2])):
        key.insert(draw.randint(0, len(key)), None)
    return tuple(key)


def places_key(draw: random.Random, shape: tuple[int, ...]) -> tuple:
    """Arrays of indices that broadcast, a mask, slices and None: a key that copies."""
    random_numbers = np.random.default_rng(draw.randrange(10**6))
    key: list[Any] = []
    left = list(shape)
    while left and len(key) < 5:
        choice = draw.random()
        if choice < 0.15:
            key.append(None)
            continue
        count = min(len(left), draw.choice([1, 2])) if choice < 0.35 else 1
        sizes, left = left[:count], left[count:]
        if choice < 0.35 and not any(isinstance(k, np.ndarray) for k in key):
            key.append(random_numbers.random(sizes) < 0.5)
            continue
        left = sizes[1:] + left
        if choice < 0.75 and sizes[0] and not any(_is_mask(k) for k in key):
            of = draw.choice([(3,), (2, 1), (1,), (2, 3)])
            key.append(random_numbers.integers(-sizes[0], sizes[0], of))
        else:
            key.append(slice(*sorted(draw.choices(range(sizes[0] + 1), k=2))))
    if draw.random() < 0.3:
        key.append(Ellipsis)
    return tuple(key)


def _is_mask(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype == bool


def to_rushlight(draw: random.Random, key: tuple) -> tuple:
    """The key with tensors, lists or NumPy arrays for its arrays."""
    forms = (rl.from_numpy, lambda array: array, np.ndarray.tolist)  # an empty list has no dtype
    return tuple(
        draw.choice(forms if item.size else forms[:2])(item)
        if isinstance(item, np.ndarray)
        else item
        for item in key
    )


def keys(make: Any) -> list[tuple[tuple[int, ...], tuple, tuple]]:
    """(shape, key, the same key for rushlight), some hundred of them."""
    draw = random.Random(0)
    found = []
    for shape in SHAPES:
        for _ in range(80):
            key = make(draw, shape)
            found.append((shape, key, to_rushlight(draw, key)))
    return found


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


@pytest.mark.parametrize("make", [basic_key, places_key])
def test_reading(make: Any) -> None:
    for shape, key, own in keys(make):
        array = numbers(shape)
        found, expected = rl.from_numpy(array)[own], array[key]
        assert tuple(found.shape) == np.shape(expected), (shape, key)
        assert np.array_equal(found.numpy(), expected), (shape, key)


@pytest.mark.parametrize("make", [basic_key, places_key])
def test_writing(make: Any) -> None:
    for shape, key, own in keys(make):
        array = numbers(shape)
        tensor = rl.from_numpy(array.copy())
        tensor[own] = -1.5
        array[key] = -1.5
        assert np.array_equal(tensor.numpy(), array), (shape, key)


def test_writing_a_tensor() -> None:
    for shape, key, own in keys(basic_key):
        array = numbers(shape)
        tensor = rl.from_numpy(array.copy())
        values = numbers(np.shape(array[key]))
        tensor[own] = rl.from_numpy(values)
        array[key] = values
        assert np.array_equal(tensor.numpy(), array), (shape, key)


def test_parts_are_views_and_picked_places_copies() -> None:
    for shape, _, own in keys(basic_key):
        tensor = rl.zeros(shape)
        part = tensor[own]
        assert part.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
        part.fill_(1)
        assert tensor.sum().item() == part.numel()
    tensor = rl.zeros(3, 2)
    tensor[[0, 1]].fill_(1)
    tensor[tensor == 0].fill_(1)
    assert not tensor.any()


@pytest.mark.parametrize("make", [basic_key, places_key])
def test_gradients(make: Any) -> None:
    """The gradient of the elements that a key reads is what comes in at their places, added up."""
    for shape, key, own in keys(make):
        tensor = rl.from_numpy(numbers(shape)).requires_grad_()
        found = tensor[own]
        weight = numbers(tuple(found.shape))
        found.backward(rl.from_numpy(weight))
        expected = np.zeros(tensor.numel())
        np.add.at(expected, np.arange(tensor.numel()).reshape(shape)[key], weight)
        assert np.array_equal(tensor.grad.numpy(), expected.reshape(shape)), (shape, key)


@pytest.mark.parametrize("make", [basic_key, places_key])
def test_gradients_of_writing(make: Any) -> None:
    """What was overwritten gets none; the number that is written the sum over its places."""
    for shape, key, own in keys(make):
        leaf = rl.from_numpy(numbers(shape)).requires_grad_()
        value = rl.tensor(2.0, dtype=rl.float64, requires_grad=True)
        tensor = leaf.clone()
        tensor[own] = value
        weight = numbers(shape)
        tensor.backward(rl.from_numpy(weight))
        kept = np.ones(shape)
        kept[key] = 0
        assert np.array_equal(leaf.grad.numpy(), weight * kept), (shape, key)
        assert value.grad.item() == weight[key].sum(), (shape, key)


# ---- forms of PyTorch's own


def test_lists_and_ranges() -> None:
    x = rl.arange(12).reshape(3, 4)
    assert x[[0, 2]].tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert x[range(2)].tolist() == x[:2].tolist()
    assert x[[True, False, True]].tolist() == x[[0, 2]].tolist()
    assert x[:, [1, 1]].tolist() == [[1, 1], [5, 5], [9, 9]]
    assert x[[]].shape == (0, 4)
    assert x[[[0, 1], [1, 2]]].shape == (2,)  # a short list with a list in it is read as a tuple


def test_booleans_are_a_dimension_of_one_or_none() -> None:
    x = rl.arange(6).reshape(2, 3)
    assert x[True].shape == (1, 2, 3) and x[False].shape == (0, 2, 3)
    assert x[rl.tensor(True)].shape == (1, 2, 3)
    assert x[:, rl.tensor(True)].shape == (2, 1, 3) and x[:, rl.tensor(False)].shape == (2, 0, 3)
    x[rl.tensor(False)] = 9
    assert 9 not in x.tolist()[0]


def test_nothing_may_come_behind_a_second_ellipsis() -> None:
    x = rl.arange(6).reshape(2, 3)
    assert x[..., 1, ...].tolist() == [1, 4] and x[..., [1], ...].tolist() == [[1], [4]]
    for key in ((..., ..., 1), (..., ..., [1]), (..., ..., None)):
        with pytest.raises(IndexError):
            x[key]


def test_integers_of_other_libraries_and_tensors_without_dimensions() -> None:
    x = rl.arange(6).reshape(2, 3)
    for one in (np.int64(1), rl.tensor(1), np.array(1)):
        assert x[one].tolist() == [3, 4, 5] and x[0, one].item() == 1
        y = x.clone()
        y[one, 0] = -1
        assert y[1, 0] == -1


def test_bytes_are_masks_with_a_warning() -> None:
    x = rl.arange(3)
    with pytest.warns(UserWarning, match="uint8 is now deprecated"):
        assert x[rl.tensor([1, 0, 1], dtype=rl.uint8)].tolist() == [0, 2]


def test_a_value_may_have_more_leading_ones_than_fit() -> None:
    x = rl.zeros(2, 3)
    x[0] = rl.ones(1, 1, 3)
    x[1, :2] = rl.full((1, 2), 2.0)
    assert x.tolist() == [[1, 1, 1], [2, 2, 0]]


def test_values_are_cast() -> None:
    x = rl.zeros(3, dtype=rl.int64)
    x[0], x[1:] = 2.7, rl.tensor([1.5, 2.5])
    assert x.tolist() == [2, 1, 2]


@pytest.mark.parametrize(
    ("error", "message", "use"),
    [
        (IndexError, "too many indices", lambda x: x[0, 0, 0]),
        (IndexError, "too many indices", lambda x: x[[0], [0], [0]]),
        (IndexError, "out of", lambda x: x[2]),
        (IndexError, "out of", lambda x: x[[5]]),
        (IndexError, "long, int, byte or bool", lambda x: x[rl.tensor(0.5)]),
        (IndexError, "long, int, byte or bool", lambda x: x[rl.tensor([0.5])]),
        (IndexError, "mask", lambda x: x[rl.tensor([True, False, True])]),
        (IndexError, "0-dim", lambda x: x[0, 0][0]),
        (ValueError, "greater than zero", lambda x: x[::-1]),
        (ValueError, "zero", lambda x: x[::0]),
        (TypeError, "string", lambda x: x["a"]),
        (IndexError, "float", lambda x: x[1.0]),
        (TypeError, "__index__", lambda x: x["a":]),
        (RuntimeError, "2", lambda x: x.__setitem__(0, rl.ones(2))),
        (RuntimeError, "shape", lambda x: x.__setitem__(([0],), rl.ones(2, 2))),
        (TypeError, "str", lambda x: x.__setitem__(0, "a")),
        (RuntimeError, "complex|overflow", lambda x: x.__setitem__(0, 1j)),
    ],
)
def test_errors(error: type[Exception], message: str, use: Any) -> None:
    with warnings.catch_warnings(), pytest.raises(error, match=message):
        warnings.simplefilter("error")
        use(rl.zeros(2, 3))
