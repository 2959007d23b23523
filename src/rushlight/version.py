"""Versions: `torch.version` of PyTorch, whose release is followed, and rushlight's own."""

from __future__ import annotations

from typing import Any

rushlight = "0.1.0"
TORCH_VERSION = "2.13.0+rushlight"  # what `torch.__version__` answers under `rushlight run`

__version__ = TORCH_VERSION
debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version: str | None = None


class TorchVersion(str):
    """A version that compares with strings and tuples as versions do: "2.10" is above "2.9".

    A local part ("+cpu") makes it greater than the same release without one.
    """

    __slots__ = ()

    def __lt__(self, other: Any) -> Any:
        theirs = _key(other)
        return NotImplemented if theirs is None else _key(self) < theirs  # type: ignore[operator]

    def __le__(self, other: Any) -> Any:
        theirs = _key(other)
        return NotImplemented if theirs is None else _key(self) <= theirs  # type: ignore[operator]

    def __gt__(self, other: Any) -> Any:
        theirs = _key(other)
        return NotImplemented if theirs is None else _key(self) > theirs  # type: ignore[operator]

    def __ge__(self, other: Any) -> Any:
        theirs = _key(other)
        return NotImplemented if theirs is None else _key(self) >= theirs  # type: ignore[operator]

    def __eq__(self, other: Any) -> Any:
        return str.__eq__(self, other) is True or _key(self) == _key(other)

    def __ne__(self, other: Any) -> Any:
        return not self == other

    __hash__ = str.__hash__


def _key(version: Any) -> tuple[list[int], str] | None:
    """What versions are compared by: ([2, 13], "cpu") of "2.13.0+cpu"; None if it is no version."""
    if isinstance(version, (tuple, list)):
        version = ".".join(map(str, version))
    if not isinstance(version, str):
        return None
    release, _, local = version.partition("+")
    numbers = []
    for part in release.split("."):
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        if digits:
            numbers.append(int(digits))
        if digits != part:  # a release candidate and the like
            break
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers, local
