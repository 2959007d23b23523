"""gradcheck and gradgradcheck: that right gradients pass and planted faults are found."""

import warnings

import pytest

import rushlight as rl
from rushlight.autograd import Function, gradcheck, gradgradcheck
from rushlight.autograd.gradcheck import GradcheckError

modes = pytest.mark.parametrize("fast_mode", [False, True], ids=["slow", "fast"])


def reals(*shape, dtype=None):
    return rl.randn(shape, dtype=dtype or rl.float64, requires_grad=True)


def complexes(*shape):
    return rl.complex(rl.randn(shape, dtype=rl.float64), rl.randn(shape, dtype=rl.float64))


@pytest.fixture(autouse=True)
def seed():
    rl.manual_seed(0)


class Doubled(Function):
    """2 x, with a gradient that is right; the faulty ones below derive from it."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def doubled_with(gradient):
    """2 x with the given backward."""
    return type("Faulty", (Doubled,), {"backward": staticmethod(lambda ctx, g: gradient(g))}).apply


# ---- right gradients


RIGHT = {
    "sin": (rl.sin, lambda: reals(3)),
    "broadcast": (lambda a, b: a * b, lambda: (reals(2, 3), reals(3))),
    "two outputs": (lambda a, b: (a @ b, (a * 2).sum()), lambda: (reals(2, 3), reals(3, 2))),
    "number argument": (lambda a, k: a * k, lambda: (reals(3), 2.0)),
    "one input tracked": (lambda a, b: a * b, lambda: (reals(3), rl.ones(3, dtype=rl.float64))),
    "unused input": (lambda a, b: a**2, lambda: (reals(2), reals(2))),
    "scalar": (rl.exp, lambda: reals()),
    "empty": (rl.sin, lambda: reals(0)),
    "transposed": (rl.sin, lambda: reals(3, 2).detach().t().requires_grad_()),
    "the input itself": (lambda a: a, lambda: reals(3)),
    "a view": (lambda a: a.reshape(-1), lambda: reals(2, 2)),
    "in place": (lambda a: a.clone().mul_(a), lambda: reals(3)),
    "list of outputs": (lambda a: [a * 2, a * 3], lambda: [reals(3)]),
    "integer output": (lambda a: (a * a, a.detach().to(rl.int64)), lambda: reals(3)),
}


@modes
@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_pass(name, fast_mode):
    function, inputs = RIGHT[name]
    assert gradcheck(function, inputs(), fast_mode=fast_mode) is True


@modes
@pytest.mark.parametrize("name", RIGHT)
def test_right_second_derivatives_pass(name, fast_mode):
    function, inputs = RIGHT[name]
    assert gradgradcheck(function, inputs(), fast_mode=fast_mode) is True


@modes
def test_complex_input_and_output(fast_mode):
    z = complexes(3).requires_grad_()
    w = complexes(3).requires_grad_()
    assert gradcheck(lambda z, w: z * w, (z, w), fast_mode=fast_mode)
    assert gradcheck(lambda z: (z * z.conj()).real, z, fast_mode=fast_mode)
    assert gradcheck(lambda x: rl.complex(x, x * x), reals(3), fast_mode=fast_mode)


def test_inputs_are_left_as_they_were():
    x = reals(3)
    before = x.detach().clone()
    gradcheck(rl.sin, x)
    assert rl.equal(x.detach(), before)
    assert x.grad is None


def test_random_stream_is_left_alone_by_the_fast_mode():
    x = reals(3)
    rl.manual_seed(3)
    expected = rl.rand(2)
    rl.manual_seed(3)
    gradcheck(rl.sin, x, fast_mode=True)
    assert rl.equal(rl.rand(2), expected)


# ---- planted faults


@modes
def test_a_gradient_of_2_001_instead_of_2_fails(fast_mode):
    faulty = doubled_with(lambda grad: grad * 2.001)
    assert gradcheck(Doubled.apply, reals(3), rtol=1e-4, fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(faulty, reals(3), rtol=1e-4, fast_mode=fast_mode)
    assert gradcheck(faulty, reals(3), rtol=1e-4, raise_exception=False) is False


@modes
def test_a_gradient_of_2_01_fails_at_the_default_tolerance(fast_mode):
    with pytest.raises(GradcheckError):
        gradcheck(doubled_with(lambda grad: grad * 2.01), reals(3), fast_mode=fast_mode)


def test_the_message_names_output_input_and_both_jacobians():
    faulty = doubled_with(lambda grad: grad * 3)

    def function(a, b):
        return a + b, a * faulty(b)

    a = rl.ones(1, dtype=rl.float64, requires_grad=True)
    b = rl.ones(1, dtype=rl.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(function, (a, b))
    text = str(caught.value)
    assert "Jacobian mismatch for output 1 with respect to input 1" in text
    assert "numerical:tensor([[" in text
    assert "analytical:tensor([[3.]], dtype=torch.float64)" in text
    assert "The largest difference, 1," in text


@modes
def test_one_wrong_element_of_many_fails(fast_mode):
    def wrong_at_last(grad):
        factor = rl.full((20,), 2.0, dtype=rl.float64)
        factor[19] = 2.5
        return grad * factor

    with pytest.raises(GradcheckError):
        gradcheck(doubled_with(wrong_at_last), reals(20), fast_mode=fast_mode)


def test_a_fault_in_the_imaginary_part_fails():
    z = complexes(2).requires_grad_()
    with pytest.raises(GradcheckError, match="imaginary part of complex outputs"):
        gradcheck(doubled_with(lambda grad: rl.complex(grad.real * 2, grad.imag * 3)), z)


def test_a_wrong_second_derivative_fails():
    class Cubed(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return CubedBackward.apply(grad, x)

    class CubedBackward(Function):
        @staticmethod
        def forward(ctx, grad, x):
            ctx.save_for_backward(grad, x)
            return grad * 3 * x**2

        @staticmethod
        def backward(ctx, second):
            grad, x = ctx.saved_tensors
            return second * 3 * x**2, second * grad * 5 * x  # 6 would be right

    x = reals(3)
    assert gradcheck(Cubed.apply, x)
    with pytest.raises(GradcheckError, match="output 0 with respect to input 0"):
        gradgradcheck(Cubed.apply, x)


def test_a_gradient_that_does_not_scale_with_its_cotangent_fails():
    # Too little for the Jacobian to show, but not zero for a cotangent of zeros.
    with pytest.raises(GradcheckError, match="not multiplied by grad_output"):
        gradcheck(doubled_with(lambda grad: grad * 2 + 1e-12), reals(3))


def test_a_gradient_that_changes_from_pass_to_pass_fails():
    calls = []

    def drifting(grad):
        calls.append(grad)
        return grad * 2 * (1 + 1e-9 * len(calls))

    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(doubled_with(drifting), reals(3))
    assert gradcheck(doubled_with(drifting), reals(3), nondet_tol=1e-5)


def test_a_function_without_gradient_that_changes_fails():
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, reals(3))
    assert gradcheck(lambda x: x.detach().round(), reals(3) * 0.1 + 0.2)


def test_an_undefined_gradient_must_be_handled():
    class NeedsGradient(Doubled):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            if grad is None:
                raise RuntimeError("no gradient given")
            return grad * 2

    with pytest.raises(GradcheckError, match="undefined gradient of differentiable output"):
        gradcheck(NeedsGradient.apply, reals(3))
    assert gradcheck(NeedsGradient.apply, reals(3), check_undefined_grad=False)


# ---- arguments


def test_no_input_that_requires_grad_is_an_error():
    with pytest.raises(ValueError, match="requires grad"):
        gradcheck(rl.sin, rl.ones(3))


def test_shared_elements_are_an_error():
    x = rl.ones(1, dtype=rl.float64).expand(3).requires_grad_()
    with pytest.raises(RuntimeError, match="contiguous"):
        gradcheck(lambda x: x * 2, x)


def test_single_precision_warns():
    with pytest.warns(UserWarning, match="float64"):
        gradcheck(lambda x: x * 2, reals(2, dtype=rl.float32), raise_exception=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(lambda x: x * 2, reals(2))


def test_given_grad_outputs_are_used():
    x = reals(3)
    cotangent = reals(3)
    assert gradgradcheck(rl.sin, x, cotangent)
    assert gradgradcheck(rl.sin, x, (cotangent.detach(),))
    assert gradgradcheck(rl.sin, x, gen_non_contig_grad_outputs=True)


def test_the_error_is_a_runtime_error():
    assert issubclass(GradcheckError, RuntimeError)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_second_derivatives_by_forward_mode(fast_mode):
    x = rl.tensor([[0.3, -0.8], [1.2, 0.5]], dtype=rl.float64, requires_grad=True)
    y = rl.tensor([[0.1, 0.9], [-0.4, 0.7]], dtype=rl.float64, requires_grad=True)
    z = rl.tensor([0.3 + 1j, -0.5j], requires_grad=True)
    only = {"check_rev_over_rev": False, "check_undefined_grad": False}
    for options in ({}, only):
        options = {"check_fwd_over_rev": True, "fast_mode": fast_mode, **options}
        assert gradgradcheck(rl.matmul, (x, y), **options)
        assert gradgradcheck(lambda x: x.softmax(-1), x, **options)
        assert gradgradcheck(lambda z: z * z.conj() * z, z.to(rl.complex128), **options)


def test_a_wrong_second_derivative_is_found_by_forward_mode():
    class Wrong(rl.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * (x.detach() ** 2 * 2 + x**2)  # right, but half of it is a constant

    x = rl.tensor([0.3, -0.8], dtype=rl.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="forward mode"):
        gradgradcheck(
            Wrong.apply, x, check_fwd_over_rev=True, check_rev_over_rev=False,
            check_undefined_grad=False,
        )  # fmt: skip
