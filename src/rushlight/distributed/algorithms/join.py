"""Join: processes with unequal numbers of batches. One process waits for nobody."""

from __future__ import annotations

from typing import Any

__all__ = ["Join", "JoinHook", "Joinable"]


class JoinHook:
    """What a process does for others when its batches are used up."""

    def main_hook(self) -> None:
        """Called while others go on."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called when all are done."""


class Joinable:
    """What can be given to `Join`."""


class Join:
    """A block around a training loop; nothing is done."""

    def __init__(
        self,
        joinables: list[Any],
        enable: bool = True,
        throw_on_early_termination: bool = False,
        **kwargs: Any,
    ) -> None:
        if not joinables:
            raise ValueError("The join context manager requires at least one joinable")

    def __enter__(self) -> Join:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @staticmethod
    def notify_join_context(joinable: Any) -> None:
        """Tells others that this process goes on: there are none."""
