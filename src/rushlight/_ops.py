"""torch.ops: operators by namespace and name, `torch.ops.mylib.op` and `torch.ops.aten.mm.default`.

What torch.library registered is called as it was registered: kernel, derivative, rule for vmap.
The namespace `aten` stands for the functions of this library. There is no dispatcher: each overload
of a name of `aten` calls the same function, which looks at its arguments itself.
"""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.autograd import Function
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rushlight._schema import Schema

__all__ = ["OpOverload", "OpOverloadPacket", "namespace_or_function"]


class _State(threading.local):
    below = 0  # blocks in which no derivative of a registered operator is recorded


_STATE = _State()
_NAMESPACES: dict[str, _Namespace] = {}


def _convolution_backward(
    grad_output: Tensor, input: Tensor, weight: Tensor, bias_sizes: Any, *options: Any
) -> tuple[Tensor | None, ...]:
    """The gradients of input, weight and bias that the last option, three bools, asks for."""
    *settings, mask = options
    leaves: list[Any] = [input.detach(), weight.detach(), None]
    if mask[2]:
        channels = bias_sizes[0] if bias_sizes else grad_output.shape[1]
        leaves[2] = weight.new_zeros(channels)
    wanted = [leaf for leaf, asked in zip(leaves, mask, strict=True) if asked]
    with rushlight.enable_grad():
        for leaf in wanted:
            leaf.requires_grad_()
        result = rushlight.convolution(*leaves, *settings)
        found = iter(rushlight.autograd.grad(result, wanted, grad_output))
    return tuple(next(found) if asked else None for asked in mask)


def _key(indices: Any) -> tuple:
    """The key of a subscription for indices of which some are None."""
    return tuple(slice(None) if index is None else index for index in indices)


def _slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """`input[start:end:step]` along one dimension."""
    return input[(slice(None),) * (dim % input.ndim) + (slice(start, end, step),)]


# Names of aten that are called otherwise here.
_ATEN: dict[str, Callable[..., Any]] = {
    "_softmax": lambda input, dim, half_to_float=False: rushlight.softmax(input, dim),
    "_log_softmax": lambda input, dim, half_to_float=False: rushlight.log_softmax(input, dim),
    "_to_copy": lambda input, **options: input.to(copy=True, **options),
    "_unsafe_view": lambda input, size: input.reshape(size),
    "convolution_backward": _convolution_backward,
    "_pin_memory": lambda input, device=None: input.pin_memory(),
    "alias": lambda input: input.view(input.shape),
    "constant_pad_nd": lambda input, pad, value=0: rushlight.nn.functional.pad(
        input, pad, value=value
    ),
    "copy": lambda input, src, non_blocking=False: src.to(input.dtype).expand_as(input).clone(),
    "lift_fresh": lambda input: input,
    "_adaptive_avg_pool2d": lambda input, output_size: rushlight.nn.functional.adaptive_avg_pool2d(
        input, output_size
    ),
    "_sparse_addmm": lambda *args, **options: rushlight.sparse.addmm(*args, **options),
    "_sparse_mm_reduce_impl": lambda *args: rushlight.sparse.mm(*args),
    "_local_scalar_dense": lambda input: input.item(),
    "index": lambda input, indices: input[_key(indices)],
    "lift_fresh_copy": lambda input: input.clone(),
    "slice": _slice,
    "sym_numel": lambda input: input.numel(),
    "sym_size": lambda input, *dim: input.size(*dim),
    "sym_stride": lambda input, *dim: input.stride(*dim),
}


class BelowAutograd:
    """A block in which registered operators run their kernels and record no derivative."""

    def __enter__(self) -> None:
        _STATE.below += 1

    def __exit__(self, *exception: Any) -> None:
        _STATE.below -= 1


