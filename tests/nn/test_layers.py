"""Layers, activations and losses: what they compute, hold, show and refuse."""

import math
import pickle

import pytest

import rushlight as rl
from rushlight import nn


def close(a, b):
    return rl.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-6)


def values(*rows):
    return rl.tensor(rows, dtype=rl.float64)


# ------------------------------------------------------------------ layers


def test_linear():
    m = nn.Linear(3, 2)
    x = rl.randn(5, 4, 3)
    assert close(m(x), x @ m.weight.t() + m.bias) and m(x).shape == (5, 4, 2)
    assert m.weight.abs().max().item() <= 1 / math.sqrt(3)
    assert nn.Linear(3, 2, bias=False, dtype=rl.float64)(x.double()).dtype == rl.float64
    assert nn.Linear(3, 2, bias=False).bias is None
    assert repr(nn.Linear(3, 2, bias=False)) == "Linear(in_features=3, out_features=2, bias=False)"
    with pytest.warns(UserWarning, match="no-op"):
        assert nn.Linear(0, 2).weight.shape == (2, 0)
    assert type(nn.modules.linear.NonDynamicallyQuantizableLinear(2, 2).weight) is nn.Parameter


def test_bilinear():
    m = nn.Bilinear(3, 4, 2)
    a, b = rl.randn(5, 3), rl.randn(5, 4)
    rows = [(a @ m.weight[k] * b).sum(1) + m.bias[k] for k in range(2)]
    assert close(m(a, b), rl.stack(rows, 1))
    assert repr(m) == "Bilinear(in1_features=3, in2_features=4, out_features=2, bias=True)"
    with pytest.raises(ValueError, match="in1_features must be > 0"):
        nn.Bilinear(0, 4, 2)


def test_identity():
    x = rl.ones(2)
    assert nn.Identity(54, unused=1)(x) is x


def test_embedding():
    m = nn.Embedding(10, 3, padding_idx=-1)
    assert m.padding_idx == 9 and not m.weight[9].any() and m.weight.requires_grad
    index = rl.tensor([[1, 9], [3, 1]])
    assert close(m(index), m.weight[index])
    m(index).sum().backward()
    assert m.weight.grad[:, 0].tolist() == [0, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    assert repr(m) == "Embedding(10, 3, padding_idx=9)"
    long = nn.Embedding(4, 2, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)
    assert repr(long) == ("Embedding(4, 2, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)")
    with rl.no_grad():
        long.weight.fill_(3)
    long(rl.tensor([1, 1, 2])).sum().backward()
    assert long.weight.detach().abs().sum(1).tolist() == pytest.approx([6, 1, 1, 6], abs=1e-5)
    assert long.weight.grad[:, 0].tolist() == [0, 1, 1, 0]


def test_embedding_from_pretrained():
    table = rl.arange(6.0).reshape(3, 2)
    m = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert m(rl.tensor([2])).tolist() == [[4, 5]] and not m.weight.requires_grad
    assert m.weight.data_ptr() == table.data_ptr()
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(AssertionError, match="expected to be 2-dimensional"):
        nn.Embedding.from_pretrained(rl.zeros(3))


def test_embedding_errors():
    for bad in (3, -4):
        with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
            nn.Embedding(3, 2, padding_idx=bad)
    with pytest.raises(AssertionError, match="Shape of weight does not match"):
        nn.Embedding(3, 2, _weight=rl.zeros(2, 3))
    with pytest.raises(ValueError, match="max mode does not support sparse"):
        nn.EmbeddingBag(3, 2, mode="max", sparse=True)(rl.tensor([[0, 1]]))


def test_embedding_bag():
    m = nn.EmbeddingBag(10, 3, mode="sum")
    index = rl.tensor([[1, 2], [3, 3]])
    assert close(m(index), m.weight[index].sum(1))
    assert close(m(rl.tensor([1, 2, 3, 3]), rl.tensor([0, 2])), m.weight[index].sum(1))
    assert repr(m) == "EmbeddingBag(10, 3, mode='sum')"
    frozen = nn.EmbeddingBag.from_pretrained(rl.ones(3, 2))
    assert not frozen.weight.requires_grad and frozen.mode == "mean"


def test_dropout():
    x = rl.ones(2000)
    m = nn.Dropout(0.25)
    rl.manual_seed(0)
    y = m(x)
    assert sorted(set(y.tolist())) == pytest.approx([0, 4 / 3])
    assert (y == 0).double().mean().item() == pytest.approx(0.25, abs=0.05)
    assert m.eval()(x).tolist() == x.tolist()
    channels = nn.Dropout2d(0.5)(rl.ones(4, 50, 3, 3)).sum((2, 3))
    assert set(channels.flatten().tolist()) == {0.0, 18.0}
    assert nn.Dropout1d(0.5)(rl.ones(2, 3, 4)).shape == (2, 3, 4)
    assert nn.Dropout3d(0.5)(rl.ones(2, 3, 2, 2, 2)).shape == (2, 3, 2, 2, 2)
    noise = rl.randn(20000)
    kept = nn.AlphaDropout(0.3)(noise)
    assert kept.mean().item() == pytest.approx(0, abs=0.05)
    assert kept.std().item() == pytest.approx(1, abs=0.05)
    assert nn.FeatureAlphaDropout(0.3)(rl.ones(2, 3, 4)).shape == (2, 3, 4)
    z = rl.ones(5)
    assert nn.Dropout(1.0, inplace=True)(z).data_ptr() == z.data_ptr() and not z.any()
    assert repr(nn.Dropout(0.1, True)) == "Dropout(p=0.1, inplace=True)"
    for bad in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"between 0 and 1, but got {bad}"):
            nn.Dropout(bad)


