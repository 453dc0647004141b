"""The tree that attributes make, and what a call does."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn


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
