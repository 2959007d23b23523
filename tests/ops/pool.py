"""Rows of rushlight.ops.pool, adaptive_pool, unpool: max, average, power and fractional pooling."""

import itertools

import numpy as np

from ops.row import Row, case

F = "nn.functional."


def repeated(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value) * (rank // len(value))


def sizes(shape, kernel, stride, padding, dilation, ceil_mode):
    """How many windows each axis has."""
    found = []
    for n, k, s, p, d in zip(shape, kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        found.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return tuple(found)


def windows(shape, rank, kernel_size, stride, padding, dilation, ceil_mode):
    """Of each window its index and the places (per axis) that lie in the plane."""
    kernel = repeated(kernel_size, rank)
    stride = kernel if stride is None else repeated(stride, rank)
    padding, dilation = repeated(padding, rank), repeated(dilation, rank)
    out = sizes(shape[-rank:], kernel, stride, padding, dilation, ceil_mode)
    for at in np.ndindex(*out):
        axes = []
        for o, n, k, s, p, d in zip(at, shape[-rank:], kernel, stride, padding, dilation):
            axes.append([i for i in range(o * s - p, o * s - p + k * d, d) if 0 <= i < n])
        yield out, at, axes


def pick(x, axes):
    """The elements of x at the product of the places, one axis in place of the last ones."""
    rank = len(axes)
    found = x[(..., *np.ix_(*axes))]
    places = int(np.prod([len(axis) for axis in axes]))
    return found.reshape(*found.shape[: found.ndim - rank], places)


def filled(x, rank, parts, function, dtype=None):
    result = None
    for out, at, axes in parts:
        if result is None:
            result = np.zeros((*x.shape[: x.ndim - rank], *out), dtype or x.dtype)
        result[(..., *at)] = function(pick(x, axes), at, axes)
    return result


def max_pool(rank):
    def reference(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
                  return_indices=False):  # fmt: skip
        parts = list(windows(x.shape, rank, kernel_size, stride, padding, dilation, ceil_mode))
        largest = filled(x, rank, parts, lambda values, at, axes: values.max(-1))
        if not return_indices:
            return largest
        plane = np.arange(np.prod(x.shape[-rank:])).reshape(x.shape[-rank:])

        def index(values, at, axes):
            return pick(plane, axes)[values.argmax(-1)]

        return largest, filled(x, rank, parts, index, np.int64)

    return reference


def avg_pool(rank):
    def reference(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
                  divisor_override=None):  # fmt: skip
        kernel, pad = repeated(kernel_size, rank), repeated(padding, rank)
        step = kernel if stride is None else repeated(stride, rank)

        def mean(values, at, axes):
            places = values.shape[-1]
            if count_include_pad:
                places = 1
                for o, n, k, s, p in zip(at, x.shape[-rank:], kernel, step, pad):
                    places *= min(o * s - p + k, n + p) - (o * s - p)
            total = values.sum(-1)
            places = divisor_override or places
            return np.trunc(total / places) if x.dtype.kind == "i" else total / places

        parts = windows(x.shape, rank, kernel_size, stride, padding, 1, ceil_mode)
        return filled(x, rank, parts, mean)

    return reference


SHAPES = {1: (2, 3, 9), 2: (2, 3, 7, 8), 3: (2, 1, 4, 5, 6)}
LARGE = {1: (1, 97, 101), 2: (1, 1, 97, 101), 3: (1, 1, 2, 97, 101)}
SMALL = {1: (2, 5), 2: (2, 4, 5), 3: (1, 3, 2, 4)}


def max_samples(rank):
    def samples(make):
        x = make.distinct(*SHAPES[rank])
        options = [dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1),
                   dict(kernel_size=2, stride=1), dict(kernel_size=3, stride=2, ceil_mode=True),
                   dict(kernel_size=2, dilation=2, stride=1, padding=1),
                   dict(kernel_size=[3], stride=3, padding=1, ceil_mode=True)]  # fmt: skip
        options += [dict(one, return_indices=True) for one in options]
        found = [case(x, **one) for one in options]
        return [*found, case(x[0], 2), case(make.distinct(0, *x.shape[1:]), 2)]

    return samples


def wide(make):
    """Rows longer than a vector, on all ways through the kernel."""
    x = make.distinct(2, 5, 75)
    return [case(x, (3, 3), (s, s), 1, 1, False, True) for s in (1, 2, 3)] + [
        case(x, (2, 2)), case(x, (2, 3), (2, 2)), case(x, (5, 55), 1, (2, 27)),
    ]  # fmt: skip


PADDED = "padding should be at most half"
for rank in (1, 2, 3):
    name = f"max_pool{rank}d"
    Row(
        F + name,
        (lambda make: max_samples(2)(make) + wide(make)) if rank == 2 else max_samples(rank),
        max_pool(rank),
        dtypes=("float32", "float64", "int64", "int32"),
        grad_samples=lambda make, rank=rank: [
            case(make.distinct(*SMALL[rank]), 2), case(make.distinct(*SMALL[rank]), 2, 1, 1),
            case(make.distinct(*SMALL[rank]), 3, 2, 1, 1, True),
        ],
        covers=(
            f"{name}_with_indices", "_max_pool", "_max_pool_backward", "_max_pool_select",
        ),
        large=lambda make, rank=rank: [case(make(*LARGE[rank]), 2)],
        errors=(
            (RuntimeError, PADDED, lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[8]))], 2, padding=2)),
            (RuntimeError, "too small", lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[8]))], 5)),
            (RuntimeError, "stride", lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[8]))], 2, 0)),
            (RuntimeError, "channels", lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(4), 2)),
            (RuntimeError, "at most", lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[8]))], 2, 2**40)),
            (NotImplementedError, "bool", lambda rl, f=name: getattr(rl.nn.functional, f)(
                rl.ones(1, 4, 4, 4, dtype=rl.bool)[(0,) * (3 - int(f[8]))], 2)),
        ),
    )  # fmt: skip


