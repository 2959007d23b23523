"""Items of a batch: what a function under vmap sees instead of its arguments.

Each active vmap is a level, counted from 1. A `Batched` of a level has the shape of one item and
no data; `_inner` is the tensor with all items along dimension 0, or, not `_batched`, one tensor
that all items share. An op on items goes to the rule of its name (calls.py), which calls ops on the
inner tensors; those may be items of a lower level again.

Each level has a tape: the gradients that a function under vmap asks for (per-sample gradients) are
recorded between items, while the inner tensors record on the tape below what a caller outside
wants.
"""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING, Any

from rushlight import _core
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEVELS = 31


class Frame:
    """One active vmap: its level, the size of its batch, and what random ops may do."""

    __slots__ = ("level", "randomness", "size")

    def __init__(self, level: int, size: int, randomness: str) -> None:
        self.level, self.size, self.randomness = level, size, randomness


class _Active(local):
    """The calls of vmap that are active in a thread, the outermost first."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []


ACTIVE = _Active()


class batch:
    """Inside, one more level is active: `with batch(size) as frame`."""

    def __init__(self, size: int, randomness: str = "error") -> None:
        self.size, self.randomness = size, randomness

    def __enter__(self) -> Frame:
        level = len(ACTIVE.frames) + 1
        if level > MOST_LEVELS:
            raise RuntimeError(f"vmap: at most {MOST_LEVELS} calls can be inside one another")
        self._before = _core.tape_state(), _core.refuse_draws(self.randomness != "same")
        frame = Frame(level, self.size, self.randomness)
        ACTIVE.frames.append(frame)
        recording, muted = self._before[0]
        _core.set_tape_state(recording, muted & ~(1 << level))
        _core.set_vmap_levels(level)
        return frame

    def __exit__(self, *exc: object) -> None:
        ACTIVE.frames.pop()
        state, refused = self._before
        _core.set_vmap_levels(len(ACTIVE.frames))
        _core.set_tape_state(*state)
        _core.refuse_draws(refused)


class below:
    """Inside, the frame's level and those above are not active: for rules that a user wrote."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __enter__(self) -> None:
        at = self.frame.level - 1
        self._removed = ACTIVE.frames[at:]
        del ACTIVE.frames[at:]
        _core.set_vmap_levels(at)
        left = ACTIVE.frames
        self._refused = _core.refuse_draws(bool(left) and left[-1].randomness != "same")

    def __exit__(self, *exc: object) -> None:
        ACTIVE.frames.extend(self._removed)
        _core.set_vmap_levels(len(ACTIVE.frames))
        _core.refuse_draws(self._refused)


def _no_data(what: str, instead: str) -> RuntimeError:
    return RuntimeError(
        f"vmap: It looks like you're calling {what} on a Tensor inside of a function under vmap, "
        f"where it stands for all items of a batch at once; {instead}."
    )


_BRANCH = (
    "a branch or a Python number cannot differ between items: use torch.where, or keep the value "
    "in a tensor"
)


def _refusing(what: str, instead: str, like: str = "") -> Any:
    """A method that needs values; `like` names that of Tensor, for what all items share."""
    shared: Any = getattr(Tensor, like) if like else None

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if shared is not None and not self._batched:
            return getattr(self._inner, like)(*args, **kwargs)
        _core.note_refusal()  # a derivative formula is then called for each item
        raise _no_data(what, instead)

    return method


