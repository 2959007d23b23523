"""Rows of rushlight.ops.shape: views, and copies and casts that keep the values."""

import numpy as np

from ops.row import Row, case

ALL = {"dtypes": "fbic", "grad": "fc"}
VIEW = {**ALL, "view": True}


def x3(*cases):
    """Cases on a tensor of shape (2, 3, 4)."""
    return lambda make: [case(make(2, 3, 4), *args) for args in cases]


def out_of_range(call):
    return (IndexError, "Dimension out of range", call)


def _as_strided(x, size, stride, storage_offset=0):
    flat = np.ascontiguousarray(x).reshape(-1)
    steps = [s * flat.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(flat[storage_offset:], size, steps).copy()


STRIDED = x3(((2, 2), (4, 1)), ((3,), (1,), 2), ((), ()), ((2, 2), (1, 1), 1), ((3, 2), (0, 1)))
BEYOND = (RuntimeError, "storage", lambda rl: rl.as_strided(rl.ones(3), (2, 2), (2, 1)))
Row("as_strided", STRIDED, _as_strided, layouts=False, errors=(BEYOND,), **VIEW)


def _as_strided_scatter(x, src, size, stride, storage_offset=0):
    flat = np.ascontiguousarray(x).reshape(-1).copy()
    steps = [s * flat.itemsize for s in stride]
    np.lib.stride_tricks.as_strided(flat[storage_offset:], size, steps)[...] = src
    return flat.reshape(x.shape)


Row("as_strided_scatter", lambda make: [case(make(3, 4), make(2, 2), (2, 2), (4, 1), 1)],
    _as_strided_scatter, layouts=False, **ALL)  # fmt: skip
Row(
    "reshape",
    lambda make: [case(make(2, 3, 4), (4, 6)), case(make(2, 3), (-1,)), case(make(1), ()),
                  case(make(0, 3), (3, 0)), case(make(6), [2, -1])],
    lambda x, shape: x.reshape(shape), covers=("_view", "_unsafe_view"), method=False,
    errors=((RuntimeError, "shape", lambda rl: rl.ones(6).reshape(4, 2)),
            (RuntimeError, "view size is not", lambda rl: rl.ones(2, 3).t().view(6)),
            (RuntimeError, "-1", lambda rl: rl.ones(6).view(-1, -1))), **ALL,
)  # fmt: skip
Row("permute", x3(((2, 0, 1),), ((-1, 0, 1),), ((0, 1, 2),)), np.transpose, **VIEW,
    errors=((RuntimeError, "duplicate", lambda rl: rl.permute(rl.ones(2, 3), (0, 0))),
            (RuntimeError, "ordering", lambda rl: rl.permute(rl.ones(2, 3), (0,))),
            out_of_range(lambda rl: rl.permute(rl.ones(2, 3), (0, 2)))))  # fmt: skip
Row("transpose", x3((0, 1), (-1, 0), (1, 1)), np.swapaxes, **VIEW,
    errors=(out_of_range(lambda rl: rl.transpose(rl.ones(2), 0, 1)),))  # fmt: skip
Row("swapaxes", x3((0, 1), (-1, 0)), np.swapaxes, **VIEW)
Row("t", lambda make: [case(make(2, 3)), case(make(3)), case(make())], np.transpose, **VIEW,
    errors=((RuntimeError, "2 dimensions", lambda rl: rl.ones(1, 2, 3).t()),))  # fmt: skip
Row("adjoint", lambda make: [case(make(2, 3)), case(make(2, 3, 4))],
    lambda x: np.swapaxes(x, -1, -2).conj(), **ALL)  # fmt: skip
EXPAND = (RuntimeError, "expand", lambda rl: rl.ones(2, 3).expand(2, 4))
Row("broadcast_to",
    lambda make: [case(make(3, 1), (3, 4)), case(make(), (2, 2)), case(make(2, 3), (4, 2, 3))],
    np.broadcast_to, errors=(EXPAND,), covers=("expand",), **VIEW)  # fmt: skip
Row("broadcast_tensors",
    lambda make: [case(make(3, 1), make(4), make())], lambda *xs: np.broadcast_arrays(*xs),
    errors=((RuntimeError, "broadcast",
             lambda rl: rl.broadcast_tensors(rl.ones(2), rl.ones(3))),), **ALL)  # fmt: skip
Row("broadcast_shapes", lambda make: [case((3, 1), (4,), ()), case((2, 1), (1, 5))],
    np.broadcast_shapes, dtypes=("float32",), result=None, grad="")  # fmt: skip
Row(
    "sum_to_size", lambda make: [case(make(2, 3, 4), (3, 1)), case(make(2, 3), (2, 3))],
    lambda x, size: x.sum(0).sum(-1, keepdims=True) if x.ndim == 3 else x,
    path="Tensor.sum_to_size", dtypes="fc", grad="fc", tol=5,
    errors=((RuntimeError, "sum", lambda rl: rl.ones(2, 3).sum_to_size(4)),),
)  # fmt: skip
Row("select", x3((0, 1), (1, -1), (2, 3)), lambda x, dim, index: np.take(x, index, dim), **VIEW,
    errors=((IndexError, "out of range", lambda rl: rl.select(rl.ones(2), 0, 2)),
            (IndexError, "0-dim", lambda rl: rl.select(rl.ones(()), 0, 0))))  # fmt: skip
Row("narrow", x3((0, 1, 1), (2, 1, 3), (1, -2, 2), (1, 3, 0)),
    lambda x, dim, start, length: np.take(x, np.arange(length) + start % (x.shape[dim] + 1) -
                                          (start < 0), dim), **VIEW,
    errors=((RuntimeError, "exceeds", lambda rl: rl.narrow(rl.ones(3), 0, 2, 2)),
            (RuntimeError, "non-negative", lambda rl: rl.narrow(rl.ones(3), 0, 0, -1)),
            (RuntimeError, "0-dim", lambda rl: rl.narrow(rl.ones(()), 0, 0, 1))))  # fmt: skip
Row("unsqueeze", x3((0,), (3,), (-1,), (1,)), np.expand_dims, **VIEW,
    errors=(out_of_range(lambda rl: rl.unsqueeze(rl.ones(2), 2)),))  # fmt: skip


def _squeeze(x, dim=None):
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return np.squeeze(x, tuple(d for d in dims if x.shape[d] == 1))


Row("squeeze", lambda make: [case(make(2, 1, 3, 1), *dim) for dim in ((), (1,), (0,), ((1, -1),))],
    _squeeze, **VIEW)  # fmt: skip


def _flatten(x, start_dim=0, end_dim=-1):
    end = end_dim % max(x.ndim, 1)
    return x.reshape(*x.shape[:start_dim], -1, *x.shape[end + 1 :])


Row("flatten", lambda make: [case(make(2, 3, 4), *d) for d in ((), (1,), (0, 1), (1, 1))]
    + [case(make())], _flatten, **ALL)  # fmt: skip
Row("ravel", lambda make: [case(make(2, 3)), case(make())], np.ravel, **ALL)
Row("unflatten", lambda make: [case(make(2, 6), 1, (2, 3)), case(make(6), 0, (-1, 2))],
    lambda x, dim, sizes: x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :]), **VIEW,
    errors=((RuntimeError, "multiply up", lambda rl: rl.ones(6).unflatten(0, (4, 2))),))  # fmt: skip
