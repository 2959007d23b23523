"""torch.utils.swap_tensors, collect_env and other small names."""

from __future__ import annotations

import weakref

import pytest

import rushlight as rl
from rushlight.utils import collect_env


def test_all_that_a_tensor_is_changes_place():
    weight = rl.nn.Parameter(rl.ones(2))
    (weight * 3).sum().backward()
    other = rl.zeros(3, dtype=rl.int64)
    other.tag = "other"
    held = weight
    rl.utils.swap_tensors(weight, other)
    assert held is weight and type(weight) is rl.Tensor and weight.tag == "other"
    assert weight.dtype is rl.int64 and weight.grad is None and not weight.requires_grad
    assert type(other) is rl.nn.Parameter and other.requires_grad and not hasattr(other, "tag")
    assert other.tolist() == [1.0, 1.0] and other.grad.tolist() == [3.0, 3.0]


def test_a_module_goes_on_with_what_it_was_given():
    layer = rl.nn.Linear(2, 2, bias=False)
    rl.utils.swap_tensors(layer.weight, rl.nn.Parameter(rl.eye(2)))
    x = rl.tensor([[1.0, 2.0]])
    layer(x).sum().backward()
    assert layer(x).tolist() == x.tolist()
    assert layer.weight.grad.tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_what_cannot_be_swapped():
    leaf = rl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Cannot swap t2"):
        rl.utils.swap_tensors(rl.ones(2), leaf * 2)
    with pytest.raises(RuntimeError, match="view"):
        rl.utils.swap_tensors(rl.ones(4)[:2], rl.ones(2))
    seen = weakref.ref(leaf)
    with pytest.raises(RuntimeError, match="weakref"):
        rl.utils.swap_tensors(leaf, rl.ones(2))
    assert seen() is leaf


def test_environment():
    text = collect_env.get_pretty_env_info()
    assert rl.__version__ in text and "numpy==" in text and "Is CUDA available: False" in text


@pytest.mark.parametrize(
    ("name", "dtype"), [("Long", rl.int64), ("Half", rl.float16), ("Byte", rl.uint8)]
)
def test_casts_by_old_names(name, dtype):
    cast = getattr(rl, f"_cast_{name}")
    made = cast(rl.tensor([1.5]))
    assert made.dtype is dtype
    assert cast(made) is made
