"""Rows of rushlight.ops.attention and multi_head_attention, by their names in nn.functional."""

import numpy as np

from ops.row import Row, case


def _softmax(scores):
    """Over the last axis; zeros where every score is -inf."""
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    shares = np.exp(scores - np.where(np.isinf(largest), 0, largest))
    total = shares.sum(-1, keepdims=True)
    return shares / np.where(total == 0, 1, total)


def _hidden(mask):
    return np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask


def attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
              enable_gqa=False):  # fmt: skip
    if enable_gqa:
        key, value = (x.repeat(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    scale = 1 / np.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = query @ np.swapaxes(key, -2, -1) * scale
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if attn_mask is not None:
        scores = scores + _hidden(attn_mask)
    return _softmax(scores) @ value


def _some(make, *leading, queries=5, keys=7, features=4, outputs=4):
    return (make(*leading, queries, features), make(*leading, keys, features),
            make(*leading, keys, outputs))  # fmt: skip


def _samples(make):
    allowed = make.bools(5, 7)
    allowed[2] = False  # a query that sees no key
    numbers = make(2, 1, 5, 7)
    found = [case(*_some(make)), case(*_some(make, 3), is_causal=True),
             case(*_some(make, 2, 3, outputs=6)), case(*_some(make, 2, 3), scale=0.3),
             case(*_some(make, 2, 1, 3)), case(*_some(make, 1, 1, queries=1, keys=1)),
             case(*_some(make, 2, 3), allowed), case(*_some(make, 2, 3), numbers),
             case(*_some(make, 3), make.bools(3, 1, 7)), case(*_some(make, 2), make(5, 1)),
             case(*_some(make, 2, 3), make.bools(2, 1, 1, 7)),
             case(*_some(make, 0, 3)), case(*_some(make, 2, 3, queries=0)),
             case(*_some(make, 2, 3, keys=0)), case(*_some(make, 2, 3, features=0))]  # fmt: skip
    shared = make(2, 6, 5, 4), make(2, 2, 7, 4), make(2, 2, 7, 3)
    found += [case(*shared, enable_gqa=True), case(*shared, is_causal=True, enable_gqa=True)]
    found.append(case(make(2, 1, 5, 4), make(3, 7, 4), make(2, 3, 7, 4)))  # broadcast
    return found


def _large(make):
    """Several blocks of queries, tiles of keys and, backward, groups of keys."""
    sizes = {"queries": 150, "keys": 600, "features": 8, "outputs": 8}
    return [case(*_some(make, 1, 2, **sizes)), case(*_some(make, 2, **sizes), is_causal=True),
            case(*_some(make, 2, **sizes), make.bools(150, 600)),
            case(*_some(make, 1, 2, queries=600, keys=150), is_causal=True)]  # fmt: skip


def _grad_samples(make):
    few = {"queries": 3, "keys": 3, "features": 2, "outputs": 2}
    allowed = np.array([[True, False, True], [False, False, False], [True, True, True]])
    return [case(*_some(make, 1, 2, **few)), case(*_some(make, **few), is_causal=True),
            case(*_some(make, 2, **few), make(3, 3)), case(*_some(make, 2, **few), make(2, 1, 3)),
            case(*_some(make, **few), allowed), case(*_some(make, **few), scale=-0.7),
            case(make(2, 3, 2), make(1, 3, 2), make(1, 3, 2), enable_gqa=True)]  # fmt: skip


def _attend(rl, *shapes, dtype=None, **more):
    q, k, v = (rl.ones(*shape, dtype=dtype) for shape in shapes)
    return rl.nn.functional.scaled_dot_product_attention(q, k, v, **more)


SHAPES = (2, 3), (4, 3), (4, 5)
Row(
    "nn.functional.scaled_dot_product_attention", _samples, attention, tol=5, exact=False,
    covers=("_attention",), grad_samples=_grad_samples, large=_large,
    errors=(
        (RuntimeError, "same dtype", lambda rl: rl.nn.functional.scaled_dot_product_attention(
            rl.ones(2, 3), rl.ones(2, 3).double(), rl.ones(2, 3))),
        (RuntimeError, "at least 2 dim", lambda rl: _attend(rl, (3,), (3,), (3,))),
        (RuntimeError, "(..., S, E)", lambda rl: _attend(rl, (2, 3), (4, 2), (4, 5))),
        (RuntimeError, "(..., S, Ev)", lambda rl: _attend(rl, (2, 3), (4, 3), (5, 5))),
        (RuntimeError, "mask dtype", lambda rl: _attend(rl, *SHAPES,
                                                        attn_mask=rl.ones(2, 4).long())),
        (RuntimeError, "is_causal", lambda rl: _attend(rl, *SHAPES, attn_mask=rl.ones(2, 4),
                                                       is_causal=True)),
        (RuntimeError, "[2, 5]", lambda rl: _attend(rl, *SHAPES, attn_mask=rl.ones(2, 5))),
        (RuntimeError, "between 0 and 1", lambda rl: _attend(rl, *SHAPES, dropout_p=1.5)),
        (RuntimeError, "Number of heads", lambda rl: _attend(
            rl, (5, 2, 3), (2, 4, 3), (2, 4, 3), enable_gqa=True)),
        (NotImplementedError, "complex64", lambda rl: _attend(rl, *SHAPES, dtype=rl.complex64)),
    ),
)  # fmt: skip


def multi_head(query, key, value, width, heads, weight, bias, bias_k, bias_v, add_zero_attn,
               dropout_p, out_weight, out_bias, key_padding_mask=None, attn_mask=None,
               average_attn_weights=True):  # fmt: skip
    """Batched, with one matrix for the three projections."""
    length, batch, _ = query.shape
    projections = np.split(weight, 3)
    biases = np.split(np.zeros(3 * width) if bias is None else bias, 3)
    q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), projections, biases))
    rows = np.ones((1, batch, 1))
    if bias_k is not None:
        k, v = np.concatenate([k, bias_k * rows]), np.concatenate([v, bias_v * rows])
    if add_zero_attn:
        k, v = (np.concatenate([x, np.zeros((1, batch, width))]) for x in (k, v))
    q, k, v = (x.reshape(len(x), batch, heads, -1).transpose(1, 2, 0, 3) for x in (q, k, v))
    scores = q @ np.swapaxes(k, -2, -1) / np.sqrt(width // heads)
    added = scores.shape[-1] - len(key)
    for mask, shape in ((attn_mask, (-1, 1 if attn_mask is None or attn_mask.ndim == 2 else heads,
                                     length)), (key_padding_mask, (batch, 1, 1))):  # fmt: skip
        if mask is not None:
            mask = np.where(mask, -np.inf, 0.0) if mask.dtype == bool else mask
            mask = np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, added)])
            scores = scores + mask.reshape(*shape, scores.shape[-1])
    shares = _softmax(scores)
    result = (shares @ v).transpose(2, 0, 1, 3).reshape(length, batch, width) @ out_weight.T
    result = result if out_bias is None else result + out_bias
    return result, shares.mean(1) if average_attn_weights else shares


