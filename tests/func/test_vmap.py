"""vmap: nesting, dimensions, writes in place, what is refused; every rule against a loop is in
test_rows.py."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import rushlight as torch
from rushlight.func import debug_unwrap, grad, vmap
from rushlight.utils import _pytree as pytree


def looped(f: Any, *args: Any) -> torch.Tensor:
    return torch.stack([f(*items) for items in zip(*args, strict=True)])


def same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-6), (found, wanted)


def test_inside_a_tensor_looks_like_one_item() -> None:
    seen: list[Any] = []

    def f(x: torch.Tensor) -> torch.Tensor:
        seen.extend([x.shape, x.ndim, x.size(0), x.numel(), len(x), x.dtype, x.is_contiguous(),
                     x.stride(), isinstance(x, torch.Tensor), x.dim()])  # fmt: skip
        assert "BatchedTensor(lvl=1" in repr(x)
        return x

    vmap(f)(torch.zeros(5, 2, 3))
    assert seen == [(2, 3), 2, 2, 6, 2, torch.float32, True, (3, 1), True, 2]


def test_nesting() -> None:
    x, y = torch.randn(3, 4, 2), torch.randn(4, 5, 2)
    same(vmap(vmap(torch.dot))(x, x), (x * x).sum(-1))
    outer = vmap(vmap(vmap(torch.dot, (None, 0)), (0, None)), (None, 0))(x[0], y)
    same(outer, torch.einsum("ik,jlk->jil", x[0], y))
    three = torch.randn(2, 3, 4, 5)
    same(vmap(vmap(vmap(lambda v: v / v.sum())))(three), three / three.sum(-1, keepdim=True))


def test_levels_are_left_also_by_errors() -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: vmap(lambda y: 1 / 0)(x))(torch.ones(2, 2))
    assert torch._core.vmap_levels() == 0
    same(torch.randn(2, 2) * 0, torch.zeros(2, 2))  # draws are allowed again


def test_a_closure_that_requires_grad() -> None:
    w = torch.randn(3, requires_grad=True)
    x = torch.randn(5, 3)
    vmap(lambda v: (v * w).sum().tanh())(x).sum().backward()
    found = w.grad
    w.grad = None
    (x * w).sum(1).tanh().sum().backward()
    same(found, w.grad)


def test_no_grad_inside_and_around() -> None:
    w = torch.randn(3, requires_grad=True)
    x = torch.randn(4, 3)

    def f(v: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            fixed = v * w
        return fixed.sum() * w.sum()

    total = vmap(f)(x).sum()
    same(torch.autograd.grad(total, w)[0], (x * w).sum().expand(3).detach())
    with torch.no_grad():
        assert not vmap(lambda v: v * w)(x).requires_grad
        slopes = vmap(grad(lambda v: (v * w * v).sum()))(x)
    assert not slopes.requires_grad
    same(slopes, (2 * x * w).detach())


def test_writes_to_an_item_reach_its_memory() -> None:
    x = torch.zeros(3, 4)

    def f(v: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        v[1:3] = s
        v.view(2, 2)[1].mul_(2)
        return v

    out = vmap(f)(x, torch.arange(3.0))
    wanted = torch.tensor([[0.0, 0, 0, 0], [0, 1, 2, 0], [0, 2, 4, 0]])
    same(out, wanted)
    same(x, wanted)


def test_operators_that_write() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        a = v.new_zeros(2, 3)
        a += v
        row = a[0]
        row -= 1
        row *= v[0]
        row /= 2
        a[1] += row.sum()
        return a

    x = torch.randn(4, 3)
    same(vmap(f)(x), looped(f, x))


def test_derivatives_through_writes_to_views() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        buffer = v.new_zeros(4, 2)
        buffer[0] = v[:2]
        part = buffer[1:3]
        part.add_(v[0] * v[1])
        part[:, 1].mul_(v[2])
        buffer.t()[0] += v.sum()
        return (buffer**2).sum()

    x = torch.randn(5, 3, dtype=torch.float64)
    wanted = looped(grad(f), x)
    same(vmap(grad(f))(x), wanted)
    same(grad(lambda a: vmap(f)(a).sum())(x), wanted)


def test_a_changed_value_is_noticed() -> None:
    def f(v: torch.Tensor) -> torch.Tensor:
        a = v * 1
        b = a.sin()
        a.add_(1)
        return b.sum()

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        vmap(grad(f))(torch.ones(3, 2))


def test_chunks() -> None:
    x = torch.randn(7, 3)
    f = lambda v: (v.sum(), {"twice": v * 2})  # noqa: E731
    for chunk in (1, 3, 7, 100):
        total, rest = vmap(f, chunk_size=chunk)(x)
        same(total, x.sum(1))
        same(rest["twice"], x * 2)
    same(vmap(torch.sin, 1, 1, chunk_size=2)(x), x.sin())


def test_results_that_do_not_depend_on_the_item() -> None:
    x = torch.randn(3, 2)
    same(vmap(lambda v: torch.ones(2))(x), torch.ones(3, 2))
    one, many = vmap(lambda v: (torch.ones(2), v), out_dims=(None, 1))(x)
    same(one, torch.ones(2))
    same(many, x.t())
    with pytest.raises(ValueError, match="can not return a BatchedTensor when out_dim is None"):
        vmap(lambda v: v, out_dims=None)(x)


def test_an_op_without_a_rule_is_called_for_each_item() -> None:
    x = torch.randn(3, 5)
    target = torch.rand(3, 1)

    def f(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.linalg.householder_product(v.reshape(5, 1), t).square().sum()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        from rushlight.func import calls

        calls._WARNED.clear()
        found = vmap(f)(x, target)
    assert any("performance drop" in str(w.message) for w in told)
    same(found, looped(f, x, target))
    same(vmap(grad(f))(x, target), looped(grad(f), x, target))


@pytest.mark.parametrize(
    "look",
    [
        lambda v: v.item(), lambda v: v.tolist(), lambda v: bool(v > 0), lambda v: float(v),
        lambda v: int(v), lambda v: [1, 2][v.long()], lambda v: v.numpy(), lambda v: v.data_ptr(),
        lambda v: v.backward(), lambda v: v.requires_grad_(), lambda v: torch.ones(3)[v > 0],
        lambda v: torch.nonzero(v), lambda v: torch.zeros(()).add_(v),
        lambda v: torch.add(v, v, out=torch.zeros(())),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_refused(look: Any) -> None:
    with pytest.raises(RuntimeError, match="vmap"):
        vmap(look)(torch.ones(3))


def test_an_item_picks_from_what_all_share() -> None:
    table, at = torch.arange(6.0).view(3, 2), torch.tensor([2, 0, -1])
    same(vmap(lambda i: table[i])(at), table[at])
    same(vmap(lambda i: table[i, 1])(at), table[at, 1])
    same(vmap(lambda i: table[:, i])(at[1:2]), table[:, at[1:2]].t())


def test_a_kernel_never_reads_an_item() -> None:
    """An item has a shape but no data: what calls a kernel past the rules must fail, not guess."""
    with pytest.raises(TypeError, match="incompatible function arguments"):
        vmap(lambda v: torch._core.mul(v, v))(torch.ones(3))


def test_random_numbers() -> None:
    x = torch.zeros(200, 4)

    def differ(f: Any, randomness: str) -> bool:
        found = vmap(f, randomness=randomness)(x)
        return bool((found != found[0]).any())

    for f in (
        lambda v: v + torch.randn(4), lambda v: torch.rand_like(v), lambda v: v.clone().normal_(),
        lambda v: torch.nn.functional.dropout(v + 1, 0.5), lambda v: v + torch.randperm(4),
        lambda v: torch.nn.functional.gumbel_softmax(v), lambda v: v + torch.randint(0, 99, (4,)),
    ):  # fmt: skip
        assert differ(f, "different")
        assert not differ(f, "same")
        with pytest.raises(RuntimeError, match="randomness error mode"):
            vmap(f)(x)
    assert differ(lambda v: torch.bernoulli(v + 0.5), "different")
    assert differ(lambda v: torch.multinomial(v + 0.5, 3), "different")
    weights = torch.eye(4).expand(2, 4, 4)
    drawn = vmap(lambda v: torch.multinomial(v, 2, replacement=True), randomness="different")
    assert drawn(weights).equal(torch.arange(4).view(4, 1).expand(2, 4, 2))
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(lambda v: torch.multinomial(v, 1))(weights)
    with pytest.raises(RuntimeError, match="1 or 2|1-d|dimension"):
        drawn(torch.ones(2, 3, 3, 3))
    rates = vmap(lambda v: torch.nn.functional.dropout(v + 1, 0.25), randomness="different")(x)
    assert 0.2 < (rates == 0).float().mean().item() < 0.3


def test_one_hot() -> None:
    labels = torch.tensor([[0, 2], [1, 1]])
    found = vmap(lambda v: torch.nn.functional.one_hot(v, 3))(labels)
    assert found.equal(torch.nn.functional.one_hot(labels, 3))


def test_debug_unwrap() -> None:
    x = torch.randn(2, 3)
    seen = []
    vmap(vmap(lambda v: (seen.append(debug_unwrap(v)), seen.append(
        debug_unwrap(v, recurse=False).shape), v)[-1]))(x)  # fmt: skip
    assert seen[0] is x and seen[1] == (3,)


def test_an_empty_batch() -> None:
    assert vmap(lambda v: v.sin().sum() * 2)(torch.zeros(0, 3)).shape == (0,)


def test_threads_do_not_share_levels() -> None:
    import threading

    results = []

    def work() -> None:
        results.append((torch.ones(2) * 3).sum().item())

    def f(v: torch.Tensor) -> torch.Tensor:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return v * 2

    same(vmap(f)(torch.ones(2)), torch.full((2,), 2.0))
    assert results == [6.0]


def test_quantiles_and_histograms() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    shares = torch.tensor([0.1, 0.5, 1.0])
    same(
        vmap(lambda v, q: torch.quantile(v, q))(x, shares),
        torch.stack([torch.quantile(v, q) for v, q in zip(x, shares, strict=True)]),
    )
    with pytest.raises(RuntimeError):
        vmap(lambda v, q: torch.quantile(v, q))(x, shares + 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts, edges = vmap(lambda v: torch.histogram(v, 4, range=(0.0, 12.0)))(x)
    same(counts, torch.stack([torch.histogram(v, 4, range=(0.0, 12.0))[0] for v in x]))
    assert edges.shape == (3, 5)


def test_ctc_loss_and_its_derivatives() -> None:
    logits, labels = torch.randn(3, 5, 2, 4), torch.randint(1, 4, (3, 2, 3))

    def loss(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        logs = v.log_softmax(-1)
        return torch.nn.functional.ctc_loss(logs, t, [5, 4], [2, 3], zero_infinity=True)

    def second(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return grad(lambda u: grad(loss)(u, t).square().sum())(v)

    def alone(v: torch.Tensor) -> torch.Tensor:
        targets = torch.tensor([1, 2])
        return torch.nn.functional.ctc_loss(v.log_softmax(-1), targets, torch.tensor(5), [2])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (loss, grad(loss), second):
            same(vmap(function)(logits, labels), looped(function, logits, labels))
            wanted = torch.stack([function(v, labels[0]) for v in logits])
            same(vmap(function, in_dims=(0, None))(logits, labels[0]), wanted)
        same(vmap(alone)(logits[:, :, 0]), looped(alone, logits[:, :, 0]))
        twice = vmap(vmap(loss))(torch.stack([logits, -logits]), torch.stack([labels, labels]))
        same(twice[1], looped(loss, -logits, labels))
        assert vmap(loss)(logits[:0], labels[:0]).shape == (0,)


class _Pair:
    def __init__(self, left: Any, right: Any, scale: float) -> None:
        self.left, self.right, self.scale = left, right, scale


def test_classes_that_were_registered_are_containers() -> None:
    pytree.register_pytree_node(
        _Pair, lambda p: ([p.left, p.right], p.scale), lambda parts, scale: _Pair(*parts, scale)
    )
    try:
        pair = _Pair(torch.arange(3.0), torch.ones(3, 2), 10)

        def swap(p: Any) -> _Pair:
            assert p.left.shape == () and p.right.shape == (2,)
            return _Pair(p.right * p.scale, p.left + 1, p.scale)

        swapped = vmap(swap)(pair)
        assert swapped.scale == 10
        assert swapped.left.tolist() == [[10.0, 10.0]] * 3
        assert swapped.right.tolist() == [1.0, 2.0, 3.0]
        slopes = grad(lambda p: (p.left.sum() * p.right).sum() * p.scale)(pair)
        assert slopes.left.tolist() == [60.0] * 3 and slopes.right.tolist() == [[30.0] * 2] * 3
    finally:
        del pytree.SUPPORTED_NODES[_Pair]
    with pytest.raises(ValueError, match="non-Tensor"):
        vmap(swap)(pair)
