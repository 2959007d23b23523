"""The house itself: which way imports go, that each op has a formula and a row, how long files are.

What the design promises of the code and no other test would notice.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ops.row import load_rows

import rushlight
import rushlight.nn.functional
from rushlight.autograd.op import COMPOSED, OPS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "rushlight"
LONGEST = 800
# Row tables are lists, not code to be read from top to bottom.
TABLES = "tests/ops/"

# A layer imports what stands before it; within a layer there is no order.
LAYERS = (
    ("_core", "_stub"),
    ("dtypes", "return_types", "version", "warned"),
    ("tensor", "tensor_types", "printing", "storage", "types"),
    ("autograd",),
    ("ops", "random", "settings", "absent_dtypes", "checks", "symbolic"),
    ("sparse", "special", "masked", "signal", "fft", "linalg"),
    ("array_api",),
    ("nn",),
    ("multiprocessing", "amp", "backends", "cpu", "cuda"),
    ("accelerator", "compiler", "functional", "futures", "hub", "jit", "mps"),
    ("onnx", "profiler", "xpu"),
    ("_C", "_VF", "_guards", "_jit_internal", "_subclasses", "_utils", "export",
     "__config__", "_dynamo", "_inductor", "fx"),
    ("_custom_ops", "_ops", "_schema", "ao", "library", "quasirandom"),
    ("optim", "io", "overrides", "utils", "testing", "func", "distributed", "distributions"),
    ("_functorch",),
    ("as_torch", "cli", "__main__"),
)


def layer_of(module: str) -> int | None:
    part = module.split(".")[1] if "." in module else ""
    for number, names in enumerate(LAYERS):
        if part in names:
            return number
    return None


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, module) of what a file imports of the package when it is loaded itself."""
    package = ".".join(("rushlight", *path.relative_to(PACKAGE).parts[:-1]))
    found = []
    inner = set()
    for node in ast.walk(tree := ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ):
            inner.update(id(child) for child in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join((*parents, base)).rstrip(".")
            if base == "rushlight":
                found += [(node.lineno, f"rushlight.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, base))
    return found


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_imports_point_down() -> None:
    wrong = []
    for path in SOURCES:
        own = ".".join(("rushlight", *path.relative_to(PACKAGE).with_suffix("").parts))
        layer = layer_of(own)
        if layer is None:  # the package's own __init__
            continue
        for line, module in imports(path):
            other = layer_of(module)
            if module.startswith("rushlight.") and other is not None and other > layer:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_library_never_imports_torch() -> None:
    for path in SOURCES:
        for line, module in imports(path):
            assert module.split(".")[0] not in ("torch", "jax"), f"{path}:{line}"


def test_star_imports_take_what_is_declared() -> None:
    """Without `__all__`, `import *` would take what a file imports itself: math.floor once was."""
    for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            assert hasattr(sys.modules[str(node.module)], "__all__"), node.module
    for name, op in OPS.items():
        found = getattr(rushlight, name, op)
        assert not callable(found) or found.__module__.startswith("rushlight"), name


def test_import_is_light() -> None:
    """`import rushlight` loads neither NumPy nor what only tools need."""
    heavy = ("numpy", "torch", "inspect", "dataclasses", "asyncio", "multiprocessing", "unittest")
    code = f"import sys, rushlight; print(*[m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [], f"import rushlight loads {run.stdout}"


@pytest.mark.parametrize("folder", ["src", "csrc", "tests", "benchmarks", "examples"])
def test_files_are_short(folder: str) -> None:
    long = {}
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix not in (".py", ".cpp", ".h") or not path.is_file():
            continue
        name = str(path.relative_to(ROOT))
        lines = len(path.read_text().splitlines())
        if lines > LONGEST and not name.startswith(TABLES):
            long[name] = lines
    assert not long, f"more than {LONGEST} lines: {long}"


def test_no_file_collects_what_has_no_home() -> None:
    homeless = ("utils", "util", "helpers", "helper", "common", "misc")
    found = [str(p) for p in (*SOURCES, *(ROOT / "csrc").rglob("*.*")) if p.stem in homeless]
    assert not found, found


# ---- ops

ROWS = load_rows()

# Ops without a derivative: it does not exist (integers, orders, truth values), is not known in
# closed form, or nothing but the engine calls them.
NOT_DIFFERENTIABLE = {
    "comparison and logic": """eq ne lt le gt ge logical_and logical_or logical_xor logical_not
        bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift isnan
        isinf isfinite signbit isposinf isneginf isclose any all equal""",
    "results are integers": "gcd lcm argmax argmin _nonzero hash_tensor _multinomial",
    "flat, without a gradient in PyTorch": "histc",
    "special functions": """bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0
        modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0
        scaled_modified_bessel_k1 spherical_bessel_j0 airy_ai chebyshev_polynomial_t
        chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w
        shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
        shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w hermite_polynomial_h
        hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p""",
}


def op_file(name: str) -> str:
    return (OPS.get(name) or COMPOSED[name]).__module__.rpartition(".")[2]


def test_every_op_is_differentiable_or_listed() -> None:
    listed = {name for names in NOT_DIFFERENTIABLE.values() for name in names.split()}
    without = {name for name, op in OPS.items() if not op.is_differentiable}
    assert without - listed == set(), "ops without a formula: give them one, or list them here"
    assert listed & set(OPS) - without == set(), "listed as not differentiable, but have a formula"


def test_formulas_name_what_exists() -> None:
    for name, op in OPS.items():
        assert op.__doc__ or name.startswith("_"), f"{name} has no docstring"
        assert op.__name__ == name


def covered() -> set[str]:
    names = set()
    for row in ROWS.values():
        last = row.name.rpartition(".")[2]
        names |= {last, f"_{last}", *row.covers}
    return names | {f"{n}_" for n in names}


def test_every_op_has_a_row() -> None:
    """By its public name, or named in `covers` of the row that exercises it."""
    without = sorted({*OPS, *COMPOSED} - covered())
    by_file: dict[str, list[str]] = {}
    for name in without:
        by_file.setdefault(op_file(name), []).append(name)
    assert not without, "ops without a row in tests/ops:\n" + "\n".join(
        f"  {file}: {' '.join(names)}" for file, names in sorted(by_file.items())
    )


def test_every_row_has_an_op() -> None:
    for row in ROWS.values():
        found = rushlight
        for part in (row.path or row.name).split("."):
            found = getattr(found, part)
        assert callable(found), row.name
