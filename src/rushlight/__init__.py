"""rushlight: PyTorch's training loop, rebuilt for the CPU.

    import rushlight as torch

The public names are PyTorch's. What a script does not touch is not loaded.
"""

from __future__ import annotations

from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight._core import (
    get_default_dtype,
    get_num_threads,
    set_num_threads,
)
from rushlight.dtypes import (
    Size,
    bfloat16,
    bool,
    can_cast,
    cdouble,
    cfloat,
    channels_last,
    channels_last_3d,
    complex64,
    complex128,
    contiguous_format,
    device,
    double,
    dtype,
    finfo,
    float,
    float16,
    float32,
    float64,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    layout,
    legacy_contiguous_format,
    long,
    memory_format,
    preserve_format,
    short,
    strided,
    uint8,
    uint16,
    uint32,
    uint64,
)
from rushlight.tensor import Tensor
from rushlight.autograd import (  # the ops need the tensor and the tape
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from rushlight.autograd.mode import is_inference_mode_enabled
from rushlight.ops.complex import *
from rushlight.ops.compare import *
from rushlight.ops.elementary import *
from rushlight.ops.pointwise import *
from rushlight.ops.special import *
from rushlight.ops.shape import *
from rushlight.ops.reduce import *
from rushlight.ops.create import *
from rushlight.ops.linalg import *
from rushlight.ops.einsum import *
from rushlight.ops.random import *
from rushlight.ops.join import *
from rushlight.ops.index import *
from rushlight.ops.views import *
from rushlight.ops.gather import *
from rushlight.ops.select import *
from rushlight.ops.sort import *
from rushlight.ops.scan import *
from rushlight.ops.unique import *
from rushlight.ops.variance import *
from rushlight.ops.histogram import *
from rushlight.ops.softmax import *
from rushlight.ops.activation import *
from rushlight.ops.dropout import *
from rushlight.ops.norm import *
from rushlight.ops.recurrent import *
from rushlight.ops.batch_norm import *
from rushlight.ops.instance_norm import *
from rushlight.ops.conv import *
from rushlight.ops.embedding import *
from rushlight.ops.bilinear import *
from rushlight.ops.pool import *
from rushlight.ops.adaptive_pool import *
from rushlight.ops.adaptive_pool import adaptive_max_pool1d_with_indices as adaptive_max_pool1d
from rushlight.ops.distance import *
from rushlight.ops.grid_sample import *
from rushlight.ops.padding import *
from rushlight.ops.shuffle import *
from rushlight.ops.factors import *
from rushlight.ops.solve import *
from rushlight.ops.decompositions import *
from rushlight.ops.least_squares import *
from rushlight.ops.lobpcg import *
from rushlight.ops.matrix_functions import *
from rushlight.ops.matrix_norm import *
from rushlight.ops.stft import *
from rushlight.ops.window import *
from rushlight.ops.segments import *
from rushlight.ops.memory import *
from rushlight.ops.apply import *
from rushlight.random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    thread_safe_generator,
)

if TYPE_CHECKING:
    from rushlight import autograd, nn, optim, utils
    from rushlight.io import load, save

__version__ = "0.1.0"

newaxis = None
has_lapack = has_spectral = True
has_openmp = False  # threads are the library's own

