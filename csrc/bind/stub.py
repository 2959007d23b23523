"""Writes the type stub of the core: `python stub.py FOLDER_OF_CORE STUB`.

Signatures are the ones that the functions carry. The tensor, tape and dtype classes are made with
CPython's own interface, which knows no types: their members are Any. Operators and the methods
that Python attaches to the tensor class are Any too.
"""

from __future__ import annotations

import operator
import re
import sys
from pathlib import Path
from types import ModuleType

HEADER = '''"""The core: arrays in, arrays out. Made from the compiled module; do not edit."""

import builtins
import collections.abc
import typing
from typing import Any

import numpy.typing
from rushlight.tensor import Tensor

class OpenClass(type):
    """The class of a class to which Python adds members."""

    def __getattr__(cls, name: str, /) -> Any: ...
    def __setattr__(cls, name: str, value: Any, /) -> None: ...
'''
BUILTINS = {cls.__name__ for cls in (bool, int, float, complex, str, bytes, object, type)}
BUILTINS |= {cls.__name__ for cls in (tuple, list, dict, slice)}
ANY_METHOD = "    def {}(self, *args: Any, **kwargs: Any) -> Any: ..."


def type_text(text: str, taken: set[str]) -> str:
    """A signature that means the same inside the stub, where `taken` names mean the core's own."""
    text = re.sub(r"(numpy\.)?\bndarray\[[^\]]*\]", "numpy.typing.NDArray[Any]", text)
    text = re.sub(r"\b(rushlight\.)?_core\.", "", text).replace("**kwargs", "**kwargs: Any")
    text = text.replace("bool | int | float | complex", "complex")  # which takes them all
    text = re.sub(r"-> object\b", "-> Any", text)  # any Python value: the caller knows which
    for name in taken.intersection(BUILTINS):
        text = re.sub(rf"(: |-> |\| |\[|, )\b{name}\b(?!:)", rf"\1builtins.{name}", text)
    return text


def signatures(function: object, taken: set[str], indent: str = "") -> list[str]:
    """One `def` per overload."""
    overloads = function.__nb_signature__
    lines = []
    for text, _, defaults in overloads:
        for position, default in enumerate(defaults or ()):
            text = text.replace(f"\\{position}", repr(default), 1)
        if len(overloads) > 1:
            lines.append(f"{indent}@typing.overload")
        lines.append(f"{indent}{type_text(text, taken)}: ...")
    return lines


def operators() -> list[str]:
    """The names by which Python calls a tensor's operators."""
    forward = [n for n in dir(operator) if re.fullmatch(r"__\w+__", n) and n[2:-2] in dir(operator)]
    forward = [n for n in forward if n not in ("__concat__", "__index__", "__contains__")]
    reflected = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
    reflected += ["and", "or", "xor", "lshift", "rshift"]
    conversions = ["bool", "int", "float", "complex", "index", "len", "iter", "contains"]
    names = forward + [f"__r{n}__" for n in reflected] + [f"__{n}__" for n in conversions]
    return [n for n in dict.fromkeys(names) if n not in ("__call__", "__not__", "__inv__")]


def class_lines(name: str, cls: type, taken: set[str]) -> list[str]:
    lines = [f"class {name}(metaclass=OpenClass):"]
    for member, value in vars(cls).items():
        if hasattr(value, "__nb_signature__"):
            lines += signatures(value, taken, "    ")
        elif member in ("__call__", "__init__"):
            lines.append(ANY_METHOD.format(member))
        elif not member.startswith("__"):
            lines.append(f"    {member}: Any")
    if "__new__" in vars(cls) and "__init__" not in vars(cls):
        lines.append("    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...")
    lines.append("    def __getattr__(self, name: str, /) -> Any: ...")
    if name in ("Op", "TensorBase"):
        lines.append("    def __setattr__(self, name: str, value: Any, /) -> None: ...")
    if name == "TensorBase":
        lines += [ANY_METHOD.format(n) for n in operators()]
    return lines


def stub(core: ModuleType) -> str:
    classes, values, functions = [], [], []
    taken = set(vars(core))
    for name, value in vars(core).items():
        if name.startswith("__"):
            continue
        if isinstance(value, type):
            classes += ["", *class_lines(name, value, taken)]
        elif hasattr(value, "__nb_signature__"):
            functions += signatures(value, taken)
        elif callable(value) and not isinstance(value, core.dtype):
            functions.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        else:
            values.append(f"{name}: {type(value).__name__}")
    return HEADER + "\n".join([*classes, "", *values, "", *functions]) + "\n"


def main() -> None:
    folder, target = sys.argv[1:]
    sys.path.insert(0, folder)
    import _core

    Path(target).write_text(stub(_core))


if __name__ == "__main__":
    main()
