"""Adafactor, Muon and L-BFGS, which look at a whole parameter, or at all of them; SparseAdam, which
looks at none; and steps on exchanged parameters."""

import math

import pytest

import rushlight as rl
from rushlight.optim import LBFGS, SGD, Adafactor, Adam, Muon, SparseAdam
from rushlight.optim import swap_in_optimizer_params_and_state as swap_in


def rms(values):
    return math.sqrt(sum(x * x for x in values) / len(values))


# --------------------------------------------------------------------------------- Adafactor


@pytest.mark.parametrize("d", [1.0, 3.0])
def test_adafactor_of_a_vector(d):
    values, grads = [1.0, -2.0, 3.0], [[0.5, 1.0, -1.0], [0.1, -0.3, 4.0], [1.0, 1.0, 0.0]]
    p = rl.tensor(values, dtype=rl.float64, requires_grad=True)
    opt = Adafactor([p], lr=0.1, d=d, weight_decay=0.5)
    variance = [0.0] * 3
    for t, grad in enumerate(grads, 1):
        p.grad = rl.tensor(grad, dtype=rl.float64)
        opt.step()
        blend = t**-0.8
        scale = max(1e-3, rms(values)) * min(0.1, t**-0.5)
        values = [x * (1 - 0.1 * 0.5) for x in values]
        variance = [v + blend * (g * g - v) for v, g in zip(variance, grad, strict=True)]
        update = [g / max(2.2e-16, math.sqrt(v)) for v, g in zip(variance, grad, strict=True)]
        scale /= max(1.0, rms(update) / d)
        values = [x - scale * u for x, u in zip(values, update, strict=True)]
    assert p.tolist() == pytest.approx(values, rel=1e-10)
    assert list(opt.state[p]) == ["step", "variance"]


def test_adafactor_factors_rows_and_columns():
    """For a gradient that is a product of a row and a column, the estimate is exact."""
    rows, columns = rl.tensor([[1.0], [2.0], [4.0]]), rl.tensor([[3.0, 0.5]])
    p = rl.ones(3, 2).requires_grad_()
    opt = Adafactor([p], lr=0.25)
    p.grad = rows * columns
    opt.step()
    assert p.tolist() == [[pytest.approx(0.75)] * 2] * 3  # every update is 1, the scale 0.25
    state = opt.state[p]
    assert list(state) == ["step", "row_var", "col_var"]
    assert state["row_var"].shape == (3, 1) and state["col_var"].shape == (1, 2)
    q = rl.ones(2, dtype=rl.complex64).requires_grad_()
    q.grad = rl.ones(2, dtype=rl.complex64)
    with pytest.raises(RuntimeError, match="complex"):
        Adafactor([q]).step()


# -------------------------------------------------------------------------------------- Muon


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5)])
def test_muon_steps_are_nearly_orthogonal(shape):
    rl.manual_seed(0)
    p = rl.zeros(shape).requires_grad_()
    p.grad = rl.randn(shape)
    Muon([p], lr=1.0, weight_decay=0.0).step()
    step = -p.detach() / math.sqrt(max(1, shape[0] / shape[1]))
    small = step @ step.T if shape[0] <= shape[1] else step.T @ step
    values = rl.tensor([small[i, i].item() for i in range(small.size(0))])
    assert values.min().item() > 0.4 and values.max().item() < 1.6
    # It points where the gradient points.
    assert (step * p.grad).sum().item() > 0


def test_muon_errors():
    with pytest.raises(ValueError, match="only supports 2D parameters"):
        Muon([rl.nn.Parameter(rl.ones(3))])
    with pytest.raises(ValueError, match="Adjust learning rate function other"):
        Muon([rl.nn.Parameter(rl.ones(3, 3))], adjust_lr_fn="other")
    p = rl.nn.Parameter(rl.ones(3, 3))
    p.grad = rl.ones(3, 3)
    with pytest.raises(ValueError, match="less than 100"):
        Muon([p], ns_steps=100).step()


# ------------------------------------------------------------------------------------- L-BFGS


def rosenbrock(p):
    return ((1 - p[:-1]) ** 2 + 100 * (p[1:] - p[:-1] ** 2) ** 2).sum()


def minimize(opt, p, function, steps):
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        opt.zero_grad()
        loss = function(p)
        loss.backward()
        return loss

    for _ in range(steps):
        opt.step(closure)
    return calls


