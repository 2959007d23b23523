"""torch.linalg: decompositions, linear systems, norms and functions of matrices."""

from __future__ import annotations

from rushlight.ops import decompositions, factors, least_squares, matrix_functions, matrix_norm
from rushlight.ops import solve as _solve
from rushlight.ops.linalg import matmul
from rushlight.ops.matrix import LinAlgError

_HOMES = (
    (factors, """cholesky cholesky_ex ldl_factor ldl_factor_ex ldl_solve lu lu_factor lu_factor_ex
        lu_solve solve_triangular"""),
    (_solve, "det inv inv_ex slogdet solve solve_ex"),
    (decompositions, "eig eigh eigvals eigvalsh householder_product qr svd svdvals"),
    (least_squares, "lstsq matrix_rank pinv"),
    (matrix_functions, """cross diagonal matrix_exp matrix_power multi_dot tensorinv tensorsolve
        vander vecdot"""),
    (matrix_norm, "cond matrix_norm norm vector_norm"),
)  # fmt: skip
__all__ = ["LinAlgError", "matmul"]
for _home, _names in _HOMES:
    for _name in _names.split():
        globals()[_name] = getattr(_home, f"linalg_{_name}")
        __all__ += [_name]
