"""Sparse COO tensors: their parts, arithmetic, gradients and errors, without another library."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import weakref

import numpy as np
import pytest

import rushlight as rl
from rushlight import nn

INDICES = [[1, 0, 1, 1], [2, 0, 2, 0]]


def uncoalesced(**options):
    return rl.sparse_coo_tensor(INDICES, [3.0, 4.0, 5.0, 6.0], (2, 3), **options)


DENSE = [[4.0, 0.0, 0.0], [6.0, 0.0, 8.0]]


def dense(x):
    return x.to_dense().tolist() if x._layout else x.tolist()


def test_it_is_a_tensor_of_its_layout():
    x = uncoalesced()
    assert type(x) is rl.Tensor and isinstance(x, rl.Tensor)
    assert x.is_sparse and not x.is_sparse_csr and x.layout is rl.sparse_coo
    assert (x.shape, x.ndim, x.numel(), x.dtype) == ((2, 3), 2, 6, rl.float32)
    assert (x._nnz(), x.sparse_dim(), x.dense_dim()) == (4, 2, 0)
    assert not x.is_coalesced() and dense(x) == DENSE
    strided = rl.ones(2)
    assert not strided.is_sparse and strided.layout is rl.strided and strided.sparse_dim() == 0


def test_coalesce_orders_and_adds_up():
    x = uncoalesced().coalesce()
    assert x.is_coalesced() and x.indices().tolist() == [[0, 1, 1], [0, 0, 2]]
    assert x.values().tolist() == [4.0, 6.0, 8.0] and x.coalesce() is x
    with pytest.raises(RuntimeError, match="uncoalesced"):
        uncoalesced().values()
    for dtype in (rl.float64, rl.float16, rl.int64, rl.uint8, rl.complex64):
        assert uncoalesced(dtype=dtype).coalesce().values().tolist() == [4, 6, 8]
    truth = rl.sparse_coo_tensor([[1, 1, 0]], [False, True, False], (2,)).coalesce()
    assert truth.values().tolist() == [False, True]


@pytest.mark.parametrize("count", [0, 1, 100, 600, 5000])
def test_coalesce_of_many_against_numpy(count):
    rng = np.random.default_rng(count)
    at = rng.integers(0, 40, (3, count))
    values = rng.standard_normal((count, 2))
    x = rl.sparse_coo_tensor(at, values, (40, 40, 40, 2))
    whole = x.coalesce()
    keys = at[0] * 1600 + at[1] * 40 + at[2]
    unique, inverse = np.unique(keys, return_inverse=True)
    sums = np.zeros((len(unique), 2))
    np.add.at(sums, inverse, values)
    found = whole.indices().numpy()
    assert (found[0] * 1600 + found[1] * 40 + found[2] == unique).all()
    assert np.allclose(whole.values().numpy(), sums)
    assert np.allclose(x.to_dense().numpy(), whole.to_dense().numpy())


def test_hybrid_and_conversions():
    table = rl.arange(6.0).view(3, 2)
    x = table.to_sparse(1)
    assert (x.sparse_dim(), x.dense_dim(), x._nnz()) == (1, 1, 3)  # row 0 has a 1 in it
    assert dense(x) == table.tolist()
    assert dense(table.to_sparse()) == table.tolist()
    assert rl.tensor(3.0).to_sparse().to_dense().item() == 3.0
    assert rl.zeros(2, 2).to_sparse()._nnz() == 0
    with pytest.raises(RuntimeError, match="sparse_dim"):
        table.to_sparse(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rl.sparse_coo_tensor([[-1]], [1.0]), "negative index"),
        (lambda: rl.sparse_coo_tensor([[0, 1]], [1.0], (2,)), "same nnz"),
        (lambda: rl.sparse_coo_tensor([[0]], [1.0], (2, 3)), "len\\(size\\)"),
        (lambda: rl.sparse_coo_tensor([[5]], [1.0], (2,), check_invariants=True), "inconsistent"),
        (
            lambda: rl.sparse_coo_tensor(
                [[1, 0]], [1.0, 2.0], (2,), is_coalesced=True, check_invariants=True
            ),
            "is_coalesced",
        ),
    ],
)
def test_parts_that_do_not_fit(make, message):
    with pytest.raises(RuntimeError, match=message):
        make()


def test_indices_outside_never_reach_memory():
    bad = rl.sparse_coo_tensor([[7], [9]], [1.0], (2, 3))
    for use in (
        lambda: bad.to_dense(), lambda: bad @ rl.ones(3, 2), lambda: rl.ones(4, 2) @ bad,
        lambda: rl.zeros(2, 3).add_(bad),
    ):  # fmt: skip
        with pytest.raises((IndexError, RuntimeError)):
            use()


def test_arithmetic():
    x, y = uncoalesced(), rl.eye(2, 3).to_sparse()
    a, b = x.to_dense(), y.to_dense()
    pairs = [
        (x * 2, a * 2), (2 * x, a * 2), (x / 4, a / 4), (-x, -a), (x + y, a + b), (x - y, a - b),
        (x * y, a * b), (x.coalesce() * y, a * b), (x * b, a * b), (b * x, a * b), (b + x, a + b),
        (b - x, b - a), (x.add(y, alpha=3), a + 3 * b), (x.t(), a.t()), (x.abs(), a.abs()),
        (x.sqrt(), a.sqrt()), (x.pow(2), a * a), (x.sum(), a.sum()), (x.sum(0), a.sum(0)),
        (x.sum(1), a.sum(1)), (x.clone(), a), (x.double(), a.double()), (x.unsqueeze(1),
        a.unsqueeze(1)), (x[1], a[1]), (x[:, 2], a[:, 2]), (x[1, 0], a[1, 0]), (x[:, 1:], a[:, 1:]),
        (x.index_select(0, rl.tensor([1, 1, 0])), a[[1, 1, 0]]), (rl.cat([x, y]), rl.cat([a, b])),
        (rl.cat([x, y], 1), rl.cat([a, b], 1)), (rl.stack([x, y], 1), rl.stack([a, b], 1)),
        (x.norm(), a.norm()), (x.permute(1, 0), a.permute(1, 0)),
        (a.sparse_mask(y.coalesce()), a * b),
    ]  # fmt: skip
    for number, (found, wanted) in enumerate(pairs):
        assert rl.allclose(found.to_dense(), wanted), number


def test_products_against_dense():
    generator = rl.Generator().manual_seed(0)
    a = rl.rand(30, 50, generator=generator, dtype=rl.float64)
    a = rl.where(a < 0.8, 0, a)
    x = rl.cat([a.to_sparse() * 0.25, a.to_sparse() * 0.75], 0)
    x = rl.sparse_coo_tensor(x._indices() % rl.tensor([[30], [50]]), x._values(), (30, 50))
    assert not x.is_coalesced()
    b = rl.rand(50, 70, generator=generator, dtype=rl.float64)
    for matrix in (x, x.coalesce(), x.to_sparse_csr(), x.to_sparse_csc()):
        assert rl.allclose(matrix @ b, a @ b)
        assert rl.allclose(matrix.mm(b), a @ b) and rl.allclose(rl.sparse.mm(matrix, b), a @ b)
        assert rl.allclose(matrix @ b[:, 0], a @ b[:, 0])
        assert rl.allclose(b[:, :30] @ matrix, b[:, :30] @ a)
        assert rl.allclose((matrix @ matrix.t()).to_dense(), a @ a.t())
        assert rl.allclose(rl.addmm(rl.ones(30, 70).double(), matrix, b, beta=2), a @ b + 2)
    assert rl.allclose(rl.hspmm(x, b).to_dense(), a @ b)
    same = x.new(x._indices(), x._values(), x.shape)
    assert same.is_sparse and same.to_dense().equal(x.to_dense())
    assert rl.allclose(rl.hsmm(x, b).to_dense(), a @ b) and rl.allclose(rl.dsmm(x, b), a @ b)
    assert rl.allclose(rl.smm(x, b).to_dense(), a @ b)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        x @ rl.ones(3, 3).double()
    with pytest.raises(RuntimeError, match="same dtype"):
        x @ rl.ones(50, 3)


def test_products_do_not_depend_on_the_number_of_threads():
    generator = rl.Generator().manual_seed(1)
    at = rl.randint(0, 5000, (2, 40000), generator=generator)
    x = rl.sparse_coo_tensor(at, rl.rand(40000, generator=generator), (5000, 5000))
    b = rl.rand(5000, 33, generator=generator)
    before, results = rl.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            rl.set_num_threads(threads)
            leaf = x.coalesce().requires_grad_()
            factor = b.clone().requires_grad_()
            product = rl.sparse.mm(leaf, factor)
            product.pow(2).sum().backward()
            results.append((product.tolist(), leaf.grad._values().tolist(), factor.grad.tolist()))
    finally:
        rl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


# ---- gradients


def test_gradients_of_values_by_differences():
    at = rl.tensor(INDICES)
    other = rl.arange(6.0, dtype=rl.float64).view(3, 2)

    def functions():
        yield lambda x: x.to_dense()
        yield lambda x: x @ other
        yield lambda x: rl.sparse.mm(x, other)
        yield lambda x: x.coalesce().values() ** 2
        yield lambda x: (x * x).to_dense()
        yield lambda x: (x * 3 - x).to_dense()
        yield lambda x: rl.sparse.sum(x, 1).to_dense()
        yield lambda x: rl.sparse.softmax(x, 1).to_dense()
        yield lambda x: rl.sparse.log_softmax(x, 0).to_dense()
        yield lambda x: rl.sparse.mm(x, x.t()).to_dense()
        yield lambda x: x.sin().to_dense()
        yield lambda x: x.t().to_dense() @ other.t()
        yield lambda x: x[1].to_dense()
        yield lambda x: x[:, 1:].to_dense()
        yield lambda x: x.unsqueeze(1).to_dense()
        yield lambda x: rl.stack([x, x], 1).to_dense()
        yield lambda x: x.index_select(0, rl.tensor([1, 1])).to_dense()
        yield lambda x: rl.cat([x, x], 1).to_dense()
        yield lambda x: rl.ones(4, 2, dtype=rl.float64) @ x
        yield lambda x: x.norm()

    values = rl.tensor([0.3, 0.4, 0.5, 0.6], dtype=rl.float64, requires_grad=True)
    for function in functions():
        assert rl.autograd.gradcheck(
            lambda v, f=function: f(rl.sparse_coo_tensor(at, v, (2, 3))), (values,)
        )


def test_second_derivatives_of_products():
    at = rl.tensor([[0, 1, 1], [2, 0, 2]])
    values = rl.tensor([0.3, 0.4, 0.5], dtype=rl.float64, requires_grad=True)
    other = rl.rand(3, 2, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradgradcheck(
        lambda v, b: rl.sparse.mm(rl.sparse_coo_tensor(at, v, (2, 3)), b), (values, other)
    )


def test_gradients_have_the_layout_of_pytorch():
    x, other = uncoalesced().coalesce().requires_grad_(), rl.ones(3, 2, requires_grad=True)
    rl.sparse.mm(x, other).sum().backward()
    assert x.grad.is_sparse and x.grad._indices().tolist() == x.indices().tolist()
    x.grad = None
    (x @ other).sum().backward()
    assert not x.grad.is_sparse and x.grad.tolist() == [[2.0] * 3] * 2
    hooked = []
    y = uncoalesced().requires_grad_()
    y.register_hook(lambda grad: hooked.append(grad.is_sparse))
    rl.sparse.sum(y).backward()
    rl.sparse.sum(y).backward()
    assert hooked == [True, True] and dense(y.grad) == [[2.0, 0.0, 0.0], [2.0, 0.0, 2.0]]
    (grad,) = rl.autograd.grad(rl.sparse.sum(y * y), y)
    assert grad.is_sparse


def test_leaves_are_guarded():
    x = uncoalesced().requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.mul_(2)
    y = x * 1
    y.mul_(3)
    rl.sparse.sum(y).backward()
    assert dense(x.grad) == [[3.0, 0.0, 0.0], [3.0, 0.0, 3.0]]
    z = x * 2
    w = z * z
    z.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        rl.sparse.sum(w).backward()


def test_saved_tensors_hooks_see_sparse_tensors():
    seen = []
    x = uncoalesced().coalesce().requires_grad_()

    def pack(tensor):
        seen.append(tensor.layout)
        return tensor

    with rl.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = rl.sparse.mm(x, rl.ones(3, 2)).sum()
    loss.backward()
    assert rl.sparse_coo in seen and x.grad.is_sparse


def test_modules_hold_sparse_tensors():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("matrix", uncoalesced())
            self.weight = nn.Parameter(uncoalesced().coalesce())

    model = Graph()
    model.load_state_dict(model.state_dict())
    assert model.double().matrix.dtype is rl.float64 and model.weight.is_sparse
    twin = copy.deepcopy(model)
    rl.sparse.mm(twin.weight, rl.ones(3, 2).double()).sum().backward()
    with pytest.raises(NotImplementedError, match="not clipped"):
        nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
    with pytest.raises(NotImplementedError, match="not clipped"):
        nn.utils.clip_grad_value_(twin.parameters(), 1.0)
    rl.optim.SGD(twin.parameters(), 0.5).step()
    assert dense(twin.weight) == [[3.0, 0.0, 0.0], [5.0, 0.0, 7.0]]
    twin.zero_grad(set_to_none=False)
    assert twin.weight.grad._nnz() == 0


# ---- writing


def test_in_place():
    x = uncoalesced()
    same = x
    x.add_(rl.eye(2, 3).to_sparse())
    x.mul_(2)
    x /= 2
    assert x is same and dense(x) == [[5.0, 0.0, 0.0], [6.0, 1.0, 8.0]]
    x.copy_(uncoalesced().coalesce())
    assert dense(x) == DENSE
    target = rl.ones(2, 3)
    target.add_(uncoalesced(), alpha=2)
    assert target.tolist() == [[9.0, 1.0, 1.0], [13.0, 1.0, 17.0]]
    view = rl.ones(3, 2).t()
    view.sub_(uncoalesced())
    assert view.tolist() == [[-3.0, 1.0, 1.0], [-5.0, 1.0, -7.0]]
    assert x.zero_()._nnz() == 0 and x.shape == (2, 3)
    with pytest.raises(RuntimeError, match="between dense and sparse"):
        rl.ones(2, 3).copy_(uncoalesced())
    grown = uncoalesced().sparse_resize_((4, 5), 2, 0)
    assert grown.shape == (4, 5) and grown.to_dense()[:2, :3].tolist() == DENSE
    with pytest.raises(RuntimeError, match="shrinking"):
        uncoalesced().sparse_resize_((1, 1), 2, 0)


def test_parts_share_memory():
    x = uncoalesced()
    other = rl.ones(3, 2)
    assert (x @ other).tolist() == [[4.0, 4.0], [14.0, 14.0]]
    x._values().mul_(2)
    assert (x @ other).tolist() == [[8.0, 8.0], [28.0, 28.0]]
    x._indices()[0, 0] = 0  # what was remembered of the order no longer holds
    assert (x @ other).tolist() == [[14.0, 14.0], [22.0, 22.0]]
    x._values().requires_grad_()
    assert not x._values().requires_grad and not x.requires_grad
    values = rl.ones(4)
    y = rl.sparse_coo_tensor(INDICES, values, (2, 3))
    values.fill_(3)
    assert y._values().tolist() == [3.0] * 4


# ---- what is not there


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.cos(), lambda x: x.exp(), lambda x: x > 0, lambda x: x.mean(),
        lambda x: x.max(), lambda x: x.view(6), lambda x: x.reshape(6),
        lambda x: x.expand(2, 2, 3), lambda x: x + 1,
        lambda x: x + rl.ones(2, 3), lambda x: 1 / x, lambda x: x.flip(0), lambda x: x.cumsum(0),
        lambda x: x[rl.tensor([0])], lambda x: rl.where(x.to_dense() > 0, x, x),
        lambda x: x.tolist(), lambda x: x.numpy(), lambda x: x.data_ptr(), lambda x: x.storage(),
        lambda x: x.__dlpack__(), lambda x: rl.equal(x, x),
        lambda x: x.masked_fill(x.to_dense() > 0, 1), lambda x: rl.nn.functional.dropout(x),
        lambda x: rl.ones_like(x), lambda x: rl.linalg.svd(x), lambda x: x.sort(),
        lambda x: x.bernoulli(), lambda x: x.uniform_(), lambda x: x.unique(),
        lambda x: x.resize_(9), lambda x: x.__setitem__(0, 1.0),
        lambda x: rl.from_numpy(np.asarray(x)),
        lambda x: rl.func.vmap(lambda row: row + x)(rl.ones(2, 3)),
        lambda x: x.as_strided((1,), (1,)),
        lambda x: nn.functional.embedding(rl.tensor([0]), x), lambda x: x.tril(),
    ],
)  # fmt: skip
def test_other_operations_raise(use):
    with pytest.raises((NotImplementedError, RuntimeError, TypeError, IndexError)):
        use(uncoalesced())


def test_errors_name_operation_and_layout():
    with pytest.raises(NotImplementedError, match=r"'cos' on \(torch.sparse_coo \[2, 3\]\)"):
        uncoalesced().cos()


# ---- the rest


def test_text():
    assert repr(uncoalesced()) == (
        "tensor(indices=tensor([[1, 0, 1, 1],\n"
        "                       [2, 0, 2, 0]]),\n"
        "       values=tensor([3., 4., 5., 6.]),\n"
        "       size=(2, 3), nnz=4, layout=torch.sparse_coo)"
    )
    assert repr(rl.sparse_coo_tensor((2, 0), dtype=rl.float64)) == (
        "tensor(indices=tensor([], size=(2, 0)),\n       values=tensor([], size=(0,)),\n"
        "       size=(2, 0), nnz=0, dtype=torch.float64, layout=torch.sparse_coo)"
    )


def test_copies_and_files():
    for x in (uncoalesced(), uncoalesced().coalesce().to_sparse_csr(), nn.Parameter(uncoalesced())):
        for y in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
            assert repr(y) == repr(x) and type(y) is type(x)
        file = io.BytesIO()
        rl.save({"x": x}, file)
        file.seek(0)
        assert repr(rl.load(file)["x"]) == repr(x)


def test_damaged_files_are_refused():
    file = io.BytesIO()
    x = rl.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2,), is_coalesced=True)
    x._indices()[0, 0] = 5
    rl.save(x, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="do not fit"):
        rl.load(file)


def test_old_types():
    x = rl.sparse.FloatTensor(rl.tensor([[0], [1]]), rl.ones(1), rl.Size([2, 2]))
    assert isinstance(x, rl.sparse.FloatTensor) and not isinstance(x, rl.sparse.DoubleTensor)
    assert x.type() == "torch.sparse.FloatTensor" and rl.sparse.FloatTensor(2, 3).shape == (2, 3)


def test_switch_of_checks():
    check = rl.sparse.check_sparse_tensor_invariants
    with check():
        assert check.is_enabled()
        with pytest.raises(RuntimeError, match="inconsistent"):
            rl.sparse_coo_tensor([[5]], [1.0], (2,))
    assert not check.is_enabled()


def test_tensors_are_freed_and_may_be_used_in_other_threads():
    x = uncoalesced()
    (x @ rl.ones(3, 2)).sum()
    (x.t() @ rl.ones(2, 2)).sum()
    parts = weakref.ref(x)
    gc.disable()
    try:
        del x
        assert parts() is None
    finally:
        gc.enable()
    results = []
    x = uncoalesced()
    thread = threading.Thread(target=lambda: results.append((x * 2).to_dense().tolist()))
    thread.start()
    thread.join()
    assert results == [[[2 * v for v in row] for row in DENSE]]


def test_gradcheck_of_sparse_inputs():
    check = rl.sparse.as_sparse_gradcheck(rl.autograd.gradcheck)
    x = uncoalesced(dtype=rl.float64).coalesce().requires_grad_()
    assert check(lambda x: x * x, (x,), masked=True)
    assert check(lambda x: rl.sparse.mm(x, rl.ones(3, 2, dtype=rl.float64)), (x,), masked=True)


# ---- tables


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "SparseAdam"])
def test_a_step_touches_the_rows_that_were_looked_up(name):
    table = nn.Embedding(50, 3, sparse=True)
    before = table.weight.detach().clone()
    optimizer = getattr(rl.optim, name)(table.parameters(), lr=0.1)
    rows = rl.tensor([[4, 7], [7, 9]])
    for _ in range(3):
        optimizer.zero_grad()
        table(rows).pow(2).sum().backward()
        assert table.weight.grad.is_sparse and table.weight.grad._nnz() == 4
        optimizer.step()
    moved = (table.weight != before).any(1).nonzero().view(-1).tolist()
    assert moved == [4, 7, 9]


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_sparse_and_dense_gradients_give_the_same_parameters(name):
    tables = [nn.Embedding(9, 4, sparse=sparse, padding_idx=2) for sparse in (False, True)]
    tables[1].load_state_dict(tables[0].state_dict())
    optimizers = [getattr(rl.optim, name)(t.parameters(), lr=0.1) for t in tables]
    for step in range(4):
        rows = rl.randint(0, 9, (3, 5), generator=rl.Generator().manual_seed(step))
        for table, optimizer in zip(tables, optimizers):
            optimizer.zero_grad()
            table(rows).pow(3).sum().backward()
            optimizer.step()
    assert rl.allclose(tables[0].weight, tables[1].weight, rtol=1e-4)


def test_gradients_of_bags():
    for mode in ("sum", "mean"):
        bags = [nn.EmbeddingBag(9, 4, mode=mode, sparse=sparse) for sparse in (False, True)]
        bags[1].load_state_dict(bags[0].state_dict())
        rows, starts = rl.tensor([1, 2, 4, 5, 4, 3, 2, 8]), rl.tensor([0, 3, 3, 6])
        for bag in bags:
            bag(rows, starts).pow(2).sum().backward()
        assert bags[1].weight.grad.is_sparse
        assert rl.allclose(bags[0].weight.grad, bags[1].weight.grad.to_dense())


def test_gradients_accumulate_in_place():
    table = nn.Embedding(5, 2, sparse=True)
    table(rl.tensor([1, 2])).sum().backward()
    grad = table.weight.grad
    table(rl.tensor([2, 3])).sum().backward()
    assert table.weight.grad is grad
    assert grad.to_dense().sum(1).tolist() == [0.0, 2.0, 4.0, 2.0, 0.0]
    (table(rl.tensor([0])).sum() + table.weight.sum()).backward()  # dense from here on
    assert not table.weight.grad.is_sparse
    assert table.weight.grad.sum(1).tolist() == [4.0, 4.0, 6.0, 4.0, 2.0]
    table.zero_grad(set_to_none=False)
    assert table.weight.grad.sum() == 0


@pytest.mark.parametrize(
    "name", ["Adam", "AdamW", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam"]
)
def test_other_optimizers_refuse(name):
    table = nn.Embedding(5, 2, sparse=True)
    table(rl.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        getattr(rl.optim, name)(table.parameters()).step()


def test_options_that_do_not_go_with_sparse_gradients():
    table = nn.Embedding(5, 2, sparse=True)
    table(rl.tensor([1])).sum().backward()
    for make, message in (
        (lambda p: rl.optim.SGD(p, 0.1, weight_decay=0.1), "add\\(sparse, dense\\)"),
        (lambda p: rl.optim.Adagrad(p, 0.1, weight_decay=0.1), "weight_decay"),
        (lambda p: rl.optim.SGD(p, 0.1, fused=True), "fused"),
    ):
        with pytest.raises(RuntimeError, match=message):
            make(table.parameters()).step()
    with pytest.raises(RuntimeError, match="dense gradients"):
        p = nn.Parameter(rl.ones(2))
        p.sum().backward()
        rl.optim.SparseAdam([p]).step()
    scaled = nn.Embedding(5, 2, sparse=True, scale_grad_by_freq=True)
    with pytest.raises(RuntimeError, match="scale_grad_by_freq"):
        scaled(rl.tensor([1])).sum().backward()
