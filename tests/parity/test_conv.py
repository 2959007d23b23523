"""Convolutions against PyTorch: results, gradients, second gradients, node names, first weights."""

import random

import pytest

import rushlight as rl

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")


def sample(draw: random.Random) -> tuple:
    """Shapes of input and weight, whether there is a bias, and the options of convolution()."""
    axes = draw.choice([1, 2, 2, 2, 3])
    groups = draw.choice([1, 1, 1, 2, 3])
    inputs = groups * draw.choice([1, 2, 3, 9])
    outputs = groups * draw.choice([1, 2, 4, 5, 17])

    def each(low: int, high: int) -> list:
        return [draw.randint(low, high) for _ in range(axes)]

    kernel, stride, padding, dilation = each(1, 4), each(1, 3), each(0, 3), each(1, 3)
    if draw.random() < 0.4:
        kernel, stride, dilation = [3] * axes, [1] * axes, [1] * axes
    transposed = draw.random() < 0.5
    more = [draw.randint(0, max(s, d) - 1) * transposed for s, d in zip(stride, dilation)]
    size = each(1, draw.choice([9, 9, 20]))
    channels = (inputs, outputs // groups) if transposed else (outputs, inputs // groups)
    options = (stride, padding, dilation, transposed, more, groups)
    return (draw.choice([1, 2, 9]), inputs, *size), (*channels, *kernel), outputs, options


def run(library, x, w, b, g, options):
    leaves = [t.requires_grad_() for t in (x, w, b)]
    y = library.convolution(*leaves, *options)
    found = [y]
    if g is not None:
        firsts = library.autograd.grad(y, leaves, g, create_graph=True)
        total = sum((first * first).sum() for first in firsts)
        found += [*firsts, *library.autograd.grad(total, leaves[:2])]
    return found


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_shapes(seed, dtype):
    x_shape, w_shape, outputs, options = sample(random.Random(seed))
    torch.manual_seed(seed)
    x, w, b = (torch.randn(s, dtype=getattr(torch, dtype)) for s in (x_shape, w_shape, outputs))
    mine = [rl.from_numpy(t.numpy().copy()) for t in (x, w, b)]
    try:
        y = torch.convolution(x, w, b, *options)
    except RuntimeError as error:
        if "too small" in str(error):  # results without an element, which some backends make
            return
        with pytest.raises(RuntimeError):
            rl.convolution(*mine, *options)
        return
    g = torch.randn_like(y) if y.numel() else None
    given = None if g is None else rl.from_numpy(g.numpy())
    wanted = run(torch, x, w, b, g, options)
    # Sums of squares of sums: float32 differs in the last places of what cancels.
    limit = 2e-4 if dtype == "float32" else 1e-10
    for one, two in zip(run(rl, *mine, given, options), wanted):
        assert one.shape == two.shape
        other = two.detach()
        scale = max(float(other.abs().max()), 1.0) if other.numel() else 1.0
        difference = torch.from_numpy(one.detach().numpy()) - other
        assert not difference.numel() or float(difference.abs().max()) <= limit * scale


BUILDS = [
    lambda nn: nn.Conv1d(4, 6, 3, groups=2),
    lambda nn: nn.Conv2d(3, 5, (2, 3), 2, (1, 0), padding_mode="reflect"),
    lambda nn: nn.Conv2d(3, 5, 4, padding="same", bias=False),
    lambda nn: nn.Conv3d(2, 4, 3, padding=1, dilation=2),
    lambda nn: nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2),
    lambda nn: nn.ConvTranspose2d(3, 5, 3, (2, 1), 1, (1, 0)),
    lambda nn: nn.ConvTranspose3d(2, 4, 2, dilation=2),
    lambda nn: nn.Fold((4, 5), (2, 3), 1, (0, 1), 2),
    lambda nn: nn.Unfold(2, padding=1),
]


@pytest.mark.parametrize("build", BUILDS)
def test_first_weights_and_text(build):
    torch.manual_seed(3)
    rl.manual_seed(3)
    theirs, ours = build(torch.nn), build(rl.nn)
    assert repr(ours) == repr(theirs)
    wanted = theirs.state_dict()
    assert list(ours.state_dict()) == list(wanted)
    for name, value in ours.state_dict().items():
        assert torch.allclose(torch.from_numpy(value.numpy()), wanted[name], rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        (lambda t, x, w: t.conv2d(x, w), ((1, 2, 5, 5), (3, 2, 2, 2))),
        (lambda t, x, w: t.conv2d(x, w), ((2, 5, 5), (3, 2, 2, 2))),
        (lambda t, x, w: t.conv2d(x, w, padding="same"), ((1, 2, 5, 5), (3, 2, 2, 2))),
        (lambda t, x, w: t.conv_transpose1d(x, w), ((1, 2, 5), (2, 3, 2))),
        (lambda t, x, w: t.nn.functional.unfold(x + 0 * w.sum(), 2), ((1, 2, 5, 5), (1,))),
    ],
)
def test_node_names(call, shapes):
    names = []
    for library in (torch, rl):
        x, w = (library.ones(s).requires_grad_() for s in shapes)
        names.append(call(library, x, w).grad_fn.name())
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((3, 5), (4, 3, 3, 3), {}),
        ((2, 3, 5, 5), (4, 2, 3, 3), {}),
        ((2, 3, 5, 5), (4, 3, 6, 3), {}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"stride": 0}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"padding": -1}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"dilation": 0}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"groups": 0}),
        ((2, 4, 5, 5), (3, 2, 3, 3), {"groups": 2}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"padding": "full"}),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"padding": "same", "stride": 2}),
        ((2, 3, 5, 5), (4, 3, 3), {}),
    ],
)
def test_error_types(x, w, options):
    with pytest.raises(Exception) as theirs:
        torch.conv2d(torch.ones(x), torch.ones(w), **options)
    with pytest.raises(Exception) as ours:
        rl.conv2d(rl.ones(*x), rl.ones(*w), **options)
    assert type(ours.value) is type(theirs.value)
