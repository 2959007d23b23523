"""The modules of rushlight.nn, one family per file."""

# ruff: noqa: F403

from typing import Any as _Any

from .activation import *
from .adaptive import *
from .attention import *
from .batchnorm import *
from .container import *
from .conv import *
from .distance import *
from .dropout import *
from .flatten import *
from .instancenorm import *
from .fold import *
from .lazy import *
from .linear import *
from .linear_cross_entropy_options import *
from .loss import *
from .module import Module as Module
from .normalization import *
from .padding import *
from .pooling import *
from .rnn import *
from .sparse import *
from .transformer import *
from .upsampling import *


def __getattr__(name: str) -> _Any:
    if name == "utils":  # PyTorch's name of it
        from . import sizes

        return sizes
    raise AttributeError(f"module 'rushlight.nn.modules' has no attribute {name!r}")
