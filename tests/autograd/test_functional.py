"""Products with Jacobians and Hessians against what pencil and paper give."""

import pytest

import rushlight as rl
from rushlight.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp


def vector(*values):
    return rl.tensor(values, dtype=rl.float64)


def close(actual, expected):
    expected = rl.tensor(expected, dtype=rl.float64)
    return actual.shape == expected.shape and rl.allclose(actual.detach(), expected)


X = (1.0, 2.0, 3.0)


def squares_and_sum(x):
    return x * x, x.sum()


def product(x, y):
    return x * y


def cubes(x):
    return (x**3).sum()


def mixed(x, y):
    return (x * x * y).sum()


# ---- first order


def test_vjp():
    output, found = vjp(lambda x: x * x, vector(*X), vector(1.0, 10.0, 100.0))
    assert close(output, [1.0, 4.0, 9.0])
    assert close(found, [2.0, 40.0, 600.0])


def test_vjp_of_tuples():
    v = (vector(1.0, 1.0, 1.0), rl.tensor(10.0, dtype=rl.float64))
    outputs, found = vjp(squares_and_sum, (vector(*X),), v)
    assert isinstance(outputs, tuple)
    assert isinstance(found, tuple)
    assert close(found[0], [12.0, 14.0, 16.0])


def test_jvp():
    output, found = jvp(lambda x: x.sum() * x, vector(1.0, 2.0), vector(1.0, 0.0))
    assert close(output, [3.0, 6.0])
    assert close(found, [4.0, 2.0])


def test_jvp_of_tuples():
    inputs = (vector(1.0, 2.0), vector(3.0, 4.0))
    _, found = jvp(product, inputs, (vector(1.0, 0.0), vector(0.0, 1.0)))
    assert close(found, [3.0, 2.0])


def test_v_is_optional_for_a_single_number():
    assert close(vjp(cubes, vector(*X))[1], [3.0, 12.0, 27.0])
    assert close(jvp(lambda x: x * x, vector(3.0))[1], [6.0])


def test_jacobian_by_output_and_input():
    found = jacobian(lambda x, y: (x * y, x.sum()), (vector(1.0, 2.0), vector(3.0, 4.0)))
    assert close(found[0][0], [[3.0, 0.0], [0.0, 4.0]])
    assert close(found[0][1], [[1.0, 0.0], [0.0, 2.0]])
    assert close(found[1][0], [1.0, 1.0])
    assert close(found[1][1], [0.0, 0.0])


def test_jacobian_drops_the_tuples_that_were_not_given():
    assert close(jacobian(lambda x: x * x, vector(1.0, 2.0)), [[2.0, 0.0], [0.0, 4.0]])
    assert isinstance(jacobian(lambda x: x * x, (vector(1.0),)), tuple)
    assert isinstance(jacobian(lambda x: (x * x,), vector(1.0)), tuple)


@pytest.mark.parametrize(
    "options",
    [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}],
    ids=["rows", "vectorize", "columns"],
)
def test_jacobian_shape_is_output_then_input(options):
    def function(x):
        return x.t() @ x

    x = rl.arange(6, dtype=rl.float64).reshape(3, 2)
    found = jacobian(function, x, **options)
    assert found.shape == (2, 2, 3, 2)
    # d (x'x)_ij / d x_kl = x_kj [i = l] + x_ki [j = l]
    for i, j, k, m in [(0, 0, 1, 0), (0, 1, 2, 1), (1, 0, 0, 1), (1, 1, 2, 0)]:
        expected = x[k, j].item() * (i == m) + x[k, i].item() * (j == m)
        assert found[i, j, k, m].item() == pytest.approx(expected)


def test_jacobian_of_no_elements():
    found = jacobian(lambda x: x[:0] * 2, vector(*X))
    assert found.shape == (0, 3)
    assert found.dtype == rl.float64


# ---- second order


@pytest.mark.parametrize("product_of", [vhp, hvp])
def test_hessian_products(product_of):
    output, found = product_of(cubes, vector(*X), vector(1.0, 10.0, 100.0))
    assert close(output, 36.0)
    assert close(found, [6.0, 120.0, 1800.0])


@pytest.mark.parametrize("product_of", [vhp, hvp])
def test_hessian_products_of_tuples(product_of):
    inputs = (vector(1.0, 2.0), vector(3.0, 4.0))
    _, found = product_of(mixed, inputs, (vector(1.0, 0.0), vector(0.0, 1.0)))
    assert close(found[0], [6.0, 4.0])
    assert close(found[1], [2.0, 0.0])


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_hessian(strategy):
    options = {"vectorize": strategy == "forward-mode", "outer_jacobian_strategy": strategy}
    assert close(hessian(cubes, vector(1.0, 2.0), **options), [[6.0, 0.0], [0.0, 12.0]])
    found = hessian(mixed, (vector(1.0), vector(3.0)), **options)
    assert close(found[0][0], [[6.0]])
    assert close(found[0][1], [[2.0]])
    assert close(found[1][0], [[2.0]])
    assert close(found[1][1], [[0.0]])


