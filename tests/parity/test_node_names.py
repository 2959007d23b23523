"""Names of grad_fn, as repr shows them, against PyTorch: what a script prints."""

import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="the oracle is not installed")

# In these: x, y (2, 3); v (3,); b (2, 4, 3); t class indices of x; p probabilities like x.
EXPRESSIONS = """
x + y | x + 1 | 1 + x | x - y | x - 1 | 1 - x | x * 2 | x / y | x / 2 | 2 / x | -x | x % 2 | x % y
x**2 | x**y | 2**x | x**0.5 | x.pow(2) | abs(x) | x.exp() | x.log() | x.log1p() | x.sqrt()
x.div(y, rounding_mode="floor") | x.clamp(0, 1) | x.clamp(min=0) | x.clamp(min=y) | x.square()
x.sum() | x.sum(0) | x.sum((0, 1)) | x.sum(1, keepdim=True) | x.mean() | x.mean(0) | x.prod()
x.prod(1) | x.max() | x.max(0).values | x.min(1)[0] | x.amax(0) | x.std() | x.var(0) | x.norm()
x.t() | x.T | x.mT | x.transpose(0, 1) | x.permute(1, 0) | v.t() | x.view(-1) | x.view(3, 2)
x.reshape(3, 2) | x.t().reshape(-1) | x.reshape(-1) | x.flatten() | x.t().flatten() | x.unsqueeze(0)
x.squeeze() | x.unsqueeze(1).squeeze(1) | x.unsqueeze(1).squeeze((1,)) | x.expand(2, 2, 3)
x.repeat(2, 1) | x.clone() | x.t().contiguous() | x.double() | x.to(lib.float64)
x[0] | x[0, 1] | x[:, 0] | x[0:1] | x[None] | x[[0, 1]] | x[x > 0] | x[..., 0] | x[:, None]
x @ y.t() | x @ v | v @ v | v @ x.t() | b @ x.t() | b @ b.mT | lib.mm(x, y.t()) | x.mv(v)
lib.matmul(b, v) | lib.dot(v, v) | lib.einsum("ij,kj->ik", x, y) | lib.einsum("ij->i", x)
lib.cat([x, y]) | lib.stack([x, y]) | x.split(1)[0] | x.chunk(2)[1] | x.unbind()[0]
lib.where(x > 0, x, y) | x.masked_fill(x > 0, 0.0) | x.gather(1, t[:, None]) | x.cumsum(0)
x.tanh() | x.sigmoid() | x.relu() | F.relu(x) | F.leaky_relu(x) | F.elu(x) | F.gelu(x) | F.silu(x)
F.softplus(x) | x.softmax(1) | F.log_softmax(x, 1) | F.dropout(x, 0.5) | F.layer_norm(x, (3,))
F.linear(x, y) | F.linear(x, y, v[:2]) | F.linear(b, y) | F.linear(b, y, v[:2]) | F.linear(v, y)
F.linear(v, y, v[:2]) | F.embedding(t, b[0]) | nn.Flatten()(b) | nn.Linear(3, 1)(x).squeeze()
nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))(x) | nn.BatchNorm1d(3)(x)
F.mse_loss(x, y) | F.mse_loss(x, y, reduction="none") | F.l1_loss(x, y) | F.smooth_l1_loss(x, y)
F.l1_loss(x, y, reduction="sum") | F.l1_loss(x, y, reduction="none") | F.huber_loss(x, y)
F.binary_cross_entropy(x.sigmoid(), p) | F.binary_cross_entropy_with_logits(x, p)
F.nll_loss(x.log_softmax(1), t) | F.kl_div(x, p, reduction="batchmean")
F.cross_entropy(x, t) | F.cross_entropy(x, t, reduction="sum") | F.cross_entropy(v, t[0])
F.cross_entropy(x, t, reduction="none") | F.cross_entropy(x, t, label_smoothing=0.1)
F.cross_entropy(x, t, weight=v.detach()) | F.cross_entropy(b.mT, lib.zeros_like(b[..., 0]).long())
F.cross_entropy(x, p) | F.cross_entropy(x, p, reduction="sum") | F.cross_entropy(v, p[0])
x.clone().add_(1) | x.clone().mul_(2) | x.clone().zero_() | x.clone().fill_(1) | x.clone().relu_()
x.clone().copy_(y) | changed(x.clone(), 0, 1.0) | changed(x.clone(), x > 0, 0.0) | (x - y).square()
((x - y) ** 2).mean() | (x * y).sum(1)
"""
ALL = [text.strip() for line in EXPRESSIONS.split("\n") for text in line.split("|") if line]


def changed(tensor, key, value):
    tensor[key] = value
    return tensor


def value_of(lib, text):
    lib.manual_seed(0)
    x, y, v, b = (lib.rand(s, requires_grad=True) for s in ((2, 3), (2, 3), (3,), (2, 4, 3)))
    names = {"x": x, "y": y, "v": v, "b": b, "t": lib.tensor([0, 2]), "p": y.detach().softmax(1)}
    space = {"lib": lib, "nn": lib.nn, "F": lib.nn.functional, "changed": changed}
    return eval(text, {**space, **names})


@pytest.mark.parametrize("text", ALL)
def test_name(text):
    expected = type(value_of(torch, text).grad_fn).__name__
    result = value_of(rl, text)
    assert result.grad_fn.name() == expected
    result.sum().backward()
    assert result.grad_fn.name() == expected  # also when what was saved has gone
