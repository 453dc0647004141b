"""grad, value_and_grad, vjp, jvp, jacobian, hessian and hvp: of any arguments, to any order."""

import math
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, ShapeError

Pair = namedtuple("Pair", "first second")


def plain(tree):
    """A structure with lists of numbers in the place of arrays and nodes."""
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(*map(plain, tree)) if isinstance(tree, Pair) else type(tree)(map(plain, tree))
    return tree.tolist() if hasattr(tree, "tolist") else tree


def kinds(tree):
    if isinstance(tree, dict):
        return {key: kinds(value) for key, value in tree.items()}
    return type(tree)(map(kinds, tree)) if type(tree) in (list, tuple) else type(tree)


# grad and value_and_grad


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (3.0, float),
        (3, float),
        (np.float64(3), float),
        (np.array([3.0]), np.ndarray),
        (np.array(3.0), np.ndarray),
        (Value(3.0), Value),
        (Value(3.0, requires_grad=False), Value),
        (Tensor(3.0), Tensor),
        (Tensor([3.0]), Tensor),
        (Tensor([3.0], requires_grad=False), Tensor),
    ],
)
def test_what_comes_in_comes_out(x, kind):
    f = lambda x: engine.sum(x * x)  # noqa: E731
    value, gradient = engine.value_and_grad(f)(x)
    assert type(gradient) is kind and np.shape(plain(gradient)) == np.shape(plain(x))
    assert plain(value) == 9.0 and np.all(np.equal(plain(gradient), 6.0))
    assert isinstance(value, Value | Tensor) == isinstance(x, Value | Tensor)
    (product,) = engine.hvp(f, (x,), (x,))
    assert type(product) is kind and np.all(np.equal(plain(product), 6.0))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_of_an_array_is_kept(dtype):
    x = np.ones((2, 3), dtype)
    f = lambda x: (x * x).sum()  # noqa: E731
    assert engine.grad(f)(x).dtype == dtype
    assert engine.jacobian(lambda x: x[0] * x[1])(x).dtype == dtype
    assert engine.jvp(lambda x: x * x, (x,), (x,))[1].dtype == dtype
    assert engine.hvp(f, (x,), (x,))[0].dtype == dtype
    assert engine.hessian(f)(x).dtype == dtype


