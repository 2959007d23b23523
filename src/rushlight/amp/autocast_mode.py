"""autocast: matrix products in bfloat16 (or float16), losses in float32.

The ops concerned get a hook while any autocast is on; otherwise they know nothing of it.
"""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.autograd.mode import _Mode
from rushlight.autograd.op import OPS, set_float32_call
from rushlight.autograd.watch import set_own_hook
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

# PyTorch's lists for the CPU, by the names of our ops. What is composed of these follows them.
_LOW = (
    "matmul", "mm", "bmm", "addmm", "baddbmm", "linear", "convolution", "_attention",
    "_recurrent_layer", "linalg_vecdot", "prelu",
)
_FULL = (
    "_cross_entropy", "_nll_loss", "_ctc_loss", "_squared_loss", "_absolute_loss",
    "_smooth_l1_loss", "_huber_loss", "_binary_cross_entropy", "_logits_loss",
    "_weighted_logits_loss", "_soft_margin_loss", "prod", "view_as_complex",
)
# Every op of these files too. Compositions say so themselves, with `float32=True`.
_FULL_FILES = ("factors", "decompositions", "solve", "least_squares")
_OPERATORS = ("__matmul__", "__rmatmul__")  # forms of their own of an op in the first list

_DTYPES = (_core.bfloat16, _core.float16)


class _State(threading.local):
    """What autocast is set to, in each thread."""

    enabled = False
    dtype: Any = _core.bfloat16
    cache_enabled = True
    nesting = 0
    kept_on = False  # switched on without an autocast: by set_autocast_enabled

    def __init__(self) -> None:
        # id of a parameter, and whether operations were recorded: the parameter, and its cast
        self.casts: dict[tuple[int, bool], tuple[Tensor, Tensor]] = {}


_state = _State()
_lock = threading.Lock()
_entered = 0  # autocasts that are on, in all threads


def _cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, Tensor):
        own = value.dtype
        if own is dtype or not own.is_floating_point or own is _core.float64:
            return value
        if not (_state.cache_enabled and value.requires_grad and value.is_leaf):
            return value.to(dtype)
        # Parameters are cast once per autocast: a layer that is used again adds up its gradients.
        key = id(value), _core.is_grad_enabled()
        held = _state.casts.get(key)
        if held is None or held[1].dtype is not dtype:
            held = _state.casts[key] = (value, value.to(dtype))
        return held[1]
    if isinstance(value, (tuple, list)) and any(isinstance(item, Tensor) for item in value):
        return type(value)([_cast(item, dtype) for item in value])
    return value


def _low(op: Any, *args: Any, **kwargs: Any) -> Any:
    if not _state.enabled:
        return op.direct(*args, **kwargs)
    dtype = _state.dtype
    args = tuple([_cast(value, dtype) for value in args])
    return op.direct(*args, **{name: _cast(value, dtype) for name, value in kwargs.items()})


def _full(op: Any, *args: Any, **kwargs: Any) -> Any:
    if not _state.enabled:
        return op.direct(*args, **kwargs)
    args = tuple([_cast(value, _core.float32) for value in args])
    return op.direct(*args, **{name: _cast(value, _core.float32) for name, value in kwargs.items()})


def _full_call(function: Any, args: tuple, kwargs: dict) -> Any:
    if not _state.enabled:
        return function(*args, **kwargs)
    args = tuple([_cast(value, _core.float32) for value in args])
    kwargs = {name: _cast(value, _core.float32) for name, value in kwargs.items()}
    _state.enabled = False  # products inside stay in float32
    try:
        return function(*args, **kwargs)
    finally:
        _state.enabled = True


def _set_hooks(on: bool) -> None:
    import rushlight.nn.functional  # noqa: F401  all ops are declared then

    set_float32_call(_full_call if on else None)
    files = [f"rushlight.ops.{file}" for file in _FULL_FILES]
    full = [*_FULL, *(name for name, op in OPS.items() if op.__module__ in files)]
    for hook, names in ((_low, _LOW), (_full, full)):
        for name in names:
            if name in OPS:
                set_own_hook(OPS[name], hook if on else None)
    for name in _OPERATORS:
        form: Any = getattr(Tensor, name, None)
        if form is not None and hasattr(form, "set_hook"):
            set_own_hook(form.__func__, _low if on else None)


def _count(step: int) -> None:
    """One more (or less) reason for the hooks."""
    global _entered
    with _lock:
        before, _entered = _entered, _entered + step
        if bool(before) != bool(_entered):
            _set_hooks(_entered > 0)


