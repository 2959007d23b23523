"""Keys that mix integers with index tensors and masks, which NumPy reads in another way."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

SHAPES = [(4,), (3, 4), (2, 3, 4), (2, 3, 2, 4)]


def mixed_key(draw: random.Random, shape: tuple[int, ...]) -> list[Any]:
    """Integers, slices, None, True, an Ellipsis, arrays that broadcast and masks, in any order."""
    random_numbers = np.random.default_rng(draw.randrange(10**6))
    key: list[Any] = []
    sizes = list(shape)
    places = 0  # how many the index arrays pick; masks pick as many
    while sizes and draw.random() < 0.9:
        choice = draw.random()
        size = sizes.pop(0)
        if choice < 0.25:
            key.append(draw.randrange(-size, size))
        elif choice < 0.45:
            key.append(slice(*sorted(draw.choices(range(size + 1), k=2))))
        elif choice < 0.8:
            key.append(random_numbers.integers(-size, size, draw.choice([(), (2,), (1,), (3, 1)])))
        elif choice < 0.9 and not places:
            places = 2
            mask = np.zeros(size, bool)
            mask[:2] = True
            key.append(mask)
        else:
            key.append(np.array(draw.randrange(size)))
    for item in (None, True, np.array(True), Ellipsis, Ellipsis):
        if draw.random() < 0.15:
            key.insert(draw.randint(0, len(key)), item)
    return key


def outcome(use: Any, lib: Any, shape: tuple[int, ...], key: list[Any]) -> Any:
    """The result of `use` in a library as an array, or the type of the error."""
    own = tuple(lib.tensor(item) if isinstance(item, np.ndarray) else item for item in key)
    try:
        return use(lib, shape, own).detach().numpy()
    except (IndexError, RuntimeError) as error:
        return type(error)


def keys() -> list[tuple[tuple[int, ...], list[Any]]]:
    draw = random.Random(1)
    return [(shape, mixed_key(draw, shape)) for shape in SHAPES for _ in range(250)]


@pytest.mark.parametrize("what", ["read", "write", "gradient"])
def test_mixed_keys(what: str) -> None:
    def run(lib: Any, shape: tuple[int, ...], key: tuple) -> Any:
        x = lib.arange(float(np.prod(shape))).reshape(shape).clone().requires_grad_()
        if what == "write":
            y = x.detach().clone()
            y[key] = -1.0
            return y
        found = x[key]
        if what == "gradient":
            (found * lib.arange(1.0, found.numel() + 1).reshape(found.shape)).sum().backward()
            return x.grad
        return found

    refused = 0
    for shape, key in keys():
        expected, got = outcome(run, torch, shape, key), outcome(run, rl, shape, key)
        if isinstance(expected, type):
            refused += 1
            assert got is expected, (shape, key)
        else:
            assert not isinstance(got, type), (shape, key, got)
            assert got.shape == expected.shape and np.array_equal(got, expected), (shape, key)
    assert refused < len(keys()) / 3  # index arrays that do not broadcast
