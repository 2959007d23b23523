"""Collation of samples of all kinds."""

from collections import OrderedDict, namedtuple
from types import MappingProxyType

import pytest

import rushlight as rl
from rushlight.utils.data import default_collate, default_convert
from rushlight.utils.data.collate import collate, default_collate_fn_map

Point = namedtuple("Point", ["x", "y"])


class Tagged(list):
    """A list with something else to it."""


def test_tensors():
    batch = default_collate([rl.arange(3), rl.arange(3) + 10])
    assert batch.tolist() == [[0, 1, 2], [10, 11, 12]]
    a = rl.ones(2, requires_grad=True)
    default_collate([a, a]).sum().backward()
    assert a.grad.tolist() == [2, 2]


def test_numbers_and_text():
    assert default_collate([1, 2]).dtype == rl.int64
    assert default_collate([1.0, 2.0]).dtype == rl.float64
    assert default_collate([True, False]).dtype == rl.bool
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate((b"a", b"b")) == (b"a", b"b")


def test_containers():
    batch = default_collate([(1, "a", [2.0]), (3, "b", [4.0])])
    assert isinstance(batch, list)
    assert batch[0].tolist() == [1, 3] and batch[1] == ("a", "b") and batch[2][0].tolist() == [2, 4]
    batch = default_collate([{"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"c": 4}}])
    assert batch["a"].tolist() == [1, 3] and batch["b"]["c"].tolist() == [2, 4]
    batch = default_collate([Point(1, 2), Point(3, 4)])
    assert isinstance(batch, Point) and batch.y.tolist() == [2, 4]
    batch = default_collate([OrderedDict(a=1), OrderedDict(a=2)])
    assert isinstance(batch, OrderedDict) and batch["a"].tolist() == [1, 2]
    batch = default_collate([MappingProxyType({"a": 1}), MappingProxyType({"a": 2})])
    assert batch["a"].tolist() == [1, 2]
    batch = default_collate([range(2), range(2)])
    assert [t.tolist() for t in batch] == [[0, 0], [1, 1]]


def test_a_container_keeps_its_type_and_what_it_carries():
    sample = Tagged([1, 2])
    sample.tag = "kept"
    batch = default_collate([sample, Tagged([3, 4])])
    assert isinstance(batch, Tagged) and batch.tag == "kept" and batch[0].tolist() == [1, 3]
    assert sample == [1, 2], "the sample itself must stay as it is"


def test_numpy():
    np = pytest.importorskip("numpy", reason="NumPy arrays as samples need NumPy")
    batch = default_collate([np.array([1, 2], np.int16), np.array([3, 4], np.int16)])
    assert batch.dtype == rl.int16 and batch.tolist() == [[1, 2], [3, 4]]
    assert default_collate([np.float32(1), np.float32(2)]).dtype == rl.float32
    assert default_collate([np.float64(1), np.float64(2)]).dtype == rl.float64
    assert default_collate([np.int8(1), np.int8(2)]).dtype == rl.int8
    assert default_collate([np.array(1.5), np.array(2.5)]).tolist() == [1.5, 2.5]
    assert default_collate([np.str_("a"), np.str_("b")]) == ["a", "b"]
    with pytest.raises(TypeError, match="default_collate: batch must contain"):
        default_collate([np.array(["a"]), np.array(["b"])])


def test_convert():
    assert default_convert(1) == 1 and default_convert("a") == "a"
    t = rl.ones(1)
    assert default_convert(t) is t
    assert default_convert((1, "a")) == [1, "a"]
    assert default_convert(Point(1, 2)) == Point(1, 2)
    assert default_convert({"a": [1]}) == {"a": [1]}
    np = pytest.importorskip("numpy", reason="NumPy arrays as samples need NumPy")
    converted = default_convert({"a": np.ones(2), "b": [np.float32(1)], "c": np.array(["x"])})
    assert converted["a"].dtype == rl.float64 and converted["b"][0].dtype == rl.float32
    assert isinstance(converted["c"], np.ndarray)
    assert default_convert(np.str_("a")) == "a"


def test_types_may_be_added():
    class Token:
        pass

    class Special(Token):
        pass

    def count(batch, *, collate_fn_map):
        return len(batch)

    with pytest.raises(TypeError, match=r"found <class .*Token"):
        default_collate([Token()])
    assert collate([Token(), Special()], collate_fn_map={Token: count}) == 2
    assert collate([[Special()]], collate_fn_map={(Token,): count}) == [1]
    default_collate_fn_map[Token] = count
    try:
        assert default_collate([{"t": Special()}, {"t": Special()}]) == {"t": 2}
    finally:
        del default_collate_fn_map[Token]


def test_unequal_sizes():
    with pytest.raises(RuntimeError, match=r"equal size.*\[2, 1\]"):
        default_collate([[1, 2], [3]])
    with pytest.raises(RuntimeError):
        default_collate([rl.ones(2), rl.ones(3)])
