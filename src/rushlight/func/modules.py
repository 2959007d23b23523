"""Modules as functions of their parameters, and several modules as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight.nn import Module


def _merged(given: Any) -> dict[str, Tensor]:
    if isinstance(given, dict):
        return given
    if not isinstance(given, (list, tuple)) or not all(isinstance(d, dict) for d in given):
        raise ValueError(
            "functional_call: parameter_and_buffer_dicts must be a dict, or a sequence of dicts, "
            f"got {type(given).__name__}"
        )
    merged: dict[str, Tensor] = {}
    for part in given:
        for key, value in part.items():
            if key in merged:
                raise ValueError(
                    f"{key} appears in multiple dictionaries; behavior of functional call is "
                    "ambiguous"
                )
            merged[key] = value
    return merged


def _places(module: Module) -> dict[str, tuple[Any, str, str]]:
    """Where each parameter and buffer is kept: (module, its dict, the name in it)."""
    found: dict[str, tuple[Any, str, str]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        start = path + "." if path else ""
        for kind in ("_parameters", "_buffers"):
            for name, value in getattr(owner, kind).items():
                if value is not None or start + name not in found:
                    found[start + name] = owner, kind, name
    return found


def _tied(places: dict, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values, also under the other names of tensors that have several."""
    names: dict[int, list[str]] = {}
    for name, (owner, kind, own) in places.items():
        value = getattr(owner, kind)[own]
        if value is not None:
            names.setdefault(id(value), []).append(name)
    spread = dict(values)
    for group in names.values():
        given = [name for name in group if name in values]
        if len(group) < 2 or not given:
            continue
        if any(values[name] is not values[given[0]] for name in given):
            raise ValueError(
                f"functional_call got multiple values for keys {given}, which are tied. Consider "
                "using tie_weights=False"
            )
        for name in group:
            spread[name] = values[given[0]]
    return spread


class _Replaced:
    """Inside, the module has other tensors as parameters and buffers."""

    def __init__(self, module: Module, values: dict[str, Tensor], tie: bool, strict: bool) -> None:
        self.module = module
        places = _places(module)
        if strict:
            unexpected = [name for name in values if name not in places]
            complete = _tied(places, values) if tie else values
            missing = [
                name
                for name, (owner, kind, own) in places.items()
                if name not in complete and getattr(owner, kind)[own] is not None
            ]
            if unexpected or missing:
                told = [
                    f"{what} key(s): {', '.join(names)}"
                    for what, names in (("Unexpected", unexpected), ("Missing", missing))
                    if names
                ]
                raise RuntimeError(
                    f"Error(s) in reparametrizing for {type(module).__name__}:\n\t"
                    + ".\n\t".join(told)
                )
        self.values = _tied(places, values) if tie else values
        self.places = places

    def __enter__(self) -> None:
        self._entries: list[tuple[Any, str, Any]] = []
        self._attributes: list[tuple[Any, str, bool, Any]] = []
        for name, value in self.values.items():
            if not isinstance(value, Tensor) and value is not None:
                self.__exit__()
                raise TypeError(f"functional_call: {name} is {value!r}, not a Tensor")
            place = self.places.get(name)
            if place is not None:
                owner, kind, own = place
                entries = getattr(owner, kind)
                self._entries.append((entries, own, entries[own]))
                entries[own] = value
                continue
            path, _, own = name.rpartition(".")
            owner = self.module.get_submodule(path)
            had = own in owner.__dict__
            self._attributes.append((owner, own, had, owner.__dict__.get(own)))
            object.__setattr__(owner, own, value)

    def __exit__(self, *exc: object) -> None:
        for entries, own, value in reversed(self._entries):
            entries[own] = value
        for owner, own, had, value in reversed(self._attributes):
            if had:
                object.__setattr__(owner, own, value)
            else:
                object.__delattr__(owner, own)


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls the module with other tensors in place of its parameters and buffers.

    Args:
        module: what to call; unchanged afterwards.
        parameter_and_buffer_dicts: tensors by their dotted name, in one dict or several; what is
            not named stays. Buffers that the call writes to are written in these tensors.
        args: the positional arguments as a tuple, or the only one.
        kwargs: the keyword arguments.
        tie_weights: a tensor that the module has under several names is replaced under all.
        strict: every parameter and buffer must be named, and nothing else.

    Example::

        >>> layer = torch.nn.Linear(2, 1)
        >>> values = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
        >>> torch.func.functional_call(layer, values, torch.ones(3, 2)).shape
        torch.Size([3, 1])
    """
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    values = _merged(parameter_and_buffer_dicts)
    with _Replaced(module, values, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of several modules of one class, stacked along a new first dimension.

    With `vmap` over `functional_call` they run as one: an ensemble. The parameters are new leaves
    that require grad as those of the modules do.
    """
    from rushlight.ops.join import stack

    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    training = models[0].training
    if any(model.training is not training for model in models):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def together(items: list[dict[str, Tensor]], leaves: bool) -> dict[str, Tensor]:
        stacked = {}
        for name in items[0]:
            values = [each[name] for each in items]
            flags = [value.requires_grad for value in values]
            if leaves and any(flag is not flags[0] for flag in flags):
                raise RuntimeError(
                    f"Expected {name} from each model to have the same .requires_grad"
                )
            made = stack([value.detach() for value in values], 0)
            stacked[name] = made.requires_grad_(flags[0]) if leaves else made
        return stacked

    return (
        together([dict(model.named_parameters()) for model in models], True),
        together([dict(model.named_buffers()) for model in models], False),
    )


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Takes the running statistics from every batch norm below `root`, in place, and returns it.

    They are updated in place, which items of a batch that share them cannot do.
    """
    from rushlight.nn.modules.batchnorm import _BatchNorm

    for module in root.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            module.running_mean = None
            module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root