def avg_samples(rank):
    def samples(make):
        x = make(*SHAPES[rank])
        options = [dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1),
                   dict(kernel_size=3, stride=1, padding=1), dict(kernel_size=4),
                   dict(kernel_size=3, stride=2, padding=1, count_include_pad=False),
                   dict(kernel_size=3, stride=3, padding=1, ceil_mode=True),
                   dict(kernel_size=2, stride=3)]  # fmt: skip
        if rank > 1:
            options += [dict(kernel_size=2, divisor_override=3),
                        dict(kernel_size=2, stride=1, divisor_override=-2)]  # fmt: skip
        found = [case(x, **one) for one in options]
        return [*found, case(x[0], 2), case(make(0, *x.shape[1:]), 2)]

    return samples


for rank in (1, 2, 3):
    name = f"avg_pool{rank}d"
    Row(
        F + name, avg_samples(rank), avg_pool(rank),
        dtypes=("float32", "float64", "int64", "bfloat16"), tol=3,
        grad_samples=lambda make, rank=rank: [
            case(make(*SMALL[rank]), 2), case(make(*SMALL[rank]), 2, 1, 1),
            case(make(*SMALL[rank]), 3, 2, 1, True, False), case(make(*SMALL[rank]), 2, 3),
        ],
        covers=("_avg_pool", "_avg_pool_backward"),
        large=lambda make, rank=rank: [case(make(*LARGE[rank]), 2)],
        errors=((RuntimeError, PADDED, lambda rl, f=name: getattr(rl.nn.functional, f)(
            rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[8]))], 2, padding=2)),),
    )  # fmt: skip


def lp_pool(rank):
    def reference(x, norm_type, kernel_size, stride=None, ceil_mode=False):
        if np.isinf(norm_type):
            return max_pool(rank)(np.abs(x), kernel_size, stride, 0, 1, ceil_mode)
        mean = avg_pool(rank)(x**norm_type, kernel_size, stride, 0, ceil_mode)
        count = np.prod(repeated(kernel_size, rank))
        return (np.sign(mean) * np.maximum(np.abs(mean), 0) * count) ** (1 / norm_type)

    return reference


for rank in (1, 2, 3):
    Row(
        F + f"lp_pool{rank}d",
        lambda make, rank=rank: [
            case(make(*SHAPES[rank], low=0.2), 2, 2), case(make(*SHAPES[rank], low=0.2), 3, 3, 1),
            case(make(*SHAPES[rank], low=0.2), 1.5, 3, 2, True),
            case(make(*SHAPES[rank]), float("inf"), 2),
        ],
        lp_pool(rank), dtypes=("float32", "float64"), tol=5,
        grad_samples=lambda make, rank=rank: [case(make(*SMALL[rank], low=0.5), 2, 2)],
    )  # fmt: skip

