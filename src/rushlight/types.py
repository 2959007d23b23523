"""torch.types: names for annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO

from rushlight.dtypes import Size
from rushlight.dtypes import device as _device
from rushlight.dtypes import dtype as _dtype  # noqa: F401  - for others to import
from rushlight.dtypes import layout as _layout  # noqa: F401
from rushlight.storage import UntypedStorage as Storage
from rushlight.tensor import Tensor

__all__ = ["Device", "FileLike", "Number", "Storage"]

Number = int | float | bool
_Number = (int, float, bool)  # for isinstance
Device = _device | str | int | None
FileLike = str | os.PathLike | IO[bytes]

IntLikeType = int
FloatLikeType = float
BoolLikeType = bool

_TensorOrTensors = Tensor | Sequence[Tensor]
_size = Size | list[int] | tuple[int, ...]
_bool, _int, _float, _complex = bool, int, float, complex
