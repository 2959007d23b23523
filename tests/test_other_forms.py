"""Calls in the forms from before PyTorch 1.5, with the numbers first."""

from __future__ import annotations

import warnings

import pytest

import rushlight as torch


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_a_factor_before_the_operand():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    for factor in (2, 0.5, torch.tensor(2.0)):
        for name in ("add", "sub"):
            expected = getattr(x, name)(y, alpha=float(factor))
            assert torch.equal(getattr(x, name)(factor, y), expected)
            assert torch.equal(getattr(torch, name)(x, factor, y), expected)
            changed = x.clone()
            assert getattr(changed, name + "_")(factor, y) is changed
            assert torch.equal(changed, expected)


def test_a_value_before_two_tensors():
    x, y, z = (torch.rand(3) + 1 for _ in range(3))
    for name in ("addcmul", "addcdiv"):
        expected = getattr(x, name)(y, z, value=-0.5)
        assert torch.equal(getattr(x, name)(-0.5, y, z), expected)
        assert torch.equal(getattr(torch, name)(x, -0.5, y, z), expected)
        assert torch.equal(getattr(x.clone(), name + "_")(-0.5, y, z), expected)


def test_products():
    c, a, b = torch.rand(2, 2), torch.rand(2, 3), torch.rand(3, 2)
    torch.testing.assert_close(c.addmm(2, a, b), 2 * c + a @ b)
    torch.testing.assert_close(c.addmm(2, 3, a, b), 2 * c + 3 * (a @ b))
    torch.testing.assert_close(torch.addmm(2, c, a, b), 2 * c + a @ b)
    torch.testing.assert_close(torch.addmm(2, c, 3, a, b), 2 * c + 3 * (a @ b))
    torch.testing.assert_close(c.clone().addmm_(2, 3, a, b), 2 * c + 3 * (a @ b))
    c, a, b = c.expand(4, 2, 2), a.expand(4, 2, 3), b.expand(4, 3, 2)
    torch.testing.assert_close(torch.baddbmm(2, c, 3, a, b), 2 * c + 3 * (a @ b))


def test_gradients_and_what_stays_an_error():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    x.add(3, y).sum().backward()
    assert y.grad.tolist() == [3.0, 3.0]
    for call in (lambda: x.add("a", y), lambda: x.add(y, y), lambda: torch.add(x, 1, 2, 3)):
        with pytest.raises(TypeError, match=r"add\(\)"):
            call()


def test_it_warns_once(monkeypatch):
    from rushlight.ops import other_forms

    monkeypatch.setattr(other_forms, "_warned", False)
    x = torch.ones(2)
    with pytest.warns(UserWarning, match=r"add_\(\.\.\., alpha=\.\.\.\)") as seen:
        x.add_(1, x)
        x.add_(1, x)
    assert len(seen) == 1


def test_classes_with_torch_function_are_asked():
    class Own:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__

    assert torch.mul(Own(), torch.ones(1)) == "mul" and torch.exp(Own()) == "exp"
    from rushlight import overrides

    overrides._deactivate()
