"""Rows of rushlight.ops.random: shapes, dtypes and ranges; the streams have tests of their own."""

from ops.row import Row, case

ONCE = {"dtypes": ("float32",), "result": None, "grad": "", "method": False}


def of_shape(*shape, low=-20.0, high=20.0, dtype=None):
    def check(result, *args, **kwargs):
        assert tuple(result.shape) == shape
        assert dtype is None or str(result.dtype) == f"torch.{dtype}"
        assert ((result >= low) & (result <= high)).all()

    return check


def cases(*arguments):
    return lambda make: [case(*args) for args in arguments]


Row("rand", cases((2, 3), ((2, 3),)), check=of_shape(2, 3, low=0, high=1, dtype="float32"), **ONCE)
Row("randn", cases((2, 3), ((2, 3),)), check=of_shape(2, 3, dtype="float32"), **ONCE)
Row("randint", cases((5, (2, 3)), (2, 4, (2, 3))),
    check=of_shape(2, 3, low=0, high=4, dtype="int64"), **ONCE,
    errors=((RuntimeError, "", lambda rl: rl.randint(3, 3, (2,))),))  # fmt: skip
Row("randperm", cases((5,)), check=of_shape(5, low=0, high=4, dtype="int64"), **ONCE)


def _like(make):
    return [case(make(2, 3))]


Row("rand_like", _like, check=of_shape(2, 3, low=0, high=1), **ONCE)
Row("randn_like", _like, check=of_shape(2, 3), **ONCE)
Row("randint_like", lambda make: [case(make(2, 3), 5)], check=of_shape(2, 3, low=0, high=4), **ONCE)
Row("normal", lambda make: [case(0.0, 1.0, (2, 3)), case(make(2, 3), 1.0), case(0.0, abs(make(2, 3)))],
    check=of_shape(2, 3), covers=("_normal",), **ONCE)  # fmt: skip
Row("bernoulli", lambda make: [case(make(2, 3, low=0, high=1)), case(make(2, 3, low=0, high=1), 0.5)],
    check=of_shape(2, 3, low=0, high=1), covers=("_bernoulli", "_bernoulli_number"), **ONCE,
    errors=((RuntimeError, "", lambda rl: rl.bernoulli(rl.ones(2) * 2)),))  # fmt: skip
Row("multinomial", lambda make: [case(make(2, 4, low=0.1, high=1), 3)],
    check=of_shape(2, 3, low=0, high=3, dtype="int64"), covers=("_multinomial",), **ONCE)  # fmt: skip
Row("poisson", lambda make: [case(make(2, 3, low=0, high=3))],
    check=of_shape(2, 3, low=0, high=40), covers=(
        "_standard_gamma", "_sample_dirichlet", "_standard_gamma_grad", "_dirichlet_grad",
    ),
    **ONCE)  # fmt: skip
Row("binomial", lambda make: [case(make(2, 3, low=3, high=3), make(2, 3, low=0.1, high=0.9))],
    check=of_shape(2, 3, low=0, high=3), **ONCE)  # fmt: skip
for _name, _args in {
    "uniform_": (), "normal_": (), "exponential_": (), "cauchy_": (), "log_normal_": (),
    "geometric_": (0.5,), "random_": (10,), "bernoulli_": (0.5,),
}.items():  # fmt: skip
    Row(_name, lambda make, args=_args: [case(make(2, 3), *args)], path=f"Tensor.{_name}",
        check=of_shape(2, 3, low=-1e6, high=1e6), **ONCE)  # fmt: skip
