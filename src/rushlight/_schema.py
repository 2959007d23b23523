"""Signatures of operators as text: "mylib::inc(Tensor(a0!) x, int n=2, *, float s=1.) -> ()"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Argument", "Schema", "infer", "parse"]

_MISSING: Any = object()
_WORDS: dict[str, Any] = {"True": True, "False": False, "None": None, "[]": []}


class Argument:
    """One argument of a signature: its name, its type as text, its default."""

    def __init__(self, name: str, type: str, default: Any, kwarg_only: bool) -> None:
        self.name = name
        self.type = type
        self.default_value = None if default is _MISSING else default
        self.kwarg_only = kwarg_only
        self.is_write = "!" in type
        self._has_default = default is not _MISSING

    def has_default_value(self) -> bool:
        """Whether it may be left out."""
        return self._has_default

    def __repr__(self) -> str:
        text = f"{self.type} {self.name}"
        return f"{text}={_text(self.default_value)}" if self._has_default else text


class Schema:
    """The signature of one overload of an operator."""

    def __init__(self, name: str, overload: str, arguments: list[Argument], returns: str) -> None:
        self.name = name
        self.overload_name = overload
        self.arguments = arguments
        self.returns = returns
        self.writes = any(argument.is_write for argument in arguments)
        self.keyword_only = any(argument.kwarg_only for argument in arguments)

    def __str__(self) -> str:
        parts = [repr(argument) for argument in self.arguments if not argument.kwarg_only]
        if self.keyword_only:
            parts += ["*", *(repr(a) for a in self.arguments if a.kwarg_only)]
        name = f"{self.name}.{self.overload_name}" if self.overload_name else self.name
        return f"{name}({', '.join(parts)}) -> {self.returns}"

    __repr__ = __str__

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """The arguments of a call: by position as far as the signature allows, with defaults.

        Raises TypeError for a call that does not fit.
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        left = dict(kwargs)
        given = iter(args)
        for argument in self.arguments:
            value = _MISSING if argument.kwarg_only else next(given, _MISSING)
            if value is _MISSING:
                value = left.pop(argument.name, _MISSING)
            elif argument.name in left:
                raise TypeError(f"{self.name}() got argument '{argument.name}' twice: {self}")
            if value is _MISSING:
                if not argument.has_default_value():
                    raise TypeError(
                        f"{self.name}() is missing value for argument '{argument.name}'. "
                        f"Declaration: {self}"
                    )
                value = argument.default_value
            if argument.kwarg_only:
                named[argument.name] = value
            else:
                positional.append(value)
        if left:
            raise TypeError(
                f"{self.name}() got an unexpected keyword argument '{next(iter(left))}'. "
                f"Declaration: {self}"
            )
        if next(given, _MISSING) is not _MISSING:
            raise TypeError(
                f"{self.name}() expected at most {len(positional)} positional argument(s) but "
                f"received {len(args)}. Declaration: {self}"
            )
        return tuple(positional), named


