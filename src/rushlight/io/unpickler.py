"""A pickle machine that builds plain data and calls only what it was told to call.

It knows the opcodes of protocols 2 to 5 that data needs. A name in the file is looked up in a table
and nowhere else; calls go to functions of this package that check their arguments; attributes
are set on nothing but dictionaries that have a place for them, and on classes that the caller
of ``load`` has allowed. What a file can reach is thus what stands in the table.

The opcodes are explained in the source of CPython's ``pickletools``.
"""

from __future__ import annotations

import pickle
import struct
from collections import Counter, OrderedDict
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, NoReturn

from rushlight.io.allowlist import BLOCKED_MODULES, allowed_by_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap

__all__ = ["RestrictedUnpickler", "check_key"]

_KEY_PARTS = 1000  # a key with more parts than this is an attack: hashing nested tuples can explode

# modules that Python 2 named differently, as protocol 2 still does
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}

# names that come up in real files and cannot be allowed, by how they begin: what to do about them
_HINTS = {
    "torch._utils._rebuild_qtensor": "quantized tensors are not supported; save dequantize()",
    "torch.nn.": "it holds a whole module; save its state_dict() instead, or, if you trust whoever "
    "made the file with everything on this machine, use load(..., weights_only=False)",
    "torch.": "this part of PyTorch has no counterpart here; save tensors of the dtypes that "
    "rushlight has, numbers, strings and containers of them",
}


def check_key(key: Any) -> None:
    """Refuse a dict key or set element that would take forever to hash or to compare."""
    pending, parts = [key], 0
    while pending:
        item = pending.pop()
        parts += 1
        if parts > _KEY_PARTS:
            raise UnpicklingError(f"a key has more than {_KEY_PARTS} parts")
        if isinstance(item, (tuple, frozenset)):  # of the latter, comparing can
            pending.extend(item)


