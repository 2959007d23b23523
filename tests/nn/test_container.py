"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

import copy
import pickle
from collections import OrderedDict

import pytest

import rushlight as rl
from rushlight import nn


class Add(nn.Module):
    """Adds a number; called by its place in a chain."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x):
        return 10 * x + self.number

    def extra_repr(self):
        return str(self.number)


def adds(*numbers):
    return [Add(n) for n in numbers]


def numbers(modules):
    return [m.number for m in modules]


# ------------------------------------------------------------------ Sequential


def test_sequential_calls_in_order():
    assert nn.Sequential(*adds(1, 2, 3))(0) == 123
    assert nn.Sequential()(5) == 5
    named = nn.Sequential(OrderedDict(a=Add(1), b=Add(2)))
    assert named(0) == 12 and named.b.number == 2 and list(named._modules) == ["a", "b"]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_sequential_index_and_slice():
    s = nn.Sequential(*adds(1, 2, 3))
    assert s[0].number == 1 and s[-1].number == 3 and len(s) == 3
    assert type(s[1:]) is nn.Sequential and numbers(s[1:]) == [2, 3]
    assert list(s[1:]._modules) == ["1", "2"]
    for bad in (3, -4):
        with pytest.raises(IndexError, match=f"index {bad} is out of range"):
            s[bad]
    s[1] = Add(7)
    assert numbers(s) == [1, 7, 3] and getattr(s, "1").number == 7
    del s[0]
    assert numbers(s) == [7, 3] and list(s._modules) == ["0", "1"] and not hasattr(s, "2")
    del s[0:2]
    assert len(s) == 0 and s(4) == 4


def test_sequential_grows_and_shrinks():
    s = nn.Sequential(Add(1))
    assert s.append(Add(2)) is s and s.extend(adds(3, 4)) is s
    assert s.insert(1, Add(9)) is s and numbers(s) == [1, 9, 2, 3, 4]
    s.insert(-1, Add(8))
    assert numbers(s) == [1, 9, 2, 3, 8, 4] and list(s._modules) == list("012345")
    assert s.pop(1).number == 9 and numbers(s) == [1, 2, 3, 8, 4]
    assert numbers(s.pop(slice(0, 2))) == [1, 2] and numbers(s) == [3, 8, 4]
    with pytest.raises(AssertionError, match="module should be of type"):
        s.insert(0, 3)
    with pytest.raises(IndexError, match="Index out of range: 9"):
        s.insert(9, Add(1))


def test_sequential_arithmetic():
    a, b = nn.Sequential(*adds(1, 2)), nn.Sequential(Add(3))
    assert numbers(a + b) == [1, 2, 3] and len(a) == 2
    assert numbers(a * 2) == numbers(2 * a) == [1, 2, 1, 2]
    assert (a * 2)[0] is (a * 2)[2]
    b += a
    assert numbers(b) == [3, 1, 2]
    b += b
    assert numbers(b) == [3, 1, 2, 3, 1, 2]
    a *= 3
    assert numbers(a) == [1, 2] * 3
    with pytest.raises(ValueError, match="only objects of Sequential class"):
        a + [Add(1)]
    with pytest.raises(TypeError, match="unsupported operand"):
        a * 1.5
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        a *= 0


# ------------------------------------------------------------------ ModuleList


def test_module_list():
    m = nn.ModuleList(adds(1, 2))
    assert m.append(Add(3)) is m and m.extend(adds(4)) is m and len(m) == 4
    m += [Add(5)]
    assert numbers(m) == [1, 2, 3, 4, 5] and numbers(m + adds(6)) == [1, 2, 3, 4, 5, 6]
    assert m[-1].number == 5 and type(m[:2]) is nn.ModuleList and numbers(m[:2]) == [1, 2]
    m.insert(1, Add(9))
    m[0] = Add(8)
    assert numbers(m) == [8, 9, 2, 3, 4, 5]
    assert m.pop(0).number == 8
    del m[-1], m[1:3]
    assert numbers(m) == [9, 4] and list(m._modules) == ["0", "1"]
    assert len(list(m.children())) == 2
    with pytest.raises(IndexError, match="index 2 is out of range"):
        m[2]
    with pytest.raises(TypeError, match="called with an iterable, but got int"):
        m.extend(3)
    with pytest.raises(NotImplementedError, match="ModuleList"):
        m(1)


def test_module_list_repr_joins_equal_modules():
    assert repr(nn.ModuleList()) == "ModuleList()"
    m = nn.ModuleList([*adds(1, 1, 1, 2), nn.Sequential(Add(3)), nn.Sequential(Add(3)), Add(1)])
    assert repr(m) == (
        "ModuleList(\n"
        "  (0-2): 3 x Add(1)\n"
        "  (3): Add(2)\n"
        "  (4-5): 2 x Sequential(\n"
        "    (0): Add(3)\n"
        "  )\n"
        "  (6): Add(1)\n"
        ")"
    )


# ------------------------------------------------------------------ ModuleDict


def test_module_dict():
    m = nn.ModuleDict({"b": Add(1), "a": Add(2)})
    assert list(m) == list(m.keys()) == ["b", "a"] and len(m) == 2 and "a" in m
    assert m["a"] is m.a and [n for n, _ in m.items()] == ["b", "a"]
    m.update([("c", Add(3)), ["d", Add(4)]])
    m.update(nn.ModuleDict({"e": Add(5)}))
    assert numbers(m.values()) == [1, 2, 3, 4, 5]
    m["a"] = Add(7)
    assert m.pop("a").number == 7 and "a" not in m and not hasattr(m, "a")
    del m["b"]
    m.clear()
    assert len(m) == 0
    for bad, kind, text in (
        (3, TypeError, "iterable of key/value pairs, but got int"),
        ([3], TypeError, "element #0 should be Iterable; is int"),
        ([("a", Add(1), 3)], ValueError, "element #0 has length 3; 2 is required"),
    ):
        with pytest.raises(kind, match=text):
            m.update(bad)
    with pytest.raises(KeyError, match="already exists"):
        m["keys"] = Add(1)


# ------------------------------------------------------------------ parameters


def parameters(*values):
    return [nn.Parameter(rl.full((2,), float(v))) for v in values]


def firsts(values):
    return [v[0].item() for v in values]


def test_parameter_list():
    p = nn.ParameterList(parameters(1, 2))
    p.append(rl.full((2,), 3.0)).extend(parameters(4))
    p += parameters(5)
    assert firsts(p) == [1, 2, 3, 4, 5] and len(p) == 5
    assert isinstance(p[2], nn.Parameter) and len(list(p.parameters())) == 5
    assert firsts(p[1:4:2]) == [2, 4] and type(p[1:]) is nn.ParameterList
    p[0] = rl.full((2,), 9.0)
    assert isinstance(p[0], nn.Parameter) and p[-5] is p[0]
    p.append("text")
    assert p[5] == "text" and list(p.state_dict()) == list("01234")
    with pytest.raises(IndexError):
        p[6]
    with pytest.raises(TypeError, match="with an iterable, but got Tensor"):
        p.extend(rl.zeros(2))
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        p()
    assert firsts(copy.deepcopy(p)[:2]) == [9, 2]


def test_parameter_dict():
    p = nn.ParameterDict({"b": rl.full((2,), 1.0), "a": rl.full((2,), 2.0)})
    assert list(p) == ["a", "b"] and isinstance(p["a"], nn.Parameter) and p.a is p["a"]
    ordered = nn.ParameterDict(OrderedDict(b=rl.zeros(1), a=rl.zeros(1)))
    assert list(ordered.keys()) == ["b", "a"] and list(reversed(ordered)) == ["a", "b"]
    p["c"] = "text"
    assert dict(p.items())["c"] == "text" and list(p.values())[2] == "text" and len(p) == 3
    assert p.setdefault("c", 3) == "text" and p.setdefault("d", 3) == 3
    assert p.get("x") is None and p.get("x", 1) == 1 and "d" in p
    assert p.popitem() == ("d", 3) and p.pop("c") == "text" and len(p) == 2
    merged = p | ordered
    assert list(merged) == ["a", "b"] and merged["a"] is ordered["a"] and p["a"] is not merged["a"]
    p |= ordered
    assert p["a"] is ordered["a"]
    assert list(p.copy()) == ["a", "b"] and p.copy()["a"] is p["a"]
    assert dict(p.fromkeys(["x", "y"], 1).items()) == {"x": 1, "y": 1}
    p.update([("z", rl.zeros(1))])
    del p["z"]
    p.clear()
    assert len(p) == 0 and list(p.parameters()) == []
    for call, kind, text in (
        (lambda: p.update(3), TypeError, "iterable of key/value pairs, but got int"),
        (lambda: p.update([3]), TypeError, "element #0 should be Iterable"),
        (lambda: p.update([(1, 2, 3)]), ValueError, "has length 3; 2 is required"),
        (lambda: p[3], TypeError, "not a string"),
        (lambda: p.popitem(), KeyError, "empty"),
        (lambda: p(1), RuntimeError, "ParameterDict should not be called"),
    ):
        with pytest.raises(kind, match=text):
            call()


def test_parameter_containers_pickle():
    for made in (nn.ParameterList(parameters(1, 2)), nn.ParameterDict({"a": rl.ones(2)})):
        again = pickle.loads(pickle.dumps(made))
        assert repr(again) == repr(made) and len(again) == len(made)
        assert [p.requires_grad for p in again.parameters()] == [True] * len(made)


def test_parameter_container_repr():
    p = nn.ParameterList([rl.zeros(2, 3), "text"])
    assert repr(p) == (
        "ParameterList(\n"
        f"    (0): Parameter containing: [{rl.float32} of size 2x3]\n"
        "    (1): Object of type: str\n"
        ")"
    )
    p = nn.ParameterDict({"w": rl.zeros(2, 3)})
    assert repr(p) == "ParameterDict(  (w): Parameter containing: [torch.FloatTensor of size 2x3])"


def test_container_is_deprecated():
    with pytest.warns(FutureWarning, match=r"nn.Container.* is deprecated"):
        c = nn.Container(a=Add(1))
    assert c.a.number == 1
