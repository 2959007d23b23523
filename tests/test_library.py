"""torch.library and torch.ops: operators of one's own, and those of aten by name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import List, Optional  # noqa: UP035

import pytest

import rushlight as torch
from rushlight import Tensor, _schema, library


@pytest.fixture
def doubled():
    def kernel(x: Tensor, factor: int = 2, *, shift: float = 0.0) -> Tensor:
        return x * factor + shift

    return library.custom_op("tests::doubled", kernel, mutates_args=())


def test_a_custom_op_is_called_in_three_ways(doubled):
    x = torch.ones(2)
    assert doubled(x).tolist() == torch.ops.tests.doubled(x).tolist() == [2.0, 2.0]
    assert torch.ops.tests.doubled.default(x, 3, shift=1.0).tolist() == [4.0, 4.0]
    assert doubled(x=x, factor=5).tolist() == [5.0, 5.0]
    schema = "tests::doubled(Tensor x, SymInt factor=2, *, float shift=0.) -> Tensor"
    assert str(torch.ops.tests.doubled.default._schema) == schema
    assert str(torch.ops.tests.doubled.default) == "tests.doubled.default"
    assert repr(doubled) == "<CustomOpDef(tests::doubled)>"
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        doubled(x, nothing=1)
    with pytest.raises(TypeError, match="missing value for argument 'x'"):
        doubled()


def test_its_derivative(doubled):
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        doubled(x).sum().backward()

    def setup_context(ctx, inputs, keyword_only_inputs, output):
        ctx.factor = inputs[1]
        assert keyword_only_inputs == {"shift": 1.0}

    doubled.register_autograd(
        lambda ctx, grad: (grad * ctx.factor, None), setup_context=setup_context
    )
    y = doubled(x, 3, shift=1.0)
    assert type(y.grad_fn).__name__ or "doubled" in str(y.grad_fn)
    y.sum().backward()
    assert y.tolist() == [4.0, 4.0] and x.grad.tolist() == [3.0, 3.0]


def test_sequences_of_tensors_have_gradients():
    @library.custom_op("tests::total", mutates_args=())
    def total(xs: List[Tensor], weight: Optional[Tensor] = None) -> Tensor:  # noqa: UP006, UP045
        return sum(xs) * weight

    def setup_context(ctx, inputs, output):
        ctx.count = len(inputs[0])
        ctx.save_for_backward(inputs[1])
        ctx.needs = ctx.needs_input_grad

    def backward(ctx, grad):
        assert ctx.needs == ([True, False], False)
        return [grad * ctx.saved_tensors[0]] * ctx.count, None

    total.register_autograd(backward, setup_context=setup_context)
    x, y = torch.ones(1, requires_grad=True), torch.ones(1)
    result = total([x, y], torch.tensor(4.0))
    result.backward()
    assert result.item() == 8 and x.grad.item() == 4 and y.grad is None


def test_ops_that_write():
    @library.custom_op("tests::inc", mutates_args={"x"})
    def inc(x: Tensor, by: int) -> None:
        x.add_(by)

    x = torch.zeros(2)
    assert inc(x, 3) is None and x.tolist() == [3.0, 3.0]
    assert "Tensor(a0!) x" in str(inc._opoverload._schema)
    with pytest.raises(RuntimeError, match="non-functional operator"):
        inc.register_autograd(lambda ctx, grad: grad)

    @library.custom_op("tests::same", mutates_args=())
    def same(x: Tensor) -> Tensor:
        return x

    with pytest.raises(RuntimeError, match="must not also be an input"):
        same(x)


def test_a_rule_for_vmap():
    @library.custom_op("tests::rows", mutates_args=())
    def rows(x: Tensor) -> Tensor:
        return x.flip(-1)

    rows.register_vmap(lambda info, in_dims, x: (rows(x), in_dims[0]))
    assert torch.func.vmap(rows)(torch.arange(4.0).reshape(2, 2)).tolist() == [[1, 0], [3, 2]]


def test_libraries():
    lib = library.Library("tests_lib", "DEF")
    assert lib.define("plus(Tensor x, int k=3) -> Tensor") == "plus"
    lib.impl("plus", lambda x, k: x + k, "CompositeExplicitAutograd")
    lib.impl("plus", lambda x, k: None, "CUDA")  # never called
    ops = torch.ops.tests_lib
    assert ops.plus(torch.ones(1)).item() == 4 and ops.plus(torch.ones(1), k=1).item() == 2
    with pytest.raises(RuntimeError, match="multiple times"):
        lib.define("plus(Tensor x) -> Tensor")
    with pytest.raises(RuntimeError, match="already a kernel"):
        lib.impl("plus", lambda x, k: x, "CompositeImplicitAutograd")
    with pytest.raises(RuntimeError, match="dispatch key: Nowhere"):
        lib.impl("plus", lambda x, k: x, "Nowhere")
    lib.define("scaled(Tensor x, *, float s=2.0) -> Tensor")
    lib.impl("scaled", lambda x, s: x * s, "CPU")

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, s):
            ctx.s = s
            with torch._C._AutoDispatchBelowAutograd():
                return ops.scaled(x, s=s)

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.s, None

    lib.impl("scaled", lambda x, s: Scaled.apply(x, s), "Autograd")
    x = torch.ones(1, requires_grad=True)
    ops.scaled(x, s=5.0).backward()
    assert x.grad.item() == 5
    lib._destroy()
    assert not hasattr(ops, "plus")


def test_kernels_without_a_derivative_record_what_they_do():
    library.define("tests_old::square", "(Tensor x) -> Tensor")

    @library.impl("tests_old::square", "cpu")
    def square(x):
        return x * x

    x = torch.tensor([3.0], requires_grad=True)
    with pytest.warns(UserWarning, match="no derivative was registered"):
        torch.ops.tests_old.square(x).backward()
    assert x.grad.item() == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.ops.tests_old.square(x)
    library.register_autograd("tests_old::square", lambda ctx, grad: grad * 10)
    torch.ops.tests_old.square(x).backward()
    assert x.grad.item() == 16
    with pytest.raises(RuntimeError, match="does not exist"):
        library.register_autograd("tests_old::cube", square)
    library.register_fake("tests_old::cube", square)  # of a compiled part that is not there
    library.define("tests_old::empty", "(Tensor x) -> Tensor")
    with pytest.raises(NotImplementedError, match="no kernel for the CPU"):
        torch.ops.tests_old.empty(x)


def test_opcheck(doubled):
    x = torch.ones(2)
    doubled.register_fake(lambda x, factor=2, shift=0.0: torch.empty(3))
    with pytest.raises(AssertionError, match="fake kernel gives shape"):
        library.opcheck(doubled, (x,))
    results = library.opcheck(doubled, (x,), raise_exception=False)
    assert results["test_schema"] == "SUCCESS" != results["test_faketensor"]
    doubled.register_fake(lambda x, factor=2, shift=0.0: torch.empty(x.shape[::-1]).t())
    with pytest.raises(AssertionError, match="fake kernel gives strides"):
        library.opcheck(doubled, (torch.ones(2, 3),))
    assert library.opcheck(doubled, (torch.ones(2, 1),))["test_faketensor"] == "SUCCESS"


def test_signatures_from_annotations():
    def kernel(
        x: Tensor, y: int | float | bool, z: Sequence[float], o: Tensor | None = None
    ) -> tuple[Tensor, Tensor]: ...

    assert library.infer_schema(kernel, mutates_args=()) == (
        "(Tensor x, Scalar y, float[] z, Tensor? o=None) -> (Tensor, Tensor)"
    )

    def bare(x): ...

    with pytest.raises(ValueError, match="Parameter x must have a type annotation"):
        library.infer_schema(bare, mutates_args=())

    def odd(x: dict) -> Tensor: ...

    with pytest.raises(ValueError, match="unsupported type"):
        library.infer_schema(odd, mutates_args=())
    with pytest.raises(ValueError, match="such as 'mylib::op'"):
        library.custom_op("alone", kernel, mutates_args=())


def test_signatures_from_text():
    parsed = _schema.parse('a::b.c(Tensor(a!) x, int[2] k=[1, 2], *, str s="a,b") -> (Tensor, int)')
    assert str(parsed) == (
        'a::b.c(Tensor(a!) x, int[2] k=[1, 2], *, str s="a,b") -> (Tensor, int)'
    )
    assert parsed.writes and parsed.bind((1,), {}) == ((1, [1, 2]), {"s": "a,b"})
    with pytest.raises(RuntimeError, match="expected a schema"):
        _schema.parse("no schema")


def test_aten():
    aten = torch.ops.aten
    x = torch.ones(2, 2)
    assert aten.mm.default is aten.mm.default and str(aten.mm.default) == "aten.mm.default"
    assert aten.mm(x, x).tolist() == aten.mm.default(x, x).tolist() == [[2.0, 2.0]] * 2
    assert aten.add.Tensor.overloadpacket is aten.add
    assert aten.add.Tensor.name() == "aten::add.Tensor"
    assert aten.view.default(x, (4,)).shape == (4,) and aten._softmax(x[0], 0, False).sum() == 1
    assert aten.linalg_det.default(torch.eye(2)).item() == 1
    options = [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, True]
    found = aten.convolution_backward(
        torch.ones(1, 3, 2, 2), torch.ones(1, 2, 3, 3), torch.ones(3, 2, 2, 2), [3], *options
    )
    assert found[0][0, 0, 1].tolist() == [6.0, 12.0, 6.0] and found[1] is None
    assert found[2].tolist() == [4.0, 4.0, 4.0]
    assert aten.sum.dim_IntList(x, [1]).tolist() == [2.0, 2.0]
    with pytest.raises(AttributeError, match="'aten' object has no attribute 'nothing'"):
        getattr(aten, "nothing")  # noqa: B009
    assert aten.slice.Tensor(x, 1, 1).tolist() == [[1.0], [1.0]]
    with pytest.raises(OSError, match="compiled against PyTorch"):
        torch.ops.load_library("x.so")


def test_a_triton_op_is_a_custom_op():
    @torch.library.triton_op("test_library::twice_by_triton", mutates_args={})
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    assert torch.ops.test_library.twice_by_triton(torch.ones(1)).item() == 2.0
    with pytest.raises(NotImplementedError, match="Triton"):
        torch.library.wrap_triton(print)