DERIVATIVES = {
    "x**4": (lambda x: x**4, [lambda x: 4 * x**3, lambda x: 12 * x**2, lambda x: 24 * x]),
    "exp(2x)": (lambda x: engine.exp(2 * x), [lambda x, k=k: 2**k * math.exp(2 * x) for k in (1, 2, 3)]),
    "sin": (engine.sin, [math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)]),
    "log": (engine.log, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3]),
    "1/x": (lambda x: 1 / x, [lambda x: -1 / x**2, lambda x: 2 / x**3, lambda x: -6 / x**4]),
    "sqrt": (engine.sqrt, [lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5, lambda x: 0.375 * x**-2.5]),
    "tanh": (
        engine.tanh,
        [
            lambda x: 1 - math.tanh(x) ** 2,
            lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2),
            lambda x: (6 * math.tanh(x) ** 2 - 2) * (1 - math.tanh(x) ** 2),
        ],
    ),
    "x**x": (
        lambda x: x**x,
        [lambda x: x**x * (1 + math.log(x)), lambda x: x**x * ((1 + math.log(x)) ** 2 + 1 / x)],
    ),
    "through an array": (
        lambda x: (x * np.array([1.0, 2.0]) * x).sum() * engine.stack([x, x])[0],
        [lambda x: 9 * x**2, lambda x: 18 * x, lambda x: 18.0],
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
@given(x=st.floats(0.25, 2.0))
def test_derivatives_to_third_order_are_the_textbook_s(name, x):
    f, derivatives = DERIVATIVES[name]
    for derivative in derivatives:
        f = engine.grad(f)
        result = f(x)
        assert type(result) is float
        assert result == pytest.approx(derivative(x), rel=1e-10, abs=1e-10)


def test_arguments_are_chosen_by_position():
    f = lambda x, y, z: x * y * y * z  # noqa: E731
    assert engine.grad(f)(2.0, 3.0, 5.0) == 45.0
    assert engine.grad(f, 1)(2.0, 3.0, 5.0) == 60.0
    assert engine.grad(f, argnums=-1)(2.0, 3.0, 5.0) == 18.0
    assert engine.grad(f, (2, 0))(2.0, 3.0, 5.0) == (18.0, 45.0)
    assert engine.grad(f, [1])(2.0, 3.0, 5.0) == (60.0,)
    assert engine.grad(f, np.int64(1))(2.0, 3.0, 5.0) == 60.0
    assert engine.grad(f, ())(2.0, 3.0, 5.0) == ()


@pytest.mark.parametrize("argnums", [2, -3, (0, 2), (0, 0), (0, -2), "x", 1.5, None])
def test_positions_that_are_not_there_or_come_twice_are_refused(argnums):
    with explained(DataError, f"argnums={argnums!r}", "product", "2 positional"):

        def product(x, y):
            return x * y

        engine.grad(product, argnums)(2.0, 3.0)


def test_keyword_arguments_are_passed_on_and_not_differentiated():
    def f(x, *, power=2, offset=0.0):
        return x**power + offset

    assert engine.grad(f)(3.0, power=3, offset=1.0) == 27.0
    assert engine.value_and_grad(f)(3.0) == (9.0, 6.0)
    assert engine.jacobian(f)(np.array([3.0]), power=3).tolist() == [[27.0]]


def test_names_and_docstrings_survive():
    def energy(x):
        """The energy."""
        return x * x

    for transform in (engine.grad, engine.value_and_grad, engine.jacobian, engine.hessian):
        assert transform(energy).__doc__ == "The energy."


def test_lists_tuples_dicts_and_named_tuples_are_structure():
    def f(model, scale):
        return scale * (model["w"][0] * model["w"][1].first + model["b"] * model["w"][1].second).sum()

    model = {"w": [2.0, Pair(np.array([1.0, 2.0]), Value(3.0))], "b": Tensor([[5.0]])}
    gradient, by_scale = engine.grad(f, (0, 1))(model, 10.0)
    assert isinstance(gradient["w"][1], Pair)
    assert plain(gradient) == {"w": [30.0, Pair([20.0, 20.0], 100.0)], "b": [[60.0]]}
    assert plain(by_scale) == 36.0


def test_an_empty_structure_has_an_empty_gradient():
    assert engine.grad(lambda x, y: y * y)([], 3.0) == []
    assert engine.grad(lambda x, y: y * y, (0, 1))({}, 3.0) == ({}, 6.0)


def test_the_same_node_may_be_given_twice():
    x = Value(3.0)
    assert plain(engine.grad(lambda x, y: x * x * y, (0, 1))(x, x)) == (18.0, 9.0)
    assert x.grad is None


def test_arguments_are_left_as_they_were():
    x, t, a = Value(3.0), Tensor([1.0, 2.0]), np.array([1.0, 2.0])
    engine.grad(lambda x, t, a: (x * t * a).sum(), (0, 1, 2))(x, t, a)
    assert (x.grad, t.grad, a.tolist()) == (None, None, [1.0, 2.0])
    constant = Value(3.0, requires_grad=False)
    assert engine.grad(lambda x: x * x)(constant).item() == 6.0
    assert not constant.requires_grad


# What the derivative does not depend on


def test_independent_results_have_zero_derivatives():
    for constant in (2.0, 3, True, np.float64(2), Value(2.0), Value(2.0, requires_grad=False)):
        assert plain(engine.grad(lambda x, c=constant: c)(5.0)) == 0.0
        assert plain(engine.grad(lambda x, c=constant: c)(np.ones((2, 1)))) == [[0.0], [0.0]]
    assert engine.jacobian(lambda x: np.ones(3))(np.ones(2)).tolist() == [[0.0, 0.0]] * 3
    assert engine.jacobian(lambda x: engine.argmax(x))(np.ones(2)).tolist() == [0.0, 0.0]
    both = engine.jvp(lambda x: (np.ones(2), 3.0), (1.0,), (1.0,))
    assert plain(both) == (([1.0, 1.0], 3.0), ([0.0, 0.0], 0.0))
    assert engine.hessian(lambda x: (x * 2).sum())(np.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert engine.hvp(lambda x: x * 2, (1.0,), (1.0,)) == (0.0,)


def test_detaching_is_honoured():
    assert engine.grad(lambda x: x * engine.detach(x))(3.0) == 3.0
    assert engine.grad(lambda x: x * x.detach())(3.0) == 3.0
    assert engine.grad(lambda x: x * x.item())(3.0) == 3.0


# Nodes from outside


def test_a_function_that_closes_over_a_node_gives_nodes_that_lead_back_to_it():
    w = Value(3.0)
    g = engine.grad(lambda x: x * w * w)(2.0)
    assert type(g) is Value
    g.backward()
    assert w.grad == 6.0
    t = Tensor([1.0, 2.0])
    value, gradient = engine.value_and_grad(lambda x: (x * t * t).sum())(np.ones(2))
    (value + gradient.sum()).backward()
    assert t.grad.tolist() == [4.0, 8.0]


def test_a_node_given_as_a_keyword_is_closed_over_too():
    w = Value(3.0)
    g = engine.grad(lambda x, w: x * w * w)(2.0, w=w)
    g.backward()
    assert w.grad == 6.0


def test_a_derivative_by_a_node_leads_back_through_what_the_node_came_from():
    x = Value(3.0)
    y = x * 2
    g = engine.grad(lambda y: y**3)(y)
    assert g.item() == 108.0
    g.backward()
    assert x.grad == 72.0


def test_a_closure_over_constants_stays_plain():
    c = Value(3.0, requires_grad=False)
    assert type(engine.grad(lambda x: x * c)(2.0)) is float
    with engine.no_grad():
        w = Tensor([1.0]) * 2
    assert type(engine.grad(lambda x: (x * w).sum())(2.0)) is float


def test_nested_derivatives_are_not_confused():
    """The puzzle of Siskind and Pearlmutter (2005): the inner derivative by y is 1, whatever x is."""
    assert engine.grad(lambda x: x * engine.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert engine.grad(lambda x: x * engine.grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert engine.jvp(lambda x: x * engine.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1.0
    assert engine.jvp(lambda x: x * engine.grad(lambda y: x * y)(2.0), (3.0,), (1.0,)) == (9.0, 6.0)
    assert engine.grad(lambda x: engine.vjp(lambda y: x * y * y, 2.0)[1](x)[0])(3.0) == 24.0


def test_an_inner_derivative_by_the_outer_variable_itself():
    assert engine.grad(lambda x: engine.grad(lambda y: y**3)(x) * x)(2.0) == 36.0
    assert engine.grad(lambda x: engine.grad(lambda y: y * x)(x * x))(2.0) == 1.0


def test_derivatives_work_inside_no_grad_and_stay_plain():
    f = lambda x: engine.sum(x**3)  # noqa: E731
    with engine.no_grad():
        assert engine.grad(f)(2.0) == 12.0
        assert engine.grad(engine.grad(f))(2.0) == 12.0
        assert engine.hessian(f)(np.array([1.0, 2.0])).tolist() == [[6.0, 0.0], [0.0, 12.0]]
        assert engine.jvp(f, (2.0,), (1.0,)) == (8.0, 12.0)
        g = engine.grad(f)(Value(2.0))
        assert type(g) is Value and not g.requires_grad and g.item() == 12.0
        assert not (Value(1.0) * 2).requires_grad
        w = Value(3.0)
        assert plain(engine.grad(lambda x: x * w * w)(2.0)) == 9.0


def test_no_grad_inside_a_function_cuts_it():
    def f(x):
        with engine.no_grad():
            y = x * x
        return x * y

    assert engine.grad(f)(3.0) == 9.0


# vjp and jvp


FUNCTIONS = {
    "elementwise": (lambda x, y: engine.sin(x) * y + x, [(3,), (3,)]),
    "broadcasting": (lambda x, y: engine.tanh(x) * y, [(2, 1), (3,)]),
    "sum of the two": (lambda x, y: x + y, [(2,), (2,)]),
    "number and array": (lambda x, y: x * y + engine.exp(x), [(), (2, 2)]),
    "matmul": (lambda x, y: x @ y, [(2, 3), (3, 2)]),
    "matrix and vector": (lambda x, y: engine.softmax(x @ y), [(2, 3), (3,)]),
    "two results": (lambda x, y: (x * y, {"sum": engine.sum(x), "y": [y]}), [(3,), (3,)]),
    "one result twice": (lambda x, y: (lambda z: [z, z * 2, z])(x * y), [(3,), (3,)]),
    "the arguments": (lambda x, y: [x, y, x], [(2,), ()]),
    "part unused": (lambda x, y: x[:1] * 2, [(3,), (2,)]),
    "indices": (lambda x, y: x[[0, 0, 2]] * y.at[0].set(3.0), [(3,), (3,)]),
    "reductions": (lambda x, y: engine.logsumexp(x, axis=0) * engine.max(y), [(2, 3), (4,)]),
    "split": (lambda x, y: engine.split(x * x, 2)[1] * y, [(4,), (2,)]),
    "values": (lambda x, y: engine.stack([v * v for v in x.values()]) * y, [(2,), (2,)]),
    "constant": (lambda x, y: (np.ones(2), x), [(2,), (2,)]),
    "integers": (lambda x, y: (engine.argmax(x), x * y), [(3,), ()]),
}


def drawn(rng, shapes):
    return [rng.normal(size=shape) if shape else float(rng.normal()) for shape in shapes]


def leaves_of(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [leaf for part in tree for leaf in leaves_of(part)] if isinstance(tree, list | tuple) else [tree]


def like(tree, rng):
    """Random numbers in the structure of a result."""
    if isinstance(tree, dict):
        return {key: like(value, rng) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(like(part, rng) for part in tree)
    return rng.normal(size=np.shape(tree)) if np.shape(tree) else float(rng.normal())


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_vjp_and_jvp_are_adjoint_to_each_other_and_agree_with_the_jacobian(name, seed):
    f, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    primals, tangents = drawn(rng, shapes), drawn(rng, shapes)
    value, derivative = engine.jvp(f, primals, tangents)
    again, pull = engine.vjp(f, *primals)
    assert plain(again) == plain(value)
    gradient = like(value, rng)
    back = pull(gradient)
    forward = sum(np.sum(g * d) for g, d in zip(leaves_of(gradient), leaves_of(derivative), strict=True))
    reverse = sum(np.sum(b * t) for b, t in zip(leaves_of(back), tangents, strict=True))
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)
    rows = leaves_of(engine.jacobian(f, (0, 1))(*primals))
    for i, d in enumerate(leaves_of(derivative)):
        pieces = [np.tensordot(j, t, np.ndim(t)) for j, t in zip(rows[2 * i : 2 * i + 2], tangents, strict=True)]
        np.testing.assert_allclose(d, sum(pieces), rtol=1e-12, atol=1e-14)
        assert np.shape(d) == np.shape(leaves_of(value)[i])


def test_vjp_may_be_pulled_again_and_with_any_numbers():
    value, pull = engine.vjp(lambda x, y: x * y, 2.0, 3.0)
    assert value == 6.0 and type(value) is float
    for g in (10, 10.0, np.float32(10), np.array(10.0)):
        assert pull(g) == (30.0, 20.0)
    _, pull = engine.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    assert pull(np.array([1, 10]))[0].tolist() == [2.0, 40.0]


def test_jvp_along_integers_and_lists_of_arguments():
    assert engine.jvp(lambda x: x * x, [3], [1]) == (9.0, 6.0)
    _, tangent = engine.jvp(lambda x: x * x, (np.array([1.0, 2.0]),), (np.array([1, 1]),))
    assert tangent.tolist() == [2.0, 4.0] and tangent.dtype == np.float64


def test_derivatives_by_tangents_and_cotangents_are_recorded():
    x, v = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    cubes = lambda x: (x**3).sum()  # noqa: E731
    assert engine.grad(lambda v: engine.hvp(cubes, (x,), (v,))[0].sum())(v).tolist() == [6.0, 12.0]
    assert engine.grad(lambda v: engine.jvp(cubes, (x,), (v,))[1])(v).tolist() == [3.0, 12.0]
    assert engine.grad(lambda c: engine.vjp(lambda x: x**3, x)[1](c)[0].sum())(v).tolist() == [3.0, 12.0]
    t = Value(2.0)
    tangent = engine.jvp(lambda x: x * x, (3.0,), (t,))[1]
    (tangent * tangent).backward()
    assert t.grad == 144.0


def test_compositions_of_every_transformation_agree():
    f = lambda x: engine.exp(x) * engine.sin(2 * x)  # noqa: E731
    x = 0.7
    second = math.exp(x) * (4 * math.cos(2 * x) - 3 * math.sin(2 * x))
    for result in (
        engine.grad(engine.grad(f))(x),
        engine.hessian(f)(x),
        engine.jacobian(engine.jacobian(f))(x),
        engine.jvp(engine.grad(f), (x,), (1.0,))[1],
        engine.grad(lambda x: engine.jvp(f, (x,), (1.0,))[1])(x),
        engine.jvp(lambda x: engine.jvp(f, (x,), (1.0,))[1], (x,), (1.0,))[1],
        engine.vjp(engine.grad(f), x)[1](1.0)[0],
        engine.hvp(f, (x,), (1.0,))[0],
    ):
        assert type(result) is float and result == pytest.approx(second, rel=1e-12)


# jacobian


def test_a_jacobian_has_the_result_s_shape_then_the_argument_s():
    x = np.arange(6.0).reshape(2, 3)
    for f, shape in ((lambda x: x.sum(axis=0), (3,)), (lambda x: x.sum(), ()), (lambda x: x.T @ x, (3, 3))):
        assert np.shape(engine.jacobian(f)(x)) == (*shape, 2, 3)
    assert np.shape(engine.jacobian(lambda x: x * np.ones((2, 1)))(3.0)) == (2, 1)
    assert np.shape(engine.jacobian(lambda x: x * 2)(np.zeros(0))) == (0, 0)
    assert np.shape(engine.jacobian(lambda x: x[:0])(np.zeros(2))) == (0, 2)
    assert type(engine.jacobian(lambda x: x * x)(3.0)) is float


def test_a_jacobian_of_a_linear_map_is_its_matrix():
    a = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(engine.jacobian(lambda x: a @ x)(np.ones(3)), a)


def test_jacobians_of_structures_are_nested_result_by_argument():
    f = lambda p, y: {"product": p["x"] * y, "parts": [y, p["x"] ** 2]}  # noqa: E731
    assert engine.jacobian(f, (0, 1))({"x": 3.0}, 5.0) == {
        "product": ({"x": 5.0}, 3.0),
        "parts": [({"x": 0.0}, 1.0), ({"x": 6.0}, 0.0)],
    }


def test_an_infinite_result_does_not_spoil_the_jacobian_of_another():
    assert engine.jacobian(lambda x: (x * 2, engine.log(x)))(0.0) == (2.0, math.inf)
    j = engine.jacobian(lambda x: {"fine": x * 2, "not": engine.sqrt(x)})(np.array([0.0, 1.0]))
    assert j["fine"].tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_jacobians_by_nodes_are_nodes():
    t = Tensor([1.0, 2.0])
    j = engine.jacobian(lambda x: x**3)(t)
    assert type(j) is Tensor and j.tolist() == [[3.0, 0.0], [0.0, 12.0]]
    j.sum().backward()
    assert t.grad.tolist() == [6.0, 12.0]


# hessian and hvp


SCALAR = {
    "polynomial": lambda x: (x**3).sum() + x[0] * x[1] * x[2] ** 2,
    "logsumexp": lambda x: engine.logsumexp(x),
    "network": lambda x: engine.tanh(np.arange(6.0).reshape(2, 3) * 0.1 @ x) @ np.array([1.0, -2.0]),
    "quadratic form": lambda x: x @ np.arange(9.0).reshape(3, 3) @ x,
    "softmax": lambda x: (engine.softmax(x) * x).sum(),
    "norm": lambda x: engine.norm(x),
    "outer": lambda x: (engine.expand_dims(x, 1) @ engine.expand_dims(x, 0)).sum(),
    "prod": lambda x: engine.prod(x),
    "indexing": lambda x: x[[0, 0, 1]].prod() * x[-1],
    "selection": lambda x: engine.where(x > 0, x**3, x**2).sum() + engine.max(x) ** 2,
    "values": lambda x: (lambda a, b, c: engine.exp(a * b) / c)(*x.values()),
    "iteration": lambda x: sum(v * v * v for v in x),
}


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("seed", range(3))
def test_hessians_are_symmetric_and_agree_with_hvp_and_with_differences_of_the_gradient(name, seed):
    f, rng = SCALAR[name], np.random.default_rng(seed)
    x, v, h = rng.normal(size=3), rng.normal(size=3), 1e-5
    hessian = engine.hessian(f)(x)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(hessian @ v, engine.hvp(f, (x,), (v,))[0], rtol=1e-10, atol=1e-12)
    numerical = (engine.grad(f)(x + h * v) - engine.grad(f)(x - h * v)) / (2 * h)
    np.testing.assert_allclose(hessian @ v, numerical, rtol=1e-5, atol=1e-7)


def test_hessians_by_several_arguments_are_blocks():
    f = lambda x, y: (x * x).sum() * y  # noqa: E731
    (xx, xy), (yx, yy) = engine.hessian(f, (0, 1))(np.array([1.0, 2.0]), 3.0)
    assert (xx.tolist(), xy.tolist(), yx.tolist(), yy) == ([[6.0, 0.0], [0.0, 6.0]], [2.0, 4.0], [2.0, 4.0], 0.0)
    blocks = engine.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})
    assert blocks == {"a": {"a": 6.0, "b": 4.0}, "b": {"a": 4.0, "b": 0.0}}


def test_hvp_of_several_arguments_is_the_sum_over_blocks():
    assert engine.hvp(lambda x, y: x * x * y, (2.0, 3.0), (1.0, 10.0)) == (6.0 + 40.0, 4.0)


def test_a_third_derivative_by_an_array():
    third = engine.jacobian(engine.hessian(lambda x: (x**4).sum() + x[0] * x[1] * x[2]))(np.array([1.0, 2.0, 3.0]))
    expected = np.zeros((3, 3, 3))
    expected[[0, 1, 2], [0, 1, 2], [0, 1, 2]] = [24.0, 48.0, 72.0]
    for i, j, k in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        expected[i, j, k] = 1.0
    np.testing.assert_array_equal(third, expected)


def test_derivatives_of_a_network_agree_with_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(1)
    x, w, v = rng.normal(size=(4, 3)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))

    def loss(xp, x, w):
        return xp.logsumexp(xp.tanh(xp.matmul(x, w.T)), 1).sum()

    ours = lambda w: loss(engine, x, w)  # noqa: E731
    theirs = lambda w: loss(torch, torch.tensor(x), w)  # noqa: E731
    expected = torch.autograd.functional.hessian(theirs, torch.tensor(w)).numpy()
    np.testing.assert_allclose(engine.hessian(ours)(w), expected, rtol=1e-9, atol=1e-12)
    product = torch.autograd.functional.hvp(theirs, torch.tensor(w), torch.tensor(v))[1].numpy()
    np.testing.assert_allclose(engine.hvp(ours, (w,), (v,))[0], product, rtol=1e-9)


# Errors


def vector(x):
    return x * np.ones(2)


@pytest.mark.parametrize("transform", [engine.grad, engine.value_and_grad, engine.hessian])
def test_only_a_single_number_has_a_gradient(transform):
    with explained(ShapeError, "vector", "(2,)", "jacobian"):
        transform(vector)(1.0)
    with explained(ShapeError, "[(), ()]"):
        transform(lambda x: (x, x))(1.0)
    with explained(ShapeError, "(2,)"):
        engine.hvp(vector, (1.0,), (1.0,))


@pytest.mark.parametrize("result", [None, "text", ..., {1.0}, 1j], ids=repr)
def test_functions_that_return_no_numbers_are_refused(result):
    for transform in (engine.grad, engine.jacobian):
        with explained(DataError, type(result).__name__):
            transform(lambda x: result)(1.0)


@pytest.mark.parametrize("argument", [None, "text", ..., 1j, np.array([1j])], ids=repr)
def test_arguments_that_are_no_numbers_are_refused(argument):
    with explained(DataError):
        engine.grad(lambda x: x)(argument)
    assert engine.grad(lambda x, y: x)(2.0, argument) == 1.0


def test_arrays_of_integers_are_refused_with_the_cure():
    with explained(DataError, "int64", "(2,)", "astype(float)"):
        engine.grad(lambda x: x.sum())(np.array([1, 2]))
    with explained(DataError, "int64"):
        engine.grad(lambda x: x.sum())(Tensor(np.array([1, 2])))


def test_gradients_and_tangents_of_another_shape_or_structure_are_refused():
    x = np.ones(2)
    _, pull = engine.vjp(lambda x: (x, x), x)
    with explained(ShapeError, "vector", "(3,)", "(2,)"):
        engine.vjp(vector, 1.0)[1](np.ones(3))
    for wrong in (x, (x,), (x, x, x), {"a": x}):
        with explained(ShapeError, "2"):
            pull(wrong)
    with explained(ShapeError, "vector", "(2,)", "tangent"):
        engine.jvp(vector, (1.0,), (x,))
    with explained(ShapeError, "vector"):
        engine.jvp(vector, (1.0,), (1.0, 2.0))
    with explained(ShapeError, "(3,)", "(2,)"):
        engine.hvp(lambda x: x.sum(), (x,), (np.ones(3),))
    for wrong in ("text", None, 1j):
        with explained((DataError, ShapeError)):
            engine.vjp(lambda x: x * x, 2.0)[1](wrong)
        with explained((DataError, ShapeError)):
            engine.jvp(lambda x: x * x, (2.0,), (wrong,))


def test_primals_and_tangents_are_tuples():
    with explained(DataError, "3.0", "tuple"):
        engine.jvp(lambda x: x * x, 3.0, 1.0)
    with explained(DataError, "tuple"):
        engine.hvp(lambda x: x * x, 3.0, 1.0)
    with explained(DataError, "tuple"):
        engine.jvp(lambda x: x.sum(), np.ones(2), np.ones(2))


def test_an_error_inside_the_function_is_the_user_s_own_and_changes_no_state():
    def fails(x):
        raise KeyError("mine")

    for transform in (engine.grad, engine.jacobian, engine.hessian):
        with pytest.raises(KeyError, match="mine"), engine.no_grad():
            transform(fails)(1.0)
    assert (Value(1.0) * 2).requires_grad


@pytest.mark.parametrize("recorded", [False, True])
def test_an_infinite_derivative_of_one_entry_leaves_the_others_of_a_jacobian_alone(recorded):
    x = np.array([0.0, 1.0, 4.0])
    for f, slopes in [(engine.log, [np.inf, 1.0, 0.25]), (engine.sqrt, [np.inf, 0.5, 0.25])]:
        jacobian = engine.jacobian(lambda x, f=f: engine.exp(f(x) * 1.0).reshape((3, 1)) * 0 + f(x).reshape((3, 1)))
        found = engine.jacobian(f)(engine.Tensor(x) if recorded else x)
        np.testing.assert_array_equal(found.detach().numpy() if recorded else found, np.diag(slopes))
        assert np.isnan(jacobian(x)[0, 0, 0]), "0 · inf of the entry itself stays"
