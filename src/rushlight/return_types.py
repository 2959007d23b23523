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


aminmax = _result("aminmax", "min", "max")
cummax = _result("cummax", "values", "indices")
cummin = _result("cummin", "values", "indices")
frexp = _result("frexp", "mantissa", "exponent")
histogram = _result("histogram", "hist", "bin_edges")
kthvalue = _result("kthvalue", "values", "indices")
max = _result("max", "values", "indices")
median = _result("median", "values", "indices")
min = _result("min", "values", "indices")
mode = _result("mode", "values", "indices")
nanmedian = _result("nanmedian", "values", "indices")
sort = _result("sort", "values", "indices")
topk = _result("topk", "values", "indices")
