"""The tree that attributes make, and what a call does."""

import copy
import pickle
from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
import nn
from engine import Tensor, Value
from engine.errors import DataError, DomainError, GraphError


class Part(nn.Module):
    """A module made of whatever it is given, by name."""

    def __init__(self, **parts):
        vars(self).update(parts)

    def forward(self, x):
        return x * 2


# Whole trees, with parts that occur in several places. A fresh object each time: examples must not share state.

leaves = st.one_of(
    st.builds(lambda: engine.Value(1.0)),
    st.builds(lambda: engine.Tensor([1.0, 2.0])),
    st.builds(lambda: engine.Tensor([1.0], requires_grad=False)),
    st.builds(lambda: np.ones(2)),
    st.builds(lambda: engine.Value(1.0) + 1),  # a result
    st.sampled_from([None, 3, "text", 2.5, len, np.float64(1.0)]),
)
names = st.sampled_from("abcd")


@st.composite
def trees(draw):
    parts = draw(st.lists(leaves, min_size=1, max_size=6))
    for _ in range(draw(st.integers(1, 8))):
        children = st.lists(st.sampled_from(parts), max_size=4)
        make = draw(st.sampled_from([list, tuple, dict, Part]))
        if make in (list, tuple):
            parts.append(make(draw(children)))
        else:
            named = draw(st.dictionaries(names, st.sampled_from(parts), max_size=4))
            parts.append(make(**named))
    root = Part(**draw(st.dictionaries(names, st.sampled_from(parts), max_size=4)), last=parts[-1])
    if draw(st.booleans()):  # a circle, through a list or straight
        root.circle = root
        parts[-1].append(root) if isinstance(parts[-1], list) else None
    return root


def inside(part):
    if isinstance(part, nn.Module):
        return list(vars(part).items())
    if isinstance(part, list | tuple):
        return list(enumerate(part))
    return list(part.items()) if isinstance(part, dict) else []


def reachable(root):
    """Everything below the root, by repeating a single step until nothing is new."""
    found = {id(root): root}
    while True:
        more = {id(x): x for part in found.values() for _, x in inside(part)}
        if more.keys() <= found.keys():
            return list(found.values())
        found |= more


def follow(root, name):
    for key in filter(None, name.split(".")):
        root = {str(k): x for k, x in inside(root)}[key]
    return root


def ids(parts):
    return sorted(map(id, parts))


@given(trees())
def test_the_tree_holds_everything_once(root):
    everything = reachable(root)
    nodes = [x for x in everything if isinstance(x, engine.Value | engine.Tensor) and x.op is None]
    assert ids(root.parameters()) == ids(nodes)
    assert ids(root.buffers()) == ids(x for x in everything if isinstance(x, np.ndarray))
    assert ids(root.modules()) == ids(x for x in everything if isinstance(x, nn.Module))


@given(trees())
def test_a_name_leads_to_its_part(root):
    for named in (root.named_parameters(), root.named_buffers(), root.named_modules(), root.named_children()):
        assert len(dict(named)) == len(named)
        for name, part in named:
            assert follow(root, name) is part
    assert root.named_modules()[0] == ("", root)


@given(trees())
def test_modes_and_gradients_reach_the_whole_tree(root):
    assert root.eval() is root
    assert not any(module.training for module in root.modules())
    assert root.train() is root
    assert all(module.training for module in root.modules())
    for parameter in root.parameters():
        parameter.grad = 1.0
    root.zero_grad()
    assert all(parameter.grad is None for parameter in root.parameters())


@given(trees(), st.data())
def test_evaluation_mode_ends_with_its_block(root, data):
    """However it ends, with every module in the mode that it had."""
    modes = [data.draw(st.booleans()) for _ in root.modules()]
    for module, mode in zip(root.modules(), modes, strict=True):
        module.training = mode
    with root.evaluating() as same:
        assert same is root
        assert not any(module.training for module in root.modules())
        with pytest.raises(ZeroDivisionError), root.evaluating():
            root.train()
            raise ZeroDivisionError
        assert not any(module.training for module in root.modules())
    assert [module.training for module in root.modules()] == modes


