"""What every distribution is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.distributions import constraints
from rushlight.distributions.parameters import lazy_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.tensor import Tensor

__all__ = ["Distribution"]


class Distribution:
    """A probability distribution, or a batch of independent ones.

    A sample has the shape `sample_shape + batch_shape + event_shape`: how many were asked for,
    which of the batch, and what one draw looks like. Methods take values whose shape ends so.

    Args:
        batch_shape: of the parameters, after broadcasting.
        event_shape: of one draw.
        validate_args: whether parameters and values are checked; by default they are.

    Raises:
        ValueError: a parameter lies outside its constraint.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions that are made from now on check their arguments."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args expects a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = rushlight.Size(batch_shape)
        self._event_shape = rushlight.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self) -> None:
        try:
            limits = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = "
                "{}` or initialize the distribution with `validate_args=False` to turn off "
                "validation.",
                stacklevel=4,
            )
            return
        for name, constraint in limits.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), lazy_property
            ):
                continue  # made from what was given, which is checked
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                    f"{constraint!r}, but found invalid values:\n{value}"
                )

    @property
    def batch_shape(self) -> Any:
        """The shape over which parameters are batched."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of a single draw."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """The constraint that each parameter has to satisfy, by name."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The set of values that can be drawn, as a constraint."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean, of shape batch_shape + event_shape; nan or inf where there is none."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most probable value, of shape batch_shape + event_shape.

        Raises NotImplementedError where it is not known.
        """
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance of each element, of shape batch_shape + event_shape."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation: the root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The same distribution with its batch broadcast to `batch_shape`; no memory is copied."""
        raise NotImplementedError

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws, without gradients, of shape sample_shape + batch_shape + event_shape."""
        with rushlight.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws that are differentiable functions of the parameters; shapes as of :meth:`sample`.

        Raises NotImplementedError where `has_rsample` is False.
        """
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """`n` draws of the batch; the old form of ``sample((n,))``."""
        warnings.warn(
            "sample_n(n) will be deprecated. Use .sample((n,)) instead.",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability (density) of `value`.

        Of the value's shape without the event's. Raises ValueError for values outside the support,
        if arguments are validated.
        """
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`.

        Raises NotImplementedError where it has no closed form.
        """
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The value whose `cdf` is `value`, a probability.

        Raises NotImplementedError where it has no closed form.
        """
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution, along a new first axis."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy in nats, of shape batch_shape."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp of the entropy, of shape batch_shape."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Any:
        return rushlight.Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _for_the_batch(self, values: Tensor, expand: bool) -> Tensor:
        """All values, (n, *event), with axes for the batch behind the first; of its sizes or 1."""
        count, *event = values.shape
        values = values.view((count, *[1] * len(self._batch_shape), *event))
        return values.expand((count, *self._batch_shape, *event)) if expand else values

    def _validate_sample(self, value: Tensor) -> None:
        """ValueError where `value` has the wrong shape or lies outside the support."""
        if not isinstance(value, rushlight.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        event_start = value.ndim - len(self._event_shape)
        if tuple(value.shape[event_start:]) != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs "
                f"{self._event_shape}."
            )
        actual, expected = value.shape, (*self._batch_shape, *self._event_shape)
        for i, j in zip(reversed(actual), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {actual} vs "
                    f"{rushlight.Size(expected)}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if support is None:
            raise AssertionError("support is None unexpectedly")
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}"
            )

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        if _instance is None and type(self).__init__ != cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def _expanded(
        self, cls: type, batch_shape: Sequence[int], _instance: Any, *names: str, **others: Any
    ) -> Any:
        """A twin of this distribution, unchecked, for the `expand` of `cls`.

        Attributes are broadcast to the batch by their names, those that exist; others are given.
        """
        new = self._get_checked_instance(cls, _instance)
        own = self.__dict__
        new.__dict__.update({n: own[n].expand(batch_shape) for n in names if n in own}, **others)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"
