"""torch.library: operators of one's own, called as functions and as `torch.ops.mylib.op`.

They mean what they mean in eager PyTorch: a kernel, a derivative that is recorded as one step, a
rule for vmap. What is for tracing and compiling (fake kernels, tags) is kept and not used.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rushlight import _ops, _schema
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "CustomOpDef",
    "Library",
    "custom_op",
    "define",
    "fallthrough_kernel",
    "get_ctx",
    "impl",
    "impl_abstract",
    "infer_schema",
    "opcheck",
    "register_autograd",
    "register_fake",
    "register_kernel",
    "register_torch_dispatch",
    "register_vmap",
    "triton_op",
    "wrap_triton",
]

# What a kernel is registered for, and whether it is for tensors on the CPU; None: never called.
_KEYS = {
    "": "", "CompositeImplicitAutograd": "", "CompositeExplicitAutograd": "",
    "CompositeExplicitAutogradNonFunctional": "", "default": "", "CPU": "CPU", "cpu": "CPU",
    "Autograd": "Autograd", "AutogradCPU": "Autograd",
}  # fmt: skip
_UNUSED = (
    "Meta", "CUDA", "cuda", "MPS", "mps", "XPU", "xpu", "HIP", "hip", "meta", "AutogradCUDA", "HPU",
    "hpu", "SparseCPU", "QuantizedCPU", "FakeTensor", "Functionalize", "ADInplaceOrView",
    "BackendSelect", "PrivateUse1", "AutogradMeta", "AutogradXPU", "AutogradMPS", "Python",
)  # fmt: skip


def _key(name: str) -> str | None:
    if name in _KEYS:
        return _KEYS[name]
    if name in _UNUSED:
        return None
    raise RuntimeError(f"torch.library: could not parse dispatch key: {name}")


def _parts(qualname: str) -> tuple[str, str, str]:
    """Namespace, name and overload of "namespace::name.overload"."""
    space, colons, rest = qualname.partition("::")
    if not colons or not space or not rest:
        raise ValueError(
            f"torch.library: expected a qualified name such as 'mylib::op', got {qualname!r}"
        )
    name, _, overload = rest.partition(".")
    return space, name, overload


def _define(space: str, schema: str) -> _ops.Registered:
    parsed = _schema.parse(schema)
    name = parsed.name.rpartition("::")[2]
    parsed.name = f"{space}::{name}"
    packets = _ops.namespace(space)._packets
    packet = packets.get(name)
    if packet is None:
        packet = packets[name] = _ops.OpOverloadPacket(space, name)
    overload = parsed.overload_name or "default"
    if overload in packet._overloads:
        raise RuntimeError(
            f"Tried to register an operator ({parsed}) with the same name and overload name "
            "multiple times"
        )
    made = packet._overloads[overload] = _ops.Registered(packet, parsed.overload_name, parsed)
    return made


def _find(op: Any) -> _ops.Registered:
    """The registered operator of a name, a custom op or an overload."""
    if isinstance(op, CustomOpDef):
        return op._opoverload
    if isinstance(op, _ops.Registered):
        return op
    if isinstance(op, _ops.OpOverloadPacket):
        op = op._qualified_op_name
    if not isinstance(op, str):
        raise ValueError(f"torch.library: expected an operator or its name, got {type(op)}")
    space, name, overload = _parts(op)
    packet = _ops.namespace(space)._packets.get(name)
    found = packet._overloads.get(overload or "default") if packet else None
    if not isinstance(found, _ops.Registered):
        raise RuntimeError(f"operator {op} does not exist: define it first (torch.library.define)")
    return found


# ---------------------------------------------------------------------------- a library


class Library:
    """The operators that one author adds to a namespace.

    Args:
        ns: the namespace.
        kind: "DEF" for a namespace of one's own, "FRAGMENT" to add to one, "IMPL" to give kernels.
        dispatch_key: what kernels are for, where `impl` does not say.
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if ns == "prim" and kind != "FRAGMENT":
            raise ValueError(f"{ns} is a reserved namespace. Please try creating another one.")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key
        self._defined: list[_ops.Registered] = []

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Adds an operator by its signature; returns its name.

        Args:
            schema: such as "add3(Tensor x, int k=3) -> Tensor".
            alias_analysis, tags: for compilers; not used.

        Raises RuntimeError for a text that is no signature, or an operator that is there.
        """
        self._defined.append(_define(self.ns, schema))
        return self._defined[-1]._schema.name.rpartition("::")[2]

    def impl(
        self,
        op_name: Any,
        fn: Callable[..., Any],
        dispatch_key: str = "",
        *,
        with_keyset: bool = False,
        allow_override: bool = False,
    ) -> None:
        """Gives an operator a kernel.

        Args:
            op_name: "name", "name.overload", or the overload itself.
            fn: the kernel.
            dispatch_key: "CPU", "CompositeExplicitAutograd", "Autograd" and the like. Kernels for
                other devices are accepted and never called.
            with_keyset: must be False.
            allow_override: replace a kernel that is there.

        Raises RuntimeError for a kernel that is there, NotImplementedError in the namespace aten.
        """
        if with_keyset:
            raise NotImplementedError("Library.impl: there are no key sets: with_keyset=False")
        if self.ns == "aten":
            raise NotImplementedError(
                "Library.impl: functions of PyTorch itself cannot be given other kernels here"
            )
        if isinstance(op_name, str):
            op_name = op_name if "::" in op_name else f"{self.ns}::{op_name}"
        _implement(_find(op_name), dispatch_key or self.dispatch_key, fn, allow_override)

    def fallback(self, fn: Callable[..., Any], dispatch_key: str = "", **options: Any) -> None:
        """Raises NotImplementedError: no kernel stands for all operators."""
        raise NotImplementedError("Library.fallback is not in rushlight: register each operator")

    def _destroy(self) -> None:
        """Takes away the operators that it has defined."""
        for op in self._defined:
            packets = _ops.namespace(self.ns)._packets
            packets[op._packet._name]._overloads.pop(op._overloadname, None)
            if not packets[op._packet._name]._overloads:
                del packets[op._packet._name]
        self._defined = []


def _implement(
    op: _ops.Registered, key: str, function: Callable[..., Any], override: bool = False
) -> None:
    place = _key(key)
    if place is None or function is fallthrough_kernel:
        return
    if place in op.kernels and not override:
        raise RuntimeError(
            f"This is not allowed since there's already a kernel registered from python overriding "
            f"{op._packet._name}'s behavior for {key or 'default'} dispatch key and {op.namespace} "
            "namespace."
        )
    op.kernels[place] = function


def fallthrough_kernel(*args: Any, **kwargs: Any) -> Any:
    """As a kernel: there is none for this key; the next one is called."""
    raise NotImplementedError("fallthrough_kernel() should never be called.")


# ---------------------------------------------------------------------------- functions


def define(
    qualname: str, schema: str | None = None, *, lib: Library | None = None, tags: Any = ()
) -> Any:
    """Adds an operator "mylib::op" with the signature "(Tensor x) -> Tensor".

    Without `schema`, a decorator: the function becomes its kernel too. Raises RuntimeError for an
    operator that is there.
    """
    if schema is None:

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            define(qualname, infer_schema(function, mutates_args=()), lib=lib, tags=tags)
            return impl(qualname, "default", function, lib=lib) or function

        return decorate
    space, name, overload = _parts(qualname)
    _define(space, f"{name}.{overload}{schema}" if overload else f"{name}{schema}")
    return None


def impl(
    qualname: str,
    types: Any,
    func: Callable[..., Any] | None = None,
    *,
    lib: Library | None = None,
) -> Any:
    """Gives an operator a kernel; a decorator without `func`.

    Args:
        qualname: "mylib::op"; with a Library in the place of it, the name follows, as of old.
        types: a type of device or several, "default" for every one.
        func: the kernel.
        lib: not needed.
    """
    if isinstance(qualname, Library):  # impl(lib, name, key)
        owner, name, key = qualname, types, func if isinstance(func, str) else ""

        def old(function: Callable[..., Any]) -> Callable[..., Any]:
            owner.impl(name, function, key)
            return function

        return old

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for key in (types,) if isinstance(types, str) else types:
            _implement(_find(qualname), key, function)
        return function

    if func is None:
        return decorate
    decorate(func)
    return None


def register_fake(
    op: Any,
    func: Callable[..., Any] | None = None,
    /,
    *,
    lib: Library | None = None,
    _stacklevel: int = 1,
    allow_override: bool = False,
) -> Any:
    """Keeps a function that gives results of the right shape without numbers, for `opcheck`.

    An operator that does not exist is passed over: packages describe those of their compiled part.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        with suppress(RuntimeError):
            _find(op).fake = function
        return function

    return decorate if func is None else decorate(func)


