"""The `reduction` of a loss as a number, and from the two older arguments, for losses of others."""

from __future__ import annotations

from rushlight.ops.loss_reduction import REDUCTIONS, chosen_by, reduction_of

__all__: list[str] = []


def get_enum(reduction: str) -> int:
    """0 for "none", 1 for "mean" and 2 for "sum". Raises ValueError for another one."""
    return REDUCTIONS[reduction_of(None, None, reduction)]


def legacy_get_string(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True
) -> str:
    """The reduction that two old arguments mean; None stands for True."""
    if emit_warning:
        return reduction_of(size_average is not False, reduce, "mean")
    return chosen_by(size_average, reduce)


def legacy_get_enum(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True
) -> int:
    """The same as a number."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
