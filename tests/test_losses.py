"""Cross-entropy and squared error: beside their formulas, far out, and with wrong targets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import engine
import nn
from engine import errors

rows, classes = st.integers(1, 4), st.integers(2, 5)


@st.composite
def problems(draw, size=30.0):
    """Logits (batch, classes) and a label for each row."""
    shape = draw(st.tuples(rows, classes))
    logits = draw(arrays(float, shape, elements=st.floats(-size, size)))
    labels = draw(arrays(int, shape[0], elements=st.integers(0, shape[1] - 1)))
    return logits, labels


def by_hand(logits, targets):
    """The loss and its gradient, from Python numbers: sums in which nothing can overflow or cancel."""
    loss, gradient = 0.0, []
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        top = max(row)
        total = math.fsum(math.exp(z - top) for z in row)
        loss += math.fsum(t * (math.log(total) - (z - top)) for z, t in zip(row, target, strict=True))
        weight = math.fsum(target)
        gradient.append([weight * math.exp(z - top) / total - t for z, t in zip(row, target, strict=True)])
    return loss / len(logits), np.array(gradient) / len(logits)


@given(problems(size=1000.0))
def test_cross_entropy_and_its_gradient_are_the_formulas(problem):
    logits, labels = problem
    one_hot = np.eye(logits.shape[1])[labels]
    loss, gradient = by_hand(logits, one_hot)
    for targets in (labels, one_hot, one_hot.astype(int), one_hot.astype(bool), labels.tolist(), engine.Tensor(labels)):
        z = engine.Tensor(logits)
        result = nn.cross_entropy(z, targets)
        assert result.shape == ()
        result.backward()
        assert result.item() == pytest.approx(loss, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(z.grad, gradient, rtol=1e-9, atol=1e-12)


@given(problems(), st.data())
def test_soft_targets_weigh_the_classes(problem, data):
    logits, _ = problem
    weights = data.draw(arrays(float, logits.shape, elements=st.floats(0.01, 1)))
    targets = weights / weights.sum(axis=1, keepdims=True)
    loss, gradient = by_hand(logits, targets)
    z = engine.Tensor(logits)
    result = nn.cross_entropy(z, targets)
    result.backward()
    assert result.item() == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(z.grad, gradient, rtol=1e-9, atol=1e-12)


@given(problems(), st.floats(-100, 100), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_classes_and_a_shift_do_not_matter(problem, shift, random):
    logits, labels = problem
    loss = nn.cross_entropy(logits, labels)
    order = random.sample(range(len(labels)), len(labels))
    places = np.array(random.sample(range(logits.shape[1]), logits.shape[1]))
    moved = logits[order][:, places] + shift
    assert nn.cross_entropy(moved, np.argsort(places)[labels[order]]) == pytest.approx(float(loss), abs=1e-10)


@given(problems(size=5.0))
def test_the_second_derivative_is_the_covariance_of_the_classes(problem):
    logits, labels = problem
    hessian = engine.hessian(lambda z: nn.cross_entropy(z, labels))(logits)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for i, row in enumerate(p):
        expected = np.zeros((len(row), *logits.shape))
        expected[:, i] = (np.diag(row) - np.outer(row, row)) / len(p)
        np.testing.assert_allclose(hessian[i], expected, atol=1e-10)


@pytest.mark.parametrize(("label", "loss"), [(0, 0.0), (1, 2000.0)])
def test_far_out_the_loss_is_exact_and_silent(label, loss):
    """Warnings are errors in these tests."""
    for dtype in (np.float32, np.float64):
        z = engine.Tensor(np.array([[1000.0, -1000.0]], dtype))
        result = nn.cross_entropy(z, [label])
        result.backward()
        assert result.item() == loss
        assert result.dtype == z.grad.dtype == dtype
        assert z.grad.tolist() == [[0.0, 0.0] if label == 0 else [1.0, -1.0]]


def test_a_class_that_is_ruled_out_leaves_the_others_alone():
    """A logit of -inf masks a class."""
    z = engine.Tensor([[1.0, -np.inf, 1.0], [-np.inf, 2.0, -np.inf]])
    loss = nn.cross_entropy(z, [0, 1])
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2) / 2)
    np.testing.assert_allclose(z.grad, [[-0.25, 0.0, 0.25], [0.0, 0.0, 0.0]], atol=1e-15)


def test_one_row_has_one_label():
    z = engine.Tensor([0.0, 1.0, 2.0])
    expected = math.log(1 + math.exp(1) + math.exp(2)) - 1
    for targets in (1, np.int64(1), np.array(1), [0.0, 1.0, 0.0]):
        loss = nn.cross_entropy(z, targets)
        assert loss.shape == ()
        assert loss.item() == pytest.approx(expected, rel=1e-14)


def test_pytorchs_recorded_figure():
    logits = np.sin(np.arange(12.0)).reshape(3, 4)
    assert nn.cross_entropy(logits, [3, 0, 1]) == pytest.approx(1.6816361285593302, rel=1e-13)


@given(problems())
def test_cross_entropy_is_pytorchs(problem):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    logits, labels = problem
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert nn.cross_entropy(logits, labels) == pytest.approx(expected.item(), rel=1e-12, abs=1e-12)


WRONG = [
    (np.zeros((3, 4)), [0, 1], errors.ShapeError, r"logits of shape \(3, 4\) and targets of shape \(2,\)"),
    (np.zeros((3, 4)), [[0], [1], [2]], errors.ShapeError, r"targets of shape \(3, 1\).*labels\.ravel\(\)"),
    (np.zeros((3, 4)), 1, errors.ShapeError, r"targets of shape \(\)"),
    (np.zeros((3, 4)), np.zeros((4, 3)), errors.ShapeError, r"a distribution for each row, of shape \(3, 4\)"),
    (np.zeros((2, 3, 4)), np.zeros((2, 3), int), errors.ShapeError, r"Reshape them to \(batch, classes\)"),
    (np.zeros((0, 4)), np.zeros(0, int), errors.ShapeError, r"logits of shape \(0, 4\)"),
    (np.zeros((3, 4)), [0.0, 1.0, 2.0], errors.DataError, r"dtype float64.*labels\.astype\(int\)"),
    (np.zeros((3, 4)), ["a", "b", "c"], errors.DataError, r"labels of dtype <U1"),
    (np.zeros((3, 4)), [0, 4, 1], errors.DomainError, r"label 4 at position 1.*4 classes, 0, ..., 3"),
    (np.zeros((3, 4)), [0, 1, -1], errors.DomainError, r"label -1 at position 2"),
    (np.zeros(4), 4, errors.DomainError, r"the label 4\. "),
]


@pytest.mark.parametrize(("logits", "targets", "error", "message"), WRONG)
def test_wrong_targets_are_refused(logits, targets, error, message):
    for given_logits in (logits, engine.Tensor(logits)):
        with pytest.raises(error, match=message) as caught:
            nn.cross_entropy(given_logits, targets)
        assert str(caught.value).count(". ") >= 2  # three sentences


# Squared error


@given(st.data(), st.lists(st.integers(1, 3), max_size=3).map(tuple))
def test_mse_and_its_gradient_are_the_formulas(data, shape):
    numbers = arrays(float, shape, elements=st.floats(-1000, 1000))
    prediction, target = data.draw(numbers), data.draw(numbers)
    p = engine.Tensor(prediction)
    for given_target in (target, target.tolist(), engine.Tensor(target, requires_grad=False)):
        loss = nn.mse_loss(p, given_target)
        assert loss.item() == pytest.approx(np.mean((prediction - target) ** 2), rel=1e-12)
    loss.backward()
    np.testing.assert_allclose(p.grad, 2 * (prediction - target) / p.size, rtol=1e-12, atol=1e-300)


def test_mse_of_numbers():
    v = engine.Value(3.0)
    loss = nn.mse_loss(v, 1.0)
    assert isinstance(loss, engine.Value)
    loss.backward()
    assert (loss.data, v.grad) == (4.0, 4.0)
    single = nn.mse_loss(engine.Tensor(np.ones(3, "float32")), np.zeros(3, "float32"))
    assert single.dtype == np.float32


@pytest.mark.parametrize(("shape", "other"), [((3, 1), (3,)), ((3,), ()), ((2, 2), (4,)), ((1,), (3,))])
def test_mse_refuses_shapes_that_would_broadcast(shape, other):
    for a, b in ((shape, other), (other, shape)):
        with pytest.raises(errors.ShapeError, match=r"the shapes must be equal.*Reshape one of them"):
            nn.mse_loss(engine.Tensor(np.ones(a)), np.ones(b))
