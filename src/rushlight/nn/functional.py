"""The functions that layers are made of, with PyTorch's signatures.

Most are those of rushlight.ops. Here are the forms that differ from the ops: with `inplace`,
`training`, or an axis that may be left out.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from rushlight import _core
from rushlight.ops import activation as _activation
from rushlight.ops import batch_norm as _batch_norm
from rushlight.ops import dropout as _dropout
from rushlight.ops import embedding as _embedding
from rushlight.ops import instance_norm as _instance_norm
from rushlight.ops import softmax as _softmax
from rushlight.ops.activation import (
    celu_ as celu_,
    elu_ as elu_,
    gelu as gelu,
    glu as glu,
    hardshrink as hardshrink,
    hardtanh_ as hardtanh_,
    leaky_relu_ as leaky_relu_,
    logsigmoid as logsigmoid,
    prelu as prelu,
    rrelu_ as rrelu_,
    selu_ as selu_,
    softplus as softplus,
    softshrink as softshrink,
    softsign as softsign,
    tanhshrink as tanhshrink,
    threshold_ as threshold_,
)
from rushlight.ops.activation import relu_ as relu_  # type: ignore[attr-defined]  # made by its op
from rushlight.ops.adaptive_pool import (
    adaptive_avg_pool1d as adaptive_avg_pool1d,
    adaptive_avg_pool2d as adaptive_avg_pool2d,
    adaptive_avg_pool3d as adaptive_avg_pool3d,
    adaptive_max_pool1d as adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d as adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d as adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices,
)
from rushlight.ops.attention import scaled_dot_product_attention as scaled_dot_product_attention
from rushlight.ops.bilinear import bilinear as bilinear
from rushlight.ops.conv import (
    conv1d as conv1d,
    conv2d as conv2d,
    conv3d as conv3d,
    conv_tbc as conv_tbc,
    conv_transpose1d as conv_transpose1d,
    conv_transpose2d as conv_transpose2d,
    conv_transpose3d as conv_transpose3d,
)
from rushlight.ops.ctc import ctc_loss as ctc_loss
from rushlight.ops.difference_loss import (
    huber_loss as huber_loss,
    l1_loss as l1_loss,
    mse_loss as mse_loss,
    smooth_l1_loss as smooth_l1_loss,
)
from rushlight.ops.distance import (
    cosine_similarity as cosine_similarity,
    normalize as normalize,
    pairwise_distance as pairwise_distance,
    pdist as pdist,
)
from rushlight.ops.embedding import one_hot as one_hot
from rushlight.ops.fold import fold as fold, unfold as unfold
from rushlight.ops.grid_sample import affine_grid as affine_grid, grid_sample as grid_sample
from rushlight.ops.known import known
from rushlight.ops.likelihood_loss import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    gaussian_nll_loss as gaussian_nll_loss,
    kl_div as kl_div,
    poisson_nll_loss as poisson_nll_loss,
)
from rushlight.ops.linalg import linear as linear
from rushlight.ops.loss import (
    cross_entropy as cross_entropy,
    linear_cross_entropy as linear_cross_entropy,
    nll_loss as nll_loss,
)
from rushlight.ops.margin_loss import (
    cosine_embedding_loss as cosine_embedding_loss,
    hinge_embedding_loss as hinge_embedding_loss,
    margin_ranking_loss as margin_ranking_loss,
    multi_margin_loss as multi_margin_loss,
    multilabel_margin_loss as multilabel_margin_loss,
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
    soft_margin_loss as soft_margin_loss,
    triplet_margin_loss as triplet_margin_loss,
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from rushlight.ops.multi_head_attention import (
    canonical_mask as _canonical_mask,
    check_shapes as _mha_shape_check,
    dtype_or_none as _none_or_dtype,
    project as _in_projection_packed,
)
from rushlight.ops.multi_head_attention import (
    multi_head_attention_forward as multi_head_attention_forward,
)
from rushlight.ops.norm import (
    group_norm as group_norm,
    layer_norm as layer_norm,
    local_response_norm as local_response_norm,
    rms_norm as rms_norm,
)
from rushlight.ops.padding import pad as pad
from rushlight.ops.pool import (
    avg_pool1d as avg_pool1d,
    avg_pool2d as avg_pool2d,
    avg_pool3d as avg_pool3d,
    lp_pool1d as lp_pool1d,
    lp_pool2d as lp_pool2d,
    lp_pool3d as lp_pool3d,
    max_pool1d as max_pool1d,
    max_pool1d_with_indices as max_pool1d_with_indices,
    max_pool2d as max_pool2d,
    max_pool2d_with_indices as max_pool2d_with_indices,
    max_pool3d as max_pool3d,
    max_pool3d_with_indices as max_pool3d_with_indices,
)
from rushlight.ops.resize import (
    interpolate as interpolate,
    upsample as upsample,
    upsample_bilinear as upsample_bilinear,
    upsample_nearest as upsample_nearest,
)
from rushlight.ops.shuffle import (
    channel_shuffle as channel_shuffle,
    native_channel_shuffle as native_channel_shuffle,
    pixel_shuffle as pixel_shuffle,
    pixel_unshuffle as pixel_unshuffle,
)
from rushlight.ops.softmax import gumbel_softmax as gumbel_softmax, softmin as softmin
from rushlight.ops.unpool import (
    fractional_max_pool2d as fractional_max_pool2d,
    fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices,
    fractional_max_pool3d as fractional_max_pool3d,
    fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices,
    max_unpool1d as max_unpool1d,
    max_unpool2d as max_unpool2d,
    max_unpool3d as max_unpool3d,
)

if TYPE_CHECKING:
    from rushlight._core import dtype as DType
    from rushlight.tensor import Tensor

# ---- normalization


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel normalized over the batch, or with the running values (Ioffe and Szegedy 2015).

    (input - mean) / sqrt(var + eps) * weight + bias for input (N, C, *) and the others (C,). In
    training the batch's mean and biased variance are used, and the running values, if there are
    any, move towards its mean and unbiased variance by `momentum`. Raises ValueError where training
    has one value per channel. See `nn.BatchNorm1d`.
    """
    if training and input.ndim > 1:
        rows = input.numel() // input.shape[1] if input.shape[1] else input.shape[0]
        if rows == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{input.shape}"
            )
    return _batch_norm.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each item normalized, or with the running values (Ulyanov et al. 2016).

    As :func:`batch_norm`, for input (N, C, *), over the spatial axes alone. Raises ValueError where
    they hold one value. See `nn.InstanceNorm1d`.
    """
    if use_input_stats and input.shape[2:].numel() == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.shape}"
        )
    return _instance_norm.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


# ---- activations with `inplace`


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0), elementwise; the derivative at 0 is 0 (Nair and Hinton 2010)."""
    return relu_(input) if inplace else _activation.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` held to [0, 6]; the derivative at both ends is 0 (Krizhevsky 2010)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """`input` held to [min_val, max_val]; the derivative at both ends is 0.

    Raises ValueError where min_val > max_val.
    """
    if min_val > max_val:
        raise ValueError(
            f"hardtanh: min_val cannot be greater than max_val, got {min_val} and {max_val}"
        )
    if inplace:
        return _activation.hardtanh_(input, min_val, max_val)
    return _activation.hardtanh(input, min_val, max_val)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input`, times `negative_slope` at and below 0 (Maas et al. 2013)."""
    if inplace:
        return _activation.leaky_relu_(input, negative_slope)
    return _activation.leaky_relu(input, negative_slope)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`value` where `input` is at or below `threshold`, else `input`."""
    if inplace:
        return _activation.threshold_(input, threshold, value)
    return _activation.threshold(input, threshold, value)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU, in training with slopes drawn from [lower, upper) for each element.

    Xu et al. 2015. Otherwise the slope is (lower + upper) / 2.
    """
    chosen = _activation.rrelu_ if inplace else _activation.rrelu
    return chosen(input, lower, upper, training)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` above 0, else alpha * (exp(input) - 1) (Clevert et al. 2016)."""
    return _activation.elu_(input, alpha) if inplace else _activation.elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the constants of self-normalizing networks (Klambauer et al. 2017).

    1.0507 * (input above 0, else 1.6733 * (exp(input) - 1)).
    """
    return _activation.selu_(input) if inplace else _activation.selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` above 0, else alpha * (exp(input / alpha) - 1) (Barron 2017).

    Raises RuntimeError for alpha = 0.
    """
    return _activation.celu_(input, alpha) if inplace else _activation.celu(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input), also called swish (Elfwing et al. 2017)."""
    if input.dtype.is_complex:
        result = input * input.sigmoid()
        return input.copy_(result) if inplace else result
    return _activation.silu_(input) if inplace else _activation.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * tanh(softplus(input)) (Misra 2019)."""
    return _activation.mish_(input) if inplace else _activation.mish(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """(input + 3) / 6 held to [0, 1]; the derivative at both ends is 0."""
    return _activation.hardsigmoid_(input) if inplace else _activation.hardsigmoid(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * hardsigmoid(input) (Howard et al. 2019)."""
    return _activation.hardswish_(input) if inplace else _activation.hardswish(input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)). Another name of :func:`torch.sigmoid`."""
    return input.sigmoid()


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent. Another name of :func:`torch.tanh`."""
    return input.tanh()


# ---- softmax without an axis


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """exp(input) divided by its sum along `dim`.

    Args:
        input: of any shape.
        dim: the axis whose slices sum to 1; to leave it out is deprecated.
        dtype: what `input` is converted to first.

    Raises:
        IndexError: `dim` is not there.
        NotImplementedError: for integers, unless `dtype` is a float dtype.
    """
    if dim is None:
        dim = _softmax.implicit_dim("softmax", input.ndim, _stacklevel)
    return _softmax.softmax(input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """The logarithm of `softmax`, without underflow.

    Args:
        input: of any shape.
        dim: the axis of the classes; to leave it out is deprecated.
        dtype: what `input` is converted to first.

    Raises:
        IndexError: `dim` is not there.
        NotImplementedError: for integers, unless `dtype` is a float dtype.
    """
    if dim is None:
        dim = _softmax.implicit_dim("log_softmax", input.ndim, _stacklevel)
    return _softmax.log_softmax(input, dim, dtype)


# ---- dropout with `training`


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, sets elements to 0 with probability `p` and divides the others by 1 - p.

    Otherwise the input (Hinton et al. 2012). Raises ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    chosen = _dropout.dropout_ if inplace else _dropout.dropout
    return chosen(input, p, training)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean and variance of SELU's results (Klambauer et al. 2017).

    Raises ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    chosen = _dropout.alpha_dropout_ if inplace else _dropout.alpha_dropout
    return chosen(input, p, training)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Alpha dropout of whole channels of an input (N, C, ...).

    Raises ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    chosen = _dropout.feature_alpha_dropout_ if inplace else _dropout.feature_alpha_dropout
    return chosen(input, p, training)


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if not batched:
        dropped = _drop_channels(input.unsqueeze(0), p, training, inplace, True)
        return input if inplace else dropped.squeeze(0)
    chosen = _dropout.feature_dropout_ if inplace else _dropout.feature_dropout
    return chosen(input, p, training)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of an input (N, C, L) or (C, L) (Tompson et al. 2015).

    Raises RuntimeError for other shapes, ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Its axes are "
            "an optional batch, channels and a length."
        )
    return _drop_channels(input, p, training, inplace, input.ndim == 3)


def _warn_axes(name: str, input: Tensor, axes: str) -> None:
    warnings.warn(
        f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will result "
        "in an error in a future release. To retain the behavior and silence this warning, please "
        f"use dropout instead. {name} is for inputs with {axes} dimensions.",
        stacklevel=3,
    )


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of an input (N, C, H, W); three axes are taken as (N, C, L).

    Tompson et al. 2015. Raises ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    if input.ndim not in (3, 4):
        _warn_axes("dropout2d", input, "3 or 4")
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. Use dropout1d for such inputs: a future release will take it as (C, H, W).",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, True)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of an input (N, C, D, H, W) or (C, D, H, W) (Tompson et al. 2015).

    Raises ValueError for `p` outside [0, 1].
    """
    _check_probability(p)
    if input.ndim not in (4, 5):
        _warn_axes("dropout3d", input, "4 or 5")
    return _drop_channels(input, p, training, inplace, input.ndim == 5)


# ---- embeddings


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` that `input` names.

    Args:
        input: indices (int64 or int32), of any shape; the result has an axis of features after it.
        weight: (rows, features).
        padding_idx: a row that receives no gradient; negative numbers count from the end.
        max_norm: first scale the named rows, in place, to a norm of at most this.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is named.
        sparse: the gradient of `weight` is a sparse tensor with an entry for each index.

    Raises:
        IndexError: an index is not that of a row.
    """
    padding = _padding_row(padding_idx, weight)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return _embedding.embedding(weight, input, padding, scale_grad_by_freq, sparse)


def _padding_row(padding_idx: int | None, weight: Tensor) -> int:
    if padding_idx is None:
        return -1
    rows = weight.shape[0]
    if not -rows <= padding_idx < max(rows, 1):
        raise AssertionError(
            f"Padding_idx must be within num_embeddings, got {padding_idx} with {rows} rows"
        )
    return padding_idx % rows if rows else padding_idx


def _renorm(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    _core.embedding_renorm_(weight.detach(), input, max_norm, norm_type)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of `weight` that each bag of `input` names.

    Args:
        input: indices (int64 or int32): (bags, length), or (total,) with `offsets`.
        weight: (rows, features).
        offsets: where each bag starts in a one-dimensional input; the first is 0.
        max_norm: first scale the named rows, in place, to a norm of at most this.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is named.
        mode: "sum", "mean" or "max".
        sparse: the gradient of `weight` is sparse; not with mode "max".
        per_sample_weights: with mode "sum", a factor for each index, of the input's shape.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that does not count, and receives no gradient.

    Shape: (bags, features). An empty bag gives zeros.

    Raises:
        ValueError: for another mode, or `offsets` that do not fit the input.
    """
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights is only supported for mode='sum' (got '{mode}')"
        )
    offsets = _bag_starts(input, offsets, include_last_offset)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return _embedding.bags(
        weight,
        input.reshape(-1),
        offsets,
        mode,
        None if per_sample_weights is None else per_sample_weights.reshape(-1),
        scale_grad_by_freq,
        _padding_row(padding_idx, weight),
        sparse,
    )


def _bag_starts(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> Tensor:
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        bags, length = input.shape
        return _core.mul(_core.placed(_core.arange(0, bags, 1, _core.int64), input), length)
    if input.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )
    if offsets is None or offsets.ndim != 1:
        got = None if offsets is None else list(offsets.shape)
        raise ValueError(f"offsets has to be a 1D Tensor but got {got}")
    if offsets.numel() and known(offsets[0] != 0):
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {offsets[0].item()}"
        )
    return offsets[:-1] if include_last_offset else offsets
