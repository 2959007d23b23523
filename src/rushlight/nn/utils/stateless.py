"""A module called with other parameters than its own."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rushlight.nn.utils.parametrize import is_parametrized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rushlight.nn.modules.module import Module
    from rushlight.tensor import Tensor

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any | tuple | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The same as `rushlight.func.functional_call`, under its deprecated name; warns.

    Args:
        module: the module to call.
        parameters_and_buffers: tensors by dotted name, which take the place of the module's for
            this call; what the module assigns to them is found here afterwards.
        args: the arguments, a tuple, or one argument.
        kwargs: keyword arguments.
        tie_weights: a tensor given for one name of a shared parameter counts for all its names.
        strict: every parameter and buffer must be given, and nothing else.
    """
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )


def _functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any | tuple | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _reparametrize_module(
        module, parameters_and_buffers, tie_weights=tie_weights, strict=strict
    ):
        return module(*args, **(kwargs or {}))


@contextmanager
def _reparametrize_module(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    tie_weights: bool = False,
    strict: bool = False,
) -> Iterator[None]:
    """The module with other tensors, inside a block."""
    given = parameters_and_buffers
    if tie_weights:
        given = _for_all_names(module, given)
    if strict:
        _check_names(module, given)
    before: dict[str, Any] = {}
    try:
        for name, tensor in given.items():
            before[name] = _swap(module, name, tensor)
        yield
    finally:
        after = {name: _swap(module, name, old) for name, old in reversed(before.items())}
        parameters_and_buffers.update(
            {name: after[name] for name in parameters_and_buffers if name in after}
        )


def _for_all_names(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """`given`, with the tensor of one name of a shared parameter under its other names too."""
    names_of: dict[int, list[str]] = {}
    for named in (module.named_parameters, module.named_buffers):
        for name, tensor in named(remove_duplicate=False):
            names_of.setdefault(id(tensor), []).append(name)
    found = dict(given)
    for names in names_of.values():
        own = [name for name in names if name in given]
        if len(names) == 1 or not own:
            continue
        if any(given[name] is not given[own[0]] for name in own):
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. "
                "Consider using tie_weights=False"
            )
        found.update(dict.fromkeys(names, given[own[0]]))
    return found


def _check_names(module: Module, given: dict[str, Tensor]) -> None:
    names = {
        name
        for named in (module.named_parameters, module.named_buffers)
        for name, _ in named(remove_duplicate=False)
    }
    problems = []
    unexpected = [name for name in given if name not in names]
    missing = sorted(names - given.keys())
    if unexpected:
        problems.append(f"Unexpected key(s): {', '.join(map(repr, unexpected))}.")
    if missing:
        problems.append(f"Missing key(s): {', '.join(map(repr, missing))}.")
    if problems:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems)
        )


_ABSENT = object()


def _swap(module: Module, path: str, value: Any) -> Any:
    """Put a tensor where a dotted name points; gives what was there."""
    *parents, name = path.split(".")
    owner: Any = module
    for parent in parents:
        owner = getattr(owner, parent)
    for registry in (owner._parameters, owner._buffers):
        if name in registry:
            old = registry[name]
            registry[name] = value
            return old
    if is_parametrized(owner, name):
        return _swap_property(owner, name, value)
    old = owner.__dict__.get(name, _ABSENT)
    if value is _ABSENT:
        owner.__dict__.pop(name, None)
    else:
        owner.__dict__[name] = value
    return old


def _swap_property(owner: Any, name: str, value: Any) -> Any:
    """The same for a property, in the class that a parametrized module has for itself."""
    kind = type(owner)
    old = kind.__dict__[name]
    setattr(kind, name, value)
    return old
