"""Rows of rushlight.ops.conv."""

import itertools

import numpy as np

from ops.row import Row, case


def _axes(value, axes):
    return (value,) * axes if isinstance(value, int) else tuple(value) * (axes // len(value))


def cross_correlate(x, w, stride, padding, dilation, groups):
    """One tap of the kernel after the other, as shifted images."""
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, w.shape[2:])]
    sizes = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride)]
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[1], *sizes), np.result_type(x, w))
    for tap in itertools.product(*map(range, w.shape[3:])):
        seen = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, sizes, stride)
        )
        y += np.einsum(
            "ngc...,goc->ngo...", x[(slice(None),) * 3 + seen], w[(slice(None),) * 3 + tap]
        )
    return y.reshape(y.shape[0], w.shape[0] * w.shape[1], *sizes)


def spread(x, w, stride, padding, dilation, output_padding, groups):
    """The transpose: every element adds a kernel to the result."""
    full = [
        (n - 1) * s + d * (k - 1) + 1 + o
        for n, s, d, k, o in zip(x.shape[2:], stride, dilation, w.shape[2:], output_padding)
    ]
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[2], *full), np.result_type(x, w))
    for tap in itertools.product(*map(range, w.shape[3:])):
        places = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[3:], stride)
        )
        y[(slice(None),) * 3 + places] += np.einsum(
            "ngc...,gco->ngo...", x, w[(slice(None),) * 3 + tap]
        )
    y = y.reshape(y.shape[0], groups * w.shape[2], *full)
    inside = tuple(slice(p, n - p) for p, n in zip(padding, full))
    return y[(slice(None),) * 2 + inside]


def convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups):
    axes = x.ndim - 2
    stride, padding, dilation, output_padding = (
        _axes(v, axes) for v in (stride, padding, dilation, output_padding)
    )
    if transposed:
        y = spread(x, w, stride, padding, dilation, output_padding, groups)
    else:
        y = cross_correlate(x, w, stride, padding, dilation, groups)
    return y if b is None else y + b.reshape(-1, *(1,) * axes)


