"""Declaring an op: its kernel, its arguments and its derivative, in one place.

    @op(_core.logaddexp)
    def logaddexp(input: Tensor, other: Tensor) -> Tensor:
        "log(exp(input) + exp(other)), elementwise and without overflow."

    logaddexp.vjp(
        input=lambda grad, input, other: grad * sigmoid(input - other),
        other=lambda grad, input, other: grad * sigmoid(other - input),
    )

The decorated name becomes a `_core.Op`: calling it binds the arguments (as the `def` says), runs
the kernel on the tensors and, when one of them requires grad, records a node. A formula's
arguments are the gradient of the result and whatever the node has to keep: arguments of the op by
name, `result`, or `needs` (which inputs want a gradient). Formulas hold only mathematics; the
engine undoes broadcasting, casts and adds up. They are written in ops, so with
`create_graph=True` they record themselves. A formula may be an op itself, whose arguments after
the first then have these names: `relu.vjp(input=relu_backward)`.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.dtypes import can_cast
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Generic, ParamSpec, Protocol, TypeVar, overload

    from rushlight._core import Op

    P = ParamSpec("P")
    R = TypeVar("R")
    R_co = TypeVar("R_co", covariant=True)

    class Declared(Op, Generic[P, R]):
        """An op for editors and type checkers: called as its `def` says, or with `out`."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
        @overload
        def __call__(self, *args: Any, **kwargs: Any) -> R: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

        def vjp(
            self,
            *,
            kernels: dict[str, Callable[..., Any]] | None = None,
            **formulas: Callable[..., Any],
        ) -> None: ...
        def vjp_all(
            self,
            inputs: tuple[str, ...],
            formula: Callable[..., Any],
            uses: dict[str, str] | None = None,
            kernel: Callable[..., Any] | None = None,
        ) -> None: ...

    class Composed(Protocol[P, R_co]):
        """A composed function for editors and type checkers."""

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
        @overload
        def __call__(self, *args: Any, **kwargs: Any) -> R_co: ...

        def __getattr__(self, name: str) -> Any: ...

    # Editors that do not follow the generic classes (jedi) take Any and with it the `def` itself.
    class Declaration(Protocol):
        if TYPE_CHECKING:

            def __call__(self, function: Callable[P, R], /) -> Declared[P, R]: ...

        else:
            __call__: Any

    class Composition(Protocol):
        if TYPE_CHECKING:

            def __call__(self, function: Callable[P, R], /) -> Composed[P, R]: ...

        else:
            __call__: Any


# What `out` says to the core (OutDtype in csrc/tape/op.h).
_OUT = {False: 0, True: 1, "exact": 2, "dtype": 3}

# Every op and composition by name, in order of declaration: tests and docs are made from it.
OPS: dict[str, Op] = {}
COMPOSED: dict[str, Callable[..., Any]] = {}


def _export(function: Callable[..., Any], name: str) -> None:
    """Makes `name` one of the names that `from ... import *` takes from the op's file."""
    function.__globals__.setdefault("__all__", []).append(name)


def op(
    kernel: Callable[..., Any] | None = None,
    *,
    view: bool = False,
    method: bool | str = True,
    inplace: bool | str = False,
    out: bool | str = False,
    public: bool = True,
    variadic: str | None = None,
    node: str | Callable[..., str] | None = None,
) -> Declaration:
    """Declares the decorated function as an op.

    Args:
        kernel: takes all arguments by position and returns the result; knows no autograd. Without
            one, the function's body is run, unrecorded.
        view: the result shares storage with the first argument.
        method: also a Tensor method (of this name, if a string).
        inplace: also a form with a trailing underscore that writes to the first argument. "only":
            there is no other form, and the kernel does the writing and returns that argument.
        out: takes `out=`, a tensor of any dtype that the result casts to. "exact": of the result's
            own dtype only. "dtype": of any dtype, in which the op then computes; where its argument
            `dtype` names one, of that.
        public: also a function of the package's top level.
        variadic: the argument that also takes its integers one by one, as in `view(2, 3)`.
        node: the name of its node where it is not the op's own name in CamelCase. A function where
            it depends on the call: its arguments are plain arguments of the op, `<argument>_ndim`
            and `<argument>_dtype` of what formulas keep (None for what is no tensor) and
            `recorded` (which inputs want a gradient). It runs when somebody looks.
    """

    def declare(function: Callable[..., Any]) -> Any:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if "from_" in names:  # PyTorch's name is a keyword of Python
            names = tuple("from" if n == "from_" else n for n in names)
        defaults = function.__defaults__ or ()
        if code.co_kwonlyargcount:
            keyword_only = function.__kwdefaults__ or {}
            defaults += tuple(keyword_only[n] for n in names[code.co_argcount :])
        name = function.__name__
        stem = name[:-1] if inplace == "only" else name
        # What is annotated as Tensor takes no numbers; of two Any operands one is a tensor.
        hints = [function.__annotations__.get(n) for n in names]
        declared = _core.Op(
            stem,
            kernel if kernel is not None else _by_position(function),
            names,
            defaults,
            variadic=names.index(variadic) if variadic else -1,
            python_body=kernel is None,
            view=view,
            out=_OUT[out],
            backward_name=(node, _arguments(node)) if callable(node) else (
                node or _backward_name(stem)
            ),
            tensors=sum(1 << i for i, hint in enumerate(hints) if hint == "Tensor"),
            one_tensor=hints[:2] == ["Any", "Any"],
            by_name=code.co_kwonlyargcount,
        )
        if inplace == "only":
            declared = declared.inplace_form()
        _describe(declared, function, name)
        OPS[name] = declared
        if public:
            _export(function, name)
        if method:
            setattr(Tensor, method if isinstance(method, str) else name, declared.method())
        if inplace and inplace != "only":
            written = declared.inplace_form()
            _describe(written, function, name + "_")
            written.__doc__ = f"In-place form of :func:`{name}`."
            setattr(Tensor, name + "_", written.method())
            function.__globals__[name + "_"] = written
            if public:
                _export(function, name + "_")
        return declared

    return declare