@given(trees())
def test_a_tree_can_be_shown_called_copied_and_pickled(root):
    assert repr(root).startswith("Part(")
    assert root(1.0) == 2.0
    shape = [(name, part.tolist()) for name, part in root.named_parameters()]
    for twin in (copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert [(name, part.tolist()) for name, part in twin.named_parameters()] == shape
        assert not set(ids(twin.parameters())) & set(ids(root.parameters()))


def test_parameters_come_in_the_order_of_the_attributes():
    a, b, c = engine.Value(1.0), engine.Tensor([2.0]), engine.Value(3.0)
    model = Part(inner=Part(c=c, again=a), a=a, more={"b": [b]})
    assert [name for name, _ in model.named_parameters()] == ["inner.c", "inner.again", "more.b.0"]
    assert model.parameters() == [c, a, b]


def test_children_are_the_modules_that_a_module_holds_itself():
    inner = Part()
    outer = Part(inner=inner)
    model = Part(list=[outer, outer], other=inner)
    assert model.named_children() == [("list.0", outer), ("other", inner)]
    assert model.children() == [outer, inner]


def test_a_frozen_parameter_is_still_one():
    weight = engine.Tensor([1.0], requires_grad=False)
    assert Part(weight=weight).parameters() == [weight]


# Calls


class Block(nn.Module):
    def __init__(self, depth):
        self.hidden = Block(depth - 1) if depth else None
        self.list = []
        self.list.append(Part())  # after the list was assigned

    def forward(self, x):
        return self.hidden(x) if self.hidden else self.list[0](x)


def test_a_node_knows_the_path_of_the_modules_it_was_made_in():
    assert Block(2)(engine.Value(1.0)).origin == "Block/hidden/hidden/list.0"


def test_the_tree_that_is_called_last_names_its_modules():
    inner = Part()
    assert inner(engine.Value(1.0)).origin == "Part"
    model = nn.Sequential(inner)
    assert model(engine.Value(1.0)).origin == "Sequential/Part 0"
    assert nn.Sequential(nn.ReLU(), model)(engine.Value(1.0)).origin == "Sequential/Sequential 1/Part 0"


def test_a_module_that_comes_later_has_the_name_of_its_class():
    model = nn.Sequential(nn.ReLU())
    model(engine.Value(1.0))
    model.layers.append(nn.Tanh())
    assert model(engine.Value(1.0)).origin == "Sequential/Tanh"


def test_of_two_places_the_first_one_names():
    shared = Part()
    outer = Part(inner=shared)
    outer.forward = lambda x: shared(x)
    model = nn.Sequential(shared, outer)
    assert model(engine.Value(1.0)).origin == "Sequential/Part 1/Part 0"
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]


def test_the_scope_is_left_when_forward_fails():
    class Failing(nn.Module):
        def forward(self, x):
            raise KeyError("x")

    with pytest.raises(KeyError):
        Failing()(1.0)
    assert (engine.Value(1.0) + 1).origin is None


def test_a_call_passes_everything_on():
    class Model(nn.Module):
        def forward(self, *inputs, **settings):
            return inputs, settings

    assert Model()(1, 2, axis=3) == ((1, 2), {"axis": 3})


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Empty was called.*def forward\(self, x\)"):
        type("Empty", (nn.Module,), {})()(1.0)


def test_an_error_inside_names_the_module():
    model = Part(first=nn.Linear(3, 2))
    model.forward = lambda x: model.first(x)
    with pytest.raises(engine.errors.ShapeError, match="Part/first"):
        model(np.ones((5, 4)))


# What one sees


def test_the_repr_is_the_tree():
    model = nn.Sequential(nn.Linear(2, 3), Part(scale=engine.Tensor([1.0]), mean=np.zeros(3), inner=nn.ReLU()))
    model.layers.append(abs)
    assert repr(model) == (
        "Sequential(\n  0: Linear(2, 3)\n  1: Part(\n    scale: Tensor of shape (1,), float64\n"
        "    mean: array of shape (3,), float64\n    inner: ReLU()\n  )\n  2: abs\n)"
    )
    assert repr(Part(w=engine.Value(2.0))) == "Part(\n  w: Value(2.0)\n)"


def test_the_repr_of_a_circle_ends():
    model = nn.Sequential(nn.ReLU())
    model.layers.append(model)
    assert repr(model) == "Sequential(\n  0: ReLU()\n  1: ...\n)"


# States


def numbers(root):
    """Everything a state holds, as what it is and bytes, so that NaN and -0.0 count."""
    return [
        (name, type(part), np.asarray(part.data if isinstance(part, engine.Value | engine.Tensor) else part).tobytes())
        for name, part in [*root.named_parameters(), *root.named_buffers()]
    ]


def disturb(root, rng):
    for part in root.parameters():
        part.data = rng.normal(size=part.shape)
    for part in root.buffers():
        part[...] = rng.normal(size=part.shape)


