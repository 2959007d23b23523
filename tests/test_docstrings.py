"""What an editor shows of public names: a docstring, a type for each argument and the result."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rushlight

PACKAGE = Path(rushlight.__file__).parent
LONGEST_LINE = 100
# Commands, and what needs a package that may not be installed.
PRIVATE = ("cli", "utils.tensorboard", "__main__")


def public_modules() -> Iterator[types.ModuleType]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name.startswith(PRIVATE) or any(part.startswith("_") for part in name.split(".")):
            continue
        yield importlib.import_module(f"rushlight.{name}".rstrip("."))


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class defines itself, without the parts of it that are written in C++."""
    for name, value in vars(cls).items():
        if not name.startswith("_"):
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            yield name, value.fget if isinstance(value, property) else value


def surface() -> dict[int, tuple[str, Any]]:
    """(path, object) of every function, op, class and method that has a public name.

    Without functions of the core (`__nb_signature__`): theirs is made with them, in C++.
    """
    found: dict[int, tuple[str, Any]] = {}

    def add(path: str, value: Any, owner: type | None = None) -> None:
        home = getattr(value, "__module__", None) or ""
        core = hasattr(value, "__nb_signature__")
        if id(value) in found or core or not home.startswith("rushlight"):
            return
        if isinstance(value, type):
            found[id(value)] = path, value
            for name, member in members(value):
                add(f"{path}.{name}", member, value)
        elif callable(value) and hasattr(value, "__name__") and not isinstance(
            value, types.ModuleType
        ):
            found[id(value)] = path, value

    for module in public_modules():
        for name, value in list(vars(module).items()):
            if not name.startswith("_"):
                add(f"{module.__name__}.{name}", value)
    return found


SURFACE = sorted(surface().values(), key=lambda item: item[0])


def docstring(path: str, value: Any) -> str | None:
    """Its own, or that of the method that it overrides."""
    if value.__doc__ or "." not in path:
        return value.__doc__
    owner = next((o for p, o in SURFACE if p == path.rpartition(".")[0]), None)
    if isinstance(owner, type):
        for base in owner.__mro__:
            name = path.rpartition(".")[2]
            if base is not owner and name in vars(base).get("__annotations__", ()):
                return "An attribute of the base class."
            inherited = vars(base).get(name)
            if inherited is None or inherited is value:
                continue
            if base.__module__ == "builtins":
                return f"As of {base.__name__}."
            if not callable(inherited) and not isinstance(inherited, property):
                return "An attribute of the base class."
            if inherited.__doc__:
                return inherited.__doc__
    return None


def test_every_public_name_has_a_docstring() -> None:
    without = [path for path, value in SURFACE if not docstring(path, value)]
    assert not without, "without a docstring:\n" + "\n".join(without)


def test_first_lines_are_sentences() -> None:
    """One line that stands alone, as an editor's list of completions shows it."""
    wrong = []
    for path, value in SURFACE:
        first, *rest = inspect.cleandoc(docstring(path, value) or "x.").split("\n")
        if len(first) > LONGEST_LINE or not first.endswith((".", ":")):
            wrong.append(f"{path}: {first!r} is too long, or no sentence")
        elif rest and rest[0]:
            wrong.append(f"{path}: {first!r} goes on in the second line")
    assert not wrong, "\n".join(wrong)


def test_signatures_are_annotated() -> None:
    wrong = []
    for path, value in SURFACE:
        function = inspect.unwrap(value)
        if not isinstance(function, types.FunctionType):
            continue
        code, hints = function.__code__, function.__annotations__
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS)
        count += bool(code.co_flags & inspect.CO_VARKEYWORDS)
        names = code.co_varnames[:count]
        if names and names[0] in ("self", "cls", "ctx"):
            names = names[1:]
        missing = [name for name in names if name not in hints]
        if missing or ("return" not in hints and function.__name__ != "<lambda>"):
            wrong.append(f"{path}: {missing or 'the result'}")
    assert not wrong, "without a type:\n" + "\n".join(wrong)


def test_type_checkers_see_what_is_loaded_later() -> None:
    """`_LATER` and the imports under TYPE_CHECKING name the same."""
    seen = set()
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                seen.update(alias.asname or alias.name for alias in line.names)
    later = {name for name in rushlight._LATER if name[0] != "_" or name in ("_C", "__config__")}
    assert later - seen == set(), "not imported under TYPE_CHECKING"
    assert seen - later - {"autograd"} == set(), "not in _LATER"
