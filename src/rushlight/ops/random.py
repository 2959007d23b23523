"""Random tensors: new ones, and draws written into tensors that exist.

Every number comes from a generator, `rushlight.default_generator` where none is given. Algorithms
and the order of draws are those of PyTorch on the CPU: the same seed and the same calls give the
same values. Seeding is in rushlight/random.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import composed, op
from rushlight.ops.create import _made, _ready, zeros_like
from rushlight.ops.known import known
from rushlight.ops.memory import memory_like
from rushlight.ops.shape import _sizes
from rushlight.ops.undefined import undefined
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight._core import Generator

# An argument that was not given, where None means something.
_UNSET: Any = object()


# ---- derivatives: a sample does not follow its parameters


def _zero(grad: Tensor) -> Tensor:
    """The gradient of what a draw overwrites, and of parameters that it jumps with."""
    return zeros_like(grad)


# ---- draws in place: methods of Tensor


@op(_core.uniform_, inplace="only", public=False)
def uniform_(
    input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with numbers uniform in [from, to).

    Raises RuntimeError where from > to, NotImplementedError for integers.
    """


@op(_core.normal_, inplace="only", public=False)
def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with normal numbers; the parts of complex ones share the variance.

    Raises RuntimeError for a negative `std`, NotImplementedError for integers.
    """


@op(_core.exponential_, inplace="only", public=False)
def exponential_(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor from the density lambd * exp(-lambd * x), x > 0.

    Raises RuntimeError for lambd <= 0, NotImplementedError for integers.
    """


