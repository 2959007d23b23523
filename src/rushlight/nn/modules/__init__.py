"""The modules of rushlight.nn, one family per file."""

# ruff: noqa: F403

import typing as _typing
from types import ModuleType as _ModuleType

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

if not _typing.TYPE_CHECKING:  # not the files: `nn.attention` is another one
    __all__ = [
        name for name, it in vars().items() if name[0] != "_" and not isinstance(it, _ModuleType)
    ]


def __getattr__(name: str) -> _typing.Any:
    if name == "utils":  # PyTorch's name of it
        from . import sizes

        return sizes
    raise AttributeError(f"module 'rushlight.nn.modules' has no attribute {name!r}")
