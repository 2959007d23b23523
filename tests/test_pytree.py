"""torch.utils._pytree: containers as lists of leaves."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

import rushlight as torch
from rushlight.utils import _pytree as pytree

Point = namedtuple("Point", "x y")
TREES = [
    1,
    None,
    [1, (2, 3), {"a": 4, "b": [5, None]}],
    OrderedDict(b=1, a=2),
    defaultdict(list, a=[1]),
    deque([1, 2], maxlen=3),
    Point(1, [2]),
    (),
]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_round_trip(tree) -> None:
    leaves, spec = pytree.tree_flatten(tree)
    back = pytree.tree_unflatten(leaves, spec)
    assert back == tree and type(back) is type(tree)
    assert spec.num_leaves == len(leaves) and pytree.tree_structure(tree) == spec
    assert pytree.tree_map(lambda leaf: leaf, tree) == tree


def test_maps() -> None:
    tree = {"w": torch.ones(2), "n": [1, "x"]}
    doubled = pytree.tree_map_only(torch.Tensor, lambda t: t * 2, tree)
    assert doubled["w"].tolist() == [2.0, 2.0] and doubled["n"] == [1, "x"]
    assert pytree.tree_map(lambda a, b: a + b, [1, (2,)], [10, (20,)]) == [11, (22,)]
    assert pytree.tree_any(lambda leaf: leaf == "x", tree["n"])
    assert pytree.tree_all_only(int, lambda leaf: leaf == 1, tree["n"])
    assert pytree.tree_leaves([1, (2, 3)], is_leaf=lambda t: isinstance(t, tuple)) == [1, (2, 3)]
    assert pytree._broadcast_to_and_flatten([1, 2], pytree.tree_structure([0, (0, 0)])) == [1, 2, 2]
    found = torch.ones(2, 3).max(1)
    assert type(pytree.tree_map(lambda t: t + 1, found)) is type(found)


def test_errors() -> None:
    spec = pytree.tree_structure([1, 2])
    with pytest.raises(ValueError, match="holds 2 items"):
        pytree.tree_unflatten([1], spec)
    with pytest.raises(TypeError, match="TreeSpec"):
        pytree.tree_unflatten([1], "spec")
    with pytest.raises(ValueError, match="Type mismatch"):
        pytree.tree_map(lambda a, b: a, [1], (1,))


def test_own_containers() -> None:
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda v, _: Pair(*v))
    with pytest.raises(ValueError, match="already registered"):
        pytree.register_pytree_node(Pair, lambda p: ([], None), lambda v, _: None)
    made = pytree.tree_map(lambda leaf: leaf + 1, Pair(1, [2]))
    assert (made.a, made.b) == (2, [3])
