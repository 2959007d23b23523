"""Optimizer: what all optimizers share - parameter groups, state, hooks, saving and loading.

The arithmetic is elsewhere: one file per optimizer. A subclass implements `step()`, keeps what it
remembers about a parameter in `self.state[parameter]` and reads its options from the group.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight import _core
from rushlight.autograd.graph import RemovableHandle
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    StateDict = dict[str, Any]

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]


# For annotations: parameters, groups of them, or pairs of name and parameter.
ParamsT = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


def _use_grad_for_differentiable(func: Callable[..., Any]) -> Callable[..., Any]:
    """For a `step` that is recorded only with the option `differentiable`."""

    @functools.wraps(func)
    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with rushlight.set_grad_enabled(self.defaults["differentiable"]):
            return func(self, *args, **kwargs)

    return step


class _Required:
    """The type of `required`, the default of an option that has none."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

# ---------------------------------------------------------------------------- hooks around step()

_global_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable] = OrderedDict()

_INSTANCE_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def _register(hooks: OrderedDict[int, Callable], hook: Callable, prepend: bool = False):
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every `step()` of every optimizer.

    `args[0]` is the optimizer itself. The hook may return a pair `(args, kwargs)` to be used
    instead. Global hooks run before those of an instance.

    Returns:
        A handle whose `remove()` takes the hook away.
    """
    return _register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every `step()` of every optimizer.

    Global hooks run after those of an instance.

    Returns:
        A handle whose `remove()` takes the hook away.
    """
    return _register(_global_post_hooks, hook)


def _with_hooks(step: Callable) -> Callable:
    """`step` with the registered hooks around it; without hooks this costs one small call."""
    if getattr(step, "hooked", False):
        return step
    code = getattr(step, "__code__", None)
    # *args and **kwargs, 0x04 and 0x08 in co_flags, cost more than the rest of the call.
    if code and code.co_argcount == 2 and not code.co_kwonlyargcount and not code.co_flags & 0x0C:

        @functools.wraps(step)
        def hooked(self, closure=None):
            if (
                _global_pre_hooks
                or self._optimizer_step_pre_hooks
                or self._optimizer_step_post_hooks
                or _global_post_hooks
            ):
                args = (self,) if closure is None else (self, closure)
                return _step_between_hooks(step, self, args, {})
            return step(self, closure)

    else:

        @functools.wraps(step)
        def hooked(self, *args, **kwargs):
            if (
                _global_pre_hooks
                or self._optimizer_step_pre_hooks
                or self._optimizer_step_post_hooks
                or _global_post_hooks
            ):
                return _step_between_hooks(step, self, (self, *args), kwargs)
            return step(self, *args, **kwargs)

    hooked.hooked = True  # type: ignore[attr-defined]
    return hooked


def _step_between_hooks(step: Callable, optimizer: Optimizer, args: tuple, kwargs: dict) -> Any:
    if optimizer._inside_step:  # super().step() of a subclass: the hooks have run
        return step(*args, **kwargs)
    hooks = chain(_global_pre_hooks.values(), optimizer._optimizer_step_pre_hooks.values())
    for hook in tuple(hooks):
        result = hook(optimizer, args, kwargs)
        if result is None:
            continue
        if not isinstance(result, tuple) or len(result) != 2:
            raise RuntimeError(
                f"{type(optimizer).__name__}.step: a pre hook must return None or a tuple "
                f"(new_args, new_kwargs), but got {result!r}"
            )
        args, kwargs = result
    optimizer._inside_step = True
    try:
        loss = step(*args, **kwargs)
    finally:
        optimizer._inside_step = False
    hooks = chain(optimizer._optimizer_step_post_hooks.values(), _global_post_hooks.values())
    for hook in tuple(hooks):
        hook(optimizer, args, kwargs)
    return loss


# ---------------------------------------------------------------------- helpers of the optimizers


def _get_scalar_dtype(fused: bool | None = None):
    """The dtype of a `step` counter: float32, or float64 where that is the default dtype."""
    if not fused and rushlight.get_default_dtype() == rushlight.float64:
        return rushlight.float64
    return rushlight.float32