# ---- to a given size


def parts_of(shape, rank, output_size):
    given = (output_size,) * rank if isinstance(output_size, int) else output_size
    out = tuple(n if size is None else size for size, n in zip(given, shape[-rank:]))
    for at in np.ndindex(*out):
        yield out, at, [
            list(range(o * n // m, -(-(o + 1) * n // m)))
            for o, n, m in zip(at, shape[-rank:], out)
        ]


def adaptive_avg_pool(rank):
    return lambda x, output_size: filled(
        x, rank, parts_of(x.shape, rank, output_size), lambda values, at, axes: values.mean(-1)
    )


def adaptive_max_pool(rank):
    def reference(x, output_size, return_indices=False):
        parts = list(parts_of(x.shape, rank, output_size))
        largest = filled(x, rank, parts, lambda values, at, axes: values.max(-1))
        plane = np.arange(np.prod(x.shape[-rank:])).reshape(x.shape[-rank:])

        def index(values, at, axes):
            return pick(plane, axes)[values.argmax(-1)]

        return (largest, filled(x, rank, parts, index, np.int64)) if return_indices else largest

    return reference


def adaptive_sizes(rank):
    found = [1, 3, (2,) * rank, 5]
    return found + ([(None,) * (rank - 1) + (2,), (4,) * rank] if rank > 1 else [(9,)])


for rank in (1, 2, 3):
    Row(
        F + f"adaptive_avg_pool{rank}d",
        lambda make, rank=rank: [
            *(case(make(*SHAPES[rank]), size) for size in adaptive_sizes(rank)),
            case(make(*SHAPES[rank][1:]), 2),
        ],
        adaptive_avg_pool(rank), dtypes=("float32", "float64", "bfloat16"), tol=3,
        grad_samples=lambda make, rank=rank: [
            case(make(*SMALL[rank]), size) for size in (1, 2, 3)
        ],
        covers=("_adaptive_avg_pool", "_adaptive_avg_pool_backward"),
        large=lambda make, rank=rank: [case(make(*LARGE[rank]), 7)],
        errors=tuple((RuntimeError, text, lambda rl, n=size, f=f"adaptive_avg_pool{rank}d": getattr(
            rl.nn.functional, f)(rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[17]))], n))
            for text, size in (("negative", -1), ("", 2**46), ("overflow", 2**62))),
    )  # fmt: skip
    Row(
        F + f"adaptive_max_pool{rank}d",
        lambda make, rank=rank: [
            *(case(make.distinct(*SHAPES[rank]), size, both)
              for size, both in itertools.product(adaptive_sizes(rank), (False, True))),
            case(make.distinct(*SHAPES[rank][1:]), 2),
        ],
        adaptive_max_pool(rank), dtypes=("float32", "float64"),
        grad_samples=lambda make, rank=rank: [
            case(make.distinct(*SMALL[rank]), size) for size in (1, 2, 3)
        ],
        covers=(
            f"adaptive_max_pool{rank}d_with_indices", "_adaptive_max_pool", "_add_at_places",
            "_take_at_places",
        ),
        errors=tuple((RuntimeError, text, lambda rl, n=size, f=f"adaptive_max_pool{rank}d": getattr(
            rl.nn.functional, f)(rl.ones(1, 1, 4, 4, 4)[(0,) * (3 - int(f[17]))], n))
            for text, size in (("negative", -1), ("", 2**46), ("overflow", 2**62))),
    )  # fmt: skip

# ---- windows in random places, and back


def fractional(rank):
    def reference(x, kernel_size, output_size, output_ratio=None, return_indices=False,
                  _random_samples=None):  # fmt: skip
        kernel, out = repeated(kernel_size, rank), repeated(output_size, rank)
        plane = np.arange(np.prod(x.shape[-rank:])).reshape(x.shape[-rank:])
        largest = np.zeros((*x.shape[:2], *out))
        places = np.zeros((*x.shape[:2], *out), np.int64)
        for item, channel in np.ndindex(*x.shape[:2]):
            starts = []
            for axis, (n, k, m) in enumerate(zip(x.shape[-rank:], kernel, out)):
                u = _random_samples[item, channel, axis if rank == 3 else 1 - axis]
                alpha = (n - k) / (m - 1) if m > 1 else 0.0
                found = [int((o + u) * alpha) - int(u * alpha) for o in range(m)]
                starts.append([*found[:-1], n - k])
            for at in np.ndindex(*out):
                axes = [range(s[o], s[o] + k) for s, o, k in zip(starts, at, kernel)]
                values = pick(x[item, channel], axes)
                largest[(item, channel, *at)] = values.max()
                places[(item, channel, *at)] = pick(plane, axes)[values.argmax()]
        return (largest, places) if return_indices else largest

    return reference


