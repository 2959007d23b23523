"""Rows of rushlight.ops.activation, by their forms in rushlight.nn.functional."""

import math

import numpy as np

from ops.row import LARGE, Row, case, unary

inf, nan = math.inf, math.nan
EDGES = tuple((x,) for x in (0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 30.0, -30.0, 200.0, -200.0))
ENDS = (*EDGES, (inf,), (nan,))
BOTH = (*ENDS, (-inf,))
_erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-abs(x)))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def F(name, ref, **more):
    return unary(f"nn.functional.{name}", ref, **more)


def parameters(name, ref, *choices, **more):
    """A function of a tensor and numbers, given as keyword arguments."""
    return Row(
        f"nn.functional.{name}",
        lambda make: [case(make(*s), **kw) for s in ((), (3, 4), (0, 2)) for kw in choices],
        ref,
        large=lambda make: [case(make(*LARGE), **choices[-1])],
        grad_samples=lambda make: [case(make(2, 3), **kw) for kw in choices],
        **more,
    )


F("relu", lambda x: np.maximum(x, 0), edges=BOTH, dtypes="fi", result="same",
  covers=("relu", "relu_backward"))  # fmt: skip
F("relu6", lambda x: np.clip(x, 0, 6), edges=BOTH, dtypes="fi", result="same")
F("selu", lambda x: 1.0507009873554804934 * elu(x, 1.6732632423543772848), edges=BOTH)
F("silu", lambda x: x * sigmoid(x), edges=ENDS, tol=3, covers=("silu", "silu_backward"))
F("mish", lambda x: x * np.tanh(softplus(x)), edges=ENDS, tol=3)
F("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, edges=BOTH)
F("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, edges=EDGES)
F("logsigmoid", lambda x: np.minimum(x, 0) - np.log1p(np.exp(-abs(x))), edges=BOTH, tol=3)
F("softsign", lambda x: x / (1 + abs(x)), edges=EDGES)
F("tanhshrink", lambda x: x - np.tanh(x), edges=EDGES, tol=3)
F("sigmoid", sigmoid, edges=BOTH, tol=3)
F("tanh", np.tanh, low=-1.4, high=1.4, edges=BOTH)

parameters("hardtanh", lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val), {},
           {"min_val": -2.0, "max_val": 0.5}, dtypes=("float32", "float64", "bfloat16"),
           errors=((ValueError, "min_val",
                    lambda rl: rl.nn.functional.hardtanh(rl.ones(2), 1, 0)),))  # fmt: skip
parameters("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x), {},
           {"negative_slope": -0.3}, {"negative_slope": 0.0})  # fmt: skip
parameters("threshold", lambda x, threshold, value: np.where(x <= threshold, value, x),
           {"threshold": 0.5, "value": -7.0})  # fmt: skip
parameters("elu", elu, {}, {"alpha": 0.3}, tol=2)
parameters("celu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)), {},
           {"alpha": 2.5}, tol=2, errors=(
               (RuntimeError, "alpha", lambda rl: rl.nn.functional.celu(rl.ones(2), 0)),
           ))  # fmt: skip
parameters("gelu", gelu, {}, {"approximate": "tanh"}, tol=3, covers=("gelu", "gelu_backward"),
           errors=((RuntimeError, "approximate",
                    lambda rl: rl.nn.functional.gelu(rl.ones(2), approximate="x")),))  # fmt: skip
parameters(
    "softplus",
    lambda x, beta=1, threshold=20: np.where(x * beta > threshold, x, softplus(x * beta) / beta),
    {}, {"beta": 2.5, "threshold": 3}, tol=3,
)  # fmt: skip
SHRINK = {"lambd": 0.5}, {"lambd": 1.2}
parameters("hardshrink", lambda x, lambd=0.5: np.where(abs(x) <= lambd, 0, x), *SHRINK,
           dtypes=("float32", "float64"))  # fmt: skip
parameters("softshrink", lambda x, lambd=0.5: np.sign(x) * np.maximum(abs(x) - lambd, 0), *SHRINK,
           errors=((RuntimeError, "lambda",
                    lambda rl: rl.nn.functional.softshrink(rl.ones(2), -1)),))  # fmt: skip


def _slopes(x, weight):
    if weight.size > 1 and x.ndim > 1:
        weight = weight.reshape((1, -1) + (1,) * (x.ndim - 2))
    return np.where(x > 0, x, weight.reshape(()) * x if weight.size == 1 else weight * x)


Row(
    "prelu",
    lambda make: [case(make(2, 3, 4), make(3)), case(make(5), make(1)), case(make(2, 3), make()),
                  case(make(), make(1)), case(make(0, 2), make(2))],
    _slopes, covers=("_prelu_kernel",),
    grad_samples=lambda make: [case(make(2, 3), make(3)), case(make(2, 3), make(1))],
    errors=(
        (RuntimeError, "channel size = 3", lambda rl: rl.prelu(rl.ones(2, 3), rl.ones(2))),
        (RuntimeError, "1D", lambda rl: rl.prelu(rl.ones(2, 3), rl.ones(1, 3))),
    ),
)  # fmt: skip


def _glu(x, dim=-1):
    one, two = np.split(x, 2, dim)
    return one * sigmoid(two)


Row(
    "nn.functional.glu",
    lambda make: [case(make(4)), case(make(2, 6)), case(make(4, 3, 2), 0), case(make(3, 2, 2), 1)],
    _glu, tol=2,
    grad_samples=lambda make: [case(make(2, 4)), case(make(2, 3), 0)],
    errors=((RuntimeError, "even", lambda rl: rl.nn.functional.glu(rl.ones(3))),),
)  # fmt: skip


def _between_slopes(result, x, lower=1 / 8, upper=1 / 3, training=False):
    x, y = x.double().numpy(), result.detach().double().numpy()
    np.testing.assert_array_equal(y[x > 0], x[x > 0])
    slopes = (y / x)[x < 0]
    assert (slopes >= lower - 1e-3).all() and (slopes <= upper + 1e-3).all()
    if not training:
        np.testing.assert_allclose(slopes, (lower + upper) / 2, rtol=1e-2)


Row(
    "nn.functional.rrelu",
    lambda make: [case(make(3, 4)), case(make(30, 4), training=True), case(make(9), 0.4, 0.5)],
    check=_between_slopes, dtypes=("float32", "float64", "bfloat16"),
    grad_samples=lambda make: [case(make(2, 3)), case(make(2, 3), training=True)],
    errors=((RuntimeError, "Lower bound", lambda rl: rl.rrelu(rl.ones(2), 0.5, 0.1)),),
)  # fmt: skip
