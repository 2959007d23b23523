"""What holds for all tests."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell's background jobs ignore Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _nobody_asks() -> None:
    """Undoes what a subclass of Tensor, defined in a test, does to the functions of torch."""
    overrides: Any = sys.modules.get("rushlight.overrides")
    if overrides is not None:
        overrides._deactivate()


def pytest_collection_finish() -> None:
    """Reading the files has defined their classes."""
    _nobody_asks()


@pytest.fixture(scope="module", autouse=True)
def _functions_as_they_were() -> Iterator[None]:
    yield
    _nobody_asks()