def samples_for(make, batch, channels, rank):
    return make(batch, channels, rank, low=0.0, high=0.999)


for rank, size in ((2, 3), (3, 2)):
    Row(
        F + f"fractional_max_pool{rank}d",
        lambda make, rank=rank, size=size: [
            case(make.distinct(*SHAPES[rank]), 2, size, None, both,
                 samples_for(make, *SHAPES[rank][:2], rank))
            for both in (False, True)
        ],
        fractional(rank), dtypes=("float32", "float64"),
        grad_samples=lambda make, rank=rank: [
            case(make.distinct(*(1, 2, *(4,) * rank)), 2, 2)
        ],
        covers=(f"fractional_max_pool{rank}d_with_indices", "_fractional_max_pool"),
        errors=(
            (ValueError, "either", lambda rl, f=f"fractional_max_pool{rank}d": getattr(
                rl.nn.functional, f)(rl.ones(1, 1, *(4,) * int(f[19])), 2)),
            (RuntimeError, "do not fit", lambda rl, f=f"fractional_max_pool{rank}d": getattr(
                rl.nn.functional, f)(rl.ones(1, 1, *(4,) * int(f[19])), 2, 4)),
        ),
    )  # fmt: skip


def max_unpool(rank):
    def reference(x, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel, pad = repeated(kernel_size, rank), repeated(padding, rank)
        step = kernel if stride is None else repeated(stride, rank)
        size = output_size or tuple(
            (n - 1) * s + k - 2 * p for n, s, k, p in zip(x.shape[-rank:], step, kernel, pad)
        )
        planes = int(np.prod(x.shape[: x.ndim - rank]))
        result = np.zeros((planes, int(np.prod(size))), x.dtype)
        np.put_along_axis(result, indices.reshape(planes, -1), x.reshape(planes, -1), 1)
        return result.reshape(*x.shape[: x.ndim - rank], *size)

    return reference


def unpool_case(make, rank, shape, **options):
    """Maxima and their indices in planes of twice the size."""
    x = make(*shape)
    plane = np.arange(2**rank * np.prod(shape[-rank:])).reshape([2 * n for n in shape[-rank:]])
    places = np.broadcast_to(plane[(slice(None, None, 2),) * rank], shape)
    return case(x, np.ascontiguousarray(places) + 1, 2, **options)


for rank in (1, 2, 3):
    Row(
        F + f"max_unpool{rank}d",
        lambda make, rank=rank: [
            unpool_case(make, rank, (2, 3, *(3,) * rank)), unpool_case(make, rank, (2, *(3,) * rank)),
            unpool_case(make, rank, (1, 1, *(3,) * rank), output_size=(7,) * rank),
        ],
        max_unpool(rank), dtypes=("float32", "float64"),
        grad_samples=lambda make, rank=rank: [unpool_case(make, rank, (1, 1, *(2,) * rank))],
        covers=("_max_unpool",),
        errors=(
            (ValueError, "invalid output_size", lambda rl, r=rank: getattr(
                rl.nn.functional, f"max_unpool{r}d")(rl.ones(1, *(2,) * r), rl.ones(
                    1, *(2,) * r).long(), 2, output_size=(9,) * r)),
            (RuntimeError, "invalid index", lambda rl, r=rank: getattr(
                rl.nn.functional, f"max_unpool{r}d")(rl.ones(1, *(2,) * r), rl.full(
                    (1, *(2,) * r), 99), 2)),
            (RuntimeError, "int64", lambda rl, r=rank: getattr(
                rl.nn.functional, f"max_unpool{r}d")(rl.ones(1, *(2,) * r), rl.ones(
                    1, *(2,) * r), 2)),
        ),
    )  # fmt: skip
