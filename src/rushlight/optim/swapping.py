"""A step on other tensors: an optimizer with its parameters and its state exchanged for a while."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rushlight.optim.optimizer import Optimizer
    from rushlight.tensor import Tensor

__all__ = ["swap_in_optimizer_params_and_state"]

_NAME = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer,
    swapin_parameters: dict[str, Tensor],
    swapin_optim_state: dict[str, Any],
) -> Iterator[None]:
    """Let `optimizer` work on other parameters, with other options and state, inside a block.

    Args:
        optimizer: one that has taken a step, so that it has state.
        swapin_parameters: the tensors, in the order of the optimizer's groups.
        swapin_optim_state: what `optimizer.state_dict()` gives, for these tensors. Its tensors are
            updated in place; entries that a step adds or replaces are not written back.

    Raises:
        RuntimeError: if the two do not fit the optimizer's groups.
    """
    state, swaps = _checked(optimizer, list(swapin_parameters.values()), swapin_optim_state)
    own_state = optimizer.state
    own_groups = [dict(group) for group in optimizer.param_groups]
    try:
        swapped: defaultdict[Any, Any] = defaultdict(dict)
        for group, (saved, params) in zip(optimizer.param_groups, swaps, strict=True):
            group.update(saved)
            group["params"] = params
            for param, number in zip(params, saved["params"], strict=True):
                swapped[param] = dict(state.get(number, {}))
        optimizer.state = swapped
        yield
    finally:
        for group, own in zip(optimizer.param_groups, own_groups, strict=True):
            group.clear()
            group.update(own)
        optimizer.state = own_state


def _checked(
    optimizer: Optimizer, params: list[Tensor], state_dict: Any
) -> tuple[dict[Any, Any], list[tuple[dict[str, Any], list[Tensor]]]]:
    """The state, and for every group what replaces it: options and parameters."""
    if not optimizer.state:
        _refuse("requires initialized optimizer state; take a step first")
    if not isinstance(state_dict, dict):
        _refuse(f"requires a state_dict of an optimizer, got {type(state_dict).__name__}")
    state, groups = state_dict.get("state"), state_dict.get("param_groups")
    if not isinstance(state, dict):
        _refuse(f"requires 'state' to be a dict, got {type(state).__name__}")
    if not isinstance(groups, list):
        _refuse(f"requires 'param_groups' to be a list of dicts, got {type(groups).__name__}")
    if len(groups) != len(optimizer.param_groups):
        _refuse(
            f"got {len(groups)} parameter groups, the optimizer has {len(optimizer.param_groups)}"
        )
    known: set[int] = set()
    swaps = []
    start = 0
    for index, (own, saved) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        if not isinstance(saved, dict):
            _refuse(f"requires each parameter group to be a dict, group {index} is not")
        numbers = saved.get("params")
        if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
            _refuse(f"requires a list of numbers as 'params' of group {index}")
        if len(numbers) != len(own["params"]):
            _refuse(
                f"got {len(numbers)} params in group {index}, the optimizer has "
                f"{len(own['params'])}"
            )
        if saved.keys() != own.keys():
            _refuse(
                f"the options of group {index} differ from the optimizer's: "
                f"{sorted(saved.keys() ^ own.keys())}"
            )
        stop = start + len(numbers)
        if stop > len(params):
            _refuse(f"got {len(params)} parameters, the optimizer has more")
        swaps.append((saved, params[start:stop]))
        known.update(numbers)
        start = stop
    extra = [key for key in state if key not in known]
    if extra:
        _refuse(f"'state' has entries for no parameter: {extra!r}")
    if any(not isinstance(value, dict) for value in state.values()):
        _refuse("requires the state of each parameter to be a dict")
    return state, swaps


def _refuse(why: str) -> None:
    raise RuntimeError(f"{_NAME}: {why}")