def conv(axes):
    def reference(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
        batch = x if x.ndim == axes + 2 else x[None]
        if padding == "valid":
            padding = 0
        if padding == "same":
            total = [d * (k - 1) for d, k in zip(_axes(dilation, axes), w.shape[2:])]
            batch = np.pad(batch, [(0, 0), (0, 0), *((t // 2, t - t // 2) for t in total)])
            padding = 0
        y = convolution(batch, w, b, stride, padding, dilation, False, 0, groups)
        return y if x.ndim == axes + 2 else y[0]

    return reference


def conv_transpose(axes):
    def reference(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        batch = x if x.ndim == axes + 2 else x[None]
        y = convolution(batch, w, b, stride, padding, dilation, True, output_padding, groups)
        return y if x.ndim == axes + 2 else y[0]

    return reference


def both(make, n, channels, out, groups, size, kernel, transposed=False):
    """Input, weight and bias."""
    weight = (channels, out // groups) if transposed else (out, channels // groups)
    return make(n, channels, *size), make(*weight, *kernel), make(out)


def full(make, *sizes, transposed=False, **options):
    """A case with all arguments; sizes as of `both`."""
    return case(*both(make, *sizes, transposed), groups=sizes[3], **options)


# (items, channels, out channels, groups, size, kernel), then options by name. Among them few and
# many channels, each with its own loops, and sizes that are cut into several slabs.
CONV2D = (
    ((2, 3, 5, 1, (5, 6), (3, 2)), {}),
    ((2, 4, 6, 2, (7, 5), (3, 3)), {"stride": 2, "padding": 1}),
    ((1, 3, 3, 3, (6, 9), (3, 3)), {"stride": (2, 3), "padding": (2, 0)}),
    ((3, 2, 20, 1, (8, 7), (3, 2)), {"dilation": (2, 3), "padding": 2}),
    ((2, 2, 9, 1, (5, 5), (4, 3)), {"padding": "same"}),
    ((2, 2, 1, 1, (5, 5), (2, 2)), {"padding": "valid", "stride": 2}),
    ((1, 5, 70, 1, (4, 4), (1, 1)), {}),
    ((9, 6, 8, 1, (3, 3), (3, 3)), {"padding": 1}),
    ((1, 2, 17, 1, (70, 40), (5, 3)), {"padding": (3, 1)}),
    ((1, 16, 16, 16, (40, 50), (3, 3)), {"padding": 1}),
    ((1, 4, 8, 4, (9, 9), (3, 3)), {"stride": 3}),
    ((2, 5, 5, 5, (11, 14), (3, 3)), {"padding": 1}),  # several rows at a time
    ((1, 3, 6, 3, (23, 28), (7, 5)), {"padding": (3, 2)}),
    ((2, 3, 3, 3, (21, 45), (5, 4)), {"stride": 2, "padding": (2, 1)}),  # rows split in two
    ((1, 2, 2, 2, (18, 71), (3, 3)), {"stride": (1, 2), "padding": (1, 0), "dilation": 2}),
    ((3, 4, 21, 1, (4, 5), (4, 5)), {}),  # a kernel as large as the image
    ((0, 2, 3, 1, (5, 5), (3, 3)), {}),
)
TRANSPOSED2D = (
    ((2, 3, 5, 1, (4, 3), (3, 2)), {}),
    ((2, 4, 6, 2, (4, 5), (3, 3)), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 3, 3, 3, (4, 3), (3, 3)), {"stride": (2, 3), "padding": (2, 0)}),
    ((3, 2, 20, 1, (5, 4), (3, 2)), {"dilation": (2, 3), "output_padding": (1, 2)}),
    ((2, 2, 9, 1, (5, 5), (1, 2)), {"stride": (3, 4)}),
    ((2, 9, 2, 1, (5, 5), (4, 4)), {"stride": 2, "padding": 1}),
    ((2, 3, 3, 3, (14, 17), (3, 3)), {"stride": 2, "padding": 1}),
    ((3, 20, 7, 1, (1, 1), (4, 3)), {}),
    ((0, 2, 3, 1, (5, 5), (3, 3)), {}),
)


def samples(rows, transposed=False):
    def made(make):
        found = []
        for sizes, options in rows:
            x, w, b = both(make, *sizes, transposed)
            given = {"groups": sizes[3], **options}
            found += [case(x, w, b, **given), case(x, w, **given)]
        x, w, b = both(make, 1, 3, 4, 1, (5, 4), (2, 3), transposed)
        return [*found, case(x[0], w, b)]

    return made


SMALL = (
    ((2, 2, 2, 1, (3, 3), (2, 2)), {"padding": 1}),
    ((1, 2, 4, 2, (5, 4), (2, 3)), {"stride": 2, "dilation": (2, 1), "padding": (1, 2)}),
    ((1, 2, 5, 1, (3, 3), (2, 2)), {"stride": 2}),
    ((1, 2, 2, 2, (9, 3), (3, 2)), {"stride": (1, 2)}),
)
WHOLE = ((2, 3, 5, 1, (2, 3), (2, 3)), {})  # a kernel as large as the image


def gradients(rows, transposed=False):
    return lambda make: [
        full(make, *sizes, transposed=transposed, **options) for sizes, options in rows
    ]


KINDS = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "int64")


def _wrong(name, x, w, *more, **options):
    return lambda rl: getattr(rl, name)(rl.ones(*x), rl.ones(*w), *more, **options)


SHAPES = (2, 3, 5, 5), (4, 3, 3, 3)
ERRORS = (
    (RuntimeError, "unbatched", _wrong("conv2d", (3, 5), (4, 3, 3, 3))),
    (RuntimeError, "[2, 3, 5, 5]", _wrong("conv2d", (2, 3, 5, 5), (4, 2, 3, 3))),
    (RuntimeError, "groups=2", _wrong("conv2d", (2, 3, 5, 5), (3, 2, 3, 3), groups=2)),
    (RuntimeError, "Kernel size", _wrong("conv2d", (2, 3, 5, 5), (4, 3, 6, 3))),
    (RuntimeError, "stride", _wrong("conv2d", *SHAPES, stride=0)),
    (RuntimeError, "padding", _wrong("conv2d", *SHAPES, padding=-1)),
    (RuntimeError, "dilation", _wrong("conv2d", *SHAPES, dilation=0)),
    (RuntimeError, "groups", _wrong("conv2d", *SHAPES, groups=0)),
    (RuntimeError, "overflow", _wrong("conv2d", *SHAPES, padding=2**62)),
    (RuntimeError, "overflow", _wrong("conv2d", *SHAPES, dilation=2**62)),
    (RuntimeError, "overflow", _wrong("conv2d", *SHAPES, padding=2**40, stride=2**39)),
    (RuntimeError, "stride", _wrong("conv2d", *SHAPES, stride=(1, 1, 1))),
    (RuntimeError, "strided", _wrong("conv2d", *SHAPES, stride=2, padding="same")),
    (RuntimeError, "Invalid padding string", _wrong("conv2d", *SHAPES, padding="full")),
    (RuntimeError, "bias", lambda rl: rl.conv2d(*(rl.ones(*s) for s in SHAPES), rl.ones(3))),
    (RuntimeError, "same", lambda rl: rl.conv2d(rl.ones(2, 3, 5, 5).double(), rl.ones(4, 3, 3, 3))),
    (NotImplementedError, "bool", lambda rl: rl.conv2d(*(rl.ones(*s).bool() for s in SHAPES))),
)
Row(
    "conv2d", samples(CONV2D), conv(2), dtypes=KINDS, tol=10, grad="fc", exact=False,
    grad_samples=gradients((*SMALL, WHOLE)), errors=ERRORS,
    large=lambda make: [full(make, 2, 3, 5, 1, (97, 51), (3, 3), padding=1)],
    covers=("_convolution_weight",),
)  # fmt: skip
Row(
    "conv1d",
    lambda make: [
        full(make, 2, 3, 5, 1, (9,), (3,), padding="same"),
        full(make, 2, 4, 4, 4, (3000,), (5,), stride=2, padding=2),
        full(make, 3, 3, 18, 1, (2100,), (4,), dilation=3),
        case(make(3, 7), make(4, 3, 2)),
    ],
    conv(1), dtypes=KINDS, tol=10, grad="fc", exact=False,
    grad_samples=lambda make: [full(make, 2, 2, 2, 2, (5,), (2,), stride=2, padding=1)],
    errors=((RuntimeError, "2D (unbatched)", _wrong("conv1d", (3,), (4, 3, 3))),),
)  # fmt: skip
Row(
    "conv3d",
    lambda make: [
        full(make, 2, 3, 5, 1, (5, 4, 6), (3, 2, 2), padding=(1, 0, 2)),
        full(make, 1, 4, 10, 2, (6, 5, 4), (2, 3, 1), stride=(2, 1, 3), dilation=(3, 1, 2)),
        case(make(2, 4, 4, 4), make(3, 2, 2, 2, 2), padding="same"),
    ],
    conv(3), dtypes=KINDS, tol=10, grad="fc", exact=False,
    grad_samples=lambda make: [full(make, 1, 2, 2, 1, (3, 2, 3), (2, 2, 2), padding=1)],
)  # fmt: skip
ERRORS = (
    (RuntimeError, "unbatched", _wrong("conv_transpose2d", (3, 5), (3, 4, 3, 3))),
    (RuntimeError, "channels", _wrong("conv_transpose2d", (2, 3, 5, 5), (4, 3, 3, 3))),
    (RuntimeError, "output padding", _wrong("conv_transpose2d", (1, 1, 2, 2), (1, 1, 2, 2),
                                            output_padding=1)),
    (RuntimeError, "too small", _wrong("conv_transpose2d", (1, 1, 2, 2), (1, 1, 2, 2), padding=3)),
    (RuntimeError, "overflow", _wrong("conv_transpose2d", *SHAPES[:1], (3, 4, 3, 3), stride=2**62)),
)  # fmt: skip
Row(
    "conv_transpose2d", samples(TRANSPOSED2D, True), conv_transpose(2), dtypes=KINDS, tol=10,
    grad="fc", exact=False, errors=ERRORS,
    large=lambda make: [full(make, 2, 3, 5, 1, (97, 51), (3, 3), transposed=True, stride=2)],
    grad_samples=gradients((*SMALL, ((1, 2, 2, 1, (2, 2), (2, 2)),
                                     {"dilation": 3, "output_padding": 2})), True),
)  # fmt: skip
Row(
    "conv_transpose1d",
    lambda make: [
        full(make, 2, 3, 5, 1, (9,), (3,), transposed=True, stride=2, output_padding=1),
        full(make, 2, 4, 4, 4, (900,), (5,), transposed=True, stride=3, padding=2),
        case(make(3, 7), make(3, 4, 2)),
    ],
    conv_transpose(1), dtypes=KINDS, tol=10, grad="fc", exact=False,
    grad_samples=lambda make: [full(make, 2, 2, 2, 2, (3,), (2,), transposed=True, stride=2)],
)  # fmt: skip
Row(
    "conv_transpose3d",
    lambda make: [
        full(make, 2, 3, 5, 1, (3, 4, 2), (3, 2, 2), transposed=True, padding=(1, 0, 1)),
        full(make, 1, 4, 10, 2, (2, 3, 4), (2, 3, 1), transposed=True, stride=(2, 1, 3)),
        case(make(2, 2, 3, 2), make(2, 3, 2, 2, 2), dilation=2),
    ],
    conv_transpose(3), dtypes=KINDS, tol=10, grad="fc", exact=False,
    grad_samples=lambda make: [full(make, 1, 2, 2, 1, (2, 2, 2), (2, 1, 2), transposed=True)],
)  # fmt: skip
Row(
    "convolution",
    lambda make: [
        case(*both(make, 2, 4, 6, 2, (5, 5), (3, 3)), [2], [1], [1], False, [0], 2),
        case(*both(make, 2, 4, 6, 2, (5, 5), (3, 3), True), [2], [1, 0], [1], True, [1], 2),
    ],
    convolution, tol=10, exact=False,
    grad_samples=lambda make: [
        case(make(1, 2, 3), make(2, 2, 2), make(2), [1], [1], [1], False, [0], 1)
    ],
    errors=(
        (RuntimeError, "weight", lambda rl: rl.convolution(
            rl.ones(1, 1, 3), rl.ones(1, 1, 2, 2), None, [1], [0], [1], False, [0], 1)),
        (RuntimeError, "output_padding", lambda rl: rl.convolution(
            rl.ones(1, 1, 3), rl.ones(1, 1, 2), None, [1], [0], [1], True, [-1], 1)),
    ),
)  # fmt: skip


def conv_tbc(x, w, b, pad=0):
    y = conv(1)(x.transpose(1, 2, 0), w.transpose(2, 1, 0), b, 1, pad)
    return y.transpose(2, 0, 1)


Row(
    "conv_tbc",
    lambda make: [case(make(7, 2, 3), make(3, 3, 5), make(5), 1),
                  case(make(4, 2, 3), make(2, 3, 4), make(4))],
    conv_tbc, tol=10, exact=False,
    grad_samples=lambda make: [case(make(3, 2, 2), make(2, 2, 2), make(2), 1)],
    errors=((RuntimeError, "shapes", lambda rl: rl.conv_tbc(
        rl.ones(3, 3), rl.ones(3, 3, 3), rl.ones(3))),),
)  # fmt: skip
