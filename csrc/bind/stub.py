"""Writes the type stub of the core: `python stub.py FOLDER_OF_CORE STUB`.

Signatures are the ones that the functions carry. The tensor, tape and dtype classes are made with
CPython's own interface, which knows no types: their members are Any, but for those in MEMBERS. The
methods that Python attaches to the tensor class are read off the package, with their docstrings.
"""

from __future__ import annotations

import importlib.util
import inspect
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
from rushlight import return_types
from rushlight.dtypes import Size
from rushlight.tensor import Tensor

class OpenClass(type):
    """The class of a class to which Python adds members."""

    def __getattr__(cls, name: str, /) -> Any: ...
    def __setattr__(cls, name: str, value: Any, /) -> None: ...
'''
BUILTINS = {cls.__name__ for cls in (bool, int, float, complex, str, bytes, object, type)}
BUILTINS |= {cls.__name__ for cls in (tuple, list, dict, slice)}
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "rushlight"
MEMBERS = {
    "shape": "Size", "dtype": "dtype", "ndim": "builtins.int", "itemsize": "builtins.int",
    "nbytes": "builtins.int", "requires_grad": "builtins.bool", "grad": "Tensor | None",
    "grad_fn": "Node | None", "is_leaf": "builtins.bool", "output_nr": "builtins.int",
    "_version": "builtins.int", "retains_grad": "builtins.bool", "T": "Tensor", "mT": "Tensor",
    "H": "Tensor", "mH": "Tensor", "real": "Tensor", "imag": "Tensor",
}  # fmt: skip
METHODS = {
    "dim": "(self) -> builtins.int", "ndimension": "(self) -> builtins.int",
    "numel": "(self) -> builtins.int", "nelement": "(self) -> builtins.int",
    "storage_offset": "(self) -> builtins.int", "data_ptr": "(self) -> builtins.int",
    "element_size": "(self) -> builtins.int", "is_inference": "(self) -> builtins.bool",
    "detach": "(self) -> Tensor", "size": "(self, dim: builtins.int | None = None) -> Any",
    "stride": "(self, dim: builtins.int | None = None) -> Any", "item": "(self) -> Any",
    "tolist": "(self) -> Any",
}  # fmt: skip
# What an annotation of the package may be made of in the stub; Any stands for the others.
KNOWN = {"Tensor", "Any", "None", "return_types", "builtins"}
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
    """One `def` per overload; those that differ in C++ alone (float, complex) are one."""
    docs = {}
    for text, doc, defaults in function.__nb_signature__:
        for position, default in enumerate(defaults or ()):
            text = text.replace(f"\\{position}", repr(default), 1)
        docs[type_text(text, taken)] = documented(doc, f"{indent}    ")
    lines = []
    for text, doc in docs.items():
        if len(docs) > 1:
            lines.append(f"{indent}@typing.overload")
        lines += [f"{indent}{text}:", *doc] if doc else [f"{indent}{text}: ..."]
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


def annotation(value: object) -> str:
    text = re.sub(r"\b(bool|int|float|complex|str|tuple|list|dict)\b", r"builtins.\1", str(value))
    words = re.findall(r"(?<![.\w])[A-Za-z_]\w*", text)
    return text if value is not inspect.Parameter.empty and KNOWN.issuperset(words) else "Any"


def documented(text: str | None, indent: str) -> list[str]:
    if not text:
        return []
    first, *rest = inspect.cleandoc(text).replace("\\", "\\\\").split("\n")
    if not rest:
        return [f'{indent}"""{first}"""']
    return [f'{indent}"""{first}', *(f"{indent}{r}".rstrip() for r in rest), f'{indent}"""']


def method_lines(name: str, function: object) -> list[str]:
    """A method that Python attached: as it is declared, `self` for the first argument."""
    declared = getattr(function, "__wrapped__", function)
    parameters = list(inspect.signature(declared).parameters.values())
    shown = ["self: Any"]
    variadic = re.findall(r'variadic="(\w+)"', inspect.getsource(declared))
    starred = False
    for p in parameters[1:]:
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        starred |= mark == "*"
        if p.kind is p.KEYWORD_ONLY and not starred:
            shown, starred = [*shown, "*"], True
        if p.name in variadic:
            mark, starred = "*", True
        default = "" if mark or p.default is p.empty else " = ..."
        if isinstance(p.default, (bool, int, float, str, type(None))) and default:
            default = f" = {p.default!r}".replace("= inf", "= ...").replace("= -inf", "= ...")
        shown.append(f"{mark}{p.name}: {annotation(p.annotation)}{default}")
    result = annotation(inspect.signature(declared).return_annotation)
    text = documented(function.__doc__, "        ")
    head = f"    def {name}({', '.join(shown)}) -> {result}:"
    return [head, *text, "        ..."] if text else [f"{head} ..."]


def attached_lines(tensor: type) -> list[str]:
    """The members that the ops' files attach to the class Tensor."""
    own = (PACKAGE / "tensor.py").read_text()
    lines = []
    for name, value in vars(tensor).items():
        if name.startswith("_") or re.search(rf"^    (def )?{name}\b", own, re.M):
            continue
        if isinstance(value, property):
            lines += ["    @property", f"    def {name}(self) -> {MEMBERS.get(name, 'Any')}:"]
            lines += [*documented(value.__doc__, "        "), "        ..."]
        elif callable(value) and hasattr(value, "__name__"):
            lines += method_lines(name, value)
    return lines


def class_lines(name: str, cls: type, taken: set[str], tensor: type) -> list[str]:
    lines = [f"class {name}(metaclass=OpenClass):", *documented(cls.__doc__, "    ")]
    for member, value in vars(cls).items():
        if hasattr(value, "__nb_signature__"):
            lines += signatures(value, taken, "    ")
        elif member in ("__call__", "__init__"):
            lines.append(ANY_METHOD.format(member))
        elif name == "TensorBase" and member in METHODS:
            lines.append(f"    def {member}{METHODS[member]}:")
            lines += [*documented(value.__doc__, "        "), "        ..."]
        elif name == "TensorBase" and member in MEMBERS:
            lines.append(f"    {member}: {MEMBERS[member]}")
            lines += documented(value.__doc__, "    ")
        elif not member.startswith("__"):
            lines.append(f"    {member}: Any")
    if "__new__" in vars(cls) and "__init__" not in vars(cls):
        lines.append("    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...")
    lines.append("    def __getattr__(self, name: str, /) -> Any: ...")
    if name in ("Op", "TensorBase"):
        lines.append("    def __setattr__(self, name: str, value: Any, /) -> None: ...")
    if name == "TensorBase":
        lines += [ANY_METHOD.format(n) for n in operators()]
        lines += attached_lines(tensor)
    return lines


def stub(core: ModuleType, tensor: type) -> str:
    classes, values, functions = [], [], []
    taken = set(vars(core))
    for name, value in vars(core).items():
        if name.startswith("__"):
            continue
        if isinstance(value, type):
            classes += ["", *class_lines(name, value, taken, tensor)]
        elif hasattr(value, "__nb_signature__"):
            functions += signatures(value, taken)
        elif callable(value) and not isinstance(value, core.dtype):
            functions.append(f"def {name}(*args: Any, **kwargs: Any) -> Any: ...")
        else:
            values.append(f"{name}: {type(value).__name__}")
    return HEADER + "\n".join([*classes, "", *values, "", *functions]) + "\n"


def main() -> None:
    folder, target = sys.argv[1:]
    sys.dont_write_bytecode = True
    # The package from its sources, with the core that was just built.
    spec = importlib.util.spec_from_file_location(
        "rushlight", PACKAGE / "__init__.py", submodule_search_locations=[folder, str(PACKAGE)]
    )
    assert spec is not None and spec.loader is not None
    package = sys.modules["rushlight"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    Path(target).write_text(stub(sys.modules["rushlight._core"], package.Tensor))


if __name__ == "__main__":
    main()