def test_layer_norm():
    x = rl.randn(4, 3, 5, dtype=rl.float64)
    m = nn.LayerNorm((3, 5), dtype=rl.float64)
    with rl.no_grad():
        m.weight.uniform_(0.5, 1.5)
        m.bias.uniform_(-1, 1)
    centred = x - x.mean((1, 2), keepdim=True)
    var = (centred * centred).mean((1, 2), keepdim=True)
    assert close(m(x), centred / (var + 1e-5).sqrt() * m.weight + m.bias)
    plain = nn.LayerNorm(5, elementwise_affine=False)
    assert plain.normalized_shape == (5,) and plain.weight is None and plain.bias is None
    assert list(nn.LayerNorm(5, bias=False).state_dict()) == ["weight"]
    assert repr(nn.LayerNorm([2, 3], eps=0.1)) == (
        "LayerNorm((2, 3), eps=0.1, elementwise_affine=True, bias=True)"
    )


def test_rms_norm():
    x = rl.randn(4, 5, dtype=rl.float64)
    m = nn.RMSNorm(5, eps=1e-3, dtype=rl.float64)
    assert close(m(x), x / ((x * x).mean(1, keepdim=True) + 1e-3).sqrt())
    assert list(m.state_dict()) == ["weight"]
    assert repr(nn.RMSNorm(5)) == "RMSNorm((5,), eps=None, elementwise_affine=True)"
    assert nn.RMSNorm(5, elementwise_affine=False).weight is None


def test_group_norm():
    x = rl.randn(2, 4, 3, dtype=rl.float64)
    m = nn.GroupNorm(2, 4, dtype=rl.float64)
    groups = x.reshape(2, 2, -1)
    centred = groups - groups.mean(2, keepdim=True)
    expected = centred / ((centred * centred).mean(2, keepdim=True) + 1e-5).sqrt()
    assert close(m(x), expected.reshape(2, 4, 3))
    assert repr(m) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
    assert nn.GroupNorm(2, 4, bias=False).bias is None
    with pytest.raises(ValueError, match=r"num_channels \(5\) must be divisible by num_groups"):
        nn.GroupNorm(2, 5)


