"""PyTorch's contract around backward(): leaves, accumulation, hooks, versions, views, freeing."""

import gc
import warnings
import weakref

import pytest

import rushlight as torch
from rushlight import autograd


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


# ---- leaves and accumulation


def test_grad_is_none_until_backward_then_accumulates():
    x = leaf(1.0, 2.0)
    assert x.is_leaf and x.grad is None and x.grad_fn is None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_two_leaves_never_share_a_gradient():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).backward(torch.ones(2))
    a.grad.add_(1)
    assert b.grad.tolist() == [1.0, 1.0]


def test_given_gradient_is_not_taken_over():
    x, g = leaf(1.0, 2.0), torch.ones(2)
    (x + 0).backward(g)
    x.grad.mul_(5)
    assert g.tolist() == [1.0, 1.0]


def test_accumulation_is_in_place():
    x = leaf(1.0)
    (x * 2).backward(torch.ones(1))
    first = x.grad
    (x * 2).backward(torch.ones(1))
    assert x.grad is first and first.tolist() == [4.0]


def test_broadcast_is_undone():
    x, y = torch.ones(3, 1, requires_grad=True), torch.ones(4, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.shape == (3, 1) and x.grad.flatten().tolist() == [4.0] * 3
    assert y.grad.tolist() == [3.0] * 4


def test_gradient_has_the_dtype_of_its_input():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is torch.float64 and y.grad.dtype is torch.float32


def test_diamond():
    x = leaf(2.0)
    y = x * x
    (y * y + y).sum().backward()
    assert x.grad.item() == 4 * 8 + 2 * 2


# ---- modes


def test_no_grad_enable_grad_and_set_grad_enabled():
    x = leaf(1.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert torch.is_grad_enabled()

    @torch.no_grad()
    def f():
        return x * 2

    assert not f().requires_grad


def test_no_grad_in_generators_ends_at_each_yield():
    @torch.no_grad()
    def numbers():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    seen = []
    for inside in numbers():
        seen.append((inside, torch.is_grad_enabled()))
    assert seen == [(False, True), (False, True)]


def test_inference_mode():
    x = leaf(1.0)
    with torch.inference_mode():
        y = x * 2
        assert torch.is_inference_mode_enabled()
    assert y.is_inference() and not y.requires_grad
    with pytest.raises(RuntimeError, match="nference"):
        y.requires_grad_()


def test_detach_and_data():
    x = leaf(1.0, 2.0)
    d = (x * 2).detach()
    assert not d.requires_grad and d.grad_fn is None
    x.data.mul_(3)
    assert x.tolist() == [3.0, 6.0] and x.requires_grad


# ---- errors


def test_backward_needs_a_graph():
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.ones(1).backward()


def test_backward_of_many_elements_needs_a_gradient():
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (leaf(1.0, 2.0) * 2).backward(torch.ones(3))


def test_second_backward_through_a_freed_graph():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert x.grad.item() == 8.0


def test_graph_without_saved_values_may_be_walked_again():
    x = leaf(2.0)
    y = x + 1
    y.backward(torch.ones(1))
    y.backward(torch.ones(1))
    assert x.grad.item() == 2.0


def test_requires_grad_needs_a_float():
    with pytest.raises(RuntimeError, match="floating point"):
        torch.ones(2, dtype=torch.int64).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        (leaf(1.0) * 2).requires_grad = False


def test_assigned_grad_is_checked():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="size"):
        x.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="dtype"):
        x.grad = torch.ones(2, dtype=torch.float64)
    with pytest.raises(TypeError):
        x.grad = 1.0


# ---- in place


def test_leaf_that_requires_grad_is_not_written():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        x.view(2).add_(1)
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_version_check_names_the_op():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"inplace operation.*\[2\].*version 1.*MulBackward0"):
        z.sum().backward()


def test_version_check_of_a_saved_result():
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="ExpBackward0"):
        y.sum().backward()


def test_write_through_a_view_or_detach_is_seen():
    for write in (lambda t: t.view(-1).zero_(), lambda t: t.detach().zero_()):
        x = leaf(1.0, 2.0)
        y = x * 2
        z = y * y
        with torch.no_grad():
            write(y)
        with pytest.raises(RuntimeError, match="inplace"):
            z.sum().backward()