@given(trees(), st.integers(0, 9))
def test_a_state_is_all_that_a_model_holds_and_makes_another_equal(root, seed):
    rng = np.random.default_rng(seed)
    disturb(root, rng)
    state = root.state_dict()
    assert sorted(state) == sorted(name for name, *_ in numbers(root))
    assert all(type(array) is np.ndarray for array in state.values())

    twin = copy.deepcopy(root)
    parts = [*map(id, twin.parameters()), *map(id, twin.buffers())]
    disturb(twin, rng)
    twin.load_state_dict(state)
    assert numbers(twin) == numbers(root)
    assert [*map(id, twin.parameters()), *map(id, twin.buffers())] == parts

    before = numbers(root)
    for array in state.values():  # copies: neither model sees this
        array[...] = 7.0
    assert numbers(twin) == numbers(root) == before


BAD = {
    "has the shape (3,) in place of (2,)": np.zeros(3),
    "has the shape () in place of (2,)": 1.0,
    "holds int64 in place of float64": np.zeros(2, int),
    "holds bool in place of float64": np.zeros(2, bool),
    "holds complex128 in place of float64": np.zeros(2, complex),
    "holds <U1 in place of float64": np.array(["a", "b"]),
    "is no array (list)": [[1.0], [1.0, 2.0]],
}


@given(st.lists(st.sampled_from([*BAD, "missing", "unexpected", "fits"]), max_size=6), st.booleans(), st.randoms())
def test_all_complaints_come_at_once_and_nothing_is_loaded(kinds, strict, random):
    parts = {f"p{place}": engine.Tensor([1.0, 2.0]) if random.random() < 0.5 else np.ones(2) for place in range(6)}
    model = Part(**{name: part for (name, part), kind in zip(parts.items(), kinds) if kind != "unexpected"})
    state = {name: np.full(2, 5.0) for name in parts}
    bad = {}
    expected = {kind: [] for kind in ("missing", "unexpected")}
    state = {}
    for name, kind in zip(parts, kinds):
        if kind in BAD:
            bad[name], state[name] = kind, BAD[kind]
        elif kind != "missing":
            state[name] = np.full(2, 5.0)
        if kind in expected:
            expected[kind].append(name)
    nothing = not strict and bool(model.state_dict()) and not model.state_dict().keys() & state.keys()
    before = numbers(model)
    if bad or nothing or (strict and (expected["missing"] or expected["unexpected"])):
        with explained(nn.StateError, "Part", "Nothing was changed") as caught:
            model.load_state_dict(state, strict)
        message = str(caught.value)
        for name, kind in bad.items():
            assert f"{name!r} {kind}" in message
        for kind, names in expected.items():
            shown = f"{kind} {', '.join(map(repr, names))}" if strict and names else f"{kind} '"
            assert (shown in message) == (strict and bool(names))
        assert numbers(model) == before
    else:
        model.load_state_dict(state, strict)
        for name, part in model.named_parameters() + model.named_buffers():
            assert part.tolist() == ([5.0, 5.0] if name in state else dict(parts)[name].tolist())


def test_a_state_is_converted_within_its_kind_of_number():
    model = Part(
        single=engine.Tensor([1.0], dtype="float32"), count=np.array(3), on=np.array(True), v=engine.Value(0.0)
    )
    model.load_state_dict({"single": [0.1], "count": np.uint8(200), "on": np.False_, "v": np.float32(0.5)})
    assert model.single.dtype == np.float32 and model.single.data[0] == np.float32(0.1)
    assert (model.count.dtype, model.count, model.on) == (np.dtype(int), 200, False)
    assert type(model.v.data) is float and model.v.data == 0.5
    model.load_state_dict({"single": [np.inf], "count": 2, "on": True, "v": engine.Value(np.nan)})
    assert np.isinf(model.single.data[0]) and np.isnan(model.v.data)


@pytest.mark.parametrize(
    ("part", "given"),
    [(engine.Tensor([1.0], dtype="float32"), [1e300]), (np.zeros(1, np.int8), [300]), (np.zeros(1, "u1"), [-1])],
)
def test_numbers_that_the_dtype_cannot_hold_are_refused(part, given):
    model = Part(part=part)
    before = numbers(model)
    with explained(nn.StateError, "'part' holds numbers out of the range of"):
        model.load_state_dict({"part": np.array(given)})
    assert numbers(model) == before


def test_a_buffer_that_cannot_be_written_to_is_a_complaint():
    model = Part(w=engine.Value(1.0), mean=np.broadcast_to(0.0, 2))
    with explained(nn.StateError, "'mean' cannot be written to"):
        model.load_state_dict({"w": 2.0, "mean": np.ones(2)})
    assert model.w.data == 1.0


