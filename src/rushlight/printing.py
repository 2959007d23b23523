"""The text of a tensor: ``repr``, ``str``, ``format`` and the options that shape them.

Only the elements that will be shown leave the tensor, as nested Python lists (``_shown``).
Their common number format is decided once (``_NumberFormat``), then the lists are laid out in rows
(``_layout``). float16, bfloat16 and float32 become Python floats, that is float64, on the way,
which is exact, so every decision about the format is made in double precision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "get_printoptions",
    "printoptions",
    "set_printoptions",
    "tensor_format",
    "tensor_repr",
]

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


class _Options:
    """The options in force; one object for the process."""

    __slots__ = ("edgeitems", "linewidth", "precision", "sci_mode", "threshold")

    precision: int
    threshold: float
    edgeitems: int
    linewidth: int
    sci_mode: bool | None

    def __init__(self) -> None:
        self.update(_PROFILES["default"])
        self.sci_mode = None

    def update(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)


_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is None stays as it is, except ``sci_mode``.

    Args:
        precision: digits after the point of a floating point number (4).
        threshold: a tensor with more elements than this is shortened (1000).
        edgeitems: elements kept at both ends of every dimension of a shortened tensor (3).
        linewidth: characters in a line (80).
        profile: ``"default"``, ``"short"`` or ``"full"``, applied before the other arguments.
        sci_mode: scientific notation always (True), never (False) or by the range of the values
            (None). Every call sets it, so leaving it out goes back to None.

    Example:
        >>> import rushlight as torch
        >>> torch.set_printoptions(precision=2)
        >>> torch.tensor([1.12345])
        tensor([1.12])
        >>> torch.set_printoptions(profile="default")
    """
    _options.update(_PROFILES.get(profile or "", {}))
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update({name: value for name, value in given.items() if value is not None})
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options in force, by name: what :func:`set_printoptions` takes as keywords."""
    names = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
    return {name: getattr(_options, name) for name in names}


class printoptions:  # a function to its callers, so lower case
    """Context manager: the options of :func:`set_printoptions` for the length of a block.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.printing import printoptions
        >>> with printoptions(precision=1):
        ...     print(torch.tensor([0.123, 4.567]))
        tensor([0.1, 4.6])
    """

    def __init__(self, **kwargs: Any) -> None:
        self._wanted = kwargs
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = get_printoptions()
        set_printoptions(**self._wanted)

    def __exit__(self, *error: object) -> None:
        set_printoptions(**self._before)


# ---- numbers -------------------------------------------------------------------------------------


class _NumberFormat:
    """How all numbers of one printed tensor (or one part of complex ones) are written.

    Floats are whole ("3."), fixed ("0.3700") or scientific ("1.0000e-05"). Scientific it gets when
    the largest magnitude is more than 1000 times the smallest, or above 1e8, or the smallest below
    1e-4; zeros, NaN and infinities have no say, in the width neither.
    """

    __slots__ = ("_pattern", "_whole", "width")

    def __init__(self, values: list[Any], floating: bool) -> None:
        self._pattern = ""
        self._whole = False
        if not floating:
            self.width = max((len(str(value)) for value in values), default=1)
            return
        self.width = 1
        self._pattern = ".0f"
        self._whole = True
        decisive = [value for value in values if value != 0 and math.isfinite(value)]
        if not decisive:
            return
        scientific = _options.sci_mode
        if scientific is None:
            magnitudes = [abs(value) for value in decisive]
            low, high = min(magnitudes), max(magnitudes)
            scientific = high / low > 1000.0 or high > 1e8 or low < 1e-4
        self._whole = not scientific and all(value == math.floor(value) for value in decisive)
        if scientific:
            self._pattern = f".{_options.precision}e"
        elif not self._whole:
            self._pattern = f".{_options.precision}f"
        self.width = max(1, *(len(self.text(value)) for value in decisive))

    def text(self, value: Any) -> str:
        """One number, at its own length."""
        if not self._pattern:
            return str(value)
        text = format(value, self._pattern)
        return text + "." if self._whole and math.isfinite(value) else text

    def padded(self, value: Any) -> str:
        """One number, right-aligned to the width of the widest."""
        return self.text(value).rjust(self.width)


class _ComplexFormat:
    """Real and imaginary part, each with a format of its own: "1.0000-0.0010j"."""

    __slots__ = ("_imag", "_real", "width")

    def __init__(self, values: list[complex]) -> None:
        self._real = _NumberFormat([value.real for value in values], floating=True)
        self._imag = _NumberFormat([value.imag for value in values], floating=True)
        self.width = self._real.width + self._imag.width + 1

    def padded(self, value: complex) -> str:
        imag = self._imag.text(value.imag) + "j"
        sign = "" if imag[0] in "+-" else "+"
        return self._real.padded(value.real) + sign + imag


# ---- layout --------------------------------------------------------------------------------------


def _shown(tensor: Tensor, shortened: bool) -> Any:
    """The elements to print as nested lists: all, or the corners of every dimension."""
    if not shortened or tensor.dim() == 0:
        return tensor.tolist()
    size, edge = tensor.shape[0], _options.edgeitems
    if tensor.dim() == 1:
        if size <= 2 * edge:
            return tensor.tolist()
        return tensor[:edge].tolist() + tensor[size - edge :].tolist()
    kept = [*range(edge), *range(size - edge, size)] if size > 2 * edge else range(size)
    return [_shown(tensor[i], shortened) for i in kept]


def _flat(values: Any) -> Iterator[Any]:
    """The numbers of nested lists, in order."""
    if isinstance(values, list):
        for value in values:
            yield from _flat(value)
    else:
        yield values


def _row(values: list[Any], cut: int, indent: int, numbers: Any) -> str:
    """A one-dimensional tensor in as many lines as it takes; an ellipsis before item ``cut``."""
    cells = [numbers.padded(value) for value in values]
    if cut >= 0:
        cells.insert(cut, " ...")
    per_line = max(1, math.floor((_options.linewidth - indent) / (numbers.width + 2)))
    lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _layout(values: Any, shape: tuple[int, ...], shortened: bool, indent: int, numbers: Any) -> str:
    """Nested lists of a tensor of this shape as text; ``indent`` is the column of the bracket."""
    if not shape:
        return numbers.padded(values)
    cut = _options.edgeitems if shortened and shape[0] > 2 * _options.edgeitems else -1
    if len(shape) == 1:
        return _row(values, cut, indent, numbers)
    parts = [_layout(value, shape[1:], shortened, indent + 1, numbers) for value in values]
    if cut >= 0:
        parts.insert(cut, "...")
    between = "," + "\n" * (len(shape) - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def _contents(tensor: Tensor, indent: int) -> str:
    """What stands between ``tensor(`` and the first suffix."""
    if tensor.is_meta:
        return "..."
    if tensor.numel() == 0:
        return "[]"
    tensor = tensor.detach()
    shortened = tensor.numel() > _options.threshold
    if shortened and not _options.edgeitems and tensor.dim():
        return "[...]"
    values = _shown(tensor, shortened)
    flat = list(_flat(values))
    if tensor.dtype.is_complex:
        numbers: Any = _ComplexFormat(flat)
    else:
        numbers = _NumberFormat(flat, tensor.dtype.is_floating_point)
    return _layout(values, tuple(tensor.shape), shortened, indent, numbers)


# ---- the whole text ------------------------------------------------------------------------------


def _suffixes(tensor: Tensor) -> list[str]:
    """``size=``, ``dtype=``, ``grad_fn=`` or ``requires_grad=``, where they say something new."""
    suffixes = []
    default = rushlight.get_default_dtype()
    if tensor.is_meta:
        suffixes += ["device='meta'", f"size={tuple(tensor.shape)}"]
        usual: tuple[Any, ...] = (default,)
    elif tensor.numel() == 0:
        if tensor.dim() != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        usual = (default,)  # no element is there to tell an integer by
    else:
        if not _options.edgeitems:
            suffixes.append(f"size={tuple(tensor.shape)}")
        wide = default == rushlight.float64
        default_complex = rushlight.complex128 if wide else rushlight.complex64
        usual = (default, default_complex, rushlight.int64, rushlight.bool)
    if tensor.dtype not in usual:
        suffixes.append(f"dtype={tensor.dtype}")
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view whose history was invalidated by an in-place write
        suffixes.append("grad_fn=<Invalid>")
    else:
        if node is not None:
            suffixes.append(f"grad_fn=<{node.name().rpartition('::')[2]}>")
        elif tensor.requires_grad:
            suffixes.append("requires_grad=True")
    return suffixes


def _joined(text: str, suffixes: list[str], indent: int, newline: bool = False) -> str:
    """The text with its suffixes, each on a new line where the current one would get too long.

    With `newline` the first one is on a new line in any case.
    """
    parts = [text]
    # The length counts the newline, or the bracket to come: both are part of PyTorch's layout.
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if newline or length + len(suffix) + 2 > _options.linewidth:
            newline = False
            parts.append(",\n" + " " * indent + suffix)
            length = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            length += len(suffix) + 2
    return "".join(parts) + ")"


def tensor_repr(tensor: Tensor, *, tensor_contents: str | None = None) -> str:
    """The text of ``repr(tensor)``, without the heading that ``Parameter`` puts above its own.

    Args:
        tensor: any tensor.
        tensor_contents: text to stand in place of the numbers.
    """
    kind = type(tensor)
    own_kind = kind is Tensor or kind is rushlight.nn.Parameter
    prefix = "tensor(" if own_kind else f"{kind.__name__}("
    indent = len(prefix)
    if tensor._layout:
        from rushlight.sparse.text import sparse_parts

        contents, suffixes, newline = sparse_parts(tensor, indent)
        text = _joined(prefix + (tensor_contents or contents), suffixes, indent, newline)
    else:
        contents = _contents(tensor, indent) if tensor_contents is None else tensor_contents
        text = _joined(prefix + contents, _suffixes(tensor), indent)
    if not own_kind and isinstance(tensor, rushlight.nn.Parameter):
        return f"Parameter({text})"
    return text


def tensor_format(tensor: Tensor, spec: str) -> str:
    """The text of ``format(tensor, spec)``.

    A plain tensor with one element and no dimension is formatted as its Python number. All others
    take the empty format only, which is ``str``.

    Raises:
        TypeError: a format is given for a tensor that is not a single number.
    """
    if type(tensor) is Tensor and tensor.dim() == 0:
        return format(tensor.detach().item(), spec)
    if not spec:
        return str(tensor)
    raise TypeError(
        f"unsupported format string {spec!r} for {type(tensor).__name__} of shape "
        f"{tuple(tensor.shape)}: only a plain tensor without dimensions is formatted as a number; "
        "format tensor.item(), or the numbers of tensor.tolist(), instead"
    )


def __getattr__(name: str) -> Any:
    if name == "PRINT_OPTS":
        return _options
    if name == "_tensor_str":
        return _contents
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