def test_lbfgs_with_line_search_finds_the_minimum():
    p = rl.tensor([-1.2, 1.0, 2.0], dtype=rl.float64, requires_grad=True)
    opt = LBFGS([p], line_search_fn="strong_wolfe")
    calls = minimize(opt, p, rosenbrock, 6)
    assert p.tolist() == pytest.approx([1.0] * 3, abs=1e-5)
    state = opt.state[p]
    assert state["func_evals"] == calls and state["n_iter"] <= 120


def test_lbfgs_on_a_bowl():
    """With full steps, and parameters of several shapes, one complex and one without gradient."""
    a = rl.tensor([[3.0, -2.0]], dtype=rl.float64, requires_grad=True)
    b = rl.tensor([1.0 + 2.0j], dtype=rl.complex128, requires_grad=True)
    c = rl.tensor(1.0, dtype=rl.float64, requires_grad=True)
    opt = LBFGS([a, b, c], history_size=3)

    def bowl(_):
        return (a * a * rl.tensor([1.0, 5.0])).sum() + (rl.view_as_real(b) ** 2).sum()

    minimize(opt, None, bowl, 3)
    assert a.abs().max().item() < 1e-6 and b.abs().max().item() < 1e-6 and c.item() == 1
    saved = opt.state_dict()
    assert set(saved["state"]) == {0} and len(saved["state"][0]["old_dirs"]) <= 3
    LBFGS([a, b, c]).load_state_dict(saved)


def test_lbfgs_stops():
    p = rl.tensor([0.0], requires_grad=True)
    opt = LBFGS([p])
    assert minimize(opt, p, lambda x: (x * x).sum(), 1) == 1  # the gradient is 0 there
    assert list(opt.state[p]) == ["func_evals", "n_iter"]
    p = rl.tensor([5.0], requires_grad=True)
    assert minimize(LBFGS([p], max_iter=1), p, lambda x: (x * x).sum(), 1) == 1
    assert minimize(LBFGS([p], max_eval=3, lr=0.01), p, lambda x: (x * x).sum(), 1) == 3


def test_lbfgs_errors():
    p, q = (rl.nn.Parameter(rl.ones(1)) for _ in range(2))
    with pytest.raises(ValueError, match="parameter groups"):
        LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe'"):
        minimize(LBFGS([p], line_search_fn="golden"), p, lambda x: (x * x).sum(), 1)


# -------------------------------------------------------------------------------------- others


def test_sparse_adam_refuses_dense_gradients():
    p = rl.nn.Parameter(rl.ones(2))
    opt = SparseAdam([p])
    assert opt.step(lambda: 5.0) == 5.0
    p.grad = rl.ones(2)
    with pytest.raises(RuntimeError, match="consider Adam instead"):
        opt.step()
    with pytest.raises(ValueError, match=r"Invalid learning rate: 0\.0"):
        SparseAdam([p], lr=0.0)
    with pytest.raises(ValueError, match=r"Complex params at indices \[\[0, 0\]\]"):
        SparseAdam([rl.ones(1, dtype=rl.complex64).requires_grad_()])


def test_swapped_in():
    p, other = (rl.nn.Parameter(rl.ones(2)) for _ in range(2))
    opt = Adam([p], lr=0.1)
    for q in (p, other):
        q.grad = rl.ones(2)
    opt.step()
    before = p.tolist()
    saved = opt.state_dict()
    saved["state"] = {0: {key: value.clone() for key, value in saved["state"][0].items()}}
    saved["param_groups"][0]["lr"] = 0.5
    with swap_in(opt, {"p": other}, saved):
        assert opt.param_groups[0]["params"] == [other] and opt.param_groups[0]["lr"] == 0.5
        opt.step()
    assert p.tolist() == before and other[0].item() == pytest.approx(0.5, rel=1e-3)
    assert saved["state"][0]["step"].item() == 2 and opt.state[p]["step"].item() == 1
    assert opt.param_groups[0]["params"][0] is p and opt.param_groups[0]["lr"] == 0.1
    for wrong, text in (
        ({"state": [], "param_groups": []}, "'state' to be a dict"),
        ({"state": {}, "param_groups": []}, "0 parameter groups"),
        ({"state": {}, "param_groups": [{"params": [0]}]}, "options of group 0 differ"),
        ({"state": {7: {}}, "param_groups": saved["param_groups"]}, "for no parameter"),
    ):
        with pytest.raises(RuntimeError, match=text), swap_in(opt, {"p": other}, wrong):
            pass
    with pytest.raises(RuntimeError, match="initialized"), swap_in(SGD([p]), {"p": p}, saved):
        pass