@pytest.mark.parametrize("state", [None, [np.ones(2)], "weights.safetensors", 3])
def test_a_state_is_a_dict(state):
    with explained(nn.StateError, "was given as a state"):
        Part(w=engine.Value(1.0)).load_state_dict(state)


def test_a_graph_from_before_a_state_was_loaded_is_stale():
    model = nn.Linear(2, 1, seed=0)
    loss = model(np.ones((1, 2))).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(GraphError):
        loss.backward()


def test_shared_parameters_are_saved_once_and_stay_shared():
    shared = nn.Linear(2, 2, seed=0)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    model.load_state_dict({"0.weight": np.zeros((2, 2)), "0.bias": np.ones(2)})
    assert model.layers[2] is shared and shared.bias.tolist() == [1.0, 1.0]


def test_two_parts_of_one_name_have_no_state():
    model = Part(a={"b.c": engine.Value(1.0), "b": {"c": engine.Value(2.0)}})
    with explained(nn.StateError, "'a.b.c'"):
        model.state_dict()
    with explained(nn.StateError, "'a.b.c'"):
        model.load_state_dict({"a.b.c": 3.0})


# Frozen parameters


@given(trees(), st.sampled_from(["a", "last", "*.b", "?", "[ab]", "last.*", "b.0"]))
def test_freezing_reaches_the_names_that_match_and_what_is_below_them(root, names):
    named = dict(root.named_parameters())
    meant = {name for name in named if name == names} or {
        name for name in named if any(fnmatchcase(name, pattern) for pattern in (names, f"{names}.*"))
    }
    frozen = {name for name, parameter in named.items() if not parameter.requires_grad}
    if not meant:
        with explained(DomainError, repr(names)):
            root.freeze(names)
    else:
        assert root.freeze(names) is root
    assert {name for name, parameter in named.items() if not parameter.requires_grad} == frozen | meant
    if meant:
        assert root.unfreeze(names) is root
        assert {name for name, parameter in named.items() if not parameter.requires_grad} == frozen - meant
    root.freeze()
    assert not any(parameter.requires_grad for parameter in named.values())
    root.unfreeze()
    assert all(parameter.requires_grad for parameter in named.values())


def test_an_unknown_name_comes_with_the_closest_one():
    with explained(DomainError, "'0.wieght'", "'0.weight'", "'0.bias'"):
        nn.Sequential(nn.Linear(2, 1)).freeze("0.wieght")
    assert nn.ReLU().freeze().unfreeze().parameters() == []


@pytest.mark.parametrize("make", [lambda p: nn.SGD(p, 0.1, momentum=0.9), lambda p: nn.Adam(p, 0.1)])
def test_optimizers_pass_over_what_is_frozen(make):
    model = nn.MLP([2, 3, 1], "tanh", seed=0)
    optimizer = make(model.parameters())
    x = np.ones((4, 2))

    def step():
        nn.mse_loss(model(x), np.ones((4, 1))).backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    nn.mse_loss(model(x), np.ones((4, 1))).backward()  # gradients that are there already
    model.layers[0].freeze()
    before = model.state_dict()
    optimizer.step()
    step()
    after = model.state_dict()
    assert {name for name in before if (before[name] != after[name]).any()} == {"2.weight", "2.bias"}
    assert all(parameter.grad is None for parameter in model.layers[0].parameters())
    model.unfreeze("0")
    step()
    assert (model.layers[0].weight.data != before["0.weight"]).any()


def test_frozen_neurons_have_no_gradient_that_momentum_could_use():
    model = nn.neurons.MLP(2, [2, 1]).freeze("layers.0")
    model.zero_grad()
    assert {p.grad for p in model.layers[0].parameters()} == {None}
    assert {p.grad for p in model.layers[1].parameters()} == {0.0}


def test_integers_stay_frozen():
    table = engine.Tensor(np.arange(3))
    assert not Part(table=table).unfreeze().table.requires_grad


# Hooks


def test_a_hook_sees_the_call_and_may_replace_the_output():
    model, seen = nn.Sequential(nn.Tanh(), Part()), []
    handle = model.register_forward_hook(lambda *call: seen.append(call), "1")
    second = model.register_forward_hook(lambda module, inputs, output: output + 100, "1")
    assert model(0.0) == 100.0
    assert seen == [(model.layers[1], (0.0,), 0.0)]
    handle.remove()
    handle.remove()
    assert model(0.0) == 100.0 and len(seen) == 1
    second.remove()
    assert model(0.0) == 0.0
    assert all("_hooks" not in vars(module) or module._hooks is None for module in model.modules())


