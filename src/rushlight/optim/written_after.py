"""What optimizers written after PyTorch's own import from `torch.optim.optimizer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__: list[str] = []


def _get_value(x: Any) -> Any:
    """The number in a tensor; a number itself."""
    return x.item() if isinstance(x, Tensor) else x


def _stack_if_compiling(x: Any) -> Any:
    """The list itself: nothing is compiled."""
    return x


def _default_to_fused_or_foreach(
    params: Sequence[Tensor], differentiable: bool, use_fused: bool = False
) -> tuple[bool, bool]:
    """Which kinds of step to take, (fused, foreach), where an optimizer is not told."""
    fused = use_fused and not differentiable
    return fused and all(p is None or p.dtype.is_floating_point for p in params), False


def _view_as_real(params: list[Tensor], *state_and_grads: list[Tensor]) -> None:
    """Puts a view as pairs of real numbers in the place of complex ones, in all lists."""
    for place, param in enumerate(params):
        if param.is_complex():
            params[place] = rushlight.view_as_real(param)
            for tensors in state_and_grads:
                tensors[place] = rushlight.view_as_real(tensors[place])


def _disable_dynamo_if_unsupported(single_tensor_fn: Any = None) -> Callable[[Any], Any]:
    """Decorator; the function itself."""
    return lambda function: function


def _get_capturable_supported_devices(supports_xla: bool = True) -> list[str]:
    """None: nothing captures a step."""
    return []


# Sentences that they put into their own docstrings.
_params_doc = _foreach_doc = _fused_doc = _capturable_doc = _differentiable_doc = _maximize_doc = ""