def test_local_response_norm():
    m = nn.LocalResponseNorm(2)
    assert repr(m) == "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"
    assert m(rl.ones(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_flatten():
    x = rl.zeros(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60) and nn.Flatten(0, 1)(x).shape == (6, 4, 5)
    assert nn.Unflatten(1, (1, 3))(x).shape == (2, 1, 3, 4, 5)
    assert nn.Unflatten(-1, [5, -1])(x).shape == (2, 3, 4, 5, 1)
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    assert repr(nn.Unflatten(1, (2, 3))) == "Unflatten(dim=1, unflattened_size=(2, 3))"
    with pytest.raises(TypeError, match="must be a tuple of ints, but found type int"):
        nn.Unflatten(1, 3)
    with pytest.raises(TypeError, match="found element of type float at pos 1"):
        nn.Unflatten(1, (3, 1.0))


def test_distances():
    a, b = values([3.0, 4.0], [1.0, 0.0]), values([0.0, 0.0], [0.0, 1.0])
    assert close(nn.PairwiseDistance(eps=0)(a, b), values(5.0, 2**0.5))
    assert nn.PairwiseDistance(p=1, keepdim=True)(a, b).shape == (2, 1)
    assert close(nn.CosineSimilarity()(a, a), values(1.0, 1.0))
    assert close(nn.CosineSimilarity(dim=0)(a, b), values(0.0, 0.0))


# ------------------------------------------------------------------ activations

X = [-4.0, -1.0, -0.3, 0.0, 0.3, 1.0, 4.0]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * math.expm1(x)


ACTIVATIONS = [
    (nn.ReLU(), lambda x: max(x, 0), "ReLU()"),
    (nn.ReLU6(), lambda x: min(max(x, 0), 6), "ReLU6()"),
    (nn.Sigmoid(), sigmoid, "Sigmoid()"),
    (nn.Tanh(), math.tanh, "Tanh()"),
    (nn.LogSigmoid(), lambda x: math.log(sigmoid(x)), "LogSigmoid()"),
    (nn.Softsign(), lambda x: x / (1 + abs(x)), "Softsign()"),
    (nn.Tanhshrink(), lambda x: x - math.tanh(x), "Tanhshrink()"),
    (nn.SiLU(), lambda x: x * sigmoid(x), "SiLU()"),
    (nn.Mish(), lambda x: x * math.tanh(math.log1p(math.exp(x))), "Mish()"),
    (nn.Hardsigmoid(), lambda x: min(max(x + 3, 0), 6) / 6, "Hardsigmoid()"),
    (nn.Hardswish(), lambda x: x * min(max(x + 3, 0), 6) / 6, "Hardswish()"),
    (nn.SELU(), lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772), "SELU()"),
    (nn.ELU(0.5), lambda x: elu(x, 0.5), "ELU(alpha=0.5)"),
    (nn.CELU(2.0), lambda x: max(x, 0) + min(0, 2 * math.expm1(x / 2)), "CELU(alpha=2.0)"),
    (nn.Threshold(0.5, 9), lambda x: x if x > 0.5 else 9, "Threshold(threshold=0.5, value=9)"),
    (nn.Hardtanh(-1, 0.5), lambda x: min(max(x, -1), 0.5), "Hardtanh(min_val=-1, max_val=0.5)"),
    (nn.LeakyReLU(0.1), lambda x: x if x > 0 else 0.1 * x, "LeakyReLU(negative_slope=0.1)"),
    (nn.Hardshrink(), lambda x: x if abs(x) > 0.5 else 0, "Hardshrink(0.5)"),
    (
        nn.Softshrink(),
        lambda x: math.copysign(max(abs(x) - 0.5, 0), x),
        "Softshrink(0.5)",
    ),
    (nn.GELU(), lambda x: x * 0.5 * (1 + math.erf(x / 2**0.5)), "GELU(approximate='none')"),
    (
        nn.GELU("tanh"),
        lambda x: 0.5 * x * (1 + math.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3))),
        "GELU(approximate='tanh')",
    ),
    (
        nn.Softplus(2.0, 3.0),
        lambda x: x if 2 * x > 3 else math.log1p(math.exp(2 * x)) / 2,
        "Softplus(beta=2.0, threshold=3.0)",
    ),
    (nn.PReLU(), lambda x: x if x > 0 else 0.25 * x, "PReLU(num_parameters=1)"),
    (nn.RReLU(0.2, 0.4).eval(), lambda x: x if x >= 0 else 0.3 * x, "RReLU(lower=0.2, upper=0.4)"),
]


