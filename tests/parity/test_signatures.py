"""Names of arguments beside PyTorch: every keyword of its native functions is taken."""

from __future__ import annotations

import inspect

import pytest

import rushlight

torch = pytest.importorskip("torch")

# Where a tensor is and how it lies, which all that makes tensors takes; names of dimensions.
EVERYWHERE = {"names", "layout", "device", "pin_memory", "memory_format", "non_blocking", "out"}
EVERYWHERE |= {"generator"}
# PyTorch takes out_dtype on CUDA alone; the rest are overloads of its scripts.
OTHERS = {
    "addmm": {"out_dtype"},
    "baddbmm": {"out_dtype"},
    "bmm": {"out_dtype"},
    "mm": {"out_dtype"},
    "cartesian_prod": {"tensors"},
    "elu_": {"scale", "input_scale"},
    "tensor_split": {"tensor_indices_or_sections"},
    "fractional_max_pool2d": {"random_samples"},
    "fractional_max_pool3d": {"random_samples"},
}
# Taken by the core's fallback for calls that do not fit (rushlight/ops/other_forms.py).
IN_OTHER_FORMS = {
    "cholesky_solve": {"input2"},
    "ormqr": {"input2", "input3"},
    "expand": {"implicit"},
}


def overloads():
    """The schemas by name, without those of TorchScript: on lists, strings and numbers."""
    found: dict = {}
    for schema in torch._C._jit_get_all_schemas():
        space, _, name = schema.name.partition("::")
        kinds = {str(argument.type) for argument in schema.arguments}
        script = {"t", "t[]", "List[t]", "Scalar"}.issuperset(kinds) or kinds <= {
            "int", "float", "complex", "number", "str", "bool"
        }  # fmt: skip
        if space == "aten" and "Tensor" in kinds and not script and "t" not in kinds:
            found.setdefault(name, []).append(schema)
    return found


def taken(function):
    """The names that a function takes; None where it takes any."""
    if hasattr(function, "arguments"):
        return set(function.arguments)
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters} | (
        {"tensors", "equation", "operands"}
        if any(p.kind is p.VAR_POSITIONAL for p in parameters)
        else set()
    )


SPACES = {"": torch, "linalg_": torch.linalg, "fft_": torch.fft, "special_": torch.special}


@pytest.mark.parametrize("prefix", SPACES)
def test_native_names_of_arguments(prefix):
    schemas, missing = overloads(), {}
    space = SPACES[prefix]
    ours = rushlight if not prefix else getattr(rushlight, prefix[:-1])
    for name in dir(space):
        function, theirs = getattr(ours, name, None), getattr(space, name)
        if name.startswith("_") or inspect.isclass(theirs) or inspect.isfunction(theirs):
            continue
        if prefix + name not in schemas or not callable(function):
            continue
        known = taken(function)
        if known is None:
            continue
        for schema in schemas[prefix + name]:
            for place, argument in enumerate(schema.arguments):
                asked = "input" if argument.name == "self" else argument.name
                if argument.is_out or asked in EVERYWHERE or "Dimname" in str(argument.type):
                    continue
                if place == 0 and asked in ("input", "x", "a"):  # names of any first argument
                    continue
                allowed = OTHERS.get(name, set()) | IN_OTHER_FORMS.get(name, set())
                if asked not in known | allowed:
                    missing.setdefault(name, set()).add(asked)
    assert not missing


def given_by_position(function):
    """The names of arguments that a call may give by position; None where it takes any."""
    by_name = getattr(function, "by_name", 0)
    if hasattr(function, "arguments"):
        return function.arguments[: len(function.arguments) - by_name]
    if inspect.ismethoddescriptor(function):  # of the core: without a signature to ask
        return None
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)