# Loaded when touched: name, and the module that it is or lives in.
_LATER = {
    "cuda": "",
    "nn": "",
    "optim": "",
    "utils": "",
    "special": "",
    "func": "",
    "vmap": "func",
    "linalg": "",
    "fft": "",
    "masked": "",
    "testing": "",
    "distributions": "",
    "signal": "",
    "version": "",
    "multiprocessing": "",
    "install_as_torch": "as_torch",
    "accelerator": "",
    "amp": "",
    "backends": "",
    "compiler": "",
    "cpu": "",
    "distributed": "",
    "hub": "",
    "jit": "",
    "mps": "",
    "onnx": "",
    "profiler": "",
    "xpu": "",
    "__config__": "",
    "_C": "",
    **dict.fromkeys(
        (
            "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor",
            "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
        ),
        "tensor_types",
    ),
    **dict.fromkeys(
        (
            "binary_cross_entropy_with_logits", "cosine_embedding_loss", "ctc_loss",
            "hinge_embedding_loss", "kl_div", "margin_ranking_loss", "poisson_nll_loss",
            "triplet_margin_loss",
        ),
        "ops.numbered_loss",
    ),
    "is_anomaly_enabled": "autograd.graph",
    "is_anomaly_check_nan_enabled": "autograd.graph",
    "set_anomaly_enabled": "autograd.graph",
    "from_file": "storage",
    "UntypedStorage": "storage",
    "storage": "",
    "compile": "compiler",
    "autocast": "amp.autocast_mode",
    "GradScaler": "amp.grad_scaler",
    "is_autocast_enabled": "amp.autocast_mode",
    "is_autocast_cpu_enabled": "amp.autocast_mode",
    "get_autocast_dtype": "amp.autocast_mode",
    "get_autocast_cpu_dtype": "amp.autocast_mode",
    "is_autocast_cache_enabled": "amp.autocast_mode",
    "set_autocast_enabled": "amp.autocast_mode",
    "set_autocast_cpu_enabled": "amp.autocast_mode",
    "set_autocast_dtype": "amp.autocast_mode",
    "set_autocast_cpu_dtype": "amp.autocast_mode",
    "set_autocast_cache_enabled": "amp.autocast_mode",
    "clear_autocast_cache": "amp.autocast_mode",
    "use_deterministic_algorithms": "settings",
    "are_deterministic_algorithms_enabled": "settings",
    "is_deterministic_algorithms_warn_only_enabled": "settings",
    "set_deterministic_debug_mode": "settings",
    "get_deterministic_debug_mode": "settings",
    "set_float32_matmul_precision": "settings",
    "get_float32_matmul_precision": "settings",
    "set_num_interop_threads": "settings",
    "get_num_interop_threads": "settings",
    "set_flush_denormal": "settings",
    "set_default_device": "settings",
    "get_default_device": "settings",
    "set_default_tensor_type": "settings",
    "set_warn_always": "settings",
    "is_warn_always_enabled": "settings",
    "save": "io",
    "load": "io",
    "serialization": "io",
    "set_printoptions": "printing",
    "get_printoptions": "printing",
}  # fmt: skip

_NO_DTYPE = {"complex32": "complex64", "chalf": "complex64"}


def __getattr__(name: str) -> Any:
    if name in _NO_DTYPE:
        raise AttributeError(
            f"rushlight has no dtype torch.{name}; use torch.{_NO_DTYPE[name]}"
        )
    if name not in _LATER:
        raise AttributeError(
            f"module 'rushlight' has no attribute '{name}'. If PyTorch has torch.{name}, it is not "
            "in rushlight yet: see docs/differences.md"
        )
    from importlib import import_module

    home = _LATER[name]
    module = import_module(f"rushlight.{home or name}")
    value = getattr(module, name) if home and name != "serialization" else module
    globals()[name] = value
    return value


def set_default_dtype(d: Any) -> None:
    """The dtype of floats from Python, and of the constructors: float32 until it is set."""
    if not isinstance(d, dtype):
        raise TypeError(
            "invalid dtype object: only floating-point types are supported as the default type"
        )
    if not d.is_floating_point:
        raise TypeError(
            "only floating-point types are supported as the default type, but got "
            f"{d}"
        )
    _core.set_default_dtype(d)


def is_tensor(obj: Any) -> Any:
    """Whether obj is a Tensor."""
    return isinstance(obj, Tensor)


def typename(obj: Any, /) -> str:
    """The name of an object's type: with its module, or the old name of a tensor's type."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None) or ""
    name = getattr(kind, "__qualname__", "")
    return name if module in ("", "builtins") else f"{module}.{name}"


def is_floating_point(input: Tensor) -> Any:
    """Whether the dtype is a real float."""
    return input.dtype.is_floating_point


def is_signed(input: Tensor) -> Any:
    """Whether the dtype has negative values."""
    return input.dtype.is_signed


def is_inference(input: Tensor) -> Any:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()


def get_device(input: Tensor) -> Any:
    """-1, as for every tensor on the CPU."""
    return input.get_device()


def is_complex(input: Tensor) -> Any:
    """Whether the dtype is complex."""
    return input.dtype.is_complex


def is_nonzero(input: Tensor) -> Any:
    """Whether a tensor of one element is not 0."""
    if input.numel() != 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return input.item() != 0


def numel(input: Tensor) -> Any:
    """The number of elements."""
    return input.numel()


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype that an operation on the two would have."""
    return _core.result_type([tensor1, tensor2])


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both."""
    return _core.promote_types(type1, type2)
