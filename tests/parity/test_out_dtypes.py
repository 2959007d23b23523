"""The tensors that ops take as out=, and what is in them, beside PyTorch."""

from __future__ import annotations

import warnings

import pytest

import rushlight

torch = pytest.importorskip("torch")

IN = ("float32", "float64", "float16", "int64", "bool", "complex64")
OUT = ("float32", "float64", "float16", "int64", "int32", "bool", "complex64")

# Reductions and scans that compute in the dtype of `out`. PyTorch's have no loops for some dtypes.
COMPUTED = {
    "sum": lambda m, x, out: m.sum(x, 0, out=out),
    "sum of all": lambda m, x, out: m.sum(x, (0, 1), out=out),
    "sum with dtype": lambda m, x, out: m.sum(x, 0, dtype=m.float64, out=out),
    "prod": lambda m, x, out: m.prod(x, 0, out=out),
    "prod with dtype": lambda m, x, out: m.prod(x, 0, dtype=m.int64, out=out),
    "mean": lambda m, x, out: m.mean(x, 0, out=out),
    "mean with dtype": lambda m, x, out: m.mean(x, 0, dtype=m.float64, out=out),
    "nansum": lambda m, x, out: m.nansum(x, 0, out=out),
    "cumsum": lambda m, x, out: m.cumsum(x, 1, out=out),
    "cumsum with dtype": lambda m, x, out: m.cumsum(x, 1, dtype=m.float64, out=out),
    "cumprod": lambda m, x, out: m.cumprod(x, 0, out=out),
}
# Without and with a cast to the dtype of `out`.
ONE = (
    "sign floor ceil trunc round frac neg sgn abs nan_to_num sqrt exp square reciprocal sigmoid "
    "tanh angle erfinv logical_not exp2 isneginf signbit"
)
TWO = (
    "heaviside fmod atan2 hypot maximum copysign xlogy mul sub div true_divide floor_divide eq "
    "logical_or mm matmul inner kron"
)
OTHERS = {
    "amax": lambda m, x, out: m.amax(x, 0, out=out),
    "var": lambda m, x, out: m.var(x, 0, out=out),
    "softmax": lambda m, x, out: m.softmax(x, 0, out=out),
    "log_softmax": lambda m, x, out: m.log_softmax(x, 0, out=out),
    "norm": lambda m, x, out: m.norm(x, 2, 0, out=out),
    "vector_norm": lambda m, x, out: m.linalg.vector_norm(x, 2, 0, out=out),
    "matrix_norm": lambda m, x, out: m.linalg.matrix_norm(x, out=out),
    "det": lambda m, x, out: m.linalg.det(x, out=out),
    "inverse": lambda m, x, out: m.inverse(x, out=out),
    "matrix_power": lambda m, x, out: m.matrix_power(x, 2, out=out),
    "addmm": lambda m, x, out: m.addmm(x, x, x, out=out),
    "addmv": lambda m, x, out: m.addmv(x[0], x, x[0], out=out),
    "vdot": lambda m, x, out: m.vdot(x[0], x[0], out=out),
    "clamp": lambda m, x, out: m.clamp(x, 0, 2, out=out),
    "lerp": lambda m, x, out: m.lerp(x, x, 0.5, out=out),
    "take": lambda m, x, out: m.take(x, m.tensor([0, 1]), out=out),
    "gather": lambda m, x, out: m.gather(x, 0, m.tensor([[0, 1]]), out=out),
    "tensordot": lambda m, x, out: m.tensordot(x, x, 1, out=out),
    "diag": lambda m, x, out: m.diag(x, out=out),
    "triu": lambda m, x, out: m.triu(x, out=out),
    "narrow_copy": lambda m, x, out: m.select_copy(x, 0, 0, out=out),
    "scatter_add": lambda m, x, out: m.scatter_add(x, 0, m.tensor([[0, 1]]), x, out=out),
    "quantile": lambda m, x, out: m.quantile(x, 0.5, out=out),
}


def outcome(module, call, dtype, out):
    x = module.tensor([[1.7, 2.6], [3.9, -4.2]]).to(getattr(module, dtype))
    place = module.empty(0, dtype=getattr(module, out))
    try:
        call(module, x, place)
    except (RuntimeError, TypeError) as error:
        return error
    return place.to(module.complex128).tolist()


def compare(call, wider=()):
    """Wherever PyTorch has a result, it is ours; where it refuses the dtype, so do we."""
    for dtype in IN:
        for out in OUT:
            theirs = outcome(torch, call, dtype, out)
            ours = outcome(rushlight, call, dtype, out)
            if isinstance(theirs, list):
                assert isinstance(ours, list), (dtype, out, ours)
                near = torch.allclose(
                    torch.tensor(ours), torch.tensor(theirs), 2e-3, 2e-3, equal_nan=True
                )
                assert near, (dtype, out, ours, theirs)
            elif type(theirs) is RuntimeError and "dtype" in str(theirs) and dtype not in wider:
                assert isinstance(ours, RuntimeError), (dtype, out, theirs)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", COMPUTED)
def test_ops_that_compute_in_the_dtype_of_out(name):
    compare(COMPUTED[name], wider=("int64", "bool") if name == "mean" else ())


@pytest.mark.parametrize("name", ONE.split())
def test_ops_of_one_tensor(name):
    if name == "abs":  # of complex numbers: PyTorch casts, but only there
        compare(lambda m, x, out: m.abs(x.real if x.is_complex() else x, out=out))
    else:
        compare(lambda m, x, out: getattr(m, name)(x, out=out))


@pytest.mark.parametrize("name", TWO.split())
def test_ops_of_two_tensors(name):
    compare(lambda m, x, out: getattr(m, name)(x, x, out=out))


@pytest.mark.parametrize("name", OTHERS)
def test_other_ops(name):
    compare(OTHERS[name])
