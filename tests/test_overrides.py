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
    assert overrides.resolve_name(torch.Tensor.backward) == "torch.Tensor.backward"
    assert torch.zeros in overrides.get_ignored_functions()
    assert torch.add in overrides.get_overridable_functions()[torch]
    assert overrides.is_tensor_method_or_property(torch.Tensor.add)
    assert not overrides.is_tensor_method_or_property(torch.stack)


def test_a_method_is_known_under_what_it_was_before():
    class Own(torch.Tensor):
        known = {torch.Tensor.to, torch.Tensor.clone, TO_BEFORE[0]}  # noqa: RUF012

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            with torch._C.DisableTorchFunctionSubclass():
                result = func(*args, **(kwargs or {}))
            return result.as_subclass(cls) if func in cls.known else result

    x = torch.ones(1).as_subclass(Own)
    assert [type(y) for y in (x.to(torch.float64), x.clone(), x + 1)] == [Own, Own, torch.Tensor]
    assert torch.Tensor.to == TO_BEFORE[0] and x.to.__self__ is x


TO_BEFORE = (torch.Tensor.to,)
TAKEN_BEFORE = (torch.add, torch.relu, torch.Tensor.mul)


def test_functions_that_were_taken_out_before_ask():
    add, relu, mul = TAKEN_BEFORE
    x, y = plain(1.0), torch.ones(1)
    assert [type(z) for z in (add(y, x), relu(x), mul(y, x))] == [Plain] * 3


def test_methods_of_a_plain_tensor_ask():
    x, y = plain(1.0), torch.ones(1)
    results = [
        y.add(x), y.where(y > 0, x), y.expand_as(x), y.matmul(x), y[x.long() - 1],
        y.index_add(0, y.long() - 1, x),
    ]  # fmt: skip
    assert [type(z) for z in results] == [Plain] * len(results)


def test_a_mode_sees_every_function():
    calls = []

    class Logged(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            calls.append(func.__name__)
            return func(*args, **(kwargs or {}))

    layer = nn.Linear(2, 3)
    with Logged() as mode:
        assert overrides._get_current_function_mode() is mode
        x = torch.ones(4, 2)
        layer(x).relu().sum().backward()
        torch.stack([x, x])
        x.view(8)
        1 + x
    assert calls[:6] == ["ones", "linear", "relu", "sum", "backward", "stack"]
    assert calls[6:8] == ["view", "add"]
    torch.ones(1) + 1
    assert len(calls) == 8
    assert layer.weight.grad is not None


def test_modes_inside_modes():
    seen = []

    class Named(overrides.BaseTorchFunctionMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append((self.name, func.__name__, types))
            return super().__torch_function__(func, types, args, kwargs)

    with Named("outer"), Named("inner"):
        y = plain(1.0).exp()
    assert type(y) is Plain
    assert seen[-2:] == [("inner", "exp", (Plain,)), ("outer", "exp", (Plain,))]

    class Doubled(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            return result * 2 if func is torch.full else result

    with Doubled():
        assert torch.full((1,), 3.0).tolist() == [6.0]
        with overrides.DisableTorchFunction():
            assert torch.full((1,), 3.0).tolist() == [3.0]
    with overrides.TorchFunctionMode(), pytest.raises(NotImplementedError, match="TorchFunction"):
        torch.ones(1)


def test_modes_and_autocast():
    calls = []

    class Logged(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            calls.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x = torch.ones(2, 2)
    with Logged(), torch.autocast("cpu"):
        assert (x @ x).dtype is torch.bfloat16
    with torch.autocast("cpu"), Logged():
        assert torch.mm(x, x).dtype is torch.bfloat16
    assert "matmul" in calls and "mm" in calls
    assert torch.mm(x, x).dtype is torch.float32


def test_nothing_asks_after_the_last_mode():
    overrides._deactivate()
    try:
        before = torch.cat
        with overrides.BaseTorchFunctionMode():
            assert torch.cat == before and torch.cat is not before
        assert torch.cat is before and "view" in vars(torch.Tensor)
        assert "item" not in vars(torch.Tensor)
    finally:
        overrides._activate()


def test_parameters_do_not_take_over():
    class Own(nn.Parameter):
        pass

    x = Own(torch.ones(2))
    assert type(x * 2) is torch.Tensor and type(torch.add(x, 1)) is torch.Tensor


def test_nothing_asks_before_a_class_does():
    code = "import sys, rushlight as t; t.ones(1) + 1; print('rushlight.overrides' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
