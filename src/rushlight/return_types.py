"""The tuples with named fields that operations with several results return."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rushlight.tensor import Tensor


class _Result(tuple):
    """A tuple whose items also have the annotated names; made from one sequence of its items."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    n_fields = n_sequence_fields = n_unnamed_fields = 0

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls.n_fields = cls.n_sequence_fields = len(cls._fields)
        for place, field in enumerate(cls._fields):
            setattr(cls, field, property(itemgetter(place)))

    def __repr__(self) -> str:
        items = ",\n".join(f"{name}={item!r}" for name, item in zip(self._fields, self))
        return f"torch.return_types.{type(self).__name__}(\n{items})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


if TYPE_CHECKING:  # how many items there are

    class _Pair(tuple[Tensor, Tensor]):
        def __new__(cls, items: Any) -> Any: ...

    class _Triple(tuple[Tensor, Tensor, Tensor]):
        def __new__(cls, items: Any) -> Any: ...

    class _Quadruple(tuple[Tensor, Tensor, Tensor, Tensor]):
        def __new__(cls, items: Any) -> Any: ...

else:
    _Pair = _Triple = _Quadruple = _Result


class _lu_with_info(_Triple):
    """(LU, pivots, info)."""

    __slots__ = ()
    LU: Tensor
    pivots: Tensor
    info: Tensor


class aminmax(_Pair):
    """(min, max)."""

    __slots__ = ()
    min: Tensor
    max: Tensor


class cummax(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class cummin(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class frexp(_Pair):
    """(mantissa, exponent)."""

    __slots__ = ()
    mantissa: Tensor
    exponent: Tensor


class geqrf(_Pair):
    """(a, tau)."""

    __slots__ = ()
    a: Tensor
    tau: Tensor


class histogram(_Pair):
    """(hist, bin_edges)."""

    __slots__ = ()
    hist: Tensor
    bin_edges: Tensor


class histogramdd(_Pair):
    """(hist, bin_edges)."""

    __slots__ = ()
    hist: Tensor
    bin_edges: Any


class kthvalue(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class linalg_cholesky_ex(_Pair):
    """(L, info)."""

    __slots__ = ()
    L: Tensor
    info: Tensor


class linalg_eig(_Pair):
    """(eigenvalues, eigenvectors)."""

    __slots__ = ()
    eigenvalues: Tensor
    eigenvectors: Tensor


class linalg_eigh(_Pair):
    """(eigenvalues, eigenvectors)."""

    __slots__ = ()
    eigenvalues: Tensor
    eigenvectors: Tensor


class linalg_inv_ex(_Pair):
    """(inverse, info)."""

    __slots__ = ()
    inverse: Tensor
    info: Tensor


class linalg_ldl_factor(_Pair):
    """(LD, pivots)."""

    __slots__ = ()
    LD: Tensor
    pivots: Tensor


class linalg_ldl_factor_ex(_Triple):
    """(LD, pivots, info)."""

    __slots__ = ()
    LD: Tensor
    pivots: Tensor
    info: Tensor


class linalg_lstsq(_Quadruple):
    """(solution, residuals, rank, singular_values)."""

    __slots__ = ()
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class linalg_lu(_Triple):
    """(P, L, U)."""

    __slots__ = ()
    P: Tensor
    L: Tensor
    U: Tensor


class linalg_lu_factor(_Pair):
    """(LU, pivots)."""

    __slots__ = ()
    LU: Tensor
    pivots: Tensor


class linalg_lu_factor_ex(_Triple):
    """(LU, pivots, info)."""

    __slots__ = ()
    LU: Tensor
    pivots: Tensor
    info: Tensor


class linalg_qr(_Pair):
    """(Q, R)."""

    __slots__ = ()
    Q: Tensor
    R: Tensor


class linalg_slogdet(_Pair):
    """(sign, logabsdet)."""

    __slots__ = ()
    sign: Tensor
    logabsdet: Tensor


class linalg_solve_ex(_Pair):
    """(result, info)."""

    __slots__ = ()
    result: Tensor
    info: Tensor


class linalg_svd(_Triple):
    """(U, S, Vh)."""

    __slots__ = ()
    U: Tensor
    S: Tensor
    Vh: Tensor


class lu_unpack(_Triple):
    """(P, L, U)."""

    __slots__ = ()
    P: Tensor
    L: Tensor
    U: Tensor


class max(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class median(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class min(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class mode(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class nanmedian(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class qr(_Pair):
    """(Q, R)."""

    __slots__ = ()
    Q: Tensor
    R: Tensor


class slogdet(_Pair):
    """(sign, logabsdet)."""

    __slots__ = ()
    sign: Tensor
    logabsdet: Tensor


class sort(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class svd(_Triple):
    """(U, S, V)."""

    __slots__ = ()
    U: Tensor
    S: Tensor
    V: Tensor


class topk(_Pair):
    """(values, indices)."""

    __slots__ = ()
    values: Tensor
    indices: Tensor


class triangular_solve(_Pair):
    """(solution, cloned_coefficient)."""

    __slots__ = ()
    solution: Tensor
    cloned_coefficient: Tensor
