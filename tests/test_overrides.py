"""Subclasses of Tensor and `__torch_function__`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rushlight as torch
import rushlight.nn.functional as F
from rushlight import nn, overrides


@pytest.fixture(scope="module", autouse=True)
def _as_before():
    """The functions of torch ask in these tests, and are as they were for all others."""
    overrides._activate()
    yield
    overrides._deactivate()


class Plain(torch.Tensor):
    pass


def plain(*values: float) -> Plain:
    return torch.tensor(values).as_subclass(Plain)


def test_results_are_of_the_subclass():
    x = plain(1.0, -2.0)
    y = torch.ones(2)
    results = [
        x + 1, 1 + x, y * x, y - x, -x, abs(x), x @ y, x.sum(), x[0], x.relu(), x.T, x.clone(),
        torch.add(y, x), torch.relu(x), torch.stack([y, x]), torch.cat((x, y)), F.relu(x),
        torch.where(x > 0, x, y), x == y, x.view(2, 1), torch.linalg.norm(x), torch.max(y, x),
        x.detach(), x.data, torch.softmax(x, 0), x.to(torch.float64), F.linear(x, torch.ones(3, 2)),
    ]  # fmt: skip
    assert [type(result) for result in results] == [Plain] * len(results)
    assert type(x.max(0).values) is Plain and type(x.chunk(2)[1]) is Plain
    assert (y - x).tolist() == [0.0, 3.0] and F.relu(x).tolist() == [1.0, 0.0]
    assert x.add_(1) is x and x.tolist() == [2.0, -1.0]
    assert x.shape == (2,) and type(x.item if False else x.sum().item()) is float
    assert type(y + 1) is torch.Tensor and repr(plain(1.0)).startswith("Plain(")


def test_gradients():
    x = plain(1.0, 2.0).requires_grad_()
    loss = (x**2).sum()
    assert type(loss) is Plain
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    layer = nn.Linear(2, 3)
    y = layer(plain(1.0, 2.0))
    assert type(y) is Plain
    y.sum().backward()
    assert layer.bias.grad.tolist() == [1.0, 1.0, 1.0]


def test_a_class_that_asks():
    calls = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            calls.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.ones(2, 2).as_subclass(Logged)
    y = torch.relu(x @ x) + x.sum(dim=0)
    assert type(y) is Logged and y.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert "relu" in calls and "sum" in calls


def test_subclasses_come_before_their_bases():
    asked = []

    class Base(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append(cls.__name__)
            return NotImplemented

    class Derived(Base):
        pass

    base, derived = (torch.ones(1).as_subclass(cls) for cls in (Base, Derived))
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.add'.*Derived"):
        torch.add(base, derived)
    assert asked == ["Derived", "Base"]


class Scalar:
    """The identity matrix times a number."""

    handled: dict = {}  # noqa: RUF012

    def __init__(self, n: int, value: float) -> None:
        self.n, self.value = n, value

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func not in cls.handled:
            return NotImplemented
        return cls.handled[func](*args, **(kwargs or {}))


overrides._deactivate()  # the class Plain has set them; other files are read next


def test_classes_that_are_no_tensors():
    Scalar.handled[torch.mean] = lambda input: input.value / input.n
    Scalar.handled[torch.add] = lambda input, other: input.value * torch.eye(input.n) + other
    x = Scalar(2, 3.0)
    assert torch.mean(x) == 1.5 and torch.mean(torch.ones(2)) == 1
    assert torch.add(x, torch.ones(2, 2)).tolist() == [[4.0, 1.0], [1.0, 4.0]]
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.mul'"):
        torch.mul(x, x)
    assert overrides.has_torch_function((x,)) and not overrides.has_torch_function((1,))

    def own(input):
        if overrides.has_torch_function_unary(input):
            return overrides.handle_torch_function(own, (input,), input)
        return "plain"

    Scalar.handled[own] = lambda input: "asked"
    assert own(x) == "asked" and own(torch.ones(1)) == "plain"
    wrapped = overrides.wrap_torch_function(lambda a: (a,))(lambda a: "plain")
    Scalar.handled[wrapped] = lambda a: "asked"
    assert wrapped(x) == "asked" and wrapped(1) == "plain"
    assert overrides.is_tensor_like(x) and not overrides.is_tensor_like(1)


def test_names():
    assert overrides.resolve_name(torch.add) == "torch.add"
    assert overrides.resolve_name(F.relu) in ("torch.nn.functional.relu", "torch.relu")
    assert overrides.resolve_name(torch.Tensor.add) == "torch.Tensor.add"
    assert torch.zeros in overrides.get_ignored_functions()
    assert torch.add in overrides.get_overridable_functions()[torch]
    assert overrides.is_tensor_method_or_property(torch.Tensor.add)
    assert not overrides.is_tensor_method_or_property(torch.add)


def test_parameters_do_not_take_over():
    class Own(nn.Parameter):
        pass

    x = Own(torch.ones(2))
    assert type(x * 2) is torch.Tensor and type(torch.add(x, 1)) is torch.Tensor


def test_nothing_asks_before_a_class_does():
    code = "import sys, rushlight as t; t.ones(1) + 1; print('rushlight.overrides' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