def _loss_of(closure: Callable[[], Any]) -> Any:
    """What a closure of `step` returns; it records, though the step itself may not."""
    with rushlight.enable_grad():
        return closure()


def _to_scalar(value: float | Tensor) -> float | Tensor:
    """An option given as a 1-element tensor of any rank, as a 0-dim tensor."""
    return value.squeeze() if isinstance(value, Tensor) and value.dim() != 0 else value


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


# ------------------------------------------------------------------------------------- the class


class Optimizer:
    """Base class of all optimizers.

    Args:
        params: what to optimize: an iterable of Tensors, of `(name, Tensor)` pairs, or of dicts,
            one per group, each with an entry "params" and any options that differ from the
            defaults. The order must be the same in every run, for saved state goes by position;
            a set as "params" is refused.
        defaults: the value of every option for groups that do not give it.

    Attributes:
        param_groups: a list of dicts. Options may be changed there between steps.
        state: a dict from parameter to what the optimizer remembers about it.
        defaults: the dict given at construction.
    """

    state: defaultdict[Any, Any]
    param_groups: list[dict[str, Any]]
    defaults: dict[str, Any]
    _optimizer_step_pre_hooks: OrderedDict[int, Callable]
    _optimizer_step_post_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable]

    _inside_step = False

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        for name in _INSTANCE_HOOKS:
            setattr(self, name, OrderedDict())
        self._patch_step_function()

        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {_type_name(params)}; put it in a list: [tensor]"
            )
        self.state = defaultdict(dict)
        self.param_groups = []

        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(
                "optimizer got an empty parameter list; an iterator such as model.parameters() "
                "can be read only once"
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once from their gradients.

        Args:
            closure: computes the loss anew (clearing the gradients, calling `backward()`) and
                returns it. Optional for most optimizers.

        Returns:
            What the closure returned, or None.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters.

        Args:
            set_to_none: if True, `grad` becomes None: memory is freed, the next `backward()`
                stores instead of adding, and `step()` skips parameters that get no gradient. If
                False, existing gradients are filled with zeros in place.
        """
        if set_to_none:
            for group in self.param_groups:
                _core.clear_grads(group["params"])
            return
        for group in self.param_groups:
            for p in group["params"]:
                grad = p.grad
                if grad is None:
                    continue
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                grad.zero_()

    # -------------------------------------------------------------------------------- groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, for example when a frozen layer is to be trained after all.

        Args:
            param_group: a dict with "params" (a Tensor, or an ordered collection of Tensors or
                `(name, Tensor)` pairs) and the options of this group; the defaults fill in the
                rest. The dict itself becomes the group.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _normalize_params(param_group)
        for p in param_group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is " + _type_name(p)
                )
            if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):
                raise ValueError(
                    "can't optimize a non-leaf Tensor; this one was computed from others, and "
                    "its gradient is not kept"
                )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            param_group.setdefault(name, default)
        self._check_overlap(param_group)
        self.param_groups.append(param_group)

    def _check_overlap(self, new: dict[str, Any]) -> None:
        """No parameter twice, and names for all parameters or for none."""
        params = set(new["params"])
        if len(params) != len(new["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each step will "
                "update them once per occurrence",
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in new) != ("param_names" in group):
                which = "with" if "param_names" in new else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {which} names to the optimizer"
                )
            if not params.isdisjoint(group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")

    # ------------------------------------------------------------------------- save and load

    def state_dict(self) -> StateDict:
        """The state of the optimizer as plain dicts and lists, for saving.

        Returns:
            A dict with two entries. "param_groups" has the options of each group, and under
            "params" a number for each parameter, counted through all groups. "state" maps these
            numbers to the state of each parameter. Tensors are not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}  # id of a parameter -> its number
        groups = []
        count = 0
        for group in self.param_groups:
            for position, p in enumerate(group["params"]):
                numbers.setdefault(id(p), count + position)
            count += len(group["params"])
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        state_dict: StateDict = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            result = hook(self, state_dict)
            if result is not None:
                state_dict = result
        return state_dict

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Take over the state and the options of a `state_dict()`.

        Parameters are matched by position, not by name. Floating-point state is cast to the
        dtype of its parameter, except for "step". Tensors that need no cast are shared with
        `state_dict`.

        Note:
            Create learning rate schedulers before this call; creating one sets learning rates.

        Raises:
            ValueError: if the groups differ in number or in size.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            result = hook(self, state_dict)
            if result is not None:
                state_dict = result

        groups = self.param_groups
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved_groups)}, the optimizer has {len(groups)}"
            )
        for index, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    f"optimizer's group: group {index} has {len(saved['params'])} parameters, "
                    f"the optimizer's has {len(group['params'])}"
                )

        by_number: dict[int, Any] = {}
        kept_as_is = set()  # numbers whose `step` keeps its dtype
        for group, saved in zip(groups, saved_groups, strict=True):
            by_number.update(zip(saved["params"], group["params"], strict=True))
            if not (saved.get("fused") or saved.get("capturable")):
                kept_as_is.update(saved["params"])
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_number:
                param = by_number[key]
                state[param] = _cast_state(param, value, key in kept_as_is)
            else:
                state[key] = value

        for group, saved in zip(groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def _patch_step_function(self) -> None:
        """Has `step` run the hooks; for optimizers around another one, that skip `__init__`."""
        type(self).step = _with_hooks(type(self).step)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in _INSTANCE_HOOKS:
            if name not in self.__dict__:
                setattr(self, name, OrderedDict())
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = ""
        for index, group in enumerate(self.param_groups):
            shown = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            text += f"\nParameter Group {index}\n" + "".join(shown)
        return f"{type(self).__name__} ({text})"

    # -------------------------------------- names that optimizers written for PyTorch look for

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """The function `step` with the hooks of before and after it."""
        return _with_hooks(func)

    def _cuda_graph_capture_health_check(self) -> None:
        """Nothing: there are no graphs of an accelerator."""

    _accelerator_graph_capture_health_check = _cuda_graph_capture_health_check

    def _optimizer_step_code(self) -> None:
        """Nothing: what a compiler would replace."""

    @property
    def _zero_grad_profile_name(self) -> str:
        return f"Optimizer.zero_grad#{type(self).__name__}.zero_grad"

    # --------------------------------------------------------------------------------- hooks

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each `step()`.

        `args[0]` is the optimizer. The hook may return a pair `(args, kwargs)` to be used instead.
        """
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each `step()`."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[[Optimizer], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict()`; first of all hooks if `prepend`."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[[Optimizer, StateDict], StateDict | None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict()`; it may return another one."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[[Optimizer, StateDict], StateDict | None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` with a shallow copy of the state_dict to be loaded.

        What the hook returns, if not None, is loaded instead: the place to adapt a checkpoint.
        """
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[[Optimizer], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after `load_state_dict()`."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _normalize_params(group: dict[str, Any]) -> None:
    """Make `group["params"]` a list of what was given, with names apart in "param_names"."""
    params = group["params"]
    if isinstance(params, Tensor):
        params = [params]
    elif isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    params = list(params)
    names = [p[0] for p in params if isinstance(p, tuple)]
    group["params"] = [p[1] if isinstance(p, tuple) else p for p in params]
    if not names:
        return
    if len(names) != len(params):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing: "
            f"{len(names)} of {len(params)} params have one"
        )
    group["param_names"] = names


def _cast_state(param: Tensor, value: Any, keep_step: bool, key: Hashable = None) -> Any:
    """State of `param` with its tensors in the dtype that goes with it."""
    if isinstance(value, Tensor):
        if key == "step":
            return value if keep_step else value.to(rushlight.float32)
        return value.to(param.dtype) if param.is_floating_point() else value
    if isinstance(value, dict):
        return {k: _cast_state(param, v, keep_step, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        items: Sequence = [_cast_state(param, v, keep_step) for v in value]
        return type(value)(items)  # type: ignore[call-arg]
    return value


def __getattr__(name: str) -> Any:
    from rushlight.optim import written_after

    if name in vars(written_after):
        return getattr(written_after, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
