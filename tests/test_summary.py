"""The summary: every number counted once, shapes from one call that leaves no trace, eighty columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn


class Holder(nn.Module):
    """A module of whatever it is given, which calls its modules one after the other."""

    def __init__(self, **parts):
        vars(self).update(parts)

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


POOL = [nn.Linear(2, 2), nn.Linear(2, 2, bias=False, dtype="float32").freeze("weight"), nn.Tanh()]


@st.composite
def models(draw, depth=3):
    parts = {}
    for name in draw(st.lists(st.sampled_from(["first", "second", "a_rather_long_name_for_a_part"]), unique=True)):
        kinds = ["linear", "shared", "value", "array", "list"] + ["holder"] * bool(depth)
        match draw(st.sampled_from(kinds)):
            case "linear":
                parts[name] = nn.Linear(2, 2, draw(st.booleans()))
            case "shared":
                parts[name] = draw(st.sampled_from(POOL))
            case "value":
                parts[name] = engine.Value(1.0, requires_grad=draw(st.booleans()))
            case "array":
                parts[name] = np.zeros((draw(st.integers(0, 3)), 2))
            case "list":
                parts[name] = [nn.Linear(2, 2), engine.Tensor([1.0]), np.ones(2, "u1"), {"key": nn.ReLU()}]
            case "holder":
                parts[name] = draw(models(depth - 1))
    return Holder(**parts)


def table(text):
    """The cells below the headings, by the columns that the rule marks; the last row is the total."""
    lines = text.split("\n")
    ends = np.cumsum([len(dashes) + 2 for dashes in lines[1].split("  ")])
    rows = [
        [line[start:end].strip() for start, end in zip([0, *ends[:-1]], ends)] for line in lines if line[:3] != "---"
    ]
    headings, *rows = rows
    return [dict(zip(headings, row)) for row in rows]


def number(cell):
    return int(cell.replace(",", "") or 0)


@given(models(), st.booleans())
def test_every_number_counts_once_and_the_total_is_the_sum(model, called):
    text = model.summary(np.ones((3, 2))) if called else model.summary()
    *rows, total = table(text)
    assert len(rows) == len(model.modules()) and total["name"] == "total"
    assert [row["class"] for row in rows] == [type(module).__name__ for module in model.modules()]
    expected = {
        "parameters": sum(np.size(p.data) for p in model.parameters()),
        "trainable": sum(np.size(p.data) for p in model.parameters() if p.requires_grad),
        "bytes": sum(np.asarray(p.data).nbytes for p in model.parameters()) + sum(b.nbytes for b in model.buffers()),
    }
    for column, amount in expected.items():
        assert number(total[column]) == sum(number(row[column]) for row in rows) == amount
    assert ("output" in total) == called
    if called:
        assert {row["output"] for row in rows} == {"(3, 2)"}
    assert all(line == line.rstrip() for line in text.split("\n"))


@given(models(), st.booleans())
def test_the_call_leaves_no_trace(model, training):
    model.train(training)
    before = [(dict(vars(module)), module.training) for module in model.modules()]
    model.summary(np.ones((3, 2)))
    after = [(dict(vars(module)), module.training) for module in model.modules()]
    for (mine, mode), (its, its_mode) in zip(before, after):
        assert mode == its_mode
        assert {name: id(part) for name, part in mine.items() if name[0] != "_"} == {
            name: id(part) for name, part in its.items() if name[0] != "_"
        }
        assert its.get("_hooks") is None


def test_a_call_that_fails_leaves_no_trace():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 3)).train()
    with pytest.raises(engine.errors.ShapeError):
        model.summary(np.ones((1, 2)))
    assert all(module.training and module._hooks is None for module in model.modules())


def test_nothing_is_recorded_and_random_layers_are_at_rest():
    class Curious(nn.Module):
        def __init__(self):
            self.w = engine.Value(1.0)

        def forward(self, x, *, more):
            seen.append((self.training, (self.w * 2).requires_grad, more))
            return x

    seen = []
    Curious().summary(1.0, more=3)
    assert seen == [(False, False, 3)]


def test_outputs_of_every_kind_have_a_shape():
    class Several(nn.Module):
        def __init__(self, output):
            self.output = output

        def forward(self, x):
            return self.output

    for output, shown in [
        (engine.Value(1.0), "()"), (2.5, "()"), (engine.Tensor(np.ones((2, 3))), "(2, 3)"), ([1.0, 2.0], "2 x ()"),
        ((np.ones((2, 3)), (np.ones(2), np.ones(2))), "(2, 3), 2 x (2,)"), ([], "list"), (None, "NoneType"),
        ({}, "dict"), (3, "()"), (np.float32(3), "()"),
        (tuple(np.ones(n) for n in range(9)), "(0,), (1,), … (7,), (8,)"),
    ]:  # fmt: skip
        assert table(Several(output).summary(0.0))[0]["output"] == shown


def test_long_names_are_cut_to_eighty_columns():
    part = Holder(self_attention_output_projection=nn.Linear(512, 512), norm=nn.Identity())
    model = Holder(encoder_layers=[part], mean=np.zeros(512))
    assert model.summary(np.ones((8, 512))) == (
        "name                        class     output    parameters  trainable      bytes\n"
        "--------------------------  --------  --------  ----------  ---------  ---------\n"
        "                            Holder    (8, 512)                             4,096\n"
        "encoder_layers.0            Holder    (8, 512)\n"
        "  self_attent…t_projection  Linear    (8, 512)     262,656    262,656  2,101,248\n"
        "  norm                      Identity  (8, 512)\n"
        "--------------------------  --------  --------  ----------  ---------  ---------\n"
        "total                                              262,656    262,656  2,105,344"
    )


def test_a_circle_is_counted_once():
    model = Holder(inner=Holder(w=engine.Value(1.0)))
    model.inner.outer = model
    assert number(table(model.summary())[-1]["parameters"]) == 1
