"""The bilinear map of two vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.autograd.op import composed
from rushlight.ops.linalg import linear

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


@composed()
def bilinear(
    input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """input1 @ weight[o] @ input2 + bias[o], for each output o.

    Args:
        input1: (*, in1).
        input2: (*, in2), with the same leading axes.
        weight: (out, in1, in2).
        bias: (out,).

    Shape: (*, out).

    Raises:
        RuntimeError: the features do not fit the weight.
    """
    if input1.ndim != input2.ndim or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input dimensions do not match: got input1 of shape "
            f"{list(input1.shape)} and input2 of shape {list(input2.shape)}"
        )
    outputs, size1, size2 = weight.shape
    if input1.shape[-1] != size1 or input2.shape[-1] != size2:
        raise RuntimeError(
            f"bilinear(): weight of shape {list(weight.shape)} needs inputs of {size1} and {size2} "
            f"features, got {input1.shape[-1]} and {input2.shape[-1]}"
        )
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {list(bias.shape)} for "
            f"{outputs} outputs"
        )
    rows1, rows2 = input1.reshape(-1, size1), input2.reshape(-1, size2)
    maps = linear(rows1, weight.transpose(1, 2).reshape(outputs * size2, size1))
    result = maps.reshape(-1, outputs, size2).matmul(rows2.unsqueeze(-1)).squeeze(-1)
    result = result.reshape((*input1.shape[:-1], outputs))
    return result if bias is None else result + bias
