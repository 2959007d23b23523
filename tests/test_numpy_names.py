"""PyTorch's functions take NumPy's names of arguments: axis, keepdims, x1, x2."""

import numpy as np
import pytest

import rushlight as torch

X = torch.arange(1.0, 13).view(3, 4)
REDUCTIONS = ["sum", "mean", "prod", "var", "std", "amax", "amin", "argmax", "argmin", "all", "any"]
REDUCTIONS += ["logsumexp", "nansum", "nanmean"]


def flat(result):
    return [part.tolist() for part in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("name", [*REDUCTIONS, "max", "min", "median", "nanmedian"])
def test_reductions_take_axis_and_keepdims(name):
    function, method = getattr(torch, name), getattr(X, name)
    for keep in (False, True):
        expected = flat(function(X, dim=1, keepdim=keep))
        assert flat(function(X, axis=1, keepdims=keep)) == expected
        assert flat(method(axis=1, keepdims=keep)) == expected


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("argsort", {}),
        ("sort", {}),
        ("cumsum", {}),
        ("chunk", {"chunks": 2}),
        ("narrow", {"start": 1, "length": 2}),
        ("count_nonzero", {}),
        ("diff", {}),
        ("repeat_interleave", {"repeats": 2}),
        ("take_along_dim", {"indices": torch.zeros(3, 1, dtype=torch.int64)}),
        ("quantile", {"q": 0.5}),
        ("unsqueeze", {}),
        ("topk", {"k": 2}),
    ],
)
def test_others_take_axis(name, arguments):
    function = getattr(torch, name)
    assert flat(function(X, axis=1, **arguments)) == flat(function(X, dim=1, **arguments))


def test_joins_take_axis():
    for name in ("cat", "concat", "concatenate", "stack"):
        function = getattr(torch, name)
        assert torch.equal(function([X, X], axis=1), function([X, X], dim=1))


def test_operands_by_numpys_names():
    assert torch.equal(torch.add(x1=X, x2=X), X + X)
    assert torch.equal(torch.exp(x=X), X.exp())
    np.testing.assert_array_equal(np.sum(X.numpy(), axis=0), torch.sum(a=X, axis=0).numpy())