# ---- from text


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket or quotation."""
    depth, start, quoted = 0, 0, False
    for at, sign in enumerate(text):
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0 and not quoted:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in "\"'":
        return text[1:-1]
    if text.startswith("["):
        return [_value(part) for part in _split(text[1:-1])]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return getattr(rushlight, text, text)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return repr(value).removesuffix("0") if repr(value).endswith(".0") else repr(value)
    if isinstance(value, rushlight.dtype):
        return str(value).removeprefix("torch.")
    return str(value)


def parse(text: str) -> Schema:
    """The signature that a text is. Raises RuntimeError for a text that is none."""
    found = re.fullmatch(r"\s*([\w:]+)(?:\.(\w+))?\s*\((.*)\)\s*->\s*(.+?)\s*", text, re.DOTALL)
    if found is None:
        raise RuntimeError(
            f"expected a schema such as 'name(Tensor x, int k=3) -> Tensor', got {text!r}"
        )
    name, overload, inside, returns = found.groups()
    arguments = []
    keyword_only = False
    for part in _split(inside):
        if part == "*":
            keyword_only = True
            continue
        declared, equals, default = part.partition("=")
        kind, _, own = declared.strip().rpartition(" ")
        if not kind or not own.isidentifier():
            raise RuntimeError(f"expected an argument such as 'Tensor x', got {part!r} in {text!r}")
        value = _value(default.strip()) if equals else _MISSING
        arguments.append(Argument(own, kind.strip(), value, keyword_only))
    return Schema(name, overload or "", arguments, returns)


# ---- from a function


def _kinds() -> dict[Any, str]:
    """Annotations that an argument may have, by what they are in a signature."""
    import collections.abc
    import typing

    optional: Any = typing.Optional
    lists: tuple[Any, ...] = (
        list, typing.List, collections.abc.Sequence, typing.Sequence,  # noqa: UP006
    )  # fmt: skip
    single = {
        rushlight.Tensor: "Tensor",
        int: "SymInt",
        float: "float",
        bool: "bool",
        str: "str",
        rushlight.device: "Device",
        rushlight.dtype: "ScalarType",
        typing.Union[int, float, bool]: "Scalar",  # noqa: UP007
    }
    found: dict[Any, str] = {}
    for kind, text in single.items():
        found |= {kind: text, optional[kind]: f"{text}?"}
        if text not in ("str", "Device", "ScalarType"):
            for listed in lists:
                found |= {listed[kind]: f"{text}[]", optional[listed[kind]]: f"{text}[]?"}
    for listed in lists:
        found[listed[optional[rushlight.Tensor]]] = "Tensor?[]"
    return found


def infer(
    function: Callable[..., Any], mutates_args: str | Iterable[str], name: str | None = None
) -> str:
    """The signature of a function with annotations, as text.

    Args:
        function: of tensors, numbers, strings, dtypes and lists of them.
        mutates_args: the names of the arguments that it writes to, or "unknown" for all tensors.
        name: what stands before the arguments; nothing if None.

    Raises ValueError for annotations that are missing or not known, and for other defaults.
    """
    import inspect
    import typing

    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function)
    except NameError:
        hints = {}

    def refuse(what: str) -> typing.NoReturn:
        raise ValueError(f"infer_schema(func): {what} Got func with signature {signature})")

    kinds = _kinds()
    parts: list[str] = []
    star = False
    written: set[str] = set()
    for at, (own, parameter) in enumerate(signature.parameters.items()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            refuse("We do not support positional-only args, varargs, or varkwargs.")
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            star = True
            parts.append("*")
        if parameter.annotation is parameter.empty:
            refuse(f"Parameter {own} must have a type annotation.")
        hint = hints.get(own, parameter.annotation)
        kind = kinds.get(hint)
        if kind is None:
            refuse(f"Parameter {own} has unsupported type {hint}. The valid types are: "
                   f"{list(kinds)}.")  # fmt: skip
        if mutates_args == "unknown" if isinstance(mutates_args, str) else own in mutates_args:
            if kind.startswith("Tensor"):
                kind = f"Tensor(a{at}!){kind[len('Tensor'):]}"
                written.add(own)
            elif not isinstance(mutates_args, str):
                refuse(f"Parameter {own} is in mutable_args but only Tensors or collections of "
                       "Tensors can be mutated")  # fmt: skip
        if parameter.default is parameter.empty:
            parts.append(f"{kind} {own}")
            continue
        if parameter.default is not None and not isinstance(
            parameter.default, (int, float, bool, str, rushlight.dtype, rushlight.device)
        ):
            refuse(f"Parameter {own} has an unsupported default value type "
                   f"{type(parameter.default)}.")  # fmt: skip
        parts.append(f"{kind} {own}={_text(parameter.default)}")
    if not isinstance(mutates_args, str):
        for own in mutates_args:
            if own not in written:
                refuse(f"{own} in mutates_args were not found in the signature.")
    return f"{name or ''}({', '.join(parts)}) -> {_returned(signature, hints, refuse)}"


def _returned(signature: Any, hints: dict[str, Any], refuse: Callable[[str], Any]) -> str:
    import typing

    declared = signature.return_annotation
    if declared is signature.empty:
        refuse("No return type annotation was provided. Please add one.")
    declared = hints.get("return", declared)
    kinds: dict[Any, str] = {
        rushlight.Tensor: "Tensor",
        list[rushlight.Tensor]: "Tensor[]",
        typing.List[rushlight.Tensor]: "Tensor[]",  # noqa: UP006
        int: "SymInt",
        float: "float",
        bool: "bool",
        typing.Union[int, float, bool]: "Scalar",  # noqa: UP007
    }
    if declared is None or declared is type(None):
        return "()"
    if typing.get_origin(declared) is tuple:
        inner = [kinds.get(part) for part in typing.get_args(declared)]
        if None not in inner:
            return f"({', '.join(map(str, inner))})" if len(inner) > 1 else str(inner[0])
    elif declared in kinds:
        return kinds[declared]
    refuse(f"Return has unsupported type {declared}. The valid types are: {list(kinds)}.")
    raise AssertionError