impl_abstract = register_fake


def register_autograd(
    op: Any,
    backward: Callable[..., Any],
    /,
    *,
    setup_context: Callable[..., Any] | None = None,
    lib: Library | None = None,
) -> None:
    """Gives an operator its derivative.

    Args:
        op: the operator, or its name.
        backward: `backward(ctx, *grads)`, one gradient per argument.
        setup_context: `setup_context(ctx, inputs, output)`, which keeps what backward needs; with
            `keyword_only_inputs` too where the signature has such arguments.
        lib: not needed.

    Raises RuntimeError for an operator that writes to its arguments.
    """
    found = _find(op)
    if found._schema.writes:
        raise RuntimeError(
            f"Cannot register autograd formula for non-functional operator {found} with schema "
            f"{found._schema}. Please create a functional operator and register an autograd "
            "formula for that."
        )
    found.backward, found.setup_context = backward, setup_context
    found.changed()


def register_kernel(
    op: Any, device_types: Any, func: Callable[..., Any] | None = None, /, *, lib: Any = None
) -> Any:
    """Gives an operator a kernel for types of devices (None for all); a decorator without `func`.

    Kernels for other devices than the CPU are accepted and never called.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        keys = ("default",) if device_types is None else device_types
        for key in (keys,) if isinstance(keys, str) else keys:
            _implement(_find(op), key, function, override=True)
        return function

    return decorate if func is None else decorate(func)


def register_vmap(
    op: Any, func: Callable[..., Any] | None = None, /, *, lib: Library | None = None
) -> Any:
    """Gives an operator its rule for vmap: `func(info, in_dims, *args)` -> (result, out_dims)."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        found = _find(op)
        found.vmap = function
        found.changed()
        return function

    return decorate if func is None else decorate(func)


