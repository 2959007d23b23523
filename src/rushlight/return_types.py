"""The tuples with named fields that operations with several results return."""

from __future__ import annotations

from operator import itemgetter
from typing import Any


class _Result(tuple):
    """A tuple whose items also have names; made from one sequence of its items."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __repr__(self) -> str:
        items = ",\n".join(f"{name}={item!r}" for name, item in zip(self._fields, self))
        return f"torch.return_types.{type(self).__name__}(\n{items})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def _result(name: str, *fields: str) -> Any:
    body: dict[str, Any] = {"__slots__": (), "__module__": __name__, "_fields": fields}
    body["n_fields"] = body["n_sequence_fields"] = len(fields)
    body["n_unnamed_fields"] = 0
    for place, field in enumerate(fields):
        body[field] = property(itemgetter(place))
    return type(name, (_Result,), body)


_lu_with_info = _result("_lu_with_info", "LU", "pivots", "info")
aminmax = _result("aminmax", "min", "max")
cummax = _result("cummax", "values", "indices")
cummin = _result("cummin", "values", "indices")
frexp = _result("frexp", "mantissa", "exponent")
geqrf = _result("geqrf", "a", "tau")
histogram = _result("histogram", "hist", "bin_edges")
histogramdd = _result("histogramdd", "hist", "bin_edges")
kthvalue = _result("kthvalue", "values", "indices")
linalg_cholesky_ex = _result("linalg_cholesky_ex", "L", "info")
linalg_eig = _result("linalg_eig", "eigenvalues", "eigenvectors")
linalg_eigh = _result("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_inv_ex = _result("linalg_inv_ex", "inverse", "info")
linalg_ldl_factor = _result("linalg_ldl_factor", "LD", "pivots")
linalg_ldl_factor_ex = _result("linalg_ldl_factor_ex", "LD", "pivots", "info")
linalg_lstsq = _result("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
linalg_lu = _result("linalg_lu", "P", "L", "U")
linalg_lu_factor = _result("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _result("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_qr = _result("linalg_qr", "Q", "R")
linalg_slogdet = _result("linalg_slogdet", "sign", "logabsdet")
linalg_solve_ex = _result("linalg_solve_ex", "result", "info")
linalg_svd = _result("linalg_svd", "U", "S", "Vh")
lu_unpack = _result("lu_unpack", "P", "L", "U")
max = _result("max", "values", "indices")
median = _result("median", "values", "indices")
min = _result("min", "values", "indices")
mode = _result("mode", "values", "indices")
nanmedian = _result("nanmedian", "values", "indices")
qr = _result("qr", "Q", "R")
slogdet = _result("slogdet", "sign", "logabsdet")
sort = _result("sort", "values", "indices")
svd = _result("svd", "U", "S", "V")
topk = _result("topk", "values", "indices")
triangular_solve = _result("triangular_solve", "solution", "cloned_coefficient")
