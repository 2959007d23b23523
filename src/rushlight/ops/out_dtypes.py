"""Which ops take only a tensor of the result's own dtype as `out=`, as in PyTorch.

The others cast: what is computed element by element, sums and what joins tensors.
"""

from __future__ import annotations

from rushlight import _core

__all__: list[str] = []

_EXACT = """
    abs addmm all amax amin aminmax any argmax argmin bmm bucketize clamp complex cummax cummin
    diag dot frac gather histc index_add index_copy index_select isin isneginf isposinf
    kthvalue linalg_cholesky linalg_cross linalg_det linalg_eigvalsh linalg_inv
    linalg_matrix_norm linalg_multi_dot linalg_qr linalg_solve linalg_svdvals
    linalg_vector_norm logcumsumexp masked_select matmul median mm mode msort mv nan_to_num
    narrow_copy polar quantile renorm scatter scatter_add searchsorted signbit softmax sort
    take tensordot topk tril triu where
"""

_core.set_exact_out(frozenset(_EXACT.split()))