@pytest.mark.parametrize(("module", "formula", "text"), ACTIVATIONS, ids=lambda a: str(a)[:30])
def test_activation(module, formula, text):
    assert repr(module) == text
    result = module.double()(rl.tensor(X, dtype=rl.float64))
    assert result.tolist() == pytest.approx([formula(x) for x in X], rel=1e-12, abs=1e-15)
    assert repr(pickle.loads(pickle.dumps(module))) == text


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
        (nn.ReLU6(inplace=True), "ReLU6(inplace=True)"),
        (nn.SELU(inplace=True), "SELU(inplace=True)"),
        (nn.SiLU(inplace=True), "SiLU(inplace=True)"),
        (nn.Mish(inplace=True), "Mish(inplace=True)"),
        (nn.Hardsigmoid(inplace=True), "Hardsigmoid()"),
        (nn.Hardswish(inplace=True), "Hardswish()"),
        (nn.ELU(inplace=True), "ELU(alpha=1.0, inplace=True)"),
        (nn.CELU(inplace=True), "CELU(alpha=1.0, inplace=True)"),
        (nn.LeakyReLU(inplace=True), "LeakyReLU(negative_slope=0.01, inplace=True)"),
        (nn.Hardtanh(inplace=True), "Hardtanh(min_val=-1.0, max_val=1.0, inplace=True)"),
        (nn.Threshold(0, 1, inplace=True), "Threshold(threshold=0, value=1, inplace=True)"),
        (nn.RReLU(0.1, 0.2, inplace=True), "RReLU(lower=0.1, upper=0.2, inplace=True)"),
    ],
    ids=str,
)
def test_activation_in_place(module, text):
    assert repr(module) == text
    x = rl.tensor(X)
    y = module(x)
    assert y.data_ptr() == x.data_ptr() and x.tolist() != X


def test_rrelu_in_train_mode():
    y = nn.RReLU(0.2, 0.4)(rl.full((1000,), -1.0))
    assert -0.4 <= y.min().item() < -0.39 and -0.21 < y.max().item() <= -0.2


def test_prelu_per_channel():
    m = nn.PReLU(3, init=0.5)
    assert m.weight.tolist() == [0.5] * 3
    assert m(-rl.ones(2, 3, 4)).shape == (2, 3, 4)


def test_hardtanh_arguments():
    with pytest.warns(FutureWarning, match="`min_value` is deprecated"):
        assert nn.Hardtanh(min_value=-3).min_val == -3
    with pytest.warns(FutureWarning, match="`max_value` is deprecated"):
        assert nn.Hardtanh(max_value=3).max_val == 3
    with pytest.raises(AssertionError, match=r"max_val \(1\) must be greater than min_val \(2\)"):
        nn.Hardtanh(2, 1)


def test_softmax_family():
    x = rl.randn(3, 4, dtype=rl.float64)
    expected = x.exp() / x.exp().sum(1, keepdim=True)
    assert close(nn.Softmax(1)(x), expected)
    assert close(nn.LogSoftmax(1)(x), expected.log())
    assert close(nn.Softmin(1)(-x), expected)
    assert close(nn.Softmax2d()(x.reshape(3, 4, 1, 1)), expected.reshape(3, 4, 1, 1))
    assert repr(nn.Softmax()) == "Softmax(dim=None)" and repr(nn.GLU()) == "GLU(dim=-1)"
    assert close(nn.GLU(1)(x), x[:, :2] * rl.sigmoid(x[:, 2:]))
    with pytest.raises(ValueError, match="expected input to be 3D or 4D, got 2D"):
        nn.Softmax2d()(x)


# ------------------------------------------------------------------ losses


