"""rushlight: PyTorch's training loop, rebuilt for the CPU.

    import rushlight as torch

The public names are PyTorch's. What a script does not touch is not loaded.
"""

from __future__ import annotations

from math import (
    e as e,
    inf as inf,
    nan as nan,
    pi as pi,
)
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight._core import (
    get_default_dtype as get_default_dtype,
    get_num_threads as get_num_threads,
    set_num_threads as set_num_threads,
)
from rushlight.dtypes import (
    Size as Size,
    bfloat16 as bfloat16,
    bool as bool,
    can_cast as can_cast,
    cdouble as cdouble,
    cfloat as cfloat,
    channels_last as channels_last,
    channels_last_3d as channels_last_3d,
    complex64 as complex64,
    complex128 as complex128,
    contiguous_format as contiguous_format,
    device as device,
    double as double,
    dtype as dtype,
    finfo as finfo,
    float as float,
    float16 as float16,
    float32 as float32,
    float64 as float64,
    half as half,
    iinfo as iinfo,
    int as int,
    int8 as int8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    layout as layout,
    legacy_contiguous_format as legacy_contiguous_format,
    long as long,
    memory_format as memory_format,
    preserve_format as preserve_format,
    short as short,
    sparse_bsc as sparse_bsc,
    sparse_bsr as sparse_bsr,
    sparse_coo as sparse_coo,
    sparse_csc as sparse_csc,
    sparse_csr as sparse_csr,
    strided as strided,
    uint8 as uint8,
    uint16 as uint16,
    uint32 as uint32,
    uint64 as uint64,
)
from rushlight.tensor import Tensor as Tensor
from rushlight.autograd import (  # the ops need the tensor and the tape
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from rushlight.autograd.mode import is_inference_mode_enabled as is_inference_mode_enabled
from rushlight.ops.complex import *
from rushlight.ops.compare import *
from rushlight.ops.elementary import *
from rushlight.ops.pointwise import *
from rushlight.ops.operators import *
from rushlight.ops.special import *
from rushlight.ops.shape import *
from rushlight.ops.copies import *
from rushlight.ops.reduce import *
from rushlight.ops.create import *
from rushlight.ops.create import tensor as tensor  # not the module, for editors
from rushlight.ops.linalg import *
from rushlight.ops.einsum import *
from rushlight.ops.random import *
from rushlight.ops.join import *
from rushlight.ops.reorder import *
from rushlight.ops.triangle import *
from rushlight.ops.index import *
from rushlight.ops.views import *
from rushlight.ops.gather import *
from rushlight.ops.select import *
from rushlight.ops.sort import *
from rushlight.ops.scan import *
from rushlight.ops.unique import *
from rushlight.ops.variance import *
from rushlight.ops.histogram import *
from rushlight.ops.hashing import *
from rushlight.ops.softmax import *
from rushlight.ops.activation import *  # type: ignore[assignment]  # names it imports itself
from rushlight.ops.dropout import *
from rushlight.ops.norm import *
from rushlight.ops.other_forms import *  # type: ignore[assignment]  # takes more arguments
from rushlight.ops.recurrent import *
from rushlight.ops.batch_norm import *
from rushlight.ops.instance_norm import *
from rushlight.ops.conv import *
from rushlight.ops.embedding import *  # type: ignore[assignment]
from rushlight.ops.bilinear import *
from rushlight.ops.pool import *
from rushlight.ops.adaptive_pool import *
from rushlight.ops.adaptive_pool import adaptive_max_pool1d_with_indices as adaptive_max_pool1d
from rushlight.ops.distance import *  # type: ignore[assignment]
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
from rushlight.ops.layouts import *
from rushlight.ops.rare_methods import *
from rushlight.random import (
    Generator as Generator,
    default_generator as default_generator,
    get_rng_state as get_rng_state,
    initial_seed as initial_seed,
    manual_seed as manual_seed,
    seed as seed,
    set_rng_state as set_rng_state,
    thread_safe_generator as thread_safe_generator,
)

if TYPE_CHECKING:  # what `_LATER` loads, for editors and type checkers
    from rushlight._higher_order_ops.cond import cond as cond
    from rushlight import (
        autograd as autograd,
        overrides as overrides,
        ao as ao,
        array_api as array_api,
        functional as functional,
        futures as futures,
        fx as fx,
        types as types,
        _C as _C,
        __config__ as __config__,
        accelerator as accelerator,
        amp as amp,
        backends as backends,
        compiler as compiler,
        cpu as cpu,
        cuda as cuda,
        distributed as distributed,
        distributions as distributions,
        export as export,
        fft as fft,
        func as func,
        hub as hub,
        jit as jit,
        library as library,
        linalg as linalg,
        masked as masked,
        mps as mps,
        multiprocessing as multiprocessing,
        nn as nn,
        onnx as onnx,
        optim as optim,
        profiler as profiler,
        quasirandom as quasirandom,
        signal as signal,
        sparse as sparse,
        special as special,
        storage as storage,
        testing as testing,
        utils as utils,
        version as version,
        xpu as xpu,
    )
    from rushlight import io as serialization
    from rushlight._C import PyTorchFileReader as PyTorchFileReader
    from rushlight.absent_dtypes import (
        bits16 as bits16,
        bits1x8 as bits1x8,
        bits2x4 as bits2x4,
        bits4x2 as bits4x2,
        bits8 as bits8,
        chalf as chalf,
        complex32 as complex32,
        float4_e2m1fn_x2 as float4_e2m1fn_x2,
        float8_e4m3fn as float8_e4m3fn,
        float8_e4m3fnuz as float8_e4m3fnuz,
        float8_e5m2 as float8_e5m2,
        float8_e5m2fnuz as float8_e5m2fnuz,
        float8_e8m0fnu as float8_e8m0fnu,
        int1 as int1,
        int2 as int2,
        int3 as int3,
        int4 as int4,
        int5 as int5,
        int6 as int6,
        int7 as int7,
        qint32 as qint32,
        qint8 as qint8,
        quint2x4 as quint2x4,
        quint4x2 as quint4x2,
        quint8 as quint8,
        uint1 as uint1,
        uint2 as uint2,
        uint3 as uint3,
        uint4 as uint4,
        uint5 as uint5,
        uint6 as uint6,
        uint7 as uint7,
    )
    from rushlight.cuda import OutOfMemoryError as OutOfMemoryError
    from rushlight.jit import ScriptFunction as ScriptFunction, ScriptModule as ScriptModule
    from rushlight.symbolic import (
        SymBool as SymBool,
        SymFloat as SymFloat,
        SymInt as SymInt,
        sym_float as sym_float,
        sym_int as sym_int,
        sym_ite as sym_ite,
        sym_max as sym_max,
        sym_min as sym_min,
        sym_not as sym_not,
        sym_sum as sym_sum,
    )
    from rushlight.futures import (
        Future as Future,
    )
    from rushlight.storage import (
        TypedStorage as TypedStorage,
    )
    from rushlight.amp.autocast_mode import (
        autocast as autocast,
        clear_autocast_cache as clear_autocast_cache,
        get_autocast_cpu_dtype as get_autocast_cpu_dtype,
        get_autocast_dtype as get_autocast_dtype,
        is_autocast_cache_enabled as is_autocast_cache_enabled,
        is_autocast_cpu_enabled as is_autocast_cpu_enabled,
        is_autocast_enabled as is_autocast_enabled,
        set_autocast_cache_enabled as set_autocast_cache_enabled,
        set_autocast_cpu_dtype as set_autocast_cpu_dtype,
        set_autocast_cpu_enabled as set_autocast_cpu_enabled,
        set_autocast_dtype as set_autocast_dtype,
        set_autocast_enabled as set_autocast_enabled,
    )
    from rushlight.amp.grad_scaler import GradScaler as GradScaler
    from rushlight.as_torch import install_as_torch as install_as_torch
    from rushlight.autograd.graph import (
        is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled,
        is_anomaly_enabled as is_anomaly_enabled,
        set_anomaly_enabled as set_anomaly_enabled,
    )
    from rushlight.compiler import compile as compile
    from rushlight.func import vmap as vmap  # type: ignore[no-redef]
    from rushlight.io import load as load, save as save
    from rushlight.ops.numbered_loss import (
        binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
        cosine_embedding_loss as cosine_embedding_loss,
        ctc_loss as ctc_loss,
        hinge_embedding_loss as hinge_embedding_loss,
        kl_div as kl_div,
        margin_ranking_loss as margin_ranking_loss,
        poisson_nll_loss as poisson_nll_loss,
        triplet_margin_loss as triplet_margin_loss,
    )
    from rushlight.printing import (
        get_printoptions as get_printoptions,
        set_printoptions as set_printoptions,
    )
    from rushlight.settings import (
        are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled,
        get_default_device as get_default_device,
        get_deterministic_debug_mode as get_deterministic_debug_mode,
        get_float32_matmul_precision as get_float32_matmul_precision,
        get_num_interop_threads as get_num_interop_threads,
        is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled,  # noqa: E501
        set_default_device as set_default_device,
        set_default_tensor_type as set_default_tensor_type,
        set_deterministic_debug_mode as set_deterministic_debug_mode,
        set_float32_matmul_precision as set_float32_matmul_precision,
        set_flush_denormal as set_flush_denormal,
        set_num_interop_threads as set_num_interop_threads,
        use_deterministic_algorithms as use_deterministic_algorithms,
    )
    from rushlight.warned import (
        is_warn_always_enabled as is_warn_always_enabled,
        set_warn_always as set_warn_always,
    )
    from rushlight.sparse.construct import (
        sparse_bsc_tensor as sparse_bsc_tensor,
        sparse_bsr_tensor as sparse_bsr_tensor,
        sparse_compressed_tensor as sparse_compressed_tensor,
        sparse_coo_tensor as sparse_coo_tensor,
        sparse_csc_tensor as sparse_csc_tensor,
        sparse_csr_tensor as sparse_csr_tensor,
    )
    from rushlight.sparse.products import (
        dsmm as dsmm,
        hsmm as hsmm,
        hspmm as hspmm,
        saddmm as saddmm,
        smm as smm,
        spmm as spmm,
        sspaddmm as sspaddmm,
    )
    from rushlight.storage import (
        StorageBase as StorageBase,
        UntypedStorage as UntypedStorage,
        from_file as from_file,
    )
    from rushlight.tensor_types import (
        BFloat16Tensor as BFloat16Tensor,
        BoolTensor as BoolTensor,
        ByteTensor as ByteTensor,
        CharTensor as CharTensor,
        DoubleTensor as DoubleTensor,
        FloatTensor as FloatTensor,
        HalfTensor as HalfTensor,
        IntTensor as IntTensor,
        LongTensor as LongTensor,
        ShortTensor as ShortTensor,
    )

__version__ = "0.1.0"

newaxis = None
has_lapack = has_spectral = True
has_openmp = False  # threads are the library's own

# Loaded when touched: name, and the module that it is or lives in.
_LATER = {
    "array_api": "",
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
    "functional": "",
    "futures": "",
    "overrides": "",
    "types": "",
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
    "_dynamo": "",
    "_inductor": "",
    "fx": "",
    "_C": "",
    "_ops": "",
    "quasirandom": "",
    "library": "",
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
    "sparse": "",
    **dict.fromkeys(
        (
            "sparse_bsc_tensor", "sparse_bsr_tensor", "sparse_compressed_tensor",
            "sparse_coo_tensor", "sparse_csc_tensor", "sparse_csr_tensor",
            "_sparse_coo_tensor_unsafe",
        ),
        "sparse.construct",
    ),
    **dict.fromkeys(
        ("dsmm", "hsmm", "hspmm", "saddmm", "smm", "spmm", "sspaddmm"), "sparse.products"
    ),
    **dict.fromkeys(
        (
            "bits16", "bits1x8", "bits2x4", "bits4x2", "bits8", "chalf", "complex32",
            "float4_e2m1fn_x2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
            "float8_e5m2fnuz", "float8_e8m0fnu", "int1", "int2", "int3", "int4", "int5", "int6",
            "int7", "qint32", "qint8", "quint2x4", "quint4x2", "quint8", "uint1", "uint2",
            "uint3", "uint4", "uint5", "uint6", "uint7",
        ),
        "absent_dtypes",
    ),
    **dict.fromkeys(
        (
            "SymBool", "SymFloat", "SymInt", "sym_float", "sym_int", "sym_ite", "sym_max",
            "sym_min", "sym_not", "sym_sum",
        ),
        "symbolic",
    ),
    **dict.fromkeys(
        (
            "_assert", "_assert_async", "_check", "_check_index", "_check_is_size",
            "_check_not_implemented", "_check_tensor_all", "_check_tensor_all_with",
            "_check_type", "_check_value", "_check_with",
        ),
        "checks",
    ),
    "_VF": "",
    "ScriptFunction": "jit",
    "ScriptModule": "jit",
    "ao": "",
    "export": "",

    "_jit_internal": "",
    "_guards": "",
    "_subclasses": "",
    "PyTorchFileReader": "_C",
    "_utils": "",
    "is_anomaly_enabled": "autograd.graph",
    "is_anomaly_check_nan_enabled": "autograd.graph",
    "set_anomaly_enabled": "autograd.graph",
    "from_file": "storage",
    "Future": "futures",
    "OutOfMemoryError": "cuda.streams",
    "StorageBase": "storage",
    "TypedStorage": "storage",
    "UntypedStorage": "storage",
    "storage": "",
    "compile": "compiler",
    "cond": "_higher_order_ops.cond",
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
    "set_warn_always": "warned",
    "is_warn_always_enabled": "warned",
    "save": "io",
    "load": "io",
    "serialization": "io",
    "set_printoptions": "printing",
    "get_printoptions": "printing",
}  # fmt: skip

def __getattr__(name: str) -> Any:
    if name.startswith("_foreach_"):
        from rushlight.ops.foreach import function_of

        function = function_of(name.removeprefix("_foreach_"))
        if function is not None:
            globals()[name] = function
            return function
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
    """Whether obj is a Tensor, of a subclass too."""
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
    """Whether the dtype is a real float: float16, bfloat16, float32 or float64."""
    return input.dtype.is_floating_point


def is_signed(input: Tensor) -> Any:
    """Whether the dtype has negative values: all but bool and uint8."""
    return input.dtype.is_signed


def is_inference(input: Tensor) -> Any:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()


def get_device(input: Tensor) -> Any:
    """-1, as for every tensor on the CPU."""
    return input.get_device()


def is_complex(input: Tensor) -> Any:
    """Whether the dtype is complex64 or complex128."""
    return input.dtype.is_complex


def is_nonzero(input: Tensor) -> Any:
    """Whether a tensor of one element is not 0. Raises RuntimeError for more or none."""
    if input.numel() != 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return input.item() != 0


def numel(input: Tensor) -> Any:
    """The number of elements, an int of Python."""
    return input.numel()


def result_type(*operands: Any, **named: Any) -> dtype:
    """The dtype that an operation on two operands, tensors or numbers, would have.

    Tensors with dimensions go before 0-dim ones, and those before numbers, within one kind (bool,
    integer, float, complex). By name the first is `tensor1`, `tensor`, `scalar` or `scalar1`, the
    second `tensor2`, `other`, `tensor` or `scalar2`.
    """
    names = {"tensor1", "tensor2", "tensor", "other", "scalar", "scalar1", "scalar2"}
    if len(operands) + len(named) != 2 or not names.issuperset(named):
        raise TypeError(
            f"result_type(): takes two operands, got {len(operands)} by position and "
            f"{sorted(named)} by name"
        )
    pair = (*operands, *named.values())
    return _core.result_type([t._parts.values if getattr(t, "_layout", 0) else t for t in pair])


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both, by PyTorch's table: int64 and float16 give float16."""
    return _core.promote_types(type1, type2)