def register_torch_dispatch(
    op: Any, torch_dispatch_class: Any, func: Any = None, /, **_: Any
) -> Any:
    """Raises NotImplementedError: there is no `__torch_dispatch__`."""
    raise NotImplementedError(
        "torch.library.register_torch_dispatch is not in rushlight, which has no __torch_dispatch__"
    )


def triton_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    schema: str | None = None,
) -> Any:
    """As `custom_op`: what it calls of Triton raises when it is called on a CPU."""
    return custom_op(name, fn, mutates_args=mutates_args, schema=schema)


def wrap_triton(triton_kernel: Any, /) -> Any:
    """Raises NotImplementedError: Triton's kernels are for other devices than the CPU."""
    raise NotImplementedError("torch.library.wrap_triton: there is no Triton for the CPU")


def get_ctx() -> Any:
    """Raises RuntimeError: it is for fake kernels while a program is traced."""
    raise RuntimeError("get_ctx() can only be called inside of a fake impl, and none is traced")


def infer_schema(
    prototype_function: Callable[..., Any],
    /,
    *,
    mutates_args: str | Iterable[str],
    op_name: str | None = None,
) -> str:
    """The signature of a function with annotations, as text: "(Tensor x, SymInt k=3) -> Tensor".

    Args:
        prototype_function: of tensors, numbers, strings, dtypes and lists of them.
        mutates_args: the names of the arguments that it writes to, or "unknown" for all tensors.
        op_name: what stands before the arguments.

    Raises ValueError for annotations that are missing or not known.
    """
    return _schema.infer(prototype_function, mutates_args, op_name)


# ---------------------------------------------------------------------------- custom ops