def test_inplace_history():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.mul_(3)
    y.add_(x)
    y.exp_()
    y.sum().backward()
    want = [4 * 2.718281828459045 ** (4 * v) for v in (1.0, 2.0)]
    assert x.grad.tolist() == pytest.approx(want, rel=1e-6)


def test_inplace_on_a_view_reaches_the_base():
    base, w = torch.zeros(3, 2), leaf(2.0, 3.0)
    row = base.select(0, 0)
    row.add_(1)
    row.mul_(w)
    row.add_(w * w)
    assert base.requires_grad and base.grad_fn.name() == "CopySlices"
    assert row.grad_fn.name() == "AsStridedBackward0"
    (base * base).sum().backward()
    # (w + w^2)^2 -> 2 (w + w^2)(1 + 2 w)
    assert w.grad.tolist() == [2 * 6 * 5, 2 * 12 * 7]


@pytest.mark.parametrize("twice", [False, True])
def test_inplace_on_a_view_of_a_transposed_base(twice):
    def f(w, x):
        base = (x * 1.0).t().detach()[1:]  # not contiguous, and not at the start of its storage
        base[0, 1:].mul_(w)
        base.view_as(base)[:, 0].add_(w.sum())
        return (base * base * w.sum()).sum()

    w = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    x = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    assert torch.autograd.gradcheck(lambda w: f(w, x), (w,))
    if twice:
        assert torch.autograd.gradgradcheck(lambda w: f(w, x), (w,))


def test_other_views_see_a_write_to_the_base():
    base, w = torch.ones(2, 2), leaf(2.0, 3.0)
    first, second = base.select(0, 0), base.select(0, 1)
    base.mul_(w)
    assert first.requires_grad and second.requires_grad
    (first * second).sum().backward()
    assert w.grad.tolist() == [4.0, 6.0]


def test_inplace_on_one_of_several_views_is_refused():
    x = leaf(1.0, 2.0) * 1
    a, _ = x.unbind(0)
    with pytest.raises(RuntimeError, match="several outputs|multiple views"):
        a.mul_(2)


def test_setitem_history():
    x, v = torch.zeros(4), leaf(5.0, 6.0)
    x[1:3] = v * 2
    (x * x).sum().backward()
    assert v.grad.tolist() == [40.0, 48.0]


# ---- retain_grad, hooks


def test_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [6.0, 12.0]


def test_tensor_hooks_see_and_change_the_gradient():
    x, seen = leaf(1.0, 2.0), []
    y = x * 2
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [[1.0, 1.0]] and x.grad.tolist() == [21.0, 21.0]
    handle.remove()
    x.grad = None
    (x * 1).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0] and len(seen) == 1


def test_leaf_hook_runs_once_with_the_whole_gradient():
    x, seen = leaf(2.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 3 + x * 4).sum().backward()
    assert seen == [7.0]


def test_hook_may_not_change_the_shape():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(RuntimeError, match="size"):
        (x * 2).sum().backward()


def test_node_hooks():
    x, calls = leaf(1.0, 2.0), []
    y = x * 2
    y.grad_fn.register_prehook(lambda grads: (grads[0] * 2,))
    y.grad_fn.register_hook(lambda ins, outs: calls.append((ins[0].tolist(), outs[0].tolist())))
    y.sum().backward()
    assert calls == [([4.0, 4.0], [2.0, 2.0])] and x.grad.tolist() == [4.0, 4.0]


def test_post_accumulate_hook():
    x, seen = leaf(1.0, 2.0), []
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    (x * 2).sum().backward()
    assert seen == [[2.0, 2.0]]
    with pytest.raises(RuntimeError, match="non-leaf"):
        (x * 2).register_post_accumulate_grad_hook(lambda p: None)


def test_next_functions_end_in_accumulate_grad():
    x = leaf(1.0)
    y = (x * 2).exp()
    assert y.grad_fn.name() == "ExpBackward0"
    (mul, number), = y.grad_fn.next_functions
    assert mul.name() == "MulBackward0" and number == 0
    assert mul.next_functions[0][0].variable is x


