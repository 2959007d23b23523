"""rearrange: a change of shape in words, as "b (h w) c -> b c h w" (A. Rogozhnikov, einops)."""

from __future__ import annotations

from math import prod
from typing import Any

from rushlight.ops.join import stack
from rushlight.tensor import Tensor

ELLIPSIS = "..."


def _side(text: str, pattern: str) -> list[list[str]]:
    """One side of a pattern: a list of names for each dimension, empty for one of size 1."""
    groups: list[list[str]] = []
    open_group: list[str] | None = None
    for word in text.replace("(", " ( ").replace(")", " ) ").split():
        if word == "(":
            if open_group is not None:
                raise ValueError(f"rearrange: brackets inside brackets in '{pattern}'")
            open_group = []
        elif word == ")":
            if open_group is None:
                raise ValueError(f"rearrange: brackets do not match in '{pattern}'")
            groups.append(open_group)
            open_group = None
        else:
            if word != ELLIPSIS and word != "1" and not word.isidentifier():
                raise ValueError(f"rearrange: '{word}' in '{pattern}' is no name of a dimension")
            if open_group is not None:
                if word != "1":
                    open_group.append(word)
            else:
                groups.append([] if word == "1" else [word])
    if open_group is not None:
        raise ValueError(f"rearrange: brackets do not match in '{pattern}'")
    names = [name for group in groups for name in group]
    if len(set(names)) != len(names):
        raise ValueError(f"rearrange: a name stands twice on one side of '{pattern}'")
    return groups


def rearrange(
    tensor: Tensor | list[Tensor] | tuple[Tensor, ...], pattern: str, **axes_lengths: int
) -> Tensor:
    """Reorders, splits and joins dimensions as the pattern says.

    Args:
        tensor: a tensor, or a sequence of them that is stacked along a new first dimension.
        pattern: names of the dimensions before and after "->"; brackets join dimensions, 1 is one
            of size 1, "..." stands for any number of them.
        axes_lengths: sizes of names in brackets; one of each bracket may be left out.

    Example::

        >>> torch.func.rearrange(torch.zeros(2, 6, 3), "b (h w) c -> b c h w", h=2).shape
        torch.Size([2, 3, 2, 3])
    """
    whole = tensor if isinstance(tensor, Tensor) else stack(list(tensor), 0)
    if pattern.count("->") != 1:
        raise ValueError(f"rearrange: '{pattern}' needs one '->' between two sides")
    left, right = (_side(text, pattern) for text in pattern.split("->"))
    if [ELLIPSIS] in right and [ELLIPSIS] not in left:
        raise ValueError(f"rearrange: '...' only on the right side of '{pattern}'")
    extra = whole.ndim - (len(left) - ([ELLIPSIS] in left))
    if extra < 0 or (extra and [ELLIPSIS] not in left):
        raise ValueError(
            f"rearrange: '{pattern}' does not fit a tensor of shape {list(whole.shape)}"
        )
    more = [f"{ELLIPSIS}{i}" for i in range(extra)]
    left = _spelled(left, more, apart=True)
    right = _spelled(right, more, apart=False)
    names = [name for group in left for name in group]
    after = [name for group in right for name in group]
    if set(names) != set(after):
        raise ValueError(
            f"rearrange: names must be the same on both sides of '{pattern}', but "
            f"{sorted(set(names) ^ set(after))} stand on one only"
        )
    for name in axes_lengths:
        if name not in names:
            raise ValueError(f"rearrange: '{name}' is given a length but is not in '{pattern}'")
    sizes = _sizes(left, whole.shape, axes_lengths, pattern)
    split = whole.reshape([sizes[name] for name in names])
    moved = split.permute([names.index(name) for name in after]) if after else split
    return moved.reshape([prod(sizes[name] for name in group) for group in right])


def _spelled(groups: list[list[str]], more: list[str], apart: bool) -> list[list[str]]:
    """The groups with the dimensions that '...' stands for."""
    spelled: list[list[str]] = []
    for group in groups:
        if group == [ELLIPSIS]:
            spelled += [[name] for name in more]
        elif ELLIPSIS in group:
            if apart:
                raise ValueError("rearrange: '...' cannot stand in brackets on the left side")
            at = group.index(ELLIPSIS)
            spelled.append(group[:at] + more + group[at + 1 :])
        else:
            spelled.append(group)
    return spelled


def _sizes(groups: list[list[str]], shape: Any, given: dict[str, int], pattern: str) -> dict:
    """The size of each name."""
    sizes: dict[str, int] = {}
    for group, size in zip(groups, shape, strict=True):
        if len(group) == 1:
            (name,) = group
            if given.get(name, size) != size:
                raise ValueError(
                    f"rearrange: '{name}' is given as {given[name]}, but the size is {size}"
                )
            sizes[name] = size
            continue
        known = prod(given[name] for name in group if name in given)
        unknown = [name for name in group if name not in given]
        if len(unknown) > 1:
            raise ValueError(f"rearrange: the sizes of {unknown} in '{pattern}' are not known")
        sizes.update({name: given[name] for name in group if name in given})
        if unknown:
            if known == 0 or size % known:
                raise ValueError(f"rearrange: a dimension of size {size} is no multiple of {known}")
            sizes[unknown[0]] = size // known
        elif known != size:
            raise ValueError(f"rearrange: the sizes of {group} make {known}, not {size}")
    return sizes