def _keep(on: bool) -> None:
    if _state.kept_on != on:
        _state.kept_on = on
        _count(1 if on else -1)


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast works for a type of device: for "cpu" alone.

    Raises:
        RuntimeError: if there is no such type of device.
    """
    return rushlight.device(device_type).type == "cpu"


class autocast(_Mode):
    """Runs matrix products, convolutions, attention and recurrent layers in a shorter dtype.

    A context manager and a decorator. Tensors that go into these ops are cast (float64 excepted);
    what goes into losses is cast to float32; other ops take what comes. `backward()` belongs
    outside.

    Args:
        device_type: "cpu". For another one autocast stays off, with a warning, as where PyTorch
            finds no such device.
        dtype: bfloat16, the default, or float16.
        enabled: False for a block without autocast, inside of one with.
        cache_enabled: cast a parameter once for the whole block.
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(
                f"Expected `device_type` of type `str`, got: `{type(device_type)}`; autocast takes "
                'the type as a string: "cpu"'
            )
        kind = rushlight.device(device_type).type
        self.device = kind
        self.fast_dtype = _state.dtype if dtype is None else dtype
        self._cache_enabled = _state.cache_enabled if cache_enabled is None else cache_enabled
        if enabled and kind != "cpu":
            warnings.warn(
                f"autocast: there is no device of type '{device_type}', so it stays off. Use "
                'device_type="cpu" to compute in bfloat16',
                stacklevel=2,
            )
            enabled = False
        elif enabled and self.fast_dtype not in _DTYPES:
            warnings.warn(
                f"autocast: on the CPU, dtype is torch.bfloat16 or torch.float16, got "
                f"{self.fast_dtype}; it stays off",
                stacklevel=2,
            )
            enabled = False
        self._enabled = bool(enabled)

    def clone(self) -> autocast:
        """A new context with the same arguments."""
        return autocast(self.device, self.fast_dtype, self._enabled, self._cache_enabled)

    def __enter__(self) -> autocast:  # type: ignore[override]
        self._before = _state.enabled, _state.dtype, _state.cache_enabled
        if self.device == "cpu":
            _state.enabled, _state.dtype = self._enabled, self.fast_dtype
            _state.cache_enabled = self._cache_enabled
        _state.nesting += 1
        if self._enabled:
            _count(1)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._enabled:
            _count(-1)
        _state.enabled, _state.dtype, _state.cache_enabled = self._before
        _state.nesting -= 1
        if _state.nesting == 0:
            _state.casts.clear()
            _keep(_state.enabled)


# ---- asking and setting, as PyTorch has it at its top level


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether autocast is on for a type of device (None: for CUDA, so False)."""
    return device_type is not None and is_autocast_available(device_type) and _state.enabled


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on."""
    return _state.enabled


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that autocast computes in: bfloat16 or float16.

    Raises RuntimeError for an unknown type of device.
    """
    return _state.dtype if is_autocast_available(device_type) else _core.float16


def get_autocast_cpu_dtype() -> Any:
    """The dtype that autocast computes in."""
    return _state.dtype


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Switches autocast on or off for a type of device, until it is set again."""
    if is_autocast_available(device_type):
        set_autocast_cpu_enabled(enabled)


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switches autocast on or off, until it is set again or an autocast around it ends."""
    _state.enabled = bool(enabled)
    if enabled or not _state.nesting:
        _keep(bool(enabled))
    if not _state.nesting:
        _state.casts.clear()


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Sets the dtype that autocast computes in."""
    if is_autocast_available(device_type):
        set_autocast_cpu_dtype(dtype)


def set_autocast_cpu_dtype(dtype: Any) -> None:
    """Sets the dtype that autocast computes in.

    Raises RuntimeError but for bfloat16 and float16.
    """
    if dtype not in _DTYPES:
        raise RuntimeError(
            f"Currently, AutocastCPU only support Bfloat16 or Half as the autocast_cpu_dtype, got "
            f"{dtype}"
        )
    _state.dtype = dtype


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Says whether autocast keeps casts of parameters."""
    _state.cache_enabled = bool(enabled)


def is_autocast_cache_enabled() -> bool:
    """Whether autocast keeps casts of parameters."""
    return _state.cache_enabled


def clear_autocast_cache() -> None:
    """Drops the casts of parameters that autocast keeps."""
    _state.casts.clear()


# ---- for autograd.Function


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str = "cpu", cast_inputs: Any = None
) -> Any:
    """Decorates `forward` of an `autograd.Function` for use under autocast.

    Args:
        fwd: the method.
        device_type: "cpu".
        cast_inputs: cast floating inputs to this dtype and run `forward` without autocast; None
            runs it under the autocast that there is.
    """
    import functools

    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._dtype, ctx._fwd_used_autocast = _state.dtype, _state.enabled
        if cast_inputs is None or not _state.enabled:
            return fwd(ctx, *args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            args = tuple([_plain_cast(value, cast_inputs) for value in args])
            kwargs = {name: _plain_cast(value, cast_inputs) for name, value in kwargs.items()}
            return fwd(ctx, *args, **kwargs)

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str = "cpu") -> Any:
    """Decorates `backward` of an `autograd.Function`: it runs under the autocast of its forward."""
    import functools

    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)

    return backward


def _plain_cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, Tensor):
        floating = value.is_floating_point() and value.dtype is not _core.float64
        return value.to(dtype) if floating else value
    if isinstance(value, dict):
        return {k: _plain_cast(v, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_plain_cast(item, dtype) for item in value])
    return value
