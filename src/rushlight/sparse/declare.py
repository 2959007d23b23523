"""Declaring what ops do to tensors that are not strided.

The core asks `call` here when an op meets such a tensor. `TABLE` says, by the op's name, what to
do: a function over the op's arguments that gives the result, its history included; or, through
`forward`, one that computes the result alone and leaves the derivative to the op's own formula,
which is written in ops and so works for any layout that those ops take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.autograd.op import _by_position

if TYPE_CHECKING:
    from collections.abc import Callable

# By name, with a trailing underscore for forms that write.
TABLE: dict[str, Callable[..., Any]] = {}
# The same for functions over the op and its arguments whose result the op itself records.
FORWARD: dict[str, Callable[..., Any]] = {}


# The ops that take a sparse tensor in another place than the first too.
_ANY_OPERAND = frozenset(
    ("add", "addmm", "bmm", "copy", "div", "linear", "matmul", "mm", "mul", "mv", "rsub", "sub",
     "_index_add")
)  # fmt: skip


def sparse_op(name: str, **formulas: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Declares a function as an op that takes tensors of any layout.

    Args:
        name: of its node.
        formulas: the derivatives, as of `Op.vjp`.
    """

    def declare(function: Callable[..., Any]) -> Any:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        declared: Any = _core.Op(
            function.__name__, _by_position(function), names, function.__defaults__ or (),
            python_body=True, backward_name=name, variadic=-1, view=False, out=False,
            any_layout=True,
        )  # fmt: skip
        declared.__doc__ = function.__doc__
        declared.__wrapped__ = function
        declared.vjp(**formulas)
        return declared

    return declare


def rule(*names: str) -> Callable[[Any], Any]:
    """The function does what ops of these names do, and records it."""

    def declare(function: Any) -> Any:
        for name in names:
            TABLE[name] = function
        return function

    return declare


def forward(*names: str) -> Callable[[Any], Any]:
    """The function computes what ops of these names do; their own formulas differentiate it."""

    def declare(function: Any) -> Any:
        for name in names:
            FORWARD[name] = function
        return function

    return declare


def result_dtype(*values: Any) -> Any:
    """The dtype that operands of any layout promote to."""
    return _core.result_type(
        [value._parts.values if getattr(value, "_layout", 0) else value for value in values]
    )


def refuse(name: str, arguments: Any) -> Exception:
    """The error for an op that has nothing for these layouts."""
    from rushlight.tensor import Tensor

    described = ", ".join(
        f"{value.layout} {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
        for value in arguments
    )
    return NotImplementedError(
        f"Could not run '{name.lstrip('_')}' on ({described}): there is no such operation on "
        "sparse tensors. Use to_dense(), or work on values()"
    )


def call(name: str, op: Any, arguments: tuple) -> Any:
    """What the op does to arguments of which one is not strided.

    Raises NotImplementedError where it does nothing to them.
    """
    first = arguments[0]
    if getattr(first, "_layout", None) == 0 and name.removesuffix("_") not in _ANY_OPERAND:
        raise refuse(name, arguments)
    if name in TABLE:
        return TABLE[name](*arguments)
    if name in FORWARD:
        before = _core.set_grad_enabled(False)
        try:
            result = FORWARD[name](*arguments)
        finally:
            _core.set_grad_enabled(before)
        return op.record(arguments, result)
    if name.endswith("_"):
        from rushlight.sparse.in_place import write

        return write(name, op, arguments)
    raise refuse(name, arguments)


