"""Strategies: what they draw is what they say, anything that is allowed can be drawn, and what is wrong shrinks."""

from functools import partial
from math import inf

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, GradientError, ShapeError, UnsupportedError
from engine.graph import Node
from engine.primitives import ROWS
from engine.testing import check_gradients, strategies
from engine.testing.drafts import LARGEST, LARGEST_SIZE, OPERATIONS, is_float
from engine.testing.layouts import kink_distance
from engine.testing.programs import Place, Program, Step, literal

QUIET = settings(database=None, derandomize=True, deadline=None)
SEARCH = settings(QUIET, max_examples=3000)
KINDS = ["values", "tensors", "mixed"]


def steps_of(row, *others):
    return {"rows": [row, *others]}


def pasted(program):
    """The function that the source makes, in a namespace with nothing but what it says it needs."""
    namespace = {"engine": engine, "np": np}
    exec(program.source, namespace)
    return namespace["program"]


def bits(x):
    data = x._value if isinstance(x, Node) else x
    return type(data), np.shape(data), np.asarray(data).dtype, np.asarray(data).tobytes()


def made(program):
    """The nodes that a program makes, and those it starts from."""
    order = engine.topological_order(program(*program.leaves()))
    return [node for node in order if node.op], [node for node in order if node.op is None]


# Programs

ANY = st.sampled_from(KINDS).flatmap(lambda kinds: strategies.expressions(kinds=kinds, result="any"))


@given(ANY)
def test_what_is_printed_computes_the_same_bits(program):
    first, second = program(*program.leaves()), pasted(program)(*program.leaves())
    assert bits(first) == bits(second)
    namespace = {}
    head, _, call = repr(program).rpartition("\n")
    exec(head, namespace)
    again = eval(call, namespace)
    assert bits(again) == bits(program(*program.args))
    np.testing.assert_allclose(np.asarray(again), np.asarray(first._value), rtol=1e-12, atol=1e-12)


@given(ANY)
def test_everything_on_the_way_is_ordinary_and_away_from_kinks(program):
    nodes, _ = made(program)
    for node in nodes:
        if isinstance(node._value, tuple) or node.op.name == "pick":
            continue  # several results at once, and what takes one of them
        assert np.all(np.abs(node._value) <= LARGEST) and np.size(node._value) <= max(LARGEST_SIZE, 1)
        data = [np.asarray(x._value) for x in node.inputs]
        if node.op.kinks:
            assert kink_distance(node.op, data, node.params or {}) > 0.05
        for x, (low, high) in zip(data, (node.op.domain.get(name, (-inf, inf)) for name in node.op.inputs)):
            assert np.all((low < x) & (x < high))


@given(ANY)
def test_the_result_depends_on_every_argument_and_every_step(program):
    nodes, leaves = made(program)
    assert len(program.args) == sum(leaf.requires_grad for leaf in leaves) == len(program.leaves())
    assert len(program.steps) == sum(node.op.name != "pick" for node in nodes)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data())
def test_programs_are_of_the_kind_that_was_asked_for(dtype, data):
    kinds = data.draw(st.sampled_from(KINDS))
    program = data.draw(strategies.expressions(kinds=kinds, dtype=dtype))
    output = program(*program.leaves())
    assert np.shape(output._value) == () and is_float(output)
    nodes, leaves = made(program)
    known = [x for x in [*nodes, *leaves] if not isinstance(x._value, tuple)]
    if kinds == "values":
        assert all(isinstance(x, Value) for x in known)
    for x in known:
        if kinds == "tensors" and (x.requires_grad or x.op):
            assert isinstance(x, Tensor)
        if kinds == "tensors" and x.requires_grad:
            assert x.dtype == dtype  # an array that is made of Values is of double precision


@given(st.integers(1, 4), st.integers(1, 6), st.data())
def test_programs_are_no_larger_than_asked_for(leaves, operations, data):
    program = data.draw(strategies.expressions(leaves=leaves, operations=operations, result="any"))
    assert len(program.args) <= leaves and len(program.steps) <= operations


@settings(max_examples=60)
@given(strategies.expressions())
def test_the_gradients_of_random_programs_are_right(program):
    check_gradients(program, *program.args, atol=1e-8)


@pytest.mark.slow
@settings(max_examples=300)
@given(strategies.expressions(operations=8))
def test_the_gradients_of_random_programs_are_right_to_second_order(program):
    check_gradients(program, *program.args, order=2, atol=1e-6)