def _projected(make, length=3, keys=4, batch=2, width=4, bias=True, extra=False, zero=False,
               same=False, **more):  # fmt: skip
    query = make(length, batch, width)
    key = make(keys, batch, width)
    low = {"low": -1.0, "high": 1.0}
    return case(
        query, key, key if same else make(keys, batch, width), width, 2,
        make(3 * width, width, **low), make(3 * width, **low) if bias else None,
        make(1, 1, width) if extra else None, make(1, 1, width) if extra else None, zero, 0.0,
        make(width, width, **low), make(width, **low) if bias else None, **more,
    )  # fmt: skip


def _projected_samples(make):
    causal = ~np.tri(3, 4, dtype=bool)
    return [_projected(make), _projected(make, bias=False, average_attn_weights=False),
            _projected(make, extra=True, zero=True, same=True),
            _projected(make, attn_mask=causal), _projected(make, attn_mask=make(4, 3, 4)),
            _projected(make, key_padding_mask=np.array([[False] * 3 + [True], [False] * 4])),
            _projected(make, extra=True, zero=True, attn_mask=make(3, 4),
                       key_padding_mask=make(2, 4))]  # fmt: skip


def _project(rl, query, key, width=4, **more):
    q, k = rl.ones(*query), rl.ones(*key)
    return rl.nn.functional.multi_head_attention_forward(
        q, k, k, width, 2, rl.ones(12, 4), None, None, None, False, 0.0, rl.ones(4, 4), None, **more
    )


QUERY, KEY = (3, 2, 4), (5, 2, 4)
Row(
    "nn.functional.multi_head_attention_forward", _projected_samples, multi_head, tol=10,
    dtypes=("float32", "float64"), exact=False,
    grad_samples=lambda make: [_projected(make, length=2, keys=2, batch=1)],
    errors=(
        (AssertionError, "2D or batched 3D", lambda rl: _project(rl, (4,), (4,))),
        (AssertionError, "to be 3-D", lambda rl: _project(rl, QUERY, (5, 4))),
        (AssertionError, "dimension of 6", lambda rl: _project(rl, QUERY, KEY, 6)),
        (AssertionError, "bool and float", lambda rl: _project(rl, QUERY, KEY,
                                                               attn_mask=rl.ones(3, 5).long())),
        (RuntimeError, "should be (3, 5)", lambda rl: _project(rl, QUERY, KEY,
                                                               attn_mask=rl.ones(3, 4))),
        (RuntimeError, "Need attn_mask", lambda rl: _project(rl, QUERY, KEY, is_causal=True)),
        (AssertionError, "(2, 5)", lambda rl: _project(rl, QUERY, KEY,
                                                       key_padding_mask=rl.ones(2, 4))),
    ),
)  # fmt: skip
