"""The meta device: tensors with a shape, strides and a dtype, but without memory.

The core asks `call` here before it runs an op on such tensors. Kernels check their arguments, make
their result and compute: without memory they stop before the last of these, so nearly all of them
are the rule for their own shapes, as are views, pointwise operations and what is made of ops.
`rules.py` has the rest. An op that has neither raises NotImplementedError.
"""

from __future__ import annotations

from typing import Any

from rushlight.meta.rules import RULES
from rushlight.tensor import Tensor

__all__ = ["call"]

# Ops that write the values of one device to another, or take places of either.
_ANY_DEVICE = frozenset(("copy", "_index", "_index_put", "_to_meta"))


def call(name: str, op: Any, arguments: tuple) -> Any:
    """What the op gives for arguments of which one is on the meta device, without history.

    NotImplemented where its kernel says so itself. Raises RuntimeError where another argument is
    on the CPU, unless it is a number in a tensor.
    """
    stem = name.removesuffix("_")
    if stem not in _ANY_DEVICE:
        _check_devices(name, arguments)
    rule = RULES.get(stem)
    return NotImplemented if rule is None else rule(*arguments)


def _check_devices(name: str, arguments: Any) -> None:
    for value in arguments:
        if isinstance(value, (tuple, list)):
            _check_devices(name, value)
        elif isinstance(value, Tensor) and value.ndim and not value.is_meta:
            raise RuntimeError(
                f"{name}: Expected all tensors to be on the same device, but found at least two "
                f"devices, meta and cpu! The one of shape {list(value.shape)} is on the CPU; move "
                'it with .to("meta")'
            )