Row("movedim", x3((0, 2), (-1, 0), ((0, 1), (2, 0))), np.moveaxis, **VIEW,
    errors=((RuntimeError, "repeated", lambda rl: rl.movedim(rl.ones(2, 3), (0, 0), (0, 1))),),
    )  # fmt: skip


def _split(x, size, dim=0):
    cuts = np.cumsum(size)[:-1] if not isinstance(size, int) else range(size, x.shape[dim], size)
    return np.split(x, list(cuts), dim)


Row("split", x3((1,), (2, 1), (3, 2), ([1, 2], 1)), _split, covers=("_split",), **VIEW,
    errors=((RuntimeError, "non-negative", lambda rl: rl.split(rl.ones(3), -1)),
            (RuntimeError, "sum exactly", lambda rl: rl.split(rl.ones(3), [1, 1]))))  # fmt: skip
Row("split_with_sizes", x3(([1, 1],), ([1, 2], 1), ([4, 0], -1)), _split, **VIEW)
Row("chunk", x3((2,), (2, 1), (3, 2), (9, 2)),
    lambda x, chunks, dim=0: _split(x, -(-x.shape[dim] // chunks), dim), **VIEW,
    errors=((RuntimeError, "greater than 0", lambda rl: rl.chunk(rl.ones(3), 0)),))  # fmt: skip
Row("tensor_split", x3((2,), (2, 1), (3, 2), ((1, 3), 2), ((1,), 0)),
    lambda x, s, dim=0: np.array_split(x, s, dim), **VIEW)  # fmt: skip
Row("unbind", x3((), (1,), (-1,)), lambda x, dim=0: list(np.moveaxis(x, dim, 0)), **VIEW,
    errors=((IndexError, "0-dim", lambda rl: rl.unbind(rl.ones(()))),))  # fmt: skip


def _windows(x, dim, size, step):
    return np.lib.stride_tricks.sliding_window_view(x, size, dim)[
        tuple(np.s_[::step] if d == dim % x.ndim else np.s_[:] for d in range(x.ndim))
    ]


Row("unfold", x3((0, 2, 1), (1, 2, 1), (2, 2, 2), (-1, 3, 1)), _windows, path="Tensor.unfold",
    covers=("_overlap_add",), **VIEW, errors=((RuntimeError, "maximum size", lambda rl: rl.ones(3).unfold(0, 4, 1)),
                    (RuntimeError, "> 0", lambda rl: rl.ones(3).unfold(0, 1, 0))))  # fmt: skip
Row("diagonal", x3((), (1,), (-1, 0, 2), (0, 1, 2), (7,)),
    lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2), **VIEW,
    errors=((RuntimeError, "identical", lambda rl: rl.diagonal(rl.ones(2, 2), 0, 1, 1)),),
    )  # fmt: skip

# ---- copies and casts

Row("clone", lambda make: [case(make(2, 3)), case(make()), case(make(0))], np.copy, **ALL)
Row("to_dtype", lambda make: [case(make(2, 3))], lambda x: x.astype(np.float64), result=None,
    path="Tensor.double", dtypes="fbi", covers=("_to_meta",))  # fmt: skip
Row("copy", lambda make: [case(make(2, 3), make(3)), case(make(2), make())],
    lambda a, b: np.broadcast_to(b, a.shape), path="ops.copies.copy", **ALL)  # fmt: skip
Row("fill", lambda make: [case(make(2, 3), 2), case(make(2, 3), make()), case(make(), 1)],
    lambda x, value: np.full(x.shape, value, x.dtype), **ALL,
    errors=((RuntimeError, "0-dim", lambda rl: rl.fill(rl.ones(2), rl.ones(2))),))  # fmt: skip


def _slice(x, dim=0, start=None, end=None, step=1):
    return x[tuple(slice(start, end, step) if d == dim else slice(None) for d in range(x.ndim))]


Row("slice", x3((), (1, 1), (2, 0, 3, 2), (1, -2, None)), _slice, path="ops.shape.slice", **VIEW)


def _slice_backward(g, size, dim, start, end, step):
    made = np.zeros(size, g.dtype)
    _slice(made, dim, start, end, step)[...] = g
    return made


Row("slice_backward", lambda make: [case(make(2, 2), (2, 4), 1, 0, 4, 2)], _slice_backward,
    path="ops.shape.slice_backward", **ALL)  # fmt: skip
Row("select_backward", lambda make: [case(make(2), (2, 4), 1, 3)],
    lambda g, size, dim, index: _slice_backward(np.expand_dims(g, dim), size, dim, index, index + 1,
                                                1),
    path="ops.shape.select_backward", **ALL)  # fmt: skip