def composed(
    *,
    method: bool | str = False,
    inplace: bool = False,
    out: bool | str = False,
    public: bool = True,
    float32: bool = False,
    numpy_names: bool = False,
) -> Composition:
    """Registers a plain function over other ops: its derivative is theirs.

    Args:
        method: these are as of `op`.
        inplace: as of `op`.
        out: as of `op`.
        public: as of `op`.
        float32: autocast gives it float32 (rushlight/amp).
        numpy_names: `axis` and `keepdims` are taken for `dim` and `keepdim`, as ops do.
    """

    def declare(function: Callable[..., Any]) -> Any:
        name = function.__name__
        declared = _in_float32(function) if float32 else function
        if out:
            declared = _taking_out(declared, function, out)
        if numpy_names:
            declared = _by_numpy_names(declared, function)
        COMPOSED[name] = declared
        own = method if isinstance(method, str) else name
        if method:
            setattr(Tensor, own, declared)
        if public:
            _export(function, name)
        if inplace:
            written = _writing(function, own)
            setattr(Tensor, own + "_", written)
            function.__globals__[own + "_"] = written
            if public:
                _export(function, own + "_")
        return declared

    return declare


def synonyms(declared: Callable[..., Any], *names: str) -> None:
    """Other names of an op: of the function, the method and the in-place forms that it has."""
    function = declared.__wrapped__ if hasattr(declared, "__wrapped__") else declared
    own = function.__name__
    for name in names:
        function.__globals__[name] = declared
        _export(function, name)
        if hasattr(Tensor, own):
            setattr(Tensor, name, getattr(Tensor, own))
        if hasattr(Tensor, own + "_"):
            written = getattr(Tensor, own + "_")
            setattr(Tensor, name + "_", written)
            written = getattr(written, "__func__", written)
            function.__globals__[name + "_"] = written
            _export(function, name + "_")


_float32_call: Any = None  # (function, args, kwargs) -> result, while an autocast is on


def set_float32_call(call: Any) -> None:
    """What runs functions declared with `float32`; None for themselves."""
    global _float32_call
    _float32_call = call


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as autocast finds it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if _float32_call is None:
            return function(*args, **kwargs)
        return _float32_call(function, args, kwargs)

    _describe(call, function, function.__name__)
    return call


def _taking_out(
    run: Callable[..., Any], function: Callable[..., Any], rule: bool | str
) -> Callable[..., Any]:
    """The function, as `run` runs it, with an argument `out`; `rule` is as of `op`."""
    exact, computed = rule is not True, rule == "dtype"

    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if computed and out is not None and kwargs.get("dtype") is None:
            kwargs["dtype"] = out.dtype
        result = run(*args, **kwargs)
        return result if out is None else _core.write_out(function.__name__, result, out, exact)

    _describe(call, function, function.__name__)
    return call