@op(_core.cauchy_, inplace="only", public=False)
def cauchy_(
    input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor from the density sigma / (pi * ((x - median)^2 + sigma^2)).

    Raises RuntimeError for sigma <= 0, NotImplementedError for integers.
    """


@op(_core.log_normal_, inplace="only", public=False)
def log_normal_(
    input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with numbers whose logarithms are normal with this mean and deviation.

    Raises RuntimeError for std <= 0, NotImplementedError for integers.
    """


@op(_core.geometric_, inplace="only", public=False)
def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with the number of trials, from 1, up to the first success of chance p.

    Integers too. Raises RuntimeError for p outside (0, 1).
    """


for _filled in (uniform_, normal_, exponential_, cauchy_, log_normal_, geometric_):
    _filled.vjp(input=_zero)


@op(inplace="only", public=False, node="BernoulliBackward2")
def bernoulli_(
    input: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with 1 with probability p, else 0.

    Args:
        p: one probability, or a floating point tensor of them that expands to the tensor's shape.

    Raises:
        RuntimeError: a probability lies outside [0, 1].
    """
    if isinstance(p, Tensor):
        return _core.bernoulli_each_(input, p, generator)
    return _core.bernoulli_(input, p, generator)


bernoulli_.vjp(input=_zero, p=_zero)


@op(inplace="only", public=False)
def random_(
    input: Tensor,
    from_: int = _UNSET,
    to: int | None = _UNSET,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fills the tensor with integers: `random_()`, `random_(to)` or `random_(from, to)`.

    All integers of [from, to) are equally likely. `from` is 0 by default. Without `to`, or with
    None for it, they go up to the largest of the dtype; for floating point dtypes, to the last of
    the integers that are all representable (2^24 for float32).

    Raises RuntimeError where `from` is not below `to`.
    """
    if to is _UNSET:
        # A single bound is the upper one.
        low, high = (None, None) if from_ is _UNSET else (0, _integer("random_", "to", from_))
    else:
        low = 0 if from_ is _UNSET else _integer("random_", "from", from_)
        high = None if to is None else _integer("random_", "to", to)
    return _core.random_(input, low, high, generator)


random_.vjp(input=_zero)


# ---- arguments


def _integer(name: str, argument: str, value: Any) -> int:
    """An integer of 64 bits from Python's, NumPy's, or a tensor of one element."""
    if type(value) is not int:
        if not hasattr(value, "__index__") or isinstance(value, bool):
            raise TypeError(
                f"{name}(): argument '{argument}' must be int, not {type(value).__name__}"
            )
        value = value.__index__()
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{name}(): {argument}={value} does not fit into 64 bits")
    return value


def _check_tensor(name: str, input: Any) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}"
        )


def _size(name: str, args: tuple, size: Any) -> Sequence[int]:
    """A size given as integers, as one sequence, or by keyword."""
    if size is None:
        if args:
            return _sizes(args)
        raise TypeError(f"{name}(): no size given; it takes integers or one sequence of them")
    if args:
        raise TypeError(f"{name}(): the size is given twice: {args} and size={size}")
    return size


def _target(
    name: str, size: Sequence[int], dtype: Any, out: Tensor | None, device: Any
) -> Tensor:
    """The tensor to fill: a new one, or `out` in the right size."""
    if out is None:
        dtype = _core.get_default_dtype() if dtype is None else dtype
        return _memory(size, dtype) if _core.vmap_levels() else (
            _core.empty(size, dtype, device)
        )
    if dtype is not None and dtype is not out.dtype:
        raise RuntimeError(f"{name}(): dtype {dtype} does not match that of out= ({out.dtype})")
    return _resized(name, out, size)


def _memory(size: Sequence[int], dtype: Any) -> Tensor:
    """Memory to draw into inside vmap: for each item its own, if draws are to differ."""
    from rushlight.func.random_rules import memory

    return memory(size, dtype)


def _resized(name: str, out: Tensor, size: Sequence[int]) -> Tensor:
    """`out=` in the size of the result; keeps its memory layout where the size is right."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if out.requires_grad and _core.is_grad_enabled():
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad; use the in-place method, or no_grad()"
        )
    return out if tuple(out.shape) == tuple(size) else out.resize_(size)


def _like(
    name: str, input: Tensor, dtype: Any, memory_format: Any, device: Any
) -> Tensor:
    """Memory in the shape of input, and in its order of dimensions unless the format says else."""
    _check_tensor(name, input)
    dtype = input.dtype if dtype is None else dtype
    if _core.vmap_levels():
        return _memory(input.shape, dtype)
    return memory_like(name, input, dtype, memory_format, device)


def _drawn(result: Tensor, out: Tensor | None, requires_grad: bool) -> Tensor:
    """The filled tensor; a new one counts the draw as no write."""
    if out is None:
        result._forget_writes()
    return _ready(result, requires_grad)


# ---- new tensors


@composed()
def rand(
    *args: Any, size: Any = None, generator: Generator | None = None, out: Tensor | None = None,
    dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1), in the given size.

    Example::

        >>> torch.manual_seed(0).initial_seed(), torch.rand(3)
        (0, tensor([0.4963, 0.7682, 0.0885]))

    The default float dtype unless `dtype` is given. The same seed gives PyTorch's numbers. Raises
    NotImplementedError for integer dtypes.
    """
    result = _target("rand", _size("rand", args, size), dtype, out, device)
    uniform_(result, 0.0, 1.0, generator=generator)
    return _drawn(result, out, requires_grad)


@composed()
def randn(
    *args: Any, size: Any = None, generator: Generator | None = None, out: Tensor | None = None,
    dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers, in the given size; the default float dtype unless `dtype` is given.

    Sizes one by one or as one sequence. The same seed gives PyTorch's numbers. Raises
    NotImplementedError for integer dtypes.
    """
    result = _target("randn", _size("randn", args, size), dtype, out, device)
    normal_(result, 0.0, 1.0, generator=generator)
    return _drawn(result, out, requires_grad)


@composed()
def randint(
    *args: Any, low: Any = None, high: Any = None, size: Any = None,
    generator: Generator | None = None, out: Tensor | None = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`.

    int64 unless `dtype` says else; floating point dtypes hold integers too.

    Raises RuntimeError where `low` is not below `high`.
    """
    if size is None:
        if not args:
            raise TypeError("randint(): no size given; it takes (high, size) or (low, high, size)")
        *args, size = args  # type: ignore[assignment]
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"randint(): argument 'size' must be a tuple of ints, not {type(size).__name__}; "
            "as in randint(10, (3,))"
        )
    low, high = _bounds("randint", args, low, high)
    if dtype is None and out is None:
        dtype = _core.int64
    result = _target("randint", size, dtype, out, device)
    random_(result, low, high, generator=generator)
    return _drawn(result, out, requires_grad)


def _bounds(name: str, args: Sequence[Any], low: Any, high: Any) -> tuple[int, int]:
    """(low, high) from `high` or `low, high`, by position or keyword."""
    if len(args) == 1 and high is None and low is None:
        (high,) = args
    elif len(args) == 1 and low is None:
        (low,) = args
    elif len(args) == 2 and low is None and high is None:
        low, high = args
    elif args or high is None:
        raise TypeError(
            f"{name}(): expected the bounds high, or low and high; got {tuple(args)}, low={low}, "
            f"high={high}"
        )
    return (0 if low is None else _integer(name, "low", low)), _integer(name, "high", high)


@composed()
def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """0, 1, ..., n - 1 in random order; int64 unless `dtype` says else.

    The same seed gives PyTorch's order. Raises RuntimeError for a negative `n`.
    """
    n = _integer("randperm", "n", n)
    if out is None and _core.vmap_levels():
        from rushlight.func.random_rules import permutations

        return permutations(n, _core.int64 if dtype is None else dtype, generator)
    if out is None:
        result = _core.randperm(n, _core.int64 if dtype is None else dtype, generator)
        return _made(result, device, requires_grad)
    target = _target("randperm", (n,), dtype, out, device)
    _core.copy_(target, _core.randperm(n, target.dtype, generator))
    return _made(target, device, requires_grad)


@composed()
def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1), in the shape, dtype and memory layout of input.

    Raises NotImplementedError for integer dtypes.
    """
    result = _like("rand_like", input, dtype, memory_format, device)
    uniform_(result, 0.0, 1.0, generator=generator)
    return _drawn(result, None, requires_grad)


@composed()
def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Standard normal numbers, in the shape, dtype and memory layout of input.

    Raises NotImplementedError for integer dtypes.
    """
    result = _like("randn_like", input, dtype, memory_format, device)
    normal_(result, 0.0, 1.0, generator=generator)
    return _drawn(result, None, requires_grad)


@composed()
def randint_like(
    input: Tensor, *args: Any, low: Any = None, high: Any = None,
    generator: Generator | None = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Integers in [low, high), in the shape, dtype and memory layout of input.

    `randint_like(input, high)` or `randint_like(input, low, high)`; a lone `high` may be a 0-dim
    tensor.

    Raises RuntimeError where `low` is not below `high`.
    """
    if len(args) == 1 and isinstance(args[0], Tensor) and low is None and high is None:
        if args[0].ndim:
            raise RuntimeError(
                "randint_like(): high must be a scalar tensor, got one of shape "
                f"{list(args[0].shape)}"
            )
        args = (int(args[0].item()),)
    low, high = _bounds("randint_like", args, low, high)
    memory = _like("randint_like", input, dtype, memory_format, device)
    result = random_(memory, low, high, generator=generator)
    return _drawn(result, None, requires_grad)


# ---- samples whose parameters are tensors


@composed()
def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers, each with its own mean and standard deviation.

    `normal(mean, std)` takes a tensor for one or both, which broadcast; the result has the dtype of
    `mean` if that is a tensor, else of `std`. `normal(mean, std, size)` takes two numbers.
    The gradients of `mean` and `std` are 0.

    Raises RuntimeError where a standard deviation is negative.
    """
    if size is not None:
        result = _target("normal", size, dtype, out, device)
        normal_(result, mean, std, generator=generator)
        return _drawn(result, out, requires_grad)
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        raise TypeError(
            f"normal(): with numbers for mean ({mean}) and std ({std}) it needs a size, as in "
            "normal(0.0, 1.0, (3,))"
        )
    if out is None:
        return _normal(mean, std, generator)
    for source in (mean, std):
        if isinstance(source, Tensor) and source.requires_grad and _core.is_grad_enabled():
            raise RuntimeError(
                "normal(): functions with out=... arguments don't support automatic "
                "differentiation, but one of the arguments requires grad"
            )
    return _draw_normal(_resized("normal", out, _normal_shape(mean, std)), mean, std, generator)


def _normal_shape(mean: Any, std: Any) -> Sequence[int]:
    if not isinstance(mean, Tensor):
        return std.shape
    return _core.broadcast_shapes(mean.shape, std.shape) if isinstance(std, Tensor) else mean.shape


@op(public=False, method=False, node="NormalBackward1")
def _normal(mean: Any, std: Any, generator: Generator | None) -> Tensor:
    dtype = (mean if isinstance(mean, Tensor) else std).dtype
    return _draw_normal(_core.empty(_normal_shape(mean, std), dtype), mean, std, generator)


_normal.vjp(mean=_zero, std=_zero)


def _draw_normal(result: Tensor, mean: Any, std: Any, generator: Generator | None) -> Tensor:
    # A number for the deviation goes into the draw, a tensor multiplies what was drawn: PyTorch's
    # roundings.
    if not isinstance(std, Tensor):
        return _core.normal_(result, 0.0, std, generator).add_(mean)
    if std.dtype.is_complex:
        raise RuntimeError(f"normal expects standard deviation to be non-complex, got {std.dtype}")
    # nan is refused as well
    if std.numel() and not known(_core.ge(_core.amin(std, (), False), 0), True):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    return _core.normal_(result, 0.0, 1.0, generator).mul_(std).add_(mean)


@composed(method=True)
def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """1 with the probability that `input` has at that place, else 0; in the dtype of input.

    With a number `p` that is the probability everywhere and only the shape of input matters.
    The gradient of `input` is 0.

    Raises RuntimeError for a probability outside [0, 1], NotImplementedError for integers.
    """
    _check_tensor("bernoulli", input)
    if p is not None:
        if out is not None:
            raise TypeError("bernoulli(): out= and p= do not go together; use out.bernoulli_(p)")
        if isinstance(p, Tensor):
            raise TypeError("bernoulli(): p must be a number; a tensor of them is the input")
        return _bernoulli_number(input, p, generator)
    if out is None:
        return _bernoulli(input, generator)
    if input.requires_grad and _core.is_grad_enabled():
        raise RuntimeError(
            "bernoulli(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad"
        )
    return _core.bernoulli_each_(_resized("bernoulli", out, input.shape), input, generator)


@op(public=False, method=False, node="BernoulliBackward0")
def _bernoulli(input: Tensor, generator: Generator | None) -> Tensor:
    return _core.bernoulli_each_(_core.empty(input.shape, input.dtype), input, generator)


_bernoulli.vjp(input=_zero)


@op(public=False, method=False, node="NotImplemented")
def _bernoulli_number(input: Tensor, p: float, generator: Generator | None) -> Tensor:
    return _core.bernoulli_(_core.empty(input.shape, input.dtype), p, generator)


_bernoulli_number.vjp(
    input=undefined("bernoulli(input, p)", "the result does not depend on input: detach() it")
)


@composed(method=True)
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Class indices (int64), drawn in proportion to the weights of each class.

    Args:
        input: weights, (classes) or (rows, classes), finite and >= 0; need not sum to 1.
        num_samples: how many indices to draw from each row.
        replacement: whether a class can be drawn again.

    Shape: (rows, num_samples) or (num_samples).

    Raises:
        RuntimeError: a weight is negative or not finite, a row sums to 0, or without replacement
            more are to be drawn than there are.
    """
    if out is not None and (not isinstance(out, Tensor) or out.dtype is not _core.int64):
        kind = out.dtype if isinstance(out, Tensor) else type(out).__name__
        raise RuntimeError(f"multinomial(): expects an int64 tensor for out=, got {kind}")
    samples = _integer("multinomial", "num_samples", num_samples)
    _check_tensor("multinomial", input)
    result = _multinomial(input, samples, replacement, generator)
    if out is None:
        return result
    _core.copy_(_resized("multinomial", out, result.shape), result)
    return out


@op(_core.multinomial, public=False, method=False)
def _multinomial(
    input: Tensor, num_samples: int, replacement: bool, generator: Generator | None
) -> Tensor: ...


@op(_core.poisson, method=False)
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of events, with the rates (>= 0, floating point) of input; in its shape and dtype.

    The gradient of `input` is 0. Raises RuntimeError for a negative rate.
    """


poisson.vjp(input=_zero)


@op(_core.binomial, method=False, node="NotImplemented")
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Successes among `count` trials of chance `prob`; float32 or float64, which both share."""


_binomial_undefined = undefined("binomial", "detach() the count and the probability")
binomial.vjp(count=_binomial_undefined, prob=_binomial_undefined)


# ---- what rushlight.distributions samples with


@op(_core.standard_gamma, method=False, public=False)
def _standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Gamma(input, 1)."""


@op(_core.standard_gamma_grad, method=False, public=False)
def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """How a draw `output` from Gamma(input, 1) changes with `input`, its rank kept."""


_standard_gamma.vjp(input=lambda grad, input, result: grad * _standard_gamma_grad(input, result))
_once = undefined("_standard_gamma_grad", "differentiate draws once")
_standard_gamma_grad.vjp(input=_once, output=_once)


@op(_core.sample_dirichlet, method=False, public=False, node="DirichletBackward")
def _sample_dirichlet(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Dirichlet(input) along the last dimension."""


@op(_core.dirichlet_grad, method=False, public=False)
def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """How one probability of a draw changes with its own parameter, over 1 - x."""


def _sample_dirichlet_gradient(grad: Tensor, input: Tensor, result: Tensor) -> Tensor:
    total = input.sum(-1, True).expand_as(input)
    slope = _dirichlet_grad(result, input, total)
    return slope * (grad - (result * grad).sum(-1, True))


_sample_dirichlet.vjp(input=_sample_dirichlet_gradient)
_once = undefined("_dirichlet_grad", "differentiate draws once")
_dirichlet_grad.vjp(x=_once, alpha=_once, total=_once)

__all__ += ["_sample_dirichlet", "_standard_gamma"]  # type: ignore[name-defined]  # noqa: F821