# ---- autograd.grad, create_graph


def test_grad_returns_and_leaves_grad_alone():
    x = leaf(1.0, 2.0)
    y = x * x
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.tolist() == [2.0, 4.0] and x.grad is None


def test_grad_of_a_non_leaf():
    x = leaf(3.0)
    y = x * x
    z = y * 2 + x
    gy, gx = torch.autograd.grad(z.sum(), (y, x))
    assert gy.item() == 2.0 and gx.item() == 2 * 6 + 1


def test_unused_inputs():
    x, u = leaf(1.0), leaf(1.0)
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad((x * 2).sum(), (x, u))
    assert torch.autograd.grad((x * 2).sum(), (x, u), allow_unused=True)[1] is None
    zero = torch.autograd.grad((x * 2).sum(), (x, u), materialize_grads=True)[1]
    assert zero.tolist() == [0.0]


def test_backward_with_inputs():
    x, y = leaf(1.0), leaf(2.0)
    (x * y).sum().backward(inputs=[x])
    assert x.grad.item() == 2.0 and y.grad is None


def test_third_derivative():
    x = leaf(2.0)
    g = x**4
    for want in (32.0, 48.0, 48.0, 24.0):
        (g,) = torch.autograd.grad(g.sum(), x, create_graph=True)
        assert g.item() == want


def test_create_graph_through_backward():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    penalty = (x.grad**2).sum()
    x.grad = None
    penalty.backward()
    assert x.grad.item() == 2 * 12 * 12  # d (3 x^2)^2 = 2 * 3 x^2 * 6 x


# ---- saved tensors


def test_saved_tensors_hooks():
    packed = []

    def pack(t):
        packed.append(tuple(t.shape))
        return t.tolist()

    x = leaf(1.0, 2.0)
    with autograd.graph.saved_tensors_hooks(pack, lambda values: torch.tensor(values)):
        y = (x * x).exp().sum()
    y.backward()
    assert packed and x.grad.tolist() == pytest.approx([2 * 2.7182817, 4 * 54.59815], rel=1e-6)


def test_anomaly_names_op_and_line():
    x = leaf(-1.0, 2.0)
    with autograd.detect_anomaly():
        y = x.sqrt().sum()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(RuntimeError, match="SqrtBackward0.*nan"):
                y.backward()
    assert "SqrtBackward0" in str(caught[0].message)
    assert "test_tape.py" in str(caught[0].message) and "x.sqrt()" in str(caught[0].message)
    assert not autograd.is_anomaly_enabled()


# ---- depth and freeing


def test_million_nodes():
    x = leaf(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1
    y.backward(torch.ones(1))
    assert x.grad.item() == 1.0
    del y


def test_million_nodes_with_saved_values():
    x = torch.ones((), requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y * x
    del y  # freed without a backward


def test_graph_is_freed_without_the_collector():
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = (x * 2).exp().tanh()
        y.sum().backward()
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_error_in_a_hook_leaves_the_graph_usable():
    x = leaf(1.0, 2.0)
    y = x * x

    def fail(grad):
        raise ValueError("no")

    handle = y.register_hook(fail)
    with pytest.raises(ValueError, match="no"):
        y.sum().backward()
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_backward_inside_a_hook():
    x = leaf(3.0)
    y = x * x

    @torch.enable_grad()
    def nested(grad):
        (inner,) = torch.autograd.grad((x * x * x).sum(), x)
        return grad * inner

    y.register_hook(nested)
    y.sum().backward()
    assert x.grad.item() == 27 * 6


def test_unpacked_values_keep_their_history():
    """Second derivatives pass through what a hook packed: arguments, leaves and results."""

    def second(hooked: bool) -> list:
        x = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
        w = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
        pack, unpack = (lambda v: v.tolist()), (lambda v: torch.tensor(v, dtype=torch.float64))
        with autograd.graph.saved_tensors_hooks(pack, unpack) if hooked else torch.enable_grad():
            y = (x.exp() * w.tanh() * x).sum()
        (slope,) = autograd.grad(y, x, create_graph=True)
        return [g.tolist() for g in autograd.grad(slope.sum(), (x, w))]

    assert second(True) == second(False)
