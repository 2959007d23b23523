"""rushlight.autograd.graph: places in the graph, hooks on several tensors, what is kept."""

from __future__ import annotations

import gc
import weakref

import pytest

import rushlight as torch
from rushlight.autograd import graph


def graph_of_two():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0, 4.0], requires_grad=True)
    c = a * b
    return a, b, c, (c * c).sum() + a.sum()


def test_edges_stand_for_tensors():
    a, b, c, loss = graph_of_two()
    edge = graph.get_gradient_edge(c)
    assert edge.node is c.grad_fn and edge.output_nr == 0
    (got,) = torch.autograd.grad(loss, edge, retain_graph=True)
    assert got.tolist() == (2 * c).tolist()
    start = torch.tensor([1.0, 10.0])
    (got,) = torch.autograd.grad(edge, a, grad_outputs=start, retain_graph=True)
    assert got.tolist() == [3.0, 40.0]
    leaf = graph.get_gradient_edge(a)
    assert leaf.node.variable is a
    (got,) = torch.autograd.grad(graph.get_gradient_edge(loss), [leaf], retain_graph=True)
    assert got.tolist() == (2 * c * b + 1).tolist()
    torch.autograd.backward(graph.get_gradient_edge(loss), inputs=[leaf])
    assert a.grad.tolist() == got.tolist() and b.grad is None


def test_an_edge_of_one_of_several_outputs():
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    first, second = x.unbind(0)
    edge = graph.get_gradient_edge(second)
    assert edge.output_nr == 1
    assert [m.shape for m in edge.node._input_metadata] == [(3,), (3,)]
    (got,) = torch.autograd.grad((first * second).sum(), edge)
    assert got.tolist() == first.tolist()


def test_an_edge_keeps_the_graph_but_not_the_tensor():
    a = torch.ones(2, requires_grad=True)
    c = a * 2
    loss = c.sum()
    edge = graph.get_gradient_edge(c)
    alive = weakref.ref(c)
    del c
    gc.collect()
    assert alive() is None
    (got,) = torch.autograd.grad(loss, edge)
    assert got.shape == a.shape


def test_edges_that_are_refused():
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(2))
    edge = graph.get_gradient_edge(torch.ones(2, requires_grad=True) * 2)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        torch.autograd.backward(edge)
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        torch.autograd.backward(edge, torch.ones(3))


def test_a_hook_waits_for_all_that_are_reached():
    a, b, c, loss = graph_of_two()
    seen: list = []
    handle = graph.register_multi_grad_hook((a, b, c), seen.append)
    loss.backward(retain_graph=True)
    assert [g.tolist() for g in seen.pop()] == [g.tolist() for g in (a.grad, b.grad, 2 * c)]
    (b * 5).sum().backward()  # reaches b alone
    none, got, neither = seen.pop()
    assert none is None and neither is None and got.tolist() == [5.0, 5.0]
    torch.autograd.grad(loss, [b], retain_graph=True)  # by way of c
    assert [g is None for g in seen.pop()] == [True, False, False]
    handle.remove()
    loss.backward()
    assert not seen


def test_a_hook_on_any():
    a, b, c, loss = graph_of_two()
    seen: list = []
    with graph.register_multi_grad_hook((a, b, c), seen.append, mode="any"):
        loss.backward(retain_graph=True)
        loss.backward(retain_graph=True)
    assert [g.tolist() for g in seen] == 2 * [(2 * c).tolist()]
    loss.backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_a_hook_on_several_inside_a_hook_that_walks_back():
    a, b, c, loss = graph_of_two()
    seen: list = []
    graph.register_multi_grad_hook((a, b), seen.append)

    @c.register_hook
    def hook(grad):
        with torch.enable_grad():
            (a * b).sum().backward()

    loss.backward()
    inner, outer = seen
    assert [g.tolist() for g in inner] == [b.tolist(), a.tolist()]
    assert [g.tolist() for g in outer] == [(2 * c * b + 1).tolist(), (2 * c * a).tolist()]


def test_saved_tensors_may_be_written_to():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with graph.allow_mutation_on_saved_tensors() as kept:
        y = x.clone()
        loss = (y * y).sum()
        y.sin_()
        loss.backward(retain_graph=True)
        assert x.grad.tolist() == [2.0, 4.0]
        assert len(kept.of) == 3  # both factors, and what sin_ was given
        with pytest.raises(RuntimeError, match="nested"), graph.allow_mutation_on_saved_tensors():
            pass
        del loss, y
        gc.collect()
        assert not kept.of
        late = (x * x).sum()
    with pytest.raises(AssertionError, match="outside of"):
        late.backward()


def test_second_derivatives_where_saved_tensors_are_written_to():
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    with graph.allow_mutation_on_saved_tensors():
        y = x * 1
        loss = (y**3).sum()
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        y.zero_()
        (second,) = torch.autograd.grad(first.sum(), x)
    assert (first.item(), second.item()) == (12.0, 12.0)


def test_hooks_on_saved_tensors_can_be_refused():
    def hooks():
        return graph.saved_tensors_hooks(lambda t: t, lambda t: t)

    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), hooks():
            pass
        refused = pytest.raises(RuntimeError, match="nor there")
        with graph.disable_saved_tensors_hooks("nor there"), refused, hooks():
            pass
        with pytest.raises(RuntimeError, match="not here"), hooks():
            pass
    with hooks():
        message = pytest.raises(RuntimeError, match="too late")
        with message, graph.disable_saved_tensors_hooks("too late"):
            pass


def test_views_say_that_they_are():
    x = torch.ones(4)
    assert x[1:]._is_view() and x.expand(2, 4)._is_view()
    assert not (x._is_view() or x.detach()._is_view() or x.data._is_view() or x.clone()._is_view())
