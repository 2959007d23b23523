"""The Python array API standard, version 2024.12, over rushlight's tensors.

    xp = x.__array_namespace__()
    y = xp.sum(xp.exp(x), axis=0)

The functions are rushlight's ops under the standard's names, with its arguments, its promotion and
its special values. They record gradients, and nothing is computed here a second time.

They take any Tensor and return an `Array` (arrays.py): a Tensor with the standard's operators. The
other way would be plain tensors from everywhere. Libraries that were tested with PyTorch can live
with that, but `float32_vector + float64_scalar` is then float32 where the standard says float64,
`x.size` is no number and `x[::-1]` raises; and PyTorch's rules for Tensor are not ours to change.
Of the 1,353 tests of array-api-tests that apply, 1,350 or more pass with Array (the rest are
special values of complex numbers, see docs/array-api.md) and 1,321 with plain tensors: operators,
backward slices, quotients by infinity. To PyTorch's code an Array is a Tensor as any other,
`x.size(0)` included, and each of its methods gives a plain one back. It costs a few tenths of a
microsecond a call.

One file for each chapter of the standard. promotion.py is where 0-dim operands are dealt with;
a dtype that rushlight gains comes in through the list in dtypes.py.
"""

from __future__ import annotations

from math import (
    e as e,
    inf as inf,
    nan as nan,
    pi as pi,
)
from typing import TYPE_CHECKING

from rushlight.array_api import (
    fft as fft,
    linalg as linalg,
)
from rushlight.array_api.arrays import (
    Array as Array,
)
from rushlight.array_api.creation import (
    arange as arange,
    asarray as asarray,
    empty as empty,
    empty_like as empty_like,
    eye as eye,
    from_dlpack as from_dlpack,
    full as full,
    full_like as full_like,
    linspace as linspace,
    meshgrid as meshgrid,
    ones as ones,
    ones_like as ones_like,
    tril as tril,
    triu as triu,
    zeros as zeros,
    zeros_like as zeros_like,
)
from rushlight.array_api.dtypes import (
    DTYPES as _DTYPES,
    astype as astype,
    can_cast as can_cast,
    finfo as finfo,
    iinfo as iinfo,
    isdtype as isdtype,
    result_type as result_type,
)
from rushlight.array_api.elementwise import (
    abs as abs,
    acos as acos,
    acosh as acosh,
    add as add,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atan2 as atan2,
    atanh as atanh,
    bitwise_and as bitwise_and,
    bitwise_invert as bitwise_invert,
    bitwise_left_shift as bitwise_left_shift,
    bitwise_or as bitwise_or,
    bitwise_right_shift as bitwise_right_shift,
    bitwise_xor as bitwise_xor,
    ceil as ceil,
    clip as clip,
    conj as conj,
    copysign as copysign,
    cos as cos,
    cosh as cosh,
    divide as divide,
    equal as equal,
    exp as exp,
    expm1 as expm1,
    floor as floor,
    floor_divide as floor_divide,
    greater as greater,
    greater_equal as greater_equal,
    hypot as hypot,
    imag as imag,
    isfinite as isfinite,
    isinf as isinf,
    isnan as isnan,
    less as less,
    less_equal as less_equal,
    log as log,
    log1p as log1p,
    log2 as log2,
    log10 as log10,
    logaddexp as logaddexp,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    maximum as maximum,
    minimum as minimum,
    multiply as multiply,
    negative as negative,
    nextafter as nextafter,
    not_equal as not_equal,
    positive as positive,
    pow as pow,
    real as real,
    reciprocal as reciprocal,
    remainder as remainder,
    round as round,
    sign as sign,
    signbit as signbit,
    sin as sin,
    sinh as sinh,
    sqrt as sqrt,
    square as square,
    subtract as subtract,
    tan as tan,
    tanh as tanh,
    trunc as trunc,
)
from rushlight.array_api.indexing import (
    take as take,
    take_along_axis as take_along_axis,
)
from rushlight.array_api.info import (
    __array_namespace_info__ as __array_namespace_info__,
)
from rushlight.array_api.linalg import (
    matmul as matmul,
    matrix_transpose as matrix_transpose,
    tensordot as tensordot,
    vecdot as vecdot,
)
from rushlight.array_api.manipulation import (
    broadcast_arrays as broadcast_arrays,
    broadcast_to as broadcast_to,
    concat as concat,
    expand_dims as expand_dims,
    flip as flip,
    moveaxis as moveaxis,
    permute_dims as permute_dims,
    repeat as repeat,
    reshape as reshape,
    roll as roll,
    squeeze as squeeze,
    stack as stack,
    tile as tile,
    unstack as unstack,
)
from rushlight.array_api.searching import (
    argmax as argmax,
    argmin as argmin,
    count_nonzero as count_nonzero,
    nonzero as nonzero,
    searchsorted as searchsorted,
    where as where,
)
from rushlight.array_api.sets import (
    unique_all as unique_all,
    unique_counts as unique_counts,
    unique_inverse as unique_inverse,
    unique_values as unique_values,
)
from rushlight.array_api.sorting import (
    argsort as argsort,
    sort as sort,
)
from rushlight.array_api.statistics import (
    all as all,
    any as any,
    cumulative_prod as cumulative_prod,
    cumulative_sum as cumulative_sum,
    diff as diff,
    max as max,
    mean as mean,
    min as min,
    prod as prod,
    std as std,
    sum as sum,
    var as var,
)
import rushlight.array_api.operators  # attaches them to Array

__array_api_version__ = "2024.12"
newaxis = None

if TYPE_CHECKING:  # what the next line brings, for editors and type checkers
    from rushlight.dtypes import (
        bool as bool,
        complex64 as complex64,
        complex128 as complex128,
        float32 as float32,
        float64 as float64,
        int8 as int8,
        int16 as int16,
        int32 as int32,
        int64 as int64,
        uint8 as uint8,
    )
globals().update(_DTYPES)
_MODULES = (
    "arrays", "creation", "dtypes", "elementwise", "indexing", "info", "manipulation", "operators",
    "promotion", "searching", "sets", "sorting", "statistics",
)  # fmt: skip
__all__ = [
    name
    for name in globals()
    if name.startswith("__array_") or not (name.startswith("_") or name in _MODULES)
]
for _name in ("annotations", "TYPE_CHECKING", "rushlight", "Array"):
    __all__.remove(_name)