def test_every_row_comes_up():
    found = set()

    @settings(QUIET, max_examples=400)
    @given(strategies.expressions(result="any"))
    def anywhere(program):
        found.update(step.row for step in program.steps)

    anywhere()
    missing = {row for row in OPERATIONS if row.kind != "comparison"} - found
    assert len(missing) < len(OPERATIONS) / 10, missing


def assert_shrinks_to_itself(row):
    drawn = strategies.expressions([row, ROWS["sin"], ROWS["where"]], result="any")
    program = find(drawn, lambda program: any(step.row is row for step in program.steps), settings=SEARCH)
    assert [step.row for step in program.steps] == [row]
    assert all(np.size(x) <= 6 for x in program.args)


@pytest.mark.parametrize("name", ["add", "matmul", "getitem"])
def test_a_program_shrinks_to_what_it_is_asked_to_have(name):
    assert_shrinks_to_itself(ROWS[name])


@pytest.mark.parametrize("name", ["matmul", "convolution", "logsumexp", "split"])
@pytest.mark.parametrize("kinds", ["tensors", "mixed"])
def test_a_row_alone_makes_programs(name, kinds):
    find(strategies.expressions(ROWS[name], kinds=kinds), lambda program: program.steps, settings=SEARCH)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.kind != "comparison"], ids=lambda row: row.name)
def test_every_row_shrinks_to_itself(row):
    assert_shrinks_to_itself(row)


def reads(program):
    return [position for step in program.steps for position in step.places]


FEATURES = {
    "a result that is used twice": lambda p: any(reads(p).count(i) > 1 for i in range(len(p.args), len(p.names))),
    "an argument that is used twice": lambda p: any(reads(p).count(i) > 1 for i in range(len(p.args))),
    "three arguments": lambda p: len(p.args) == 3,
    "Values and Tensors": lambda p: {type(x) for x in p.leaves()} == {Value, Tensor},
    "a comparison that where chooses by": lambda p: any(step.row.kind == "comparison" for step in p.steps),
    "arguments of two shapes": lambda p: len({*map(np.shape, p.args)} - {()}) == 2,
    "a constant": lambda p: any(type(x) is float for step in p.steps for x in step.operands),
    "an index with an array": lambda p: any(
        step.row.name == "getitem" and any(isinstance(x, np.ndarray) for x in step.operands) for step in p.steps
    ),
    "one of several results": lambda p: any(step.part for step in p.steps),
    "eight steps": lambda p: len(p.steps) >= 8,
    "nothing at all": lambda p: not p.steps,
}


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_programs_have_every_feature(feature):
    find(strategies.expressions(), feature, settings=settings(SEARCH, phases=["generate"]))


# A wrong rule shrinks to its own operation.


def wrong_below_zero(factor):
    """A sine whose rule is wrong for negative inputs."""

    @engine.primitive(
        x=lambda xp, g, out, x: g * xp.cos(x) * xp.where(xp.less(x, 0.0), factor, 1.0), kind="elementwise"
    )
    def wrong(xp, x):
        return xp.sin(x)

    return wrong


@engine.primitive(
    x=lambda xp, g, out, x, y: g * y,
    y=lambda xp, g, out, x, y: g * x * (1.0 if np.shape(out) == np.shape(getattr(y, "_value", y)) else 1.001),
    kind="elementwise",
    analytic=True,
)
def wrong_under_broadcasting(xp, x, y):
    return x * y


@engine.primitive(x=lambda xp, g, out, x: 3.0 * g * wrong_square(x), analytic=True, kind="elementwise")
def wrong_second(xp, x):
    """The cube, its derivative right and the derivative of that wrong by 0.1 %."""
    return x * x * x


@engine.primitive(x=lambda xp, g, out, x: 2.002 * g * x, analytic=True, kind="elementwise")
def wrong_square(xp, x):
    return x * x


def fails(program, order):
    try:
        check_gradients(program, *program.args, order=order, atol=1e-8)
    except GradientError:
        return True
    return False


COMMON = [ROWS[name] for name in ("add", "multiply", "sin", "sum", "matmul", "getitem", "relu", "values")]