@given(trees(), st.sampled_from(["", "*", "a", "*.b", "last*"]))
def test_a_hook_reaches_the_modules_that_match(root, names):
    meant = [m for name, m in root.named_modules() if name == names] or [
        module for name, module in root.named_modules() if fnmatchcase(name, names)
    ]
    shape = [name for name, _ in root.named_modules()]
    called = []
    if not meant:
        with explained(DomainError, repr(names)):
            root.register_forward_hook(print, names)
        return
    with root.register_forward_hook(lambda module, inputs, output: called.append(module), names):
        assert [name for name, _ in root.named_modules()] == shape  # a hook is no part of the tree
        for module in root.modules():
            module(1.0)
    for module in root.modules():
        module(1.0)
    assert called == meant


def test_a_hook_may_be_a_module_and_may_remove_itself():
    class Once(nn.Module):
        def forward(self, module, inputs, output):
            handle.remove()
            return -output

    model = Part()
    handle = model.register_forward_hook(Once())
    assert (len(model.modules()), model(1.0), model(1.0)) == (1, -2.0, 2.0)


def test_what_a_hook_computes_belongs_to_the_module():
    model = nn.Sequential(Part())
    with model.register_forward_hook(lambda module, inputs, output: output + 1, "0"):
        assert model(engine.Value(1.0)).origin == "Sequential/Part 0"


def test_a_hook_that_fails_is_removed_by_its_block():
    model = Part()
    with pytest.raises(ZeroDivisionError), model.register_forward_hook(lambda *call: 1 / 0):
        model(1.0)
    assert model(1.0) == 2.0


def test_a_hook_is_a_function():
    with explained(DataError, "'0' was given as a hook"):
        nn.Sequential(nn.ReLU()).register_forward_hook("0", print)


def test_a_copy_has_hooks_of_its_own():
    model, seen = Part(), []
    handle = model.register_forward_hook(lambda *call: seen.append(call))
    twin = copy.deepcopy(model)
    handle.remove()
    assert (model(1.0), len(seen), twin(1.0), len(seen)) == (2.0, 0, 2.0, 1)


def test_submodules_have_names():
    model = nn.Sequential(Part(inner=nn.ReLU()))
    assert model.get_submodule("0.inner") is model.layers[0].inner
    assert model.get_submodule("") is model
    with explained(DomainError, "'0.iner'", "'0.inner'"):
        model.get_submodule("0.iner")
    with explained(DomainError, "'*'"):
        model.get_submodule("*")


# Results, and states that fit in part


def test_a_kept_result_is_shown_and_is_no_parameter():
    class Scaled(nn.Module):
        def __init__(self):
            self.W = Tensor([1.0, 2.0]) * 0.1
            self.parts = {"w": [Value(1.0) + 2.0]}
            self.bias = Value(0.5)
            self.fixed = Value(1.0, requires_grad=False) * 2.0

    model = Scaled()
    assert repr(model) == (
        "Scaled(\n  W: a result of multiply, not a parameter\n  parts.w.0: a result of add, not a parameter\n"
        "  bias: Value(0.5)\n)"
    )
    assert [name for name, _ in model.named_parameters()] == list(model.state_dict()) == ["bias"]
    model.bias = None
    with pytest.raises(DataError, match=r"Write SGD.* Tensor\(array \* 0\.1\)"):
        nn.SGD(model.parameters())


@pytest.mark.parametrize("strict", [True, False])
def test_loading_says_which_names_only_one_side_has(strict):
    model, state = nn.Linear(2, 3, seed=0), nn.Linear(2, 3, seed=1).state_dict()
    if not strict:
        state["extra"] = state.pop("bias")
    missing, unexpected = model.load_state_dict(state, strict)
    assert (missing, unexpected) == (([], []) if strict else (["bias"], ["extra"]))


# The names of nn


def test_nn_lists_what_it_has():
    names = dir(nn)
    assert set(names) == {*nn.__all__, *nn.ESTIMATORS}
    assert all(hasattr(nn, name) for name in names)
    assert all(callable(getattr(nn.datasets, name)) for name in nn.datasets.__all__)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("CrossEntropyLoss", "cross_entropy"), ("Conv2D", "Conv2d"), ("MSELoss", "mse_loss"), ("MLPClasifier", "MLPC")],
)
def test_an_unknown_name_gets_the_closest_known_one(name, meant):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'. Did you mean '{meant}"):
        getattr(nn, name)
    with pytest.raises(AttributeError, match=r"no attribute 'qqqqqq'$"):
        nn.qqqqqq  # noqa: B018
