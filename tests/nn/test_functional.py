"""rushlight.nn.functional beyond the rows of tests/ops: forms, modes, threads, hard cases."""

import math
import warnings

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.autograd import gradcheck
from rushlight.nn import functional as F
from rushlight.ops import numbered_loss as top

pytestmark = pytest.mark.filterwarnings("ignore:reduction")


@pytest.fixture(autouse=True)
def seeded():
    rl.manual_seed(0)


IN_PLACE = [
    ("relu", ()), ("relu6", ()), ("hardtanh", (-1.0, 2.0)), ("leaky_relu", (0.2,)), ("elu", (0.5,)),
    ("selu", ()), ("celu", (2.0,)), ("silu", ()), ("mish", ()), ("hardsigmoid", ()),
    ("hardswish", ()), ("threshold", (0.1, 3.0)), ("rrelu", (0.1, 0.2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), IN_PLACE)
def test_in_place(name, args):
    x = rl.randn(3, 4, dtype=rl.float64)
    target, leaf = x.clone(), x.clone().requires_grad_()
    function = getattr(F, name)
    wanted = function(x, *args)
    assert function(target, *args, inplace=True) is target
    assert rl.equal(target, wanted)
    written = leaf * 1
    function(written, *args, inplace=True)
    written.sum().backward()
    other = x.clone().requires_grad_()
    function(other, *args).sum().backward()
    assert rl.equal(leaf.grad, other.grad)


@pytest.mark.parametrize(
    "name", ["dropout", "alpha_dropout", "feature_alpha_dropout", "dropout2d", "dropout3d"]
)
def test_dropout_in_place_and_seed(name):
    x = rl.rand(4, 5, 3, 2, 2) + 1
    x = x[..., 0] if name == "dropout2d" else x
    function = getattr(F, name)
    rl.manual_seed(3)
    wanted = function(x, 0.5, True)
    rl.manual_seed(3)
    target = x.clone()
    assert function(target, 0.5, True, inplace=True) is target
    assert rl.equal(target, wanted)
    assert not rl.equal(function(x, 0.5, True), wanted)
    assert function(x, 0.5, False) is x


def test_dropout_of_an_item_without_batch():
    x = rl.ones(30, 4)
    whole = F.dropout1d(x).reshape(30, -1)
    assert set(whole.sum(1).tolist()) == {0.0, 8.0}
    with pytest.raises(RuntimeError, match="2D or 3D"):
        F.dropout1d(rl.ones(3))
    with pytest.warns(UserWarning, match="dropout1d"):
        F.dropout2d(rl.ones(2, 3, 4))


def test_implicit_dim_warns():
    x = rl.randn(2, 3)
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert rl.equal(F.softmax(x), F.softmax(x, 1))
    with pytest.warns(UserWarning, match="log_softmax"):
        assert rl.equal(F.log_softmax(x[0]), F.log_softmax(x[0], 0))


def test_softmax_dtype():
    x = rl.randn(3, 4).half().requires_grad_()
    y = F.softmax(x, -1, dtype=rl.float64)
    assert y.dtype is rl.float64
    y[0, 0].backward()
    assert x.grad.dtype is rl.float16
    assert F.log_softmax(rl.arange(3), 0, dtype=rl.float32).dtype is rl.float32


def test_cross_entropy_keeps_low_bits_of_large_logits():
    x = rl.tensor([[1000.0, 990.0, 900.0]])  # log(sum(exp)) is 1000.0000454
    assert F.cross_entropy(x, rl.tensor([0])).item() == pytest.approx(math.exp(-10), 1e-3)


def test_cross_entropy_without_an_item():
    x = rl.randn(2, 3)
    assert math.isnan(F.cross_entropy(x, rl.tensor([-100, -100])).item())
    assert F.cross_entropy(x, rl.tensor([-100, -100]), reduction="sum").item() == 0
    assert math.isnan(F.cross_entropy(rl.empty(0, 3), rl.empty(0, dtype=rl.int64)).item())


def test_cross_entropy_promotes_probabilities():
    x, target = rl.randn(2, 3, requires_grad=True), rl.rand(2, 3, dtype=rl.float64)
    loss = F.cross_entropy(x, target)
    assert loss.dtype is rl.float64
    loss.backward()
    assert x.grad.dtype is rl.float32


def test_legacy_reduction():
    x, y = rl.randn(4), rl.randn(4)
    for old, new in (
        ({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"reduce": True}, "mean"),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match=f"reduction='{new}'"):
            assert rl.equal(F.mse_loss(x, y, **old), F.mse_loss(x, y, reduction=new))


def test_losses_warn_of_broadcasting():
    with pytest.warns(UserWarning, match="broadcasting"):
        F.mse_loss(rl.ones(3, 1), rl.ones(3))
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(rl.ones(2), rl.ones(2))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ctc_gradient_is_that_of_the_logits(reduction):
    targets = rl.tensor([[1, 2], [2, 2]])

    def loss(logits):
        logs = F.log_softmax(logits, 2)
        return F.ctc_loss(logs, targets, (5, 4), rl.tensor([2, 2]), reduction=reduction)

    logits = rl.randn(5, 2, 3, dtype=rl.float64, requires_grad=True)
    assert gradcheck(loss, (logits,))
    flat = rl.tensor([1, 2, 2, 2])
    logs = F.log_softmax(logits, 2)
    assert rl.allclose(F.ctc_loss(logs, flat, (5, 4), (2, 2), reduction=reduction), loss(logits))


def test_ctc_zero_infinity():
    logs = F.log_softmax(rl.randn(2, 1, 3), 2).requires_grad_()
    arguments = rl.tensor([[1, 1]]), (2,), (2,)
    assert F.ctc_loss(logs, *arguments).item() == math.inf
    loss = F.ctc_loss(logs, *arguments, zero_infinity=True)
    loss.backward()
    assert loss.item() == 0
    assert logs.grad.abs().sum().item() == 0


def test_embedding_padding_and_norm():
    weight = rl.randn(4, 3, requires_grad=True)
    index = rl.tensor([1, 2, 2, 1])
    F.embedding(index, weight, padding_idx=-3).sum().backward()
    assert weight.grad[:, 0].tolist() == [0, 0, 2, 0]
    weight.grad = None
    F.embedding(index, weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad[:, 0].tolist() == [0, 1, 1, 0]
    table = nn.Parameter(rl.full((3, 4), 2.0))
    F.embedding(rl.tensor([1]), table, max_norm=1.0)
    assert table[1].norm().item() == pytest.approx(1, rel=1e-4)
    assert table[0].norm().item() == 4


def test_embedding_after_the_weight_changed():
    weight = rl.randn(4, 3, requires_grad=True)
    result = F.embedding(rl.tensor([1, 1]), weight)
    with rl.no_grad():
        weight.add_(1)
    result.sum().backward()  # the rows' values are not needed
    assert weight.grad[1].tolist() == [2, 2, 2]


def same_bits(run):
    before = rl.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 4):
            rl.set_num_threads(threads)
            found.append(run())
    finally:
        rl.set_num_threads(before)
    return all(rl.equal(a, b) for other in found for a, b in zip(found[0], other))


@pytest.mark.parametrize("shape", [(3000, 50), (20, 7, 900), (2, 40000)])
def test_bits_do_not_depend_on_threads(shape):
    x, weight = rl.randn(*shape), rl.randn(shape[1])
    target = rl.randint(0, shape[1], (shape[0], *shape[2:]))

    def run():
        results = []
        for function in (
            lambda x: F.cross_entropy(x, target, weight, label_smoothing=0.1),
            lambda x: F.nll_loss(F.log_softmax(x, 1), target),
            lambda x: F.mse_loss(F.softmax(x, 1), x.detach()),
            lambda x: F.binary_cross_entropy_with_logits(x, x.detach().sigmoid()),
        ):
            leaf = x.clone().requires_grad_()
            loss = function(leaf)
            loss.backward()
            results += [loss.detach(), leaf.grad]
        return results

    assert same_bits(run)


@pytest.mark.parametrize("shape", [(3000, 50), (5, 40000)])
def test_norm_bits_do_not_depend_on_threads(shape):
    x, weight, bias = rl.randn(*shape), rl.randn(shape[1]), rl.randn(shape[1])

    def run():
        leaves = [t.clone().requires_grad_() for t in (x, weight, bias)]
        y = F.layer_norm(leaves[0], shape[1:], *leaves[1:])
        (y + F.rms_norm(leaves[0], shape[1:], leaves[1])).square().sum().backward()
        return [y.detach(), *(leaf.grad for leaf in leaves)]

    assert same_bits(run)


def test_hardtanh_and_threshold_keep_integers():
    x = rl.tensor([-3, 0, 5])
    assert F.hardtanh(x, -1, 2).tolist() == [-1, 0, 2]
    assert F.threshold(x, 1, 7).tolist() == [7, 7, 5]
    assert F.relu(x).dtype is rl.int64


def test_linear_cross_entropy_over_several_outputs():
    x, weight = rl.randn(4, 3), rl.randn(5, 2, 3)
    target = rl.randint(0, 5, (4, 2))
    wanted = F.cross_entropy(rl.einsum("ni,coi->nco", x, weight), target)
    assert rl.allclose(F.linear_cross_entropy(x, weight, target), wanted)
    with pytest.raises(RuntimeError, match="batched"):
        F.linear_cross_entropy(x[0], weight, target[0])


def test_gumbel_softmax_is_a_straight_through_estimate():
    logits = rl.randn(6, 4, requires_grad=True)
    rl.manual_seed(1)
    hard = F.gumbel_softmax(logits, hard=True)
    rl.manual_seed(1)
    soft = F.gumbel_softmax(logits)
    assert rl.equal(hard.argmax(-1), soft.argmax(-1))
    direction = rl.randn(6, 4)
    one = rl.autograd.grad((hard * direction).sum(), logits)[0]
    two = rl.autograd.grad((soft * direction).sum(), logits)[0]
    assert rl.allclose(one, two)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.gumbel_softmax(logits)


def test_top_level_losses_take_numbers():
    x, y, z = rl.rand(3, 4), rl.rand(3, 4), rl.rand(3, 4)
    signs = rl.tensor([1.0, -1.0, 1.0])
    for number, name in enumerate(("none", "mean", "sum")):
        pairs = [
            (top.kl_div(x, y, number), F.kl_div(x, y, reduction=name)),
            (
                top.binary_cross_entropy_with_logits(x, y, None, z, number),
                F.binary_cross_entropy_with_logits(x, y, pos_weight=z, reduction=name),
            ),
            (
                top.poisson_nll_loss(x, y, True, True, 1e-8, number),
                F.poisson_nll_loss(x, y, full=True, reduction=name),
            ),
            (
                top.cosine_embedding_loss(x, y, signs, 0.1, number),
                F.cosine_embedding_loss(x, y, signs, 0.1, reduction=name),
            ),
            (
                top.hinge_embedding_loss(x[:, 0], signs, 2.0, number),
                F.hinge_embedding_loss(x[:, 0], signs, 2.0, reduction=name),
            ),
            (
                top.margin_ranking_loss(x[0], y[0], z[0], 0.2, number),
                F.margin_ranking_loss(x[0], y[0], z[0], 0.2, reduction=name),
            ),
            (
                top.triplet_margin_loss(x, y, z, swap=True, reduction=number),
                F.triplet_margin_loss(x, y, z, swap=True, reduction=name),
            ),
        ]
        assert all(rl.equal(one, two) for one, two in pairs)
    with pytest.raises(ValueError, match="reduction"):
        top.kl_div(x, y, 3)


def test_native_dropout():
    x = rl.rand(40, 30) + 1
    result, kept = rl.native_dropout(x, 0.4, True)
    assert kept.dtype is rl.bool
    assert rl.allclose(result, x * kept / 0.6)
    assert rl.equal(rl.native_dropout(x, 0.4, False)[0], x)


BYTES = [[0, 255, 10, 200], [255, 0, 90, 30], [7, 130, 255, 0]]


@pytest.mark.parametrize(
    ("mode", "antialias", "size", "wanted"),
    [
        ("bilinear", False, (4, 6), [[0, 128, 214, 51, 105, 200], [159, 128, 90, 66, 77, 94],
                                     [162, 106, 66, 135, 86, 19], [7, 69, 151, 234, 128, 0]]),
        ("bicubic", False, (4, 6), [[0, 152, 255, 30, 83, 230], [191, 137, 68, 42, 65, 97],
                                    [191, 93, 32, 147, 92, 0], [0, 53, 175, 255, 144, 0]]),
        ("bicubic", True, (2, 3), [[122, 94, 107], [89, 143, 59]]),
        ("bilinear", True, (3, 2), [[111, 126], [122, 51], [95, 128]]),
    ],
)  # fmt: skip
def test_images_of_bytes_are_resized_as_pytorch_does(mode, antialias, size, wanted):
    image = rl.tensor([[BYTES]], dtype=rl.uint8)
    found = F.interpolate(image, size=size, mode=mode, antialias=antialias)
    assert found.dtype is rl.uint8 and found[0, 0].tolist() == wanted


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("dtype", [rl.float32, rl.uint8])
def test_an_image_resized_to_its_own_size_is_a_copy(dtype, antialias):
    image = rl.arange(12).reshape(1, 1, 3, 4).to(dtype)
    for mode in ("bilinear", "bicubic") if antialias else ("nearest", "bilinear", "area"):
        if mode == "area" and dtype is rl.uint8:
            continue  # means of bytes are not there
        for how in ({"size": (3, 4)}, {"scale_factor": 1.0}):
            found = F.interpolate(image, mode=mode, antialias=antialias, **how)
            found += 1
            assert rl.equal(found - 1, image) and image[0, 0, 0, 0] == 0


def test_a_resized_result_can_be_written_to_where_its_input_is_kept():
    x = rl.ones(1, 1, 2, 2, requires_grad=True)
    found = F.interpolate(x.relu(), size=(2, 2))
    found += 1
    found.sum().backward()
    assert x.grad.tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]