class RestrictedUnpickler:
    """Reads one pickle.

    Args:
        data: the pickle.
        names: what a file may refer to: full name -> (value, constructor). The constructor is
            called where the file calls the value; None if it may not be called.
        persistent_load: makes a storage from what the file says about it.
        position: where in the data the pickle begins.
    """

    def __init__(
        self,
        data: bytes | mmap,
        names: dict[str, tuple[Any, Callable[..., Any] | None]],
        persistent_load: Callable[[Any], Any],
        position: int = 0,
    ) -> None:
        self._data = data
        self._position = position
        self._names = names
        # By identity: a value on the stack may be unhashable, or have a hash that runs code.
        self._constructors = {id(value): make for value, make in names.values() if make is not None}
        self._user = allowed_by_user()
        self._user_values = {id(value) for value in self._user.values()}
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object in the pickle."""
        opcodes, data = _OPCODES, self._data
        start = 0
        try:
            while True:
                start = self._position
                code = data[start]
                self._position = start + 1
                if code == _STOP:
                    return self._stack.pop()
                step = opcodes[code]
                if step is None:
                    self._refuse(f"opcode {bytes([code])!r} is not one that data needs")
                step(self)
        except UnpicklingError as error:
            raise UnpicklingError(f"load: the pickle at byte {start}: {error}") from error.__cause__
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
            struct.error,
        ) as error:
            raise UnpicklingError(
                f"load: the pickle is damaged at byte {start} ({type(error).__name__}: {error})"
            ) from error

    def _refuse(self, why: str) -> NoReturn:
        raise UnpicklingError(why)

    def path(self) -> str:
        """About where in the object this is: the last strings read, which are mostly keys."""
        keys = []
        for frame in [*self._outer, self._stack]:
            keys += [item for item in frame if isinstance(item, str)][-1:]
        return ".".join(keys)

    # ---- bytes

    def _take(self, size: int) -> bytes:
        start = self._position
        self._position = end = start + size
        if size < 0 or end > len(self._data):
            self._refuse(f"it ends too early: {size} bytes are to follow")
        return self._data[start:end]

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        end = self._data.find(b"\n", self._position)
        if end < 0:
            self._refuse("it ends too early: a line is to follow")
        line = self._data[self._position : end]
        self._position = end + 1
        return line.decode()

    # ---- stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._outer.pop()
        return items

    def _top(self, *kinds: type) -> Any:
        """The object that a filling opcode fills; exactly of one of these types."""
        target = self._stack[-1]
        if type(target) not in kinds:
            names = " or ".join(kind.__name__ for kind in kinds)
            self._refuse(f"{type(target).__name__} is filled as if it were {names}")
        return target

    def _get(self, index: int) -> None:
        self._push(self._memo[index])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _tuple(self, size: int) -> None:
        items = tuple(self._stack[len(self._stack) - size :])
        if len(items) != size:
            self._refuse(f"a tuple of {size} has {len(items)} items")
        self._stack[len(self._stack) - size :] = [items]

    # ---- containers

    def _append(self) -> None:
        value = self._stack.pop()
        self._top(list).append(value)

    def _append_all(self) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        check_key(key)
        self._top(dict, OrderedDict, Counter)[key] = value

    def _set_items(self) -> None:
        items = self._since_mark()
        target = self._top(dict, OrderedDict, Counter)
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    def _add_items(self) -> None:
        items = self._since_mark()
        for item in items:
            check_key(item)
        self._top(set).update(items)

    def _frozen_set(self) -> None:
        items = self._since_mark()
        for item in items:
            check_key(item)
        self._push(frozenset(items))

    # ---- names and calls

    def _find(self, module: str, name: str) -> None:
        module = _RENAMED.get(module, module)
        full = f"{module}.{name}"
        if full in self._names:
            self._push(self._names[full][0])
        elif module.partition(".")[0] in BLOCKED_MODULES:
            self._refuse(
                f"it refers to {full!r}; module {module!r} is never handed to a file: do not load "
                "files from this source"
            )
        elif full in self._user:
            self._push(self._user[full])
        else:
            self._refuse_name(full, name)

    def _refuse_name(self, full: str, name: str) -> NoReturn:
        for beginning, hint in _HINTS.items():
            if full.startswith(beginning):
                self._refuse(f"it refers to {full!r}: {hint}")
        self._refuse(
            f"it refers to {full!r}, which a file may not use. If it is harmless, allow it with "
            f"rushlight.io.add_safe_globals([{name}]); if you trust whoever made the file with "
            "everything on this machine, load(..., weights_only=False) runs it; otherwise save "
            "only tensors, numbers, strings and containers of them (a module's state_dict(), a "
            "NumPy number's item())"
        )

    def _global(self) -> None:
        self._find(self._line(), self._line())

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            self._refuse("a name is not a string")
        self._find(module, name)

    def _call(self) -> None:
        arguments = self._stack.pop()
        target = self._stack.pop()
        if type(arguments) is not tuple:
            self._refuse("the arguments of a call are not a tuple")
        make = self._constructors.get(id(target))
        if make is None:
            if id(target) not in self._user_values:
                self._refuse(f"it calls {type(target).__name__}, which may not be called")
            make = target
        self._push(make(*arguments))

    def _new(self) -> None:
        arguments = self._stack.pop()
        target = self._stack.pop()
        if type(arguments) is not tuple:
            self._refuse("the arguments of a call are not a tuple")
        if id(target) in self._user_values and isinstance(target, type):
            self._push(target.__new__(target, *arguments))
        elif id(target) in self._constructors:
            self._push(self._constructors[id(target)](*arguments))
        else:
            self._refuse(f"it creates {type(target).__name__}, which may not be created")

    def _build(self) -> None:
        """Give the object on top of the stack its state."""
        state = self._stack.pop()
        target = self._stack[-1]
        if type(target) is OrderedDict:
            # state_dict() carries its _metadata so; nothing that is part of the class is touched
            for name, value in dict(state).items():
                if type(name) is not str or hasattr(OrderedDict, name):
                    self._refuse(f"it sets attribute {name!r} of an OrderedDict")
                setattr(target, name, value)
        elif id(type(target)) in self._user_values:
            _set_state(target, state)
        else:
            self._refuse(f"it sets the state of {type(target).__name__}")

    def _persistent(self) -> None:
        self._push(self._persistent_load(self._stack.pop()))

    def _text(self, layout: str) -> None:
        self._push(str(self._take(self._number(layout)), "utf-8", "surrogatepass"))

    def _bytes(self, layout: str) -> None:
        self._push(self._take(self._number(layout)))

    def _long(self, layout: str) -> None:
        self._push(int.from_bytes(self._take(self._number(layout)), "little", signed=True))

    def _protocol(self) -> None:
        protocol = self._number("<B")
        if protocol > 5:
            self._refuse(f"protocol {protocol} is not known")


def _set_state(target: Any, state: Any) -> None:
    """What ``pickle`` does to an object with saved state; only for classes the caller allowed."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    for name, value in (state or {}).items():
        target.__dict__[name] = value
    for name, value in (slots or {}).items():
        setattr(target, name, value)