def reductions(build, *inputs):
    """The loss without reduction; checks mean and sum against it."""
    each = build(reduction="none")(*inputs)
    assert close(build()(*inputs), each.mean())
    assert close(build(reduction="sum")(*inputs), each.sum())
    return each.tolist()


A, T = values(0.5, -1.0, 3.0), values(1.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (nn.L1Loss, [0.5, 2, 2.5]),
        (nn.MSELoss, [0.25, 4, 6.25]),
        (nn.SmoothL1Loss, [0.125, 1.5, 2]),
        (lambda **kw: nn.SmoothL1Loss(beta=2.2, **kw), [0.25 / 4.4, 4 / 4.4, 2.5 - 1.1]),
        (lambda **kw: nn.HuberLoss(delta=2.2, **kw), [0.125, 2, 2.2 * (2.5 - 1.1)]),
        (nn.PoissonNLLLoss, [math.exp(0.5) - 0.5, math.exp(-1) + 1, math.exp(3) - 1.5]),
        (
            nn.BCEWithLogitsLoss,
            [math.log1p(math.exp(-0.5)), math.log1p(math.e), math.log1p(math.exp(3)) - 1.5],
        ),
        (nn.KLDivLoss, [-0.5, 1, 0.5 * (math.log(0.5) - 3)]),
        (nn.SoftMarginLoss, [math.log1p(math.exp(-x)) for x in (0.5, -1, 1.5)]),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_elementwise_loss(build, expected):
    assert reductions(build, A, T) == pytest.approx(expected, rel=1e-7)


def test_losses_of_probabilities():
    p, t = values(0.2, 0.9), values(1.0, 0.0)
    assert reductions(nn.BCELoss, p, t) == pytest.approx([-math.log(0.2), -math.log(0.1)])
    weighted = nn.BCELoss(weight=values(2.0, 0.0), reduction="none")
    assert weighted(p, t).tolist() == pytest.approx([-2 * math.log(0.2), 0])
    positive = nn.BCEWithLogitsLoss(pos_weight=values(3.0), reduction="none")
    assert positive(values(0.0), values(1.0)).item() == pytest.approx(3 * math.log(2))
    assert list(positive.state_dict()) == ["pos_weight"]
    gaussian = nn.GaussianNLLLoss(full=True, reduction="none")(A, T, values(1.0, 4.0, 1.0))
    assert gaussian[1].item() == pytest.approx(
        0.5 * (math.log(4) + 1) + 0.5 * math.log(2 * math.pi)
    )


def test_cross_entropy():
    x, target = values([1.0, 2.0, 0.5], [0.1, 0.2, 3.0]), rl.tensor([2, 0])
    log_p = x - x.exp().sum(1, keepdim=True).log()
    expected = [-log_p[0, 2].item(), -log_p[1, 0].item()]
    assert reductions(nn.CrossEntropyLoss, x, target) == pytest.approx(expected)
    assert reductions(nn.NLLLoss, log_p, target) == pytest.approx(expected)
    weight = values(1.0, 2.0, 3.0)
    mean = nn.CrossEntropyLoss(weight)(x, target).item()
    assert mean == pytest.approx((3 * expected[0] + expected[1]) / 4)
    ignoring = nn.CrossEntropyLoss(ignore_index=0)(x, target).item()
    assert ignoring == pytest.approx(expected[0])
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3, reduction="none")(x, target)
    by_hand = 0.7 * expected[0] - 0.3 * log_p[0].mean().item()
    assert smooth[0].item() == pytest.approx(by_hand)
    assert list(nn.CrossEntropyLoss(weight).state_dict()) == ["weight"]
    with pytest.warns(FutureWarning, match="NLLLoss2d"):
        assert nn.NLLLoss2d()(log_p, target).item() == pytest.approx(sum(expected) / 2)


