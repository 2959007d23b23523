"""Sparse tensors against PyTorch: parts, text, gradients, tables and files."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

import rushlight

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
pytestmark = pytest.mark.filterwarnings("ignore")


def names(module):
    """What the expressions below are about, in one of the libraries."""
    i, v = module.tensor([[0, 1, 1], [2, 0, 2]]), module.tensor([0.3, 0.4, 0.5])
    c = module.sparse_coo_tensor(i, v, (2, 3)).coalesce()
    return {
        "torch": module, "i": i, "v": v, "c": c,
        "u": module.sparse_coo_tensor(module.tensor([[1, 0, 1], [2, 0, 2]]), v, (2, 3)),
        "h": module.sparse_coo_tensor([[2, 0]], module.arange(6.0).view(2, 3) / 7, (3, 3)),
        "z": module.sparse_coo_tensor((2, 3)), "d": module.arange(6.0).view(2, 3) / 7,
        "b": module.sparse_coo_tensor([[0, 0, 1], [0, 1, 1], [2, 0, 1]], v, (2, 2, 3)),
        "q": module.sparse_coo_tensor(i, v.to(module.complex64) * (1 + 2j), (2, 3)),
        "r": c.to_sparse_csr(), "k": c.to_sparse_csc(),
    }  # fmt: skip


def described(value):
    """What can be compared: layout, shape, dtype, and the parts in their order."""
    if isinstance(value, (tuple, list)):
        return [described(item) for item in value]
    if not hasattr(value, "layout"):
        return repr(value).replace("rushlight", "torch")
    facts = [str(value.layout), tuple(value.shape), str(value.dtype), value.requires_grad]
    value = value.detach()
    kind = str(value.layout)
    if kind == "torch.sparse_coo":
        parts = value._indices(), value._values()
    elif kind == "torch.sparse_csr":
        parts = value.crow_indices(), value.col_indices(), value.values()
    elif kind == "torch.sparse_csc":
        parts = value.ccol_indices(), value.row_indices(), value.values()
    else:
        parts = (value,)
    return [*facts, *[np.asarray(part.tolist(), dtype=complex) for part in parts]]


def assert_same(ours, theirs):
    assert type(ours) is type(theirs) or isinstance(ours, (list, str)), (ours, theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs):
            assert_same(mine, other)
    elif isinstance(ours, np.ndarray):
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, rtol=2e-5, atol=2e-6, equal_nan=True), (ours, theirs)
    else:
        assert ours == theirs


def evaluated(module, text):
    scope = names(module)
    *statements, last = text.split("; ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in statements:
            exec(statement, scope)
        return eval(last, scope)


METHODS = [
    "t()", "clone()", "abs()", "pow(2)", "sin()", "tanh()", "sqrt()", "sign()", "neg()",
    "double()", "to(torch.int64)", "bool()", "half()", "relu()", "floor()", "log1p()", "isnan()",
    "nan_to_num()", "coalesce()", "detach()", "to_dense()", "to_sparse()", "sum()", "sum(0)",
    "sum(1)", "sum((0,1))", "unsqueeze(0)", "unsqueeze(1)", "unsqueeze(-1)", "transpose(0,1)",
    "is_coalesced()", "sparse_dim()", "dense_dim()", "_nnz()", "_indices()", "_values()",
    "to_sparse_csr()", "to_sparse_csc()", "any()", "norm()", "norm(1)", "square()",
    "floor_divide(2)", "unbind(0)", "numel()", "shape", "dtype", "layout", "is_sparse", "is_leaf",
    "stride()", "itemsize", "__len__()", "data", "mT", "element_size()", "type()", "zero_()",
    "neg_()", "abs_()", "sqrt_()", "div_(2)", "select(0,1)", "select(1,-1)", "narrow_copy(1,1,2)",
    "index_select(0,torch.tensor([1,1,0]))", "index_select(1,torch.tensor([2]))", "conj()",
    "isinf()", "requires_grad_()", "mul(2)", "div(2)", "div(3,rounding_mode='floor')", "trunc()",
    "round()", "ceil()", "frac()", "erf()", "atan()", "asinh()", "sinh()", "tan()", "deg2rad()",
    "new_zeros(2,2)", "size()", "size(-1)", "mm(torch.ones(3,2))", "matmul(torch.ones(3))",
    "__getitem__(0)", "__getitem__((0,1))", "__getitem__((slice(None),1))", "__getitem__(None)",
    "sparse_mask(c)", "to_dense(dtype=torch.float64)", "is_floating_point()",
    "resize_as_sparse_(h)", "sparse_resize_((5,6),2,0)", "sparse_resize_and_clear_((5,6),1,1)",
]  # fmt: skip


@pytest.mark.parametrize("name", list("cuhzrk"))
@pytest.mark.parametrize("method", METHODS)
def test_methods(name, method):
    text = f"{name}.{method}"
    try:
        theirs = evaluated(torch, text)
    except Exception:
        return  # more may be there than PyTorch has; what is missing raises, see tests/sparse
    ours = evaluated(rushlight, text)
    assert_same(described(ours), described(theirs))
    if isinstance(ours, rushlight.Tensor) and ours._layout:
        assert repr(ours) == repr(theirs)


PAIRS = [
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / {b}", "{a} @ {b}.t()",
    "torch.sparse.mm({a}, {b}.t())", "torch.mm({a}, {b}.t())", "torch.cat([{a}, {b}])",
    "torch.cat([{a}, {b}], 1)", "torch.stack([{a}, {b}], 1)", "torch.add({a}, {b}, alpha=3)",
    "torch.sparse.addmm(torch.ones(2, 2), {a}, {b}.t(), beta=2.0, alpha=0.5)",
    "{a}.clone().add_({b})", "{a}.clone().sub_({b}, alpha=2)", "{a}.clone().mul_({b})",
    "{a}.sparse_mask({b})", "torch.smm({a}, {b}.t())", "torch.hspmm({a}, {b}.t())",
    "torch.zeros_like({a})", "torch.sparse.sum({a}, 1)", "torch.sparse.softmax({a}, 1)",
    "torch.sparse.log_softmax({a}, 0)",
]  # fmt: skip


@pytest.mark.parametrize("first", list("cuhzdr"))
@pytest.mark.parametrize("second", [*"cuhzdr", "2.0"])
def test_pairs(first, second):
    for form in PAIRS:
        text = form.format(a=first, b=second)
        if "alpha=3" in text and first == "r":
            continue  # PyTorch multiplies the CSR matrix with it, not the other one
        try:
            theirs = evaluated(torch, text)
        except Exception:
            continue
        ours = evaluated(rushlight, text)
        if "r" in (first, second):  # the layout and the order of products differ
            ours, theirs = ours.to_dense(), theirs.to_dense()
        assert_same(described(ours), described(theirs))


MADE = """
torch.sparse_coo_tensor(i, v)
torch.sparse_coo_tensor([[0, 1], [1, 0]], [1, 2])
torch.sparse_coo_tensor(i, v, (2, 3), dtype=torch.float64)
torch.sparse_coo_tensor(i, v, (2, 3), requires_grad=True)
torch.sparse_coo_tensor(i.int(), v, (2, 3), is_coalesced=True)
torch.sparse_coo_tensor(torch.zeros(1, 0), torch.zeros(0, 4), (3, 4))
torch.sparse.FloatTensor(i, v, torch.Size([2, 3]))
torch.sparse.FloatTensor(2, 3)
torch.sparse.DoubleTensor(i, v.double(), torch.Size([2, 3]))
torch.zeros(2, 3, layout=torch.sparse_coo)
torch.nn.functional.linear(c, d)
torch.nn.functional.linear(d, c)
torch.bmm(b, torch.ones(2, 3, 2))
b.permute(2, 0, 1)
torch.sparse.sum(b, (0, 2))
torch.sparse.softmax(b, 1)
q * q
q @ q.t()
q @ torch.ones(3, 2).to(torch.complex64)
torch.ones(4, 2) @ c
torch.ones(2) @ c
torch.sparse.sampled_addmm(r, torch.ones(2, 1), torch.ones(1, 3), beta=0.5, alpha=2.0)
torch.sparse.spdiags(torch.arange(9.0).view(3, 3), torch.tensor([0, -1, 2]), (3, 4))
torch.sspaddmm(c, torch.eye(2).to_sparse(), torch.ones(2, 3))
d.add_(u, alpha=2)
d.sub_(c)
d.t().add_(torch.ones(3, 2).to_sparse())
torch.zeros(3, 3).double().add_(h)
torch.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0])
torch.sparse_csc_tensor([0, 1, 1, 3], [1, 0, 1], [4.0, 3.0, 5.0], (2, 3))
torch.tensor([[5.0]]).to_sparse().item()
torch.eye(3) + torch.sparse_coo_tensor([[0], [1]], [1], (3, 3))
""".strip().splitlines()


@pytest.mark.parametrize("text", MADE)
def test_expressions(text):
    assert_same(described(evaluated(rushlight, text)), described(evaluated(torch, text)))


X = "x = {}.clone().requires_grad_()"
D = "y = torch.arange(6.0).view(3, 2).requires_grad_()"
GRADIENTS = [
    *[f"{X.format(n)}; {D}; {f}.pow(2).sum().backward(); [x.grad, y.grad]" for n in "cur" for f in (
        "torch.sparse.mm(x, y)", "(x @ y)", "torch.mm(x, y)",
        "torch.sparse.addmm(torch.ones(2, 2), x, y, alpha=2, beta=3)",
    )],
    *[f"{X.format(n)}; {f}.backward(); x.grad" for n in "cuh" for f in (
        "torch.sparse.sum(x, 0).to_dense().pow(2).sum()", "torch.sparse.sum(x)", "x.sum()",
        "torch.sparse.sum(x, 1).to_dense().pow(2).sum()", "x.to_dense().pow(2).sum()",
        "x.coalesce().values().pow(2).sum()", "(x * 2).sum()", "torch.sparse.sum(x * 2)",
        "(-x).sum()", "x.pow(2).sum()", "x.abs().sum()", "torch.cat([x, x]).sum()",
        "x.index_select(0, torch.tensor([1, 1])).sum()", "x[1].sum()", "(x / 2).sum()",
        "torch.sparse.sum(torch.sparse.softmax(x, 1) * 2)",
        "(torch.ones(tuple(x.shape)) + x).sum()",
    )],
    *[f"w = v.clone().requires_grad_(); x = {m}; {f}.pow(2).sum().backward(); w.grad" for m in (
        "torch.sparse_coo_tensor(i, w, (2, 3))",
        "torch.sparse_coo_tensor([[1, 0, 1], [2, 0, 2]], w, (2, 3))",
    ) for f in (
        "(x @ d.t())", "torch.sparse.mm(x, d.t())", "x.to_dense()", "x.coalesce().values()",
        "torch.sparse.softmax(x, 1).coalesce().values()", "(x * x).to_dense()",
        "(x * 3 - x).to_dense()", "torch.sparse.mm(x, x.t()).to_dense()",
    )],
    "y = d.clone().requires_grad_(); y.to_sparse().to_dense().pow(2).sum().backward(); y.grad",
    "y = d.clone().requires_grad_(); (y + c).pow(2).sum().backward(); y.grad",
    "y = d.clone().requires_grad_(); y.sparse_mask(c).to_dense().pow(2).sum().backward(); y.grad",
    f"{X.format('c')}; g = []; x.register_hook(g.append); torch.sparse.sum(x).backward(); g",
]  # fmt: skip


@pytest.mark.parametrize("text", GRADIENTS)
def test_gradients(text):
    try:
        theirs = described(evaluated(torch, text))
    except Exception:
        return
    assert_same(described(evaluated(rushlight, text)), theirs)


def trained(module, name, options, bag, twice):
    """The parameters after some steps on a table, and the gradients on the way."""
    module.manual_seed(0)
    kind = module.nn.EmbeddingBag if bag else module.nn.Embedding
    table = kind(20, 4, sparse=True, padding_idx=3, **({"mode": bag} if bag else {}))
    head = module.nn.Linear(4, 3)
    optimizer = getattr(module.optim, name)(table.parameters(), **options)
    grads = []
    for step in range(5):
        rows = module.randint(0, 20, (5, 3), generator=module.Generator().manual_seed(step))
        optimizer.zero_grad(set_to_none=step % 2 == 0)
        for _ in range(2 if twice else 1):
            found = table(rows) if bag else table(rows).sum(1)
            head(found).pow(2).sum().backward()
        grads.append(table.weight.grad.clone())
        optimizer.step()
    return described([*grads, table.weight.detach()])


@pytest.mark.parametrize(("bag", "twice"), [(None, False), (None, True), ("sum", 0), ("mean", 0)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.01}),
        ("SGD", {"lr": 0.01, "momentum": 0.9}),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"lr": 0.01, "maximize": True}),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
        ("SparseAdam", {"lr": 0.01}),
        ("SparseAdam", {"lr": 0.01, "maximize": True}),
    ],
)
def test_tables(name, options, bag, twice):
    ours, theirs = (trained(m, name, options, bag, twice) for m in (rushlight, torch))
    assert_same(ours, theirs)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("writer", ["torch", "rushlight"])
def test_files(writer, weights_only):
    libraries = {"torch": torch, "rushlight": rushlight}
    source = libraries.pop(writer)
    (target,) = libraries.values()

    def made(module):
        scope = names(module)
        kept = {name: scope[name] for name in "cuhzrk"}
        return {**kept, "p": module.nn.Parameter(scope["c"].clone())}

    file = io.BytesIO()
    source.save(made(source), file)
    file.seek(0)
    found, wanted = target.load(file, weights_only=weights_only), made(target)
    for name, value in wanted.items():
        assert repr(found[name]) == repr(value)
        assert not value.is_sparse or found[name].is_coalesced() == value.is_coalesced()


def test_graph_network():
    losses = []
    for module in (rushlight, torch):
        rng = np.random.default_rng(0)
        nodes = module.from_numpy(rng.random((300, 40), dtype=np.float32))
        edges = rng.integers(0, 300, (2, 900))
        ones = np.ones(900, np.float32)
        matrix = module.eye(300) + module.sparse_coo_tensor(edges, ones, (300, 300))
        scale = module.diag(1 / matrix.sum(1).sqrt()).to_sparse()
        matrix = (scale @ matrix @ scale).to_sparse()
        labels = module.from_numpy(rng.integers(0, 5, 300))
        module.manual_seed(1)
        first, second = module.nn.Linear(40, 8), module.nn.Linear(8, 5)
        optimizer = module.optim.Adam([*first.parameters(), *second.parameters()], lr=0.01)
        values = []
        for _ in range(30):
            optimizer.zero_grad()
            hidden = module.nn.functional.dropout(module.spmm(matrix, first(nodes)).relu(), 0.5)
            found = module.spmm(matrix, second(hidden))
            loss = module.nn.functional.cross_entropy(found, labels)
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        losses.append(values)
    assert np.allclose(*losses, rtol=2e-5)
