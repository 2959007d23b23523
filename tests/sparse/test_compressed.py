"""CSR and CSC matrices, without another library."""

from __future__ import annotations

import pytest

import rushlight as rl

DENSE = [[0.0, 0.0, 3.0], [4.0, 0.0, 5.0]]


def csr(values=(3.0, 4.0, 5.0), **options):
    return rl.sparse_csr_tensor([0, 1, 3], [2, 0, 2], values, (2, 3), **options)


def test_parts_and_layouts():
    x = csr()
    assert type(x) is rl.Tensor and x.layout is rl.sparse_csr and x.is_sparse_csr
    assert not x.is_sparse and x._nnz() == 3 and x.sparse_dim() == 2 and x.dense_dim() == 0
    assert x.crow_indices().tolist() == [0, 1, 3] and x.col_indices().tolist() == [2, 0, 2]
    assert x.values().tolist() == [3.0, 4.0, 5.0] and x.to_dense().tolist() == DENSE
    by_columns = x.to_sparse_csc()
    assert by_columns.layout is rl.sparse_csc
    assert by_columns.ccol_indices().tolist() == [0, 1, 1, 3]
    assert by_columns.row_indices().tolist() == [1, 0, 1]
    for y in (by_columns, x.to_sparse(), by_columns.to_sparse_csr(), by_columns.to_sparse(),
              rl.tensor(DENSE).to_sparse_csr(), rl.tensor(DENSE).to_sparse_csc()):  # fmt: skip
        assert y.to_dense().tolist() == DENSE
    assert x.t().layout is rl.sparse_csc
    assert x.t().to_dense().tolist() == rl.tensor(DENSE).t().tolist()
    assert csr().to_sparse_csr().crow_indices().dtype is rl.int64
    narrow = rl.sparse_csr_tensor(
        rl.tensor([0, 1], dtype=rl.int32), rl.tensor([1], dtype=rl.int32), rl.ones(1), (1, 2)
    )
    assert narrow.col_indices().dtype is rl.int32 and (narrow @ rl.ones(2)).tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: rl.sparse_csr_tensor([0, 1], [2, 0], [1.0], (1, 3)), RuntimeError, "values"),
        (lambda: rl.sparse_csr_tensor([0, 2, 1], [0], [1.0], (2, 3)), RuntimeError, "rise"),
        (lambda: rl.sparse_csr_tensor([0, 1], [7], [1.0], (1, 3)), RuntimeError, "outside"),
        (lambda: rl.sparse_csr_tensor([0, 1], [0], [1.0], (2, 3)), RuntimeError, "compressed"),
        (lambda: rl.sparse_bsr_tensor([0, 1], [0], [[[1.0]]]), NotImplementedError, "sparse_bsr"),
        (lambda: rl.ones(2, 2).to_sparse_bsr((1, 1)), NotImplementedError, "sparse_bsr"),
        (lambda: rl.ones(2, 2, 2).to_sparse_csr(), RuntimeError, "matrices"),
        (lambda: rl.ones(2).values(), RuntimeError, "Strided"),
        (lambda: rl.eye(2).to_sparse().crow_indices(), RuntimeError, "row compressed"),
        (lambda: csr().indices(), RuntimeError, "SparseCsr"),
        (lambda: csr().coalesce(), RuntimeError, "SparseCsr"),
        (lambda: csr().cos(), NotImplementedError, "torch.sparse_csr"),
    ],
)
def test_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_arithmetic():
    x, dense = csr(), rl.tensor(DENSE)
    pairs = [
        (x * 2, dense * 2), (-x, -dense), (x / 2, dense / 2), (x + x, dense * 2),
        (x * dense, dense * dense), (x * x, dense * dense), (x.sin(), dense.sin()),
        (x.abs(), dense.abs()), (x.double(), dense.double()), (x.clone(), dense),
        (x.sum(), dense.sum()), (x[1], dense[1]), (x[:, 2], dense[:, 2]), (x[1, 2], dense[1, 2]),
        (dense + x, dense * 2), (x @ dense.t(), dense @ dense.t()),
    ]  # fmt: skip
    for number, (found, wanted) in enumerate(pairs):
        assert rl.allclose(found.to_dense(), wanted), number
    x.mul_(3)
    assert x.to_dense().tolist() == (dense * 3).tolist() and x.zero_()._nnz() == 0


def test_gradients():
    other = rl.arange(6.0, dtype=rl.float64).view(3, 2)
    functions = [
        lambda x: x @ other, lambda x: rl.sparse.mm(x, other), lambda x: x.to_dense(),
        lambda x: x.values() ** 2, lambda x: x.to_sparse().to_dense(), lambda x: x.t().to_dense(),
        lambda x: (x * 3).to_dense(), lambda x: x.sum(), lambda x: x.to_sparse_csc() @ other,
        lambda x: rl.ones(4, 2, dtype=rl.float64) @ x, lambda x: x.sin().to_dense(),
    ]  # fmt: skip
    values = rl.tensor([0.3, 0.4, 0.5], dtype=rl.float64, requires_grad=True)
    for function in functions:
        assert rl.autograd.gradcheck(lambda v, f=function: f(csr(v)), (values,))
    leaf = csr(requires_grad=True)
    rl.sparse.mm(leaf, rl.ones(3, 2)).sum().backward()
    assert leaf.grad.layout is rl.sparse_csr and leaf.grad.values().tolist() == [2.0] * 3


def test_sampled_products():
    a, b = rl.rand(2, 4, requires_grad=True), rl.rand(4, 3, requires_grad=True)
    x = csr()
    found = rl.sparse.sampled_addmm(x, a, b, beta=0.5, alpha=2.0)
    mask = (rl.tensor(DENSE) != 0).float()
    wanted = 0.5 * rl.tensor(DENSE) + 2 * (a @ b) * mask
    assert rl.allclose(found.to_dense(), wanted)
    grads = rl.autograd.grad(found.values().pow(2).sum(), (a, b))
    for one, other in zip(grads, rl.autograd.grad(wanted.pow(2).sum(), (a, b))):
        assert rl.allclose(one, other)


def test_text():
    assert repr(csr()) == (
        "tensor(crow_indices=tensor([0, 1, 3]),\n       col_indices=tensor([2, 0, 2]),\n"
        "       values=tensor([3., 4., 5.]), size=(2, 3), nnz=3,\n       layout=torch.sparse_csr)"
    )