class OpOverload:
    """One signature of an operator: `torch.ops.namespace.name.overload`."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self._packet = packet
        self._overloadname = overload or "default"
        self._qualified_op_name = f"{packet._namespace}::{packet._name}"
        if overload not in ("", "default"):
            self._qualified_op_name += f".{overload}"
        self.namespace = packet._namespace
        self.__name__ = f"{packet._name}.{self._overloadname}"
        self.__qualname__ = self.__name__
        self.__module__ = f"torch._ops.{packet._namespace}"
        self.tags: list[Any] = []

    @property
    def overloadpacket(self) -> OpOverloadPacket:
        """The operator that this is a signature of."""
        return self._packet

    def name(self) -> str:
        """ "namespace::name", with ".overload" behind it unless that is "default"."""
        return self._qualified_op_name

    @property
    def op(self) -> Callable[..., Any]:
        """What a call runs."""
        return self.__call__

    def __str__(self) -> str:
        return f"{self._packet}.{self._overloadname}"

    def __repr__(self) -> str:
        return f"<OpOverload(op='{self._packet._qualified_op_name}', "\
               f"overload='{self._overloadname}')>"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{self.name()}: only defined, nothing to call")


class _Function(OpOverload):
    """An overload that is a function of this library, whatever its arguments."""

    def __init__(self, packet: OpOverloadPacket, overload: str, function: Any) -> None:
        super().__init__(packet, overload)
        self._function = function

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


class Registered(OpOverload):
    """An overload that torch.library has defined.

    Attributes:
        kernels: functions by key of dispatch ("CPU", "Autograd", ...; "" for every device).
        fake: what gives results of the right shape without numbers; kept, and called by opcheck.
    """

    def __init__(self, packet: OpOverloadPacket, overload: str, schema: Schema) -> None:
        super().__init__(packet, overload)
        self._schema = schema
        self.kernels: dict[str, Callable[..., Any]] = {}
        self.fake: Callable[..., Any] | None = None
        self.backward: Callable[..., Any] | None = None
        self.setup_context: Callable[..., Any] | None = None
        self.vmap: Callable[..., Any] | None = None
        self.is_custom = False  # by custom_op: recorded as one step, and checked
        self._warned = False
        self._cls: type[Function] | None = None

    def changed(self) -> None:
        """Says that a derivative or a rule was registered."""
        self._cls = None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = self._schema.bind(args, kwargs)
        own = self.kernels.get("Autograd")
        if own is not None and not _STATE.below:
            return own(*args, **kwargs)
        one_step = self.backward is not None or self.vmap is not None or self.is_custom
        if not one_step or _STATE.below or self._schema.writes:
            return self._run(args, kwargs)
        tensors = [value for value in _leaves(args) if isinstance(value, Tensor)]
        if not any(value.requires_grad or value._level for value in tensors):
            return self._run(args, kwargs)
        if self._cls is None:
            self._cls = _recorded(self)
        return _apply(self._cls, args, kwargs)

    def _run(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        kernel = self.kernels.get("CPU") or self.kernels.get("")
        if kernel is None:
            known = ", ".join(sorted(self.kernels)) or "none"
            raise NotImplementedError(
                f"{self.name()}: there is no kernel for the CPU; registered are: {known}. Use "
                "torch.library.impl or register_kernel"
            )
        result = kernel(*args, **kwargs)
        if self.is_custom:
            self._check(result, args)
        elif kernel is self.kernels.get("CPU") and self.backward is None and not self._warned:
            self._warn(result)
        return result

    def _check(self, result: Any, args: tuple) -> None:
        given = {id(value) for value in _leaves(args) if isinstance(value, Tensor)}
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        if any(id(output) in given for output in _leaves(tuple(outputs))):
            raise RuntimeError(
                f"{self._packet._name}: The output of this custom operator (1) must not also be "
                "an input to this custom operator and (2) may not alias any inputs to this custom "
                "operator or other returns. Return a clone() of the offending tensor."
            )

    def _warn(self, result: Any) -> None:
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        if any(isinstance(output, Tensor) and output.requires_grad for output in outputs):
            self._warned = True
            warnings.warn(
                f"{self.name()}: no derivative was registered for this operator; that of the "
                "operations in its kernel is used. Use torch.library.register_autograd",
                stacklevel=4,
            )


def _leaves(args: tuple | list) -> list[Any]:
    found: list[Any] = []
    for value in args:
        if isinstance(value, (list, tuple)):
            found += value
        else:
            found.append(value)
    return found


def _apply(cls: type[Function], args: tuple, kwargs: dict[str, Any]) -> Any:
    """`cls.apply` with the tensors of sequences one by one."""
    lengths = tuple(
        len(value)
        if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value)
        else -1
        for value in args
    )
    flat: list[Any] = []
    for value, length in zip(args, lengths, strict=True):
        if length < 0:
            flat.append(value)
        else:
            flat += value
    return cls.apply(*flat, (lengths, kwargs))


def _nested(flat: tuple, lengths: tuple[int, ...]) -> list[Any]:
    found: list[Any] = []
    at = 0
    for length in lengths:
        if length < 0:
            found.append(flat[at])
            at += 1
        else:
            found.append(list(flat[at : at + length]))
            at += length
    return found


def _recorded(op: Registered) -> type[Function]:
    """The Function that runs the kernel of `op` and records its derivative."""

    def forward(*flat: Any) -> Any:
        lengths, kwargs = flat[-1]
        with BelowAutograd():
            return op._run(tuple(_nested(flat, lengths)), kwargs)

    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        lengths, kwargs = inputs[-1]
        ctx._lengths = lengths
        ctx.needs_input_grad = tuple(_nested(ctx.needs_input_grad, lengths))
        if op.setup_context is None:
            return
        named = {"keyword_only_inputs": kwargs} if op._schema.keyword_only else {}
        op.setup_context(ctx, inputs=tuple(_nested(inputs, lengths)), output=output, **named)

    def backward(ctx: Any, *grads: Any) -> tuple:
        if op.backward is None:
            raise RuntimeError(
                f"Trying to backward through {op} but no autograd formula was registered. Please "
                "use register_autograd to add one."
            )
        found = op.backward(ctx, *grads)
        found = found if isinstance(found, tuple) else (found,)
        flat: list[Any] = []
        for grad, length in zip(found, ctx._lengths, strict=False):
            if length < 0:
                flat.append(grad)
            else:
                flat += [None] * length if grad is None else grad
        return (*flat, None)

    def vmap(info: Any, in_dims: tuple, *flat: Any) -> Any:
        lengths, kwargs = flat[-1]
        assert op.vmap is not None
        dims = tuple(_nested(in_dims, lengths))
        return op.vmap(info, dims, *_nested(flat, lengths), **kwargs)

    members: dict[str, Any] = {
        "forward": staticmethod(forward),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
    }
    if op.vmap is not None:
        members["vmap"] = staticmethod(vmap)
    name = f"GeneratedBackwardFor_{op.namespace}_{op._packet._name}_{op._overloadname}"
    return type(name, (Function,), members)


class OpOverloadPacket:
    """All signatures of an operator: `torch.ops.namespace.name`, called as the one that fits."""

    def __init__(self, namespace: str, name: str) -> None:
        self._namespace = namespace
        self._name = self.__name__ = name
        self.__qualname__ = name
        self.__module__ = f"torch._ops.{namespace}"
        self._qualified_op_name = f"{namespace}::{name}"
        self._overloads: dict[str, OpOverload] = {}
        self._function: Any = None  # of the namespace aten

    def __str__(self) -> str:
        return f"{self._namespace}.{self._name}"

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self}')>"

    def overloads(self) -> list[str]:
        """The names of the signatures that are known."""
        return list(self._overloads) or ["default"]

    def __getattr__(self, name: str) -> OpOverload:
        if name.startswith("_"):
            raise AttributeError(f"{self._qualified_op_name!r} has no attribute {name!r}")
        if name not in self._overloads:
            if self._function is None:
                raise AttributeError(
                    f"The underlying op of '{self}' has no overload name '{name}'"
                )
            self._overloads[name] = _Function(self, name, self._function)
        return self._overloads[name]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if self._function is not None:
            return self._function(*args, **kwargs)
        overloads = list(self._overloads.values())
        for overload in overloads[:-1]:
            try:
                overload._schema.bind(args, kwargs)  # type: ignore[attr-defined]
            except TypeError:
                continue
            return overload(*args, **kwargs)
        return overloads[-1](*args, **kwargs)


class _Namespace:
    """`torch.ops.name`: the operators that were registered under a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._packets: dict[str, OpOverloadPacket] = {}

    def __getattr__(self, name: str) -> OpOverloadPacket:
        found = self._packets.get(name)
        if found is None:
            function = _aten(name) if self.name == "aten" else None
            if function is None:
                raise AttributeError(
                    f"'_OpNamespace' '{self.name}' object has no attribute '{name}'"
                )
            found = self._packets[name] = OpOverloadPacket(self.name, name)
            found._function = function
        return found

    def __iter__(self) -> Any:
        return iter(self._packets)

    def __repr__(self) -> str:
        return f"<module 'torch.ops.{self.name}' from 'torch.ops'>"


def _aten(name: str) -> Any:
    """The function of this library that an operator of aten is, or None."""
    if name in _ATEN:
        return _ATEN[name]
    if name.startswith("__") or name in rushlight._LATER:
        return None
    space, _, rest = name.partition("_")
    places: list[tuple[Any, str]] = [(rushlight, name), (Tensor, name)]
    if space in ("fft", "linalg", "special") and rest:
        places.insert(0, (getattr(rushlight, space), rest))
    places.append((rushlight.nn.functional, name))
    for where, known in places:
        function = getattr(where, known, None)
        if callable(function) and not isinstance(function, type):
            return function
    return None


def namespace(name: str) -> _Namespace:
    """The namespace, made if it is not there yet."""
    found = _NAMESPACES.get(name)
    if found is None:
        found = _NAMESPACES[name] = _Namespace(name)
    return found


def _load_library(path: Any) -> None:
    raise OSError(  # as a library that does not fit: packages go on without their compiled part
        f"torch.ops.load_library: {path} is compiled against PyTorch, and cannot be used here"
    )


def namespace_or_function(name: str) -> Any:
    """What `torch.ops.name` is."""
    if name == "load_library":
        return _load_library
    if name == "loaded_libraries":
        return set()
    return namespace(name)