# ---- graphs


def test_results_have_no_history_unless_asked_for():
    x = vector(*X).requires_grad_()
    for create_graph in (False, True):
        assert jacobian(lambda x: x * x, x, create_graph).requires_grad is create_graph
        assert hessian(cubes, x, create_graph).requires_grad is create_graph
        for function in (vjp, jvp, vhp, hvp):
            output, found = function(cubes, x, *_vector_for(function), create_graph)
            assert output.requires_grad is create_graph
            assert found.requires_grad is create_graph


def _vector_for(function):
    return (rl.tensor(1.0, dtype=rl.float64),) if function is vjp else (vector(1.0, 1.0, 1.0),)


def test_create_graph_gives_the_next_derivative():
    x = vector(*X).requires_grad_()
    jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert close(x.grad, [6.0, 12.0, 18.0])


def test_inputs_are_not_touched():
    x = vector(*X)
    hessian(cubes, x)
    assert not x.requires_grad
    assert x.grad is None


def test_works_under_no_grad():
    with rl.no_grad():
        assert close(jacobian(lambda x: x * x, vector(1.0)), [[2.0]])
        assert close(jvp(cubes, vector(*X), vector(1.0, 0.0, 0.0))[1], 3.0)


def test_a_captured_input_counts_as_a_constant():
    x = vector(1.0, 2.0)
    assert close(jacobian(lambda y: y * x, x), [[1.0, 0.0], [0.0, 2.0]])


# ---- strict mode


def test_independent_inputs_give_zeros_or_raise():
    inputs = (vector(1.0), vector(2.0))

    def ignores_second(x, y):
        return (x * x).sum()

    assert close(vjp(ignores_second, inputs)[1][1], [0.0])
    assert close(jacobian(ignores_second, inputs)[1], [0.0])
    for call in (vjp, jacobian):
        with pytest.raises(RuntimeError, match="input 1"):
            call(ignores_second, inputs, strict=True)


def test_strict_needs_history():
    with pytest.raises(RuntimeError, match="does not require grad"):
        jacobian(lambda x: rl.ones(2), vector(1.0), strict=True)
    linear = lambda x: (2 * x).sum()  # noqa: E731
    with pytest.raises(RuntimeError, match="linear"):
        hessian(linear, vector(1.0), strict=True)
    with pytest.raises(RuntimeError, match="linear"):
        vhp(linear, vector(1.0), strict=True)
    assert close(hessian(linear, vector(1.0)), [[0.0]])


# ---- errors


def test_other_things_than_tensors_are_refused():
    with pytest.raises(TypeError, match="inputs has type list"):
        jacobian(cubes, [vector(1.0)])
    with pytest.raises(TypeError, match=r"entry 1 of the inputs has type float"):
        jacobian(product, (vector(1.0), 2.0))
    with pytest.raises(TypeError, match="outputs of the function has type float"):
        vjp(lambda x: 1.0, vector(1.0))
    with pytest.raises(TypeError, match="the v has type str"):
        vjp(lambda x: x, vector(1.0), "v")


def test_v_must_fit():
    with pytest.raises(RuntimeError, match="can be left out"):
        vjp(lambda x: x, vector(*X))
    with pytest.raises(RuntimeError, match="can be left out"):
        hvp(cubes, vector(*X))
    with pytest.raises(RuntimeError, match=r"shape \(2,\), but \(3,\)"):
        jvp(cubes, vector(*X), vector(1.0, 2.0))
    with pytest.raises(RuntimeError, match="a single tensor"):
        jvp(cubes, vector(*X), (vector(*X), vector(*X)))


@pytest.mark.parametrize("function", [hessian, vhp, hvp])
def test_only_scalar_functions_have_a_hessian(function):
    arguments = () if function is hessian else (vector(*X),)
    with pytest.raises(RuntimeError, match="single element"):
        function(lambda x: x * x, vector(*X), *arguments)
    with pytest.raises(RuntimeError, match="single Tensor"):
        function(lambda x: (x.sum(),), vector(*X), *arguments)


def test_combinations_that_do_not_exist():
    x = vector(1.0)
    with pytest.raises(AssertionError, match="strategy"):
        jacobian(cubes, x, strategy="sideways")
    with pytest.raises(AssertionError, match="strategy"):
        hessian(cubes, x, outer_jacobian_strategy="sideways")
    with pytest.raises(NotImplementedError, match="vectorize"):
        jacobian(cubes, x, strategy="forward-mode")
    with pytest.raises(NotImplementedError, match="create_graph"):
        jacobian(cubes, x, create_graph=True, vectorize=True, strategy="forward-mode")
    with pytest.raises(RuntimeError, match="strict"):
        jacobian(cubes, x, strict=True, vectorize=True)