@pytest.mark.parametrize(
    ("wrong", "order"),
    [
        pytest.param(wrong_below_zero(1.001), 1, id="by a thousandth below zero"),
        pytest.param(wrong_below_zero(-1.0), 1, id="a sign below zero", marks=pytest.mark.slow),
        pytest.param(wrong_under_broadcasting, 1, id="under broadcasting", marks=pytest.mark.slow),
        pytest.param(wrong_second, 2, id="at second order", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_rule_shrinks_to_its_operation(wrong, order):
    drawn = strategies.expressions([*COMMON, wrong], leaves=2, operations=6)
    program = find(drawn, partial(fails, order=order), settings=SEARCH)
    used = [step.row.name for step in program.steps]
    assert used[0] == wrong.__name__ and used[1:] in ([], ["sum"])
    assert all(np.size(x) <= 2 and np.all(abs(np.asarray(x)) <= 1) for x in program.args)
    assert f"{wrong.__name__}(" in repr(program) and f"engine.{wrong.__name__}" not in repr(program)


def test_a_failing_test_prints_the_program():
    @settings(QUIET, print_blob=False)
    @given(strategies.expressions([wrong_below_zero(0.5), ROWS["sin"]], kinds="values", operations=3))
    def rules_are_right(program):
        check_gradients(program, *program.args)

    with pytest.raises(GradientError) as caught:
        rules_are_right()
    notes = "\n".join(caught.value.__notes__)
    assert "def program(x):" in notes and "return wrong(x)" in notes


# Programs by hand


def test_what_the_result_does_not_depend_on_is_left_out():
    steps = [
        Step(ROWS["sin"], (Place(1),)),
        Step(ROWS["cos"], (Place(0),)),
        Step(ROWS["multiply"], (Place(2), 2.0)),
    ]
    program = Program([1.0, 0.5], steps)
    assert program.args == (0.5,) and len(program.steps) == 2
    assert program.source == "def program(x):\n    a = engine.sin(x)\n    return engine.multiply(a, 2.0)"
    assert Program([1.0, 0.5], []).args == (0.5,)


def test_steps_are_written_as_users_write_them():
    index = engine.primitives.indexing
    array, bound = np.array([[0.5, -1.0]], np.float32), wrong_under_broadcasting.primitive
    written = {
        Step(ROWS["stack"], (Place(0), Place(1)), {"axis": -1}): "engine.stack([x, y], axis=-1)",
        Step(ROWS["split"], (Place(0),), {"indices_or_sections": (1,)}, part=1): (
            "engine.split(x, indices_or_sections=(1,))[1]"
        ),
        Step(ROWS["getitem"], (Place(0), np.array([0, 2])), {"key": (index.Array(0), slice(None, 2), None)}): (
            "x[np.array([0, 2]), :2, None]"
        ),
        Step(ROWS["getitem"], (Place(0),), {"key": ()}): "x[()]",
        Step(ROWS["getitem"], (Place(0),), {"key": (Ellipsis, slice(3, None, -1))}): "x[..., 3::-1]",
        Step(ROWS["add_at"], (Place(0), 1.0, np.array([True])), {"key": (index.Array(0),)}): (
            "engine.primitives.add_at(x, 1.0, np.array([True]), key=(engine.primitives.indexing.Array(0),))"
        ),
        Step(ROWS["astype"], (Place(0),), {"dtype": np.float32}): "engine.astype(x, dtype=np.float32)",
        Step(bound, (array, Place(1))): "wrong_under_broadcasting(np.array([[0.5, -1.0]], 'float32'), y)",
    }
    for step, code in written.items():
        assert step.written(["x", "y"]) == code.replace(":2", ":2")


@given(
    st.one_of(
        st.floats(),
        st.integers(),
        st.booleans(),
        st.floats(width=32).map(np.float32),
        strategies.arrays(dtype=st.sampled_from(["float16", "float32", "float64"]), memory="any"),
        st.lists(st.floats(), max_size=3).map(np.array),
        strategies.shapes(),
        st.just(np.zeros((2, 0), bool)),
    )
)
def test_literals_read_back_to_the_same_bits(value):
    again = eval(literal(value), {"np": np})
    assert type(again) is type(value) and np.asarray(again).dtype == np.asarray(value).dtype
    np.testing.assert_array_equal(again, value, strict=True)


def test_many_names_are_all_different():
    steps = [Step(ROWS["add"], (Place(i), Place(i + 1))) for i in range(40)]
    program = Program([float(i) for i in range(41)], [*steps, Step(ROWS["stack"], tuple(map(Place, range(81))))])
    assert len(set(program.names)) == 82
    assert bits(program(*program.leaves())) == bits(pasted(program)(*program.leaves()))


def test_programs_that_cannot_run_are_refused():
    with explained(DataError, "no argument"):
        Program([], [Step(ROWS["add"], (1.0, 2.0))])
    with explained(DataError, "'sin' reads the places [1]"):
        Program([0.5], [Step(ROWS["sin"], (Place(1),))])
    with explained(ShapeError, "of 1 arguments was called with 2"):
        Program([0.5], [Step(ROWS["sin"], (Place(0),))])(0.5, 1.0)


# Indices


@given(st.data())
def test_an_index_reads_what_numpy_reads(data):
    shape = data.draw(strategies.shapes())
    index = data.draw(strategies.indices(shape))
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape) + 0.5
    tensor = Tensor(array)
    expected = array[index]
    found = tensor[index]
    np.testing.assert_array_equal(found.data, expected)
    assert found.shape == expected.shape
    places = np.zeros(shape)
    np.add.at(places, index, 1.0)
    (gradient,) = engine.gradients(found.sum(), [tensor])
    np.testing.assert_array_equal(gradient, places)


def parts(index):
    return index if isinstance(index, tuple) else (index,)


def some(kind, count=1, where=lambda part: True):
    return lambda index: sum(isinstance(part, kind) and where(part) for part in parts(index)) >= count


INDICES = {
    "nothing": lambda index: index == (),
    "a negative integer": some(int, where=lambda part: part < 0),
    "a slice with a step": some(slice, where=lambda part: (part.step or 1) < -1),
    "...": lambda index: any(part is Ellipsis for part in parts(index)),
    "None, twice": lambda index: sum(part is None for part in parts(index)) == 2,
    "two arrays": some(np.ndarray, 2),
    "arrays apart": lambda index: [type(part) for part in parts(index)] == [np.ndarray, slice, np.ndarray],
    "a place twice": some(np.ndarray, where=lambda part: part.dtype == int and np.unique(part).size < part.size),
    "a list": some(list),
    "a mask": some(np.ndarray, where=lambda part: part.dtype == bool and part.ndim == 1 and 0 < part.sum() < part.size),
    "a mask of two axes": some(np.ndarray, where=lambda part: part.dtype == bool and part.ndim == 2),
    "a mask and an array": lambda index: (
        {part.dtype.kind for part in parts(index) if isinstance(part, np.ndarray)} == {"b", "i"}
    ),
    "a scalar array": some(np.ndarray, where=lambda part: part.ndim == 0),
    "no brackets around one": lambda index: isinstance(index, slice),
}


@pytest.mark.parametrize("kind", INDICES.values(), ids=INDICES)
def test_every_kind_of_index_comes_up(kind):
    find(strategies.indices((2, 3, 3)), kind, settings=settings(QUIET, max_examples=10_000, phases=["generate"]))


# Arrays


@given(st.data())
def test_arrays_lie_in_memory_as_asked_for(data):
    memory = data.draw(st.sampled_from(["C", "F", "strided", "any"]))
    shape = data.draw(strategies.shapes())
    dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64]))
    array = data.draw(strategies.arrays(shape, domain=(0.5, inf), dtype=dtype, memory=memory))
    assert array.shape == shape and array.dtype == dtype and np.all(array > 0.5)
    if memory in ("C", "F"):
        assert array.flags[f"{memory}_CONTIGUOUS"]
    if memory == "strided" and array.size > 1:
        assert not array.flags.c_contiguous and not array.flags.f_contiguous
    tensor = data.draw(strategies.tensors(shape, memory="F"))
    assert tensor.data.flags.f_contiguous


def test_dtypes_may_be_drawn():
    for dtype in (np.float32, np.float64):
        drawn = strategies.arrays(dtype=st.sampled_from([np.float64, np.float32]))
        assert find(drawn, lambda array, dtype=dtype: array.dtype == dtype, settings=QUIET).size <= 1


# Bad input


def test_words_that_say_nothing_are_refused():
    with explained(DataError, "memory='G'"):
        strategies.arrays(memory="G")
    for settings_, message in [({"kinds": "nodes"}, "kinds='nodes'"), ({"result": "scalar"}, "result='scalar'")]:
        with explained(DataError, message):
            find(strategies.expressions(**settings_), lambda program: True)


def test_a_primitive_without_layouts_is_refused():
    @engine.primitive(x=None, kind="shape")
    def rolled(xp, x, *, shift):
        return xp.roll(x, shift)

    with pytest.raises(UnsupportedError, match="LAYOUTS"):
        find(strategies.expressions([rolled]), lambda program: True)