class Batched(Tensor):
    """One item of a batch, for all items at once."""

    item = _refusing(".item()", _BRANCH, "item")
    tolist = _refusing(".tolist()", _BRANCH, "tolist")
    __bool__ = _refusing(
        "bool()", "data-dependent control flow is not possible here: " + _BRANCH, "__bool__"
    )
    __float__ = _refusing("float()", _BRANCH, "__float__")
    __int__ = _refusing("int()", _BRANCH, "__int__")
    __complex__ = _refusing("complex()", _BRANCH, "__complex__")
    __index__ = _refusing(
        ".item()",
        "a number used as index cannot differ between items: index with a tensor of one "
        "dimension, or use torch.gather",
        "__index__",
    )
    numpy = _refusing(".numpy()", "give the result to NumPy outside of vmap")
    __array__ = numpy
    __dlpack__ = _refusing(".__dlpack__()", "exchange the result outside of vmap")
    data_ptr = _refusing(".data_ptr()", "it has no memory of its own")
    backward = _refusing(".backward()", "use torch.func.grad or torch.autograd.grad inside, or "
                         "call backward() on the result outside")  # fmt: skip
    __deepcopy__ = _refusing("copy.deepcopy()", "use clone()")
    __reduce_ex__ = _refusing("pickle", "save the result outside of vmap")
    as_subclass = _refusing(".as_subclass()", "it cannot change its class")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        raise RuntimeError(
            "You are attempting to call Tensor.requires_grad_() inside of a function being "
            "transformed by vmap; ask for the derivative with torch.func.grad, vjp or jacrev"
        )

    @property
    def data(self) -> Tensor:
        """The item without history."""
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        raise RuntimeError("vmap: an item has no memory of its own to replace; use x.copy_(other)")

    def detach(self) -> Tensor:
        """The item without history, on the tapes of all levels."""
        return item_of(self._inner.detach(), self._level, self._batched)

    def stride(self, dim: int | None = None) -> Any:
        """Elements between neighbours within one item."""
        strides = self._inner.stride()[int(self._batched) :]
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """Elements before the first one of the first item."""
        return self._inner.storage_offset()

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements of an item follow each other."""
        step = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride()), strict=True):
            if size != 1 and stride != step:
                return False
            step *= size
        return True

    def _new(self, size: Any, make: Callable[..., Tensor]) -> Tensor:
        """New memory for each item, so that it can be written to in place."""
        frame = ACTIVE.frames[self._level - 1]
        inner = make((frame.size, *size) if self._batched else tuple(size))
        return item_of(inner, frame.level, self._batched)

    def new_empty(self, *size: Any, **kwargs: Any) -> Tensor:
        return self._new(_sizes(size, kwargs), lambda s: self._inner.new_empty(s, **kwargs))

    def new_zeros(self, *size: Any, **kwargs: Any) -> Tensor:
        return self._new(_sizes(size, kwargs), lambda s: self._inner.new_zeros(s, **kwargs))

    def new_ones(self, *size: Any, **kwargs: Any) -> Tensor:
        return self._new(_sizes(size, kwargs), lambda s: self._inner.new_ones(s, **kwargs))

    def new_full(self, size: Any, fill_value: Any, **kwargs: Any) -> Tensor:
        return self._new(size, lambda s: self._inner.new_full(s, fill_value, **kwargs))

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        place = 0 if self._batched else None
        return f"BatchedTensor(lvl={self._level}, bdim={place}, value={self._inner!r})"

    def __format__(self, spec: str) -> str:
        return repr(self)


def _sizes(size: tuple, kwargs: dict) -> tuple:
    if "size" in kwargs:
        size = (kwargs.pop("size"),)
    return tuple(size[0]) if len(size) == 1 and not hasattr(size[0], "__index__") else size


# ---- making items and looking into them

_new: Callable[[type], Any] = Tensor.__new__


def item_of(inner: Tensor, level: int, batched: bool = True) -> Tensor:
    """`inner` as an item of that level; its dimension 0 is the batch, if `batched`."""
    made = _new(Batched)
    made._set_item(inner, level, batched)
    return made


def is_item(value: Any, level: int) -> bool:
    """Whether `value` is an item of exactly this level."""
    return type(value) is Batched and value._level == level


def is_batched(value: Any, frame: Frame) -> bool:
    """Whether `value` differs between the items of the frame's batch."""
    return type(value) is Batched and value._level == frame.level and value._batched


def lower(value: Any, frame: Frame) -> Any:
    """What stands behind an item; other values as they are."""
    if type(value) is Batched and value._level == frame.level:
        return value._inner
    return value


def lifted(value: Tensor, frame: Frame) -> Tensor:
    """The tensor with all items along dimension 0; one for all is repeated without a copy."""
    if type(value) is Batched and value._level == frame.level:
        if value._batched:
            return value._inner
        value = value._inner
    return value.unsqueeze(0).expand(frame.size, *value.shape)


def aligned(arguments: tuple, frame: Frame) -> list[Any]:
    """Inner tensors that broadcast as the items do: batch first, then dimensions of size 1."""
    level = frame.level
    rank = max([value.ndim for value in arguments if isinstance(value, Tensor)])
    values: list[Any] = []
    for value in arguments:
        if type(value) is Batched and value._level == level:
            inner = value._inner
            if value._batched:
                for _ in range(rank - value.ndim):
                    inner = inner.unsqueeze(1)
            values.append(inner)
        else:
            values.append(value)
    return values


def wrapped(result: Any, frame: Frame, batched: bool = True) -> Any:
    """The results of an op on inner tensors as items."""
    if isinstance(result, Tensor):
        return item_of(result, frame.level, batched)
    if isinstance(result, (tuple, list)):
        items = [wrapped(part, frame, batched) for part in result]
        return items if type(result) is list else type(result)(items)
    return result