def _table() -> list[Callable[[RestrictedUnpickler], None] | None]:
    """What each opcode does; None for those that data does not need."""
    machine = RestrictedUnpickler
    steps: dict[bytes, Callable[[Any], Any]] = {
        pickle.PROTO: machine._protocol,
        pickle.FRAME: lambda m: m._take(8),
        pickle.MARK: machine._mark,
        pickle.POP: lambda m: m._stack.pop() if m._stack else m._since_mark(),
        pickle.POP_MARK: machine._since_mark,
        pickle.NONE: lambda m: m._push(None),
        pickle.NEWTRUE: lambda m: m._push(True),
        pickle.NEWFALSE: lambda m: m._push(False),
        pickle.BININT: lambda m: m._push(m._number("<i")),
        pickle.BININT1: lambda m: m._push(m._number("<B")),
        pickle.BININT2: lambda m: m._push(m._number("<H")),
        pickle.LONG1: lambda m: m._long("<B"),
        pickle.LONG4: lambda m: m._long("<i"),
        pickle.BINFLOAT: lambda m: m._push(m._number(">d")),
        pickle.BINUNICODE: lambda m: m._text("<I"),
        pickle.SHORT_BINUNICODE: lambda m: m._text("<B"),
        pickle.BINUNICODE8: lambda m: m._text("<Q"),
        pickle.SHORT_BINSTRING: lambda m: m._text("<B"),
        pickle.BINSTRING: lambda m: m._text("<i"),
        pickle.BINBYTES: lambda m: m._bytes("<I"),
        pickle.SHORT_BINBYTES: lambda m: m._bytes("<B"),
        pickle.BINBYTES8: lambda m: m._bytes("<Q"),
        pickle.BYTEARRAY8: lambda m: m._push(bytearray(m._take(m._number("<Q")))),
        pickle.EMPTY_TUPLE: lambda m: m._push(()),
        pickle.TUPLE1: lambda m: m._tuple(1),
        pickle.TUPLE2: lambda m: m._tuple(2),
        pickle.TUPLE3: lambda m: m._tuple(3),
        pickle.TUPLE: lambda m: m._push(tuple(m._since_mark())),
        pickle.EMPTY_LIST: lambda m: m._push([]),
        pickle.APPEND: machine._append,
        pickle.APPENDS: machine._append_all,
        pickle.EMPTY_DICT: lambda m: m._push({}),
        pickle.SETITEM: machine._set_item,
        pickle.SETITEMS: machine._set_items,
        pickle.EMPTY_SET: lambda m: m._push(set()),
        pickle.ADDITEMS: machine._add_items,
        pickle.FROZENSET: machine._frozen_set,
        pickle.BINGET: lambda m: m._get(m._number("<B")),
        pickle.LONG_BINGET: lambda m: m._get(m._number("<I")),
        pickle.BINPUT: lambda m: m._put(m._number("<B")),
        pickle.LONG_BINPUT: lambda m: m._put(m._number("<I")),
        pickle.MEMOIZE: lambda m: m._put(len(m._memo)),
        pickle.GLOBAL: machine._global,
        pickle.STACK_GLOBAL: machine._stack_global,
        pickle.REDUCE: machine._call,
        pickle.NEWOBJ: machine._new,
        pickle.BUILD: machine._build,
        pickle.BINPERSID: machine._persistent,
    }
    table: list[Callable[[RestrictedUnpickler], None] | None] = [None] * 256
    for opcode, step in steps.items():
        table[opcode[0]] = step
    return table


_OPCODES = _table()
_STOP = pickle.STOP[0]