@pytest.mark.parametrize("prefix", ["", "Tensor", "linalg_", "fft_", "special_"])
def test_what_is_given_by_name_only(prefix):
    schemas, found = overloads(), {}
    space = torch.Tensor if prefix == "Tensor" else SPACES[prefix]
    ours = rushlight if not prefix else getattr(rushlight, prefix.removesuffix("_"))
    for name in dir(space):
        function, theirs = getattr(ours, name, None), getattr(space, name)
        native = name if prefix == "Tensor" else prefix + name
        if name.startswith("_") or inspect.isclass(theirs) or inspect.isfunction(theirs):
            continue
        if native not in schemas or not callable(function):
            continue
        by_position, by_name = set(), set()
        for schema in schemas[native]:
            for argument in schema.arguments:
                (by_name if argument.kwarg_only else by_position).add(argument.name)
        wrong = (by_name - by_position) & set(given_by_position(function) or ())
        if wrong - {"out"} and (prefix, name) != ("special_", "log_softmax"):
            found[name] = wrong
    assert found in ({}, {"chalf": {"memory_format"}})


def both(call):
    found = []
    for module in (rushlight, torch):
        result = call(module)
        found.append(result.tolist() if hasattr(result, "tolist") else str(result))
    assert found[0] == pytest.approx(found[1], rel=1e-5) if isinstance(found[0], float) else (
        found[0] == found[1]
    )


M = {
    "addmv": lambda m, x, v, b: m.addmv(2, v, 3, x, v),
    "addmv of two": lambda m, x, v, b: m.addmv(2, v, x, v),
    "addr": lambda m, x, v, b: m.addr(2, x, 3, v, v),
    "addbmm": lambda m, x, v, b: m.addbmm(2, x, 3, b, b),
    "addmv method": lambda m, x, v, b: v.addmv(2, 3, x, v),
    "addr in place": lambda m, x, v, b: x.clone().addr_(2, 3, v, v),
    "addbmm in place": lambda m, x, v, b: x.clone().addbmm_(2, 3, b, b),
    "result_type": lambda m, x, v, b: m.result_type(v, other=1),
    "result_type of tensor": lambda m, x, v, b: m.result_type(tensor=v, other=x.int()),
    "result_type of scalar": lambda m, x, v, b: m.result_type(scalar=1, tensor=v),
    "result_type of numbers": lambda m, x, v, b: m.result_type(scalar1=1, scalar2=2.0),
    "group_norm": lambda m, x, v, b: m.group_norm(x, 3, None, None, 1e-5, True),
    "group_norm by name": lambda m, x, v, b: m.group_norm(x, 3, cudnn_enabled=False),
    "layer_norm": lambda m, x, v, b: m.layer_norm(x * 0, [3], cudnn_enable=False),
    "cholesky_solve": lambda m, x, v, b: m.cholesky_solve(x, input2=m.eye(3)),
    "ormqr": lambda m, x, v, b: m.ormqr(m.eye(3), input2=v * 0, input3=m.eye(3)),
    "pow": lambda m, x, v, b: m.pow(self=2.0, exponent=v),
    "expand": lambda m, x, v, b: v.expand(2, 3, implicit=True),
    "isin": lambda m, x, v, b: m.isin(v, test_element=1),
    "isin of a number": lambda m, x, v, b: m.isin(element=1, test_elements=v),
    "norm": lambda m, x, v, b: m.linalg.norm(input=v),
    "vector_norm": lambda m, x, v, b: m.linalg.vector_norm(input=v),
    "vector_norm of x": lambda m, x, v, b: m.linalg.vector_norm(x=v),
    "cholesky": lambda m, x, v, b: m.linalg.cholesky(input=m.eye(3)),
    "tensorsolve": lambda m, x, v, b: m.linalg.tensorsolve(m.eye(3), other=v),
    "scalar_tensor": lambda m, x, v, b: m.scalar_tensor(1, layout=m.strided),
    "floor_divide of none": lambda m, x, v, b: m.empty(0, dtype=m.int64) // 0,
    "lerp of halves": lambda m, x, v, b: m.lerp(v.half(), (v * 3.3).half(), 0.3),
    "lerp of bfloat16": lambda m, x, v, b: m.lerp(v.bfloat16(), (v * 3.3).bfloat16(), 0.3),
}


@pytest.mark.parametrize("name", M)
@pytest.mark.filterwarnings("ignore")
def test_older_and_native_forms(name):
    both(
        lambda m: M[name](
            m, m.arange(9.0).reshape(3, 3), m.arange(3.0), m.arange(27.0).reshape(3, 3, 3)
        )
    )