def _by_numpy_names(run: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if "axis" in kwargs:
                kwargs.setdefault("dim", kwargs.pop("axis"))
            if "keepdims" in kwargs:
                kwargs.setdefault("keepdim", kwargs.pop("keepdims"))
        return run(*args, **kwargs)

    _describe(call, function, function.__name__)
    return call


def _writing(function: Callable[..., Any], own: str) -> Callable[..., Any]:
    """The form of a composed function that writes to its first argument."""
    name = own + "_"

    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        # With history, what the ops save must be what the tensor was before.
        before = input.clone() if input.requires_grad and _core.is_grad_enabled() else input
        result = function(before, *args, **kwargs)
        if result.shape != input.shape:
            raise RuntimeError(
                f"{name}: output with shape {list(input.shape)} doesn't match the broadcast shape "
                f"{list(result.shape)}"
            )
        if not can_cast(result.dtype, input.dtype):
            raise RuntimeError(
                f"{name}: result type {result.dtype} can't be cast to the desired output type "
                f"{input.dtype}"
            )
        return input.copy_(result)

    _describe(call, function, name)
    call.__doc__ = f"In-place form of :func:`{own}`."
    return call


def _by_position(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its keyword-only arguments made positional: how a kernel is called."""
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    cls: Any = type(function)
    return cls(
        code.replace(co_argcount=count, co_kwonlyargcount=0),
        function.__globals__,
        function.__name__,
        None,
        function.__closure__,
    )


def call_all(function: Callable[..., Any], values: Sequence[Any]) -> Any:
    """The function, mostly an op, of all its arguments in order, those by name only among them.

    So rules for other tensors (rushlight/func, rushlight/sparse) get them from the core.
    """
    by_name = getattr(function, "by_name", 0)
    if not by_name:
        return function(*values)
    named = zip(function.arguments[-by_name:], values[-by_name:])  # type: ignore[attr-defined]
    return function(*values[:-by_name], **dict(named))


def _backward_name(name: str) -> str:
    """PyTorch's way to name nodes: log_softmax becomes LogSoftmaxBackward0."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Backward0"


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    if isinstance(function, _core.Op):
        return function.arguments
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _describe(declared: Any, function: Callable[..., Any], name: str) -> None:
    declared.__name__ = name
    declared.__qualname__ = name
    declared.__doc__ = function.__doc__
    declared.__module__ = function.__module__
    declared.__wrapped__ = function


def _formula(
    function: Callable[..., Any],
    used_by: Callable[[str], int],
    kernel: Callable[..., Any] | None = None,
) -> tuple[Any, ...]:
    """A formula, what it takes after the gradient, for each the gradients that use it; a kernel."""
    names = _arguments(function)[1:]
    return function, names, tuple(map(used_by, names)), kernel


def _vjp(
    self: Op,
    *,
    kernels: dict[str, Callable[..., Any]] | None = None,
    **formulas: Callable[..., Any],
) -> None:
    """One formula per differentiable argument; only those that are needed run.

    The argument `tensors` is a sequence: its formula returns one gradient per tensor. A kernel
    computes the same as the formula of its name from the same arguments, in one pass, and is
    called in its place where nothing records.
    """
    kernels = kernels or {}
    names = self.arguments
    positions = sorted(names.index(argument) for argument in formulas)
    listed = names.index("tensors") if "tensors" in formulas else -1
    ordered = [
        _formula(formulas[names[at]], lambda name, bit=1 << i: bit, kernels.get(names[at]))  # type: ignore[misc]
        for i, at in enumerate(positions)
    ]
    self.set_formulas(tuple(positions), ordered, False, listed)


def _vjp_all(
    self: Op,
    inputs: tuple[str, ...],
    formula: Callable[..., Any],
    uses: dict[str, str] | None = None,
    kernel: Callable[..., Any] | None = None,
) -> None:
    """One formula that returns the gradients of all `inputs`, in the order of the arguments.

    `uses` says for an input that its gradient needs the values of one argument alone. Where no
    gradient that is wanted needs an argument, the node does not keep it and the formula gets a
    tensor of its shape without data. `kernel` computes the same from the same arguments in one
    pass, and is called in place of the formula where nothing records.
    """
    positions = tuple(sorted(self.arguments.index(argument) for argument in inputs))
    ordered = [self.arguments[at] for at in positions]

    def used_by(name: str) -> int:
        return sum(
            1 << i
            for i, input in enumerate(ordered)
            if uses is None or uses.get(input, name) == name
        )

    self.set_formulas(positions, [_formula(formula, used_by, kernel)], True, -1)


def _first_meta_call(name: str, op: Any, arguments: tuple) -> Any:
    """An op on tensors without memory: the rules for shapes load with the first of them."""
    from rushlight.meta import call

    _core.set_callbacks(call_meta=call)
    return call(name, op, arguments)


_core.set_callbacks(call_meta=_first_meta_call)
_core.Op.vjp = _vjp
_core.Op.vjp_all = _vjp_all
# Copied and pickled as functions are: by name.
_core.Op.__reduce__ = lambda self: self.__name__  # type: ignore
copyreg.pickle(_core.OpMethod, lambda method: (getattr, (Tensor, method.__name__)))  # type: ignore
