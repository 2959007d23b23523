"""Rows of rushlight.ops.distance and rushlight.ops.bilinear."""

import numpy as np

from ops.row import Row, case

inf = np.inf


def _norm(x, p, axis, keepdims=False):
    return np.linalg.norm(x, p, axis, keepdims)


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    x1, x2 = np.broadcast_arrays(x1, x2)
    length1, length2 = (np.maximum(_norm(x, 2, dim), eps) for x in (x1, x2))
    return (x1 * x2).sum(dim) / (length1 * length2)


Row(
    "cosine_similarity",
    lambda make: [case(make(3, 4), make(3, 4)), case(make(3, 4), make(1, 4), 0),
                  case(make(5), make(5), 0), case(make(2, 3, 4), make(3, 4), -1)],
    cosine_similarity, dtypes=("float32", "float64"), tol=2,
    grad_samples=lambda make: [case(make(2, 3), make(2, 3)), case(make(2, 3), make(1, 3), 0)],
)  # fmt: skip
ORDERS = 1.0, 2.0, 3.0, inf
Row(
    "pairwise_distance",
    lambda make: [case(make(3, 4), make(3, 4), p) for p in ORDERS]
    + [case(make(4), make(4)), case(make(3, 4), make(1, 4), 2.0, 0.5, True)],
    lambda a, b, p=2.0, eps=1e-6, keepdim=False: _norm(a - b + eps, p, -1, keepdim),
    dtypes=("float32", "float64"), tol=5,
    grad_samples=lambda make: [case(make(2, 3), make(2, 3), p) for p in (2.0, 3.0)],
)  # fmt: skip


def pdist(x, p=2):
    first, second = np.triu_indices(len(x), 1)
    return _norm(x[first] - x[second], p, -1)


Row(
    "pdist",
    lambda make: [case(make(5, 3), p) for p in ORDERS] + [case(make(1, 3)), case(make(2, 3), 0.5)],
    pdist, dtypes=("float32", "float64"), tol=5,
    grad_samples=lambda make: [case(make(3, 2)), case(make(3, 2), 3.0)],
    errors=((RuntimeError, "2D", lambda rl: rl.pdist(rl.ones(3))),
            (RuntimeError, "non-negative", lambda rl: rl.pdist(rl.ones(3, 2), -1))),
)  # fmt: skip
Row(
    "nn.functional.normalize",
    lambda make: [case(make(3, 4)), case(make(3, 4), 3.0, 0), case(make(2, 3, 4), 1.0, -1),
                  case(make(3, 4) * 0)],
    lambda x, p=2.0, dim=1, eps=1e-12: x / np.maximum(_norm(x, p, dim, True), eps),
    dtypes=("float32", "float64"), tol=3,
    grad_samples=lambda make: [case(make(2, 3)), case(make(2, 3), 3.0, 0)],
)  # fmt: skip


def bilinear(x1, x2, weight, bias=None):
    result = np.einsum("...i,oij,...j->...o", x1, weight, x2)
    return result if bias is None else result + bias


Row(
    "bilinear",
    lambda make: [case(make(4, 3), make(4, 5), make(2, 3, 5), make(2)),
                  case(make(3), make(2), make(4, 3, 2)),
                  case(make(2, 3, 4), make(2, 3, 1), make(2, 4, 1))],
    bilinear, dtypes=("float32", "float64"), tol=20, layouts=False,
    grad_samples=lambda make: [case(make(2, 2), make(2, 3), make(2, 2, 3), make(2))],
    errors=(
        (RuntimeError, "do not match",
         lambda rl: rl.bilinear(rl.ones(2, 3), rl.ones(3, 3), rl.ones(1, 3, 3))),
        (RuntimeError, "features",
         lambda rl: rl.bilinear(rl.ones(2, 3), rl.ones(2, 3), rl.ones(1, 3, 4))),
    ),
)  # fmt: skip


def cdist(x1, x2, p=2.0, compute_mode=None):
    return _norm(x1[..., :, None, :] - x2[..., None, :, :], p, -1)


MATRICES = ((4, 3), (5, 3)), ((2, 4, 3), (5, 3)), ((2, 1, 4, 3), (3, 5, 3))
PRODUCT, DIRECT = "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"
Row(
    "cdist",
    lambda make: [case(make(*a), make(*b), p) for a, b in MATRICES for p in ORDERS]
    + [case(make(30, 4), make(6, 4)), case(make(3, 4), make(6, 4), compute_mode=PRODUCT),
       case(make(30, 4), make(6, 4), compute_mode=DIRECT), case(make(0, 4), make(6, 4))],
    cdist, dtypes=("float32", "float64"), tol=200, covers=("_euclidean",), layouts=False,
    grad_samples=lambda make: [
        case(make(3, 2), make(2, 2), compute_mode=mode) for mode in (PRODUCT, DIRECT)
    ] + [case(make(2, 3, 2), make(2, 2), 3.0)],
    errors=(
        (RuntimeError, "two dimensions", lambda rl: rl.cdist(rl.ones(3), rl.ones(3))),
        (RuntimeError, "columns", lambda rl: rl.cdist(rl.ones(2, 3), rl.ones(2, 4))),
        (ValueError, "compute_mode", lambda rl: rl.cdist(
            rl.ones(2, 3), rl.ones(2, 3), compute_mode="fast")),
    ),
)  # fmt: skip
