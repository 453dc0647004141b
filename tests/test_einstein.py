"""Einstein's summation: NumPy's answers, derivatives to second order, and subscripts that do not fit."""

import numpy as np
import pytest
from messages import explained

import engine
from engine.errors import ShapeError
from engine.testing import check_gradients

CALLS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->ji", (2, 2, 3)),
    ("iijj->ij", (2, 2, 3, 3)),
    ("iii->i", (2, 2, 2)),
    ("ij->", (2, 3)),
    ("i,i", (3,), (3,)),
    ("i,j->ji", (2,), (3,)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,k->j", (2, 3), (2,)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 4, 2)),
    ("...ij,...jk->...ik", (2, 2, 3), (1, 3, 2)),
    ("...i,i", (2, 3), (3,)),
    ("a...b,b...->a...", (2, 3, 4), (4, 1)),
    ("...,...", (2, 3), (3,)),
    ("...a,...a->...", (3, 2), (2,)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 3)),
    ("i,ij,j", (2,), (2, 3), (3,)),
    ("ab,ab,ab->b", (2, 3), (2, 3), (2, 3)),
    (" i i , i -> i", (2, 2), (2,)),
    (",i", (), (3,)),
    ("->", ()),
]
each_call = pytest.mark.parametrize("call", CALLS, ids=[str(call[0]) for call in CALLS])


def drawn(call):
    rng = np.random.default_rng(4)
    return [np.asarray(rng.normal(size=shape)) for shape in call[1:]]


@each_call
def test_the_answers_are_numpys(call):
    data, subscripts = drawn(call), call[0]
    expected = np.einsum(subscripts, *data)
    tensors = [engine.Tensor(x) for x in data]
    for result in (engine.einsum(subscripts, *data), engine.einsum(subscripts, *tensors).data):
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)
        assert np.shape(result) == np.shape(expected)
    np.testing.assert_array_equal(np.einsum(subscripts, *tensors).data, engine.einsum(subscripts, *tensors).data)


@each_call
def test_the_derivatives_are_right(call):
    check_gradients(lambda *operands: engine.einsum(call[0], *operands) ** 2, *drawn(call), order=2)


@each_call
def test_float32_stays(call):
    assert engine.einsum(call[0], *[engine.Tensor(x.astype(np.float32)) for x in drawn(call)]).dtype == np.float32


def test_there_may_be_no_entries():
    assert engine.einsum("ij,jk->ik", np.zeros((2, 0)), engine.Tensor(np.zeros((0, 3)))).tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("ij,jk", (2, 3)), ["'ij,jk'", "(2, 3)"]),
        (("ij", (2,)), ["(2,)"]),
        (("i->", (2, 3)), ["(2, 3)"]),
        (("ij->k", (2, 3)), ["'k'"]),
        (("ij->ii", (2, 3)), ["'ii'"]),
        (("i?", (2,)), ["'i?'"]),
        ((3, (2,)), ["3"]),
        (("...i->i", (2, 3)), ["ellipsis"]),
        (("i,i", (2,), (3,)), ["'i' stands for 2 and for 3"]),
        (("...,...->...", (2,), (3,)), ["'...' stands for 2 and for 3"]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_explained(call, words):
    subscripts, *shapes = call
    with explained(ShapeError, *words):
        engine.einsum(subscripts, *[np.ones(shape) for shape in shapes])
