"""Rows of rushlight.ops.views: copies of views. The views themselves have rows in shape.py."""

import numpy as np

from ops.row import ROWS, Row, case
from ops import complex, shape  # noqa: F401, I001  their rows are taken over

ALL = {"dtypes": "fic", "grad": "fc"}

for _name in (
    "as_strided", "diagonal", "narrow", "permute", "select", "slice", "split", "split_with_sizes",
    "squeeze", "t", "transpose", "unbind", "unfold", "unsqueeze",
):  # fmt: skip
    _view = ROWS[_name]
    Row(f"{_name}_copy", _view.samples, _view.ref, layouts=_view.layouts, **ALL)
for _name in ("view_as_real", "view_as_complex"):
    _view = ROWS[_name]
    Row(f"{_name}_copy", _view.samples, _view.ref, dtypes=_view.dtypes, result=_view.result,
        grad=_view.grad, layouts=False)  # fmt: skip
Row("expand_copy", lambda make: [case(make(3, 1), (3, 4))], np.broadcast_to, **ALL)
Row("view_copy", lambda make: [case(make(2, 6), (3, 4))], np.reshape, layouts=False, **ALL)
Row("alias_copy", lambda make: [case(make(2, 3))], np.copy, **ALL)
Row("detach", lambda make: [case(make(2, 3))], np.copy, grad="", dtypes="fic", view=True,
    covers=("detach_", "as_strided_"), in_place=False)  # fmt: skip
Row("detach_copy", lambda make: [case(make(2, 3))], np.copy, grad="", dtypes="fic")