class CustomOpDef:
    """What `custom_op` makes of a function: called as it, and as `torch.ops.mylib.op`."""

    def __init__(self, op: _ops.Registered, function: Callable[..., Any]) -> None:
        self._opoverload = op
        self._qualname = op.name()
        self._init_fn = function
        self.__name__ = getattr(function, "__name__", op._packet._name)
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._opoverload(*args, **kwargs)

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """`torch.library.register_fake` of this operator."""
        return register_fake(self, fn)

    def register_kernel(
        self, device_types: Any, fn: Callable[..., Any] | None = None, /
    ) -> Any:
        """`torch.library.register_kernel` of this operator."""
        return register_kernel(self, device_types, fn)

    def register_autograd(
        self,
        backward: Callable[..., Any],
        /,
        *,
        setup_context: Callable[..., Any] | None = None,
    ) -> None:
        """`torch.library.register_autograd` of this operator."""
        register_autograd(self, backward, setup_context=setup_context)

    def register_vmap(self, func: Callable[..., Any] | None = None) -> Any:
        """`torch.library.register_vmap` of this operator."""
        return register_vmap(self, func)

    def register_torch_dispatch(self, torch_dispatch_class: Any, fn: Any = None, /) -> Any:
        """Raises NotImplementedError: there is no `__torch_dispatch__`."""
        return register_torch_dispatch(self, torch_dispatch_class, fn)


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: Any = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Makes an operator of a function; a decorator without `fn`.

    Autograd sees one step, whose derivative `register_autograd` gives; without one, backward
    raises RuntimeError. The results may not be the arguments themselves.

    Args:
        name: "mylib::op".
        fn: with annotations for its arguments and its result, unless `schema` is given.
        mutates_args: the names of the arguments that it writes to, or "unknown".
        device_types: what the function is a kernel for: "cpu", or None for everything. The
            function is called if "cpu" is among them.
        schema: the signature, as of `infer_schema`.
        tags: for compilers; not used.

    Raises ValueError for a name without a namespace, or annotations that are missing.
    """

    def decorate(function: Callable[..., Any]) -> CustomOpDef:
        space, own, _ = _parts(name)
        text = schema if schema is not None else infer_schema(function, mutates_args=mutates_args)
        packets = _ops.namespace(space)._packets
        packets.pop(own, None)  # as in PyTorch, a definition that is made again takes its place
        op = _define(space, own + text)
        op.is_custom = True
        register_kernel(op, device_types, function)
        return CustomOpDef(op, function)

    return decorate if fn is None else decorate(fn)


def opcheck(
    op: Any,
    args: tuple,
    kwargs: dict[str, Any] | None = None,
    *,
    test_utils: Any = None,
    raise_exception: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
) -> dict[str, str]:
    """Checks an operator on sample arguments: what it writes to, its fake kernel's layouts.

    Args:
        op: the operator.
        args, kwargs: of a call.
        test_utils: names of checks, "test_schema" and "test_faketensor"; others are for compilers.
        raise_exception: raise what a check finds; False returns it.
        atol, rtol: not needed.

    Returns each check by name with "SUCCESS" or what it found.
    """
    found = _find(op)
    wanted = test_utils or ("test_schema", "test_faketensor")
    results: dict[str, str] = {}
    for test in (wanted,) if isinstance(wanted, str) else wanted:
        try:
            if test == "test_schema":
                _check_writes(found, args, kwargs or {})
            elif test == "test_faketensor":
                _check_layouts(found, args, kwargs or {})
            else:
                continue
            results[test] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise
            results[test] = str(error)
    return results


def _check_writes(op: _ops.Registered, args: tuple, kwargs: dict[str, Any]) -> None:
    values, named = op._schema.bind(args, kwargs)
    before = [
        (argument, value, value._version)
        for argument, value in zip(op._schema.arguments, (*values, *named.values()), strict=True)
        if isinstance(value, Tensor)
    ]
    op(*args, **kwargs)
    for argument, value, version in before:
        if value._version != version and not argument.is_write:
            raise RuntimeError(
                f"{op.name()}: argument {argument.name} is not defined as mutable but was mutated"
            )


def _check_layouts(op: _ops.Registered, args: tuple, kwargs: dict[str, Any]) -> None:
    if op.fake is None:
        return
    real, fake = op(*args, **kwargs), op.fake(*args, **kwargs)
    pairs = zip(real, fake, strict=True) if isinstance(real, (tuple, list)) else ((real, fake),)
    for one, other in pairs:
        if not isinstance(one, Tensor):
            continue
        if one.shape != other.shape or one.dtype is not other.dtype:
            raise AssertionError(
                f"{op.name()}: the fake kernel gives shape {list(other.shape)} and {other.dtype}, "
                f"the operator {list(one.shape)} and {one.dtype}"
            )
        if _steps(one) != _steps(other):
            raise AssertionError(
                f"{op.name()}: the fake kernel gives strides {list(other.stride())}, the operator "
                f"{list(one.stride())}; return contiguous() from it, or make the fake alike"
            )


def _steps(tensor: Tensor) -> list[int]:
    """The strides that say where an element lies."""
    if not tensor.numel():
        return []
    return [step for step, length in zip(tensor.stride(), tensor.shape) if length > 1]