def test_linear_cross_entropy():
    m = nn.LinearCrossEntropyLoss(4, 3, bias=True)
    x, target = rl.randn(5, 4), rl.tensor([0, 1, 2, 1, 0])
    assert close(m(x, target), nn.CrossEntropyLoss()(m.linear(x), target))
    assert list(m.state_dict()) == ["linear.weight", "linear.bias"]
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    assert repr(options) == (
        "LinearCrossEntropyOptions(allow_retain_graph=False, batch_chunk_size=2, "
        "chunking_method='auto', acc_policy='auto', acc_dtype=None)"
    )
    assert options == nn.LinearCrossEntropyOptions(batch_chunk_size=2) != 3
    assert hash(options) == hash(pickle.loads(pickle.dumps(options)))
    with pytest.raises(AttributeError, match="cannot assign"):
        options.acc_policy = "accurate"
    for bad in (
        {"acc_policy": "x"},
        {"chunking_method": "aspect_ratio:0"},
        {"batch_chunk_size": 0},
        {"acc_dtype": rl.int32},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            nn.LinearCrossEntropyOptions(**bad)
    with pytest.raises(RuntimeError, match="expected weight shape"):
        nn.LinearCrossEntropyLoss(4, 3, weight=rl.ones(2))
    with pytest.raises(RuntimeError, match="label_smoothing to be in range"):
        nn.LinearCrossEntropyLoss(4, 3, label_smoothing=2)


def test_margin_losses():
    x, sign = values(0.3, 2.0), values(1.0, -1.0)
    assert reductions(nn.HingeEmbeddingLoss, x, sign) == pytest.approx([0.3, 0])
    assert reductions(nn.MarginRankingLoss, x, values(1.0, 1.0), sign) == pytest.approx([0.7, 1])
    rows, target = values([0.1, 0.2, 0.4]), rl.tensor([2])
    assert reductions(nn.MultiMarginLoss, rows, target) == pytest.approx([(0.7 + 0.8) / 3])
    lists = rl.tensor([[2, 0, -1]])
    expected = (1 - 0.4 + 0.2 + 1 - 0.1 + 0.2) / 3
    assert reductions(nn.MultiLabelMarginLoss, rows, lists) == pytest.approx([expected])
    soft = nn.MultiLabelSoftMarginLoss()(values([0.0, 0.0]), values([1.0, 0.0]))
    assert soft.item() == pytest.approx(math.log(2))
    a, b = values([1.0, 0.0], [1.0, 0.0]), values([0.0, 1.0], [1.0, 0.0])
    assert reductions(nn.CosineEmbeddingLoss, a, b, sign) == pytest.approx([1, 1])
    triplet = nn.TripletMarginLoss(margin=2, eps=0)(a, b, -a)
    assert triplet.item() == pytest.approx((2**0.5 - 2 + 2 + 0) / 2)
    own = nn.TripletMarginWithDistanceLoss(distance_function=lambda p, q: (p - q).abs().sum(1))
    assert own(a, b, -a).item() == pytest.approx((2 - 2 + 1 + 0) / 2)
    text = "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)"
    assert repr(nn.TripletMarginWithDistanceLoss()) == text


def test_ctc():
    log_p = values([[0.4, 0.6]]).log().reshape(1, 1, 2)
    loss = nn.CTCLoss()(log_p, rl.tensor([[1]]), rl.tensor([1]), rl.tensor([1]))
    assert loss.item() == pytest.approx(-math.log(0.6))


def test_loss_argument_errors():
    for build, kind, text in (
        (lambda: nn.HuberLoss(delta="1"), TypeError, "delta must be a float or int"),
        (lambda: nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2 supported"),
        (lambda: nn.MultiMarginLoss(weight=rl.ones(1, 1)), ValueError, "1D tensor, got 2D"),
        (lambda: nn.TripletMarginLoss(margin=0), ValueError, "margin to be greater than 0"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=-1), ValueError, "greater than 0"),
    ):
        with pytest.raises(kind, match=text):
            build()


def test_older_reduction_arguments():
    for args, reduction in (
        ({"size_average": False}, "sum"),
        ({"size_average": True}, "mean"),
        ({"reduce": False}, "none"),
        ({"reduce": False, "size_average": True}, "none"),
        ({"reduce": True, "size_average": False}, "sum"),
    ):
        with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead"):
            assert nn.MSELoss(**args).reduction == reduction
