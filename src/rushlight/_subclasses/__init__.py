"""torch._subclasses, tensors without numbers for tracers: not there. The names are."""

from __future__ import annotations

from rushlight._subclasses.fake_tensor import (
    FakeTensor as FakeTensor,
    FakeTensorMode as FakeTensorMode,
)
