"""Losses: beside their formulas and other libraries, far out, weighed and reduced, and with wrong targets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import engine
import nn
from engine import errors
from engine.testing import check_gradients

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
    (np.zeros((2, 4, 3)), np.zeros((2, 3), int), errors.ShapeError, r"stand last, with engine.moveaxis\(logits, 1, -1"),
    (np.zeros((2, 3, 4)), np.zeros(2, int), errors.ShapeError, r"labels of shape \(2, 3\)"),
    (np.zeros((2, 3, 4)), [[0, 1, 2], [3, 4, 0]], errors.DomainError, r"label 4 at position \(1, 1\)"),
    (np.zeros(()), 0, errors.ShapeError, r"Reshape them to \(batch, classes\)"),
    (np.zeros((0, 4)), np.zeros(0, int), errors.ShapeError, r"logits of shape \(0, 4\)"),
    (np.zeros((3, 4)), [0.0, 1.0, 2.0], errors.DataError, r"dtype float64.*labels\.astype\(int\)"),
    (np.zeros((3, 4)), ["a", "b", "c"], errors.DataError, r"dtype <U1"),
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


# Every loss: one table of what it is given and what each entry or row then costs.


def log_sigmoid(z):
    return np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))


def softened(labels, classes, smoothing):
    return (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes


def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def row_norm(x):
    return np.sqrt((x * x).sum(axis=-1))


PREDICTION = 2 * np.sin(np.arange(1.0, 13.0)).reshape(4, 3)
OTHER = np.cos(2 * np.arange(1.0, 13.0)).reshape(4, 3)
THIRD = np.sin(3 * np.arange(1.0, 13.0)).reshape(4, 3)
PROBABILITIES = np.exp(OTHER) / np.exp(OTHER).sum(axis=1, keepdims=True)
SIGNS = np.where(THIRD > 0, 1, -1)
BITS = (THIRD > 0).astype(int)
LABELS = np.array([0, 2, 1, 1])
PAIRS = np.array([1, -1, 1, -1])
OWN = np.eye(3, dtype=bool)[LABELS]

# A call of each loss, its inputs that are differentiated, and its values before reduction.
CASES = {
    "mse_loss": (
        lambda p, t, **settings: nn.mse_loss(p, t, **settings),
        [PREDICTION, OTHER],
        (PREDICTION - OTHER) ** 2,
    ),
    "l1_loss": (
        lambda p, t, **settings: nn.l1_loss(p, t, **settings),
        [PREDICTION, OTHER],
        abs(PREDICTION - OTHER),
    ),
    "huber_loss": (
        lambda p, t, **settings: nn.huber_loss(p, t, delta=0.8, **settings),
        [PREDICTION, OTHER],
        np.where(
            abs(PREDICTION - OTHER) < 0.8, (PREDICTION - OTHER) ** 2 / 2, 0.8 * abs(PREDICTION - OTHER) - 0.8**2 / 2
        ),
    ),
    "binary cross-entropy of bits": (
        lambda z, **settings: nn.binary_cross_entropy_with_logits(z, BITS, **settings),
        [PREDICTION],
        -log_sigmoid(np.where(BITS, PREDICTION, -PREDICTION)),
    ),
    "binary cross-entropy of bits, pos_weight": (
        lambda z, **settings: nn.binary_cross_entropy_with_logits(z, BITS, pos_weight=3.0, **settings),
        [PREDICTION],
        -np.where(BITS, 3.0, 1.0) * log_sigmoid(np.where(BITS, PREDICTION, -PREDICTION)),
    ),
    "binary cross-entropy of probabilities, pos_weight": (
        lambda z, t, **settings: nn.binary_cross_entropy_with_logits(z, t, pos_weight=[1.0, 2.0, 0.5], **settings),
        [PREDICTION, PROBABILITIES],
        -np.array([1.0, 2.0, 0.5]) * PROBABILITIES * log_sigmoid(PREDICTION)
        - (1 - PROBABILITIES) * log_sigmoid(-PREDICTION),
    ),
    "cross_entropy of labels": (
        lambda z, **settings: nn.cross_entropy(z, LABELS, **settings),
        [PREDICTION],
        -log_softmax(PREDICTION)[OWN],
    ),
    "cross_entropy of distributions, smoothed": (
        lambda z, t, **settings: nn.cross_entropy(z, t, label_smoothing=0.1, **settings),
        [PREDICTION, PROBABILITIES],
        -((0.9 * PROBABILITIES + 0.1 / 3) * log_softmax(PREDICTION)).sum(axis=1),
    ),
    "nll_loss": (
        lambda z, **settings: nn.nll_loss(z, LABELS, **settings),
        [log_softmax(PREDICTION)],
        -log_softmax(PREDICTION)[OWN],
    ),
    "kl_div": (
        lambda p, t, **settings: nn.kl_div(p, t, **settings),
        [log_softmax(PREDICTION), PROBABILITIES],
        PROBABILITIES * (np.log(PROBABILITIES) - log_softmax(PREDICTION)),
    ),
    "kl_div of logarithms": (
        lambda p, t, **settings: nn.kl_div(p, t, log_target=True, **settings),
        [log_softmax(PREDICTION), np.log(PROBABILITIES)],
        PROBABILITIES * (np.log(PROBABILITIES) - log_softmax(PREDICTION)),
    ),
    "hinge_loss": (
        lambda p, **settings: nn.hinge_loss(p, SIGNS, **settings),
        [PREDICTION],
        np.maximum(0, 1 - SIGNS * PREDICTION),
    ),
    "hinge_loss of labels": (
        lambda p, **settings: nn.hinge_loss(p, LABELS, **settings),
        [PREDICTION],
        np.maximum(0, 1 + np.where(OWN, -np.inf, PREDICTION).max(axis=1) - PREDICTION[OWN]),
    ),
    "squared_hinge_loss": (
        lambda p, **settings: nn.squared_hinge_loss(p, SIGNS, **settings),
        [PREDICTION],
        np.maximum(0, 1 - SIGNS * PREDICTION) ** 2,
    ),
    "cosine_embedding_loss": (
        lambda x, y, **settings: nn.cosine_embedding_loss(x, y, PAIRS, margin=0.1, **settings),
        [PREDICTION, OTHER],
        (lambda cosine: np.where(PAIRS > 0, 1 - cosine, np.maximum(0, cosine - 0.1)))(
            (PREDICTION * OTHER).sum(axis=1) / row_norm(PREDICTION) / row_norm(OTHER)
        ),
    ),
    "triplet_margin_loss": (
        lambda a, p, n, **settings: nn.triplet_margin_loss(a, p, n, margin=1.5, eps=0.0, **settings),
        [PREDICTION, OTHER, THIRD],
        np.maximum(0, row_norm(PREDICTION - OTHER) - row_norm(PREDICTION - THIRD) + 1.5),
    ),
}
every_loss = pytest.mark.parametrize(("loss", "inputs", "expected"), CASES.values(), ids=list(CASES))


@every_loss
def test_a_loss_is_its_formula_under_every_reduction(loss, inputs, expected):
    for given_inputs in (inputs, [engine.Tensor(x) for x in inputs], [x.tolist() for x in inputs]):
        losses = loss(*given_inputs, reduction="none")
        np.testing.assert_allclose(np.asarray(getattr(losses, "data", losses)), expected, rtol=1e-11, atol=1e-14)
        assert float(loss(*given_inputs, reduction="sum")) == pytest.approx(expected.sum(), rel=1e-11)
        assert float(loss(*given_inputs)) == pytest.approx(expected.mean(), rel=1e-11)
        assert loss(*given_inputs).shape == loss(*given_inputs, reduction="sum").shape == ()


@every_loss
@given(weights=arrays(float, 4, elements=st.sampled_from([0.0, 0.5, 1.0, 3.0])), scale=st.floats(0.1, 10))
def test_the_mean_is_weighed_by_the_examples(loss, inputs, expected, weights, scale):
    each = expected.reshape(4, -1).mean(axis=1)
    weighed = loss(*inputs, reduction="none", sample_weight=weights)
    np.testing.assert_allclose(weighed.reshape(4, -1), expected.reshape(4, -1) * weights[:, None], atol=1e-10)
    total = float(loss(*inputs, reduction="sum", sample_weight=weights.tolist()))
    assert total == pytest.approx((expected.reshape(4, -1).sum(axis=1) * weights).sum(), abs=1e-10)
    if weights.any():
        for given_weights in (weights, scale * weights, engine.Tensor(weights, requires_grad=False)):
            mean = float(loss(*inputs, sample_weight=given_weights))
            assert mean == pytest.approx(np.average(each, weights=weights), rel=1e-10, abs=1e-13)


@every_loss
def test_the_derivatives_are_right_at_first_and_second_order(loss, inputs, expected):
    check_gradients(loss, *inputs, order=2)
    check_gradients(lambda *inputs: loss(*inputs, sample_weight=[1.0, 0.0, 2.0, 0.5]), *inputs, order=2, fast=True)
    check_gradients(lambda *inputs: loss(*inputs, reduction="none"), *inputs, order=2, fast=True)


@every_loss
def test_single_precision_stays_single(loss, inputs, expected):
    single = [x.astype("float32") for x in inputs]
    for settings in ({}, {"sample_weight": np.arange(4.0)}, {"reduction": "sum"}, {"reduction": "none"}):
        nodes = [engine.Tensor(x) for x in single]
        result = loss(*nodes, **settings)
        engine.sum(result).backward()
        assert {result.dtype, *(node.grad.dtype for node in nodes)} == {np.dtype("float32")}


@every_loss
def test_wrong_settings_of_every_loss_are_refused(loss, inputs, expected):
    weights = "one weight for each example"
    wrong = [
        ({"reduction": "maen"}, errors.DomainError, "'maen' was given as reduction.*Did you mean 'mean'"),
        ({"reduction": None}, errors.DomainError, "given as reduction"),
        ({"sample_weight": np.ones(3)}, errors.ShapeError, rf"sample_weight has the shape \(3,\).*{weights}"),
        ({"sample_weight": np.ones((4, 2))}, errors.ShapeError, weights),
        ({"sample_weight": np.ones((4, 1))}, errors.ShapeError, weights),
        ({"sample_weight": [1, 1, -1, 1]}, errors.DomainError, r"with -1 among them\. Weights are finite and not"),
        ({"sample_weight": [1, 1, np.nan, 1]}, errors.DomainError, "with nan among them"),
        ({"sample_weight": [1, 1, np.inf, 1]}, errors.DomainError, "with inf among them"),
        ({"sample_weight": ["a", "b", "c", "d"]}, errors.DataError, "dtype <U1"),
        ({"sample_weight": np.zeros(4)}, errors.DomainError, "weights of 4 examples sum to 0"),
        ({"sample_weight": engine.Tensor(np.ones(4))}, errors.GraphError, "silently be lost"),
    ]
    for settings, error, message in wrong:
        with pytest.raises(error, match=message):
            loss(*inputs, **settings)


@every_loss
def test_inputs_of_other_shapes_are_refused(loss, inputs, expected):
    for shape in [(3, 3), (12,), (4, 3, 2), ()]:
        # Labels have the shape of (4, 3, 2) without the classes, but distributions are no labels.
        with pytest.raises(errors.ShapeError if len(shape) < 3 else (errors.ShapeError, errors.DataError)):
            loss(np.zeros(shape), *inputs[1:])


@every_loss
def test_an_example_of_weight_zero_is_left_out_though_it_is_infinite(loss, inputs, expected):
    spoilt = [engine.Tensor(np.vstack([np.full_like(x[:1], np.nan), x[1:]])) for x in inputs[:1]]
    result = loss(*spoilt, *inputs[1:], sample_weight=[0.0, 1.0, 1.0, 1.0])
    result.backward()
    assert float(result) == pytest.approx(expected.reshape(4, -1)[1:].mean(), rel=1e-10)
    assert np.isfinite(spoilt[0].grad[1:]).all()


# Single numbers

NUMBERS = [
    ("mse_loss", 1.0),
    ("l1_loss", 1.0),
    ("huber_loss", 1.0),
    ("binary_cross_entropy_with_logits", 1),
    ("binary_cross_entropy_with_logits", 0.25),
    ("kl_div", 0.25),
    ("hinge_loss", -1),
    ("squared_hinge_loss", np.float32(1)),
]


@pytest.mark.parametrize(("name", "target"), NUMBERS)
@given(number=st.floats(-3, 3))
def test_a_loss_of_values_is_that_of_tensors(name, target, number):
    loss, value, tensor = getattr(nn, name), engine.Value(number), engine.Tensor([number])
    for settings in ({}, {"reduction": "sum"}, {"reduction": "none"}):
        result = loss(value, target, **settings)
        assert isinstance(result, engine.Value)
        expected = loss(tensor, [target], **settings)
        assert result.data == pytest.approx(expected.item(), rel=1e-14, abs=1e-300)
    assert isinstance(loss(value, target, sample_weight=2.0), engine.Value)
    loss(value, target).backward()
    loss(tensor, [target]).backward()
    assert value.grad == pytest.approx(tensor.grad[0], rel=1e-12, abs=1e-300)


def test_lists_of_values_are_stacked():
    """A network of nn.neurons returns one Value for each example, or a list of them."""
    scores = [engine.Value(0.5), engine.Value(-2.0), engine.Value(3.0)]
    loss = nn.hinge_loss(scores, [1, -1, -1])
    loss.backward()
    assert loss.item() == pytest.approx((0.5 + 0 + 4) / 3)
    assert [score.grad for score in scores] == pytest.approx([-1 / 3, 0, 1 / 3])
    rows = [[engine.Value(0.0), engine.Value(0.0)], [engine.Value(0.0), engine.Value(math.log(3))]]
    loss = nn.cross_entropy(rows, [0, 1])
    loss.backward()
    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert rows[1][0].grad == pytest.approx(0.125)


# Far out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out_binary_cross_entropy_is_exact_and_silent(dtype):
    z = engine.Tensor(np.array([1000, -1000, 1000, -1000, np.inf, -np.inf], dtype))
    for targets, expected, slopes in [
        ([1, 1, 0, 0, 1, 0], [0, 1000, 1000, 0, 0, 0], [0, -1, 1, 0, 0, 0]),
        ([0.5, 0.25, 0.75, 0.5, 1, 0], [500, 250, 250, 500, 0, 0], [0.5, -0.25, 0.25, -0.5, 0, 0]),
    ]:
        z.grad = None
        losses = nn.binary_cross_entropy_with_logits(z, targets, reduction="none")
        engine.sum(losses).backward()
        assert losses.tolist() == expected
        assert z.grad.tolist() == slopes
        assert losses.dtype == z.grad.dtype == dtype


@given(st.floats(-700, 700))
def test_binary_cross_entropy_keeps_its_precision_where_it_is_tiny(z):
    for target, sign in ((1, 1), (0, -1)):
        for given_target in (target, float(target)):
            loss = nn.binary_cross_entropy_with_logits(np.array([z]), [given_target])
            assert loss == pytest.approx(math.log1p(math.exp(-sign * z)), rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in CASES if "nll" not in name])
def test_far_out_every_loss_and_gradient_is_finite_and_silent(name, dtype):
    loss, inputs, _ = CASES[name]
    for sign in (1, -1):
        far = engine.Tensor(np.where(THIRD > 0, sign * 1000.0, -sign * 1000.0).astype(dtype))
        result = loss(far, *inputs[1:])
        result.backward()
        assert np.isfinite(result.data)
        assert np.isfinite(far.grad).all()
        assert np.isfinite(engine.hvp(lambda x: loss(x, *inputs[1:]), [far.data], [far.data])[0]).all()


def test_impossible_classes_cost_nothing_where_they_are_not_the_target():
    """A logit of -inf masks a class, for labels and distributions alike."""
    logits, expected = [[1.0, -np.inf, 1.0], [-np.inf, 2.0, -np.inf]], math.log(2) / 2
    one_hot = np.eye(3)[[0, 1]]
    for targets in (one_hot, one_hot.astype(int), [0, 1]):
        for settings in ({}, {"class_weight": np.ones(3)}, {"sample_weight": np.ones(2)}):
            z = engine.Tensor(logits)
            loss = nn.cross_entropy(z, targets, **settings)
            loss.backward()
            assert loss.item() == pytest.approx(expected)
            np.testing.assert_allclose(z.grad, [[-0.25, 0, 0.25], [0, 0, 0]], atol=1e-15)
    z = engine.Tensor(logits)
    divergence = nn.kl_div(engine.log_softmax(z), one_hot, reduction="batchmean")
    divergence.backward()
    assert divergence.item() == pytest.approx(expected)
    np.testing.assert_allclose(z.grad, [[-0.25, 0, 0.25], [0, 0, 0]], atol=1e-15)
    assert nn.cross_entropy(engine.Tensor(logits), [1, 1]).item() == np.inf
    logarithms = np.array([0.0, -np.inf])
    assert nn.kl_div(logarithms, logarithms, log_target=True) == 0


def test_distributions_have_their_derivatives_beside_impossible_classes():
    """Also where they are 0: the logarithm of the probability as long as it is finite, and 0 else."""
    z, t = np.array([[0.0, 1.0, -np.inf]]), engine.Tensor([[0.0, 1.0, 0.0]])
    loss = nn.cross_entropy(z, t)
    loss.backward()
    total = 1 + math.e
    assert loss.item() == pytest.approx(math.log(total / math.e))
    np.testing.assert_allclose(t.grad, [[math.log(total), math.log(total / math.e), 0.0]])
    t = engine.Tensor([0.0, 0.0])
    nn.binary_cross_entropy_with_logits(np.array([2.0, -np.inf]), t, reduction="sum").backward()
    np.testing.assert_allclose(t.grad, [-2.0, 0.0])


def test_the_margin_of_the_only_other_class_may_be_any_number():
    assert nn.hinge_loss([[-1e12, -1e12]], [0]) == 1.0


def test_weights_leave_single_precision_single():
    z, soft = engine.Tensor(PREDICTION.astype("float32")), PROBABILITIES.astype("float32")
    weights = {"class_weight": [1.0, 2.0, 0.5], "sample_weight": np.arange(4)}
    for targets in (LABELS, np.eye(3, dtype=int)[LABELS], soft):
        for smoothing in (0.0, 0.1):
            assert nn.cross_entropy(z, targets, label_smoothing=smoothing, **weights).dtype == np.float32
    assert nn.binary_cross_entropy_with_logits(z, BITS, pos_weight=np.ones(3)).dtype == np.float32
    assert nn.mse_loss(z, PREDICTION.astype(int)).dtype == nn.hinge_loss(z, SIGNS).dtype == np.float32


def test_constant_and_equal_vectors_have_finite_gradients():
    """Where lengths and distances are 0."""
    zero, one = engine.Tensor(np.zeros((1, 3))), engine.Tensor(np.ones((1, 3)))
    assert nn.cosine_embedding_loss(zero, one, 1).item() == 1
    loss = nn.triplet_margin_loss(one, one, one, eps=0.0)
    loss.backward()
    assert (loss.item(), one.grad.tolist()) == (1.0, [[0.0, 0.0, 0.0]])


# Labels


@given(problems(), st.data())
def test_every_setting_of_cross_entropy_is_its_formula(problem, data):
    logits, labels = problem
    batch, classes = logits.shape
    positive = st.sampled_from([0.25, 0.5, 1.0, 4.0])
    smoothing = data.draw(st.sampled_from([0.0, 0.1, 1.0]))
    by_class = data.draw(st.none() | arrays(float, classes, elements=positive))
    by_row = data.draw(st.none() | arrays(float, batch, elements=positive))
    ignored = data.draw(st.none() | st.sampled_from([-100, int(labels[0])]))
    settings = {
        "label_smoothing": smoothing,
        "class_weight": by_class,
        "ignore_index": ignored,
        "sample_weight": by_row,
    }
    w = np.ones(classes) if by_class is None else by_class
    s = (np.ones(batch) if by_row is None else by_row) * (labels != ignored)
    losses = -(softened(labels, classes, smoothing) * w * log_softmax(logits)).sum(axis=1) * s
    one_hot = np.eye(classes, dtype=int)[labels]
    for targets in (labels, one_hot):
        np.testing.assert_allclose(nn.cross_entropy(logits, targets, reduction="none", **settings), losses, atol=1e-11)
        total = nn.cross_entropy(logits, targets, reduction="sum", **settings)
        assert total == pytest.approx(losses.sum(), rel=1e-11, abs=1e-11)
        if s.any():
            mean = nn.cross_entropy(logits, targets, **settings)
            assert mean == pytest.approx(losses.sum() / (s * w[labels]).sum(), rel=1e-11, abs=1e-11)
    if not smoothing:
        log_probabilities = engine.log_softmax(logits)
        del settings["label_smoothing"]
        assert nn.nll_loss(log_probabilities, labels, reduction="sum", **settings) == pytest.approx(total, rel=1e-12)


def test_the_gradients_of_the_settings_of_cross_entropy():
    settings = {"label_smoothing": 0.2, "class_weight": [1.0, 2.0, 0.5], "sample_weight": [1.0, 2.0, 0.0, 0.5]}
    for targets in (LABELS, PROBABILITIES):
        check_gradients(lambda z: nn.cross_entropy(z, targets, **settings), PREDICTION, order=2)  # noqa: B023
    check_gradients(lambda z: nn.cross_entropy(z, LABELS, ignore_index=1), PREDICTION, order=2)


def test_rows_that_are_ignored_may_hold_any_label():
    z = engine.Tensor(PREDICTION)
    loss = nn.cross_entropy(z, [0, -100, 1, -100], ignore_index=-100)
    loss.backward()
    assert loss.item() == pytest.approx(nn.cross_entropy(PREDICTION[[0, 2]], [0, 1]))
    assert (z.grad[[1, 3]] == 0).all()
    with pytest.raises(errors.DomainError, match="sum to 0"):
        nn.cross_entropy(z, np.full(4, 9), ignore_index=9)
    with pytest.raises(errors.DomainError, match="label 9 at position 1"):
        nn.cross_entropy(z, [0, 9, 1, -100], ignore_index=-100)


@given(problems(size=3.0), st.data())
def test_cross_entropy_is_scikit_learns(problem, data):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    logits, labels = problem
    weights = data.draw(arrays(float, len(labels), elements=st.floats(0.1, 3)))
    probabilities = np.exp(log_softmax(logits))
    expected = metrics.log_loss(labels, probabilities, labels=np.arange(logits.shape[1]), sample_weight=weights)
    assert nn.cross_entropy(logits, labels, sample_weight=weights) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    difference = logits[:, 1] - logits[:, 0]
    expected = metrics.log_loss(labels == 1, 1 / (1 + np.exp(-difference)), labels=[False, True])
    loss = nn.binary_cross_entropy_with_logits(difference, labels == 1)
    assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(problems(size=3.0), st.data())
def test_hinge_losses_are_scikit_learns(problem, data):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, labels = problem
    weights = data.draw(arrays(float, len(labels), elements=st.floats(0.1, 3)))
    signs = np.where(labels == 0, -1, 1)
    if 0 < (signs > 0).sum() < len(signs):
        expected = metrics.hinge_loss(signs, scores[:, 0], sample_weight=weights)
        assert nn.hinge_loss(scores[:, 0], signs, sample_weight=weights) == pytest.approx(expected, rel=1e-12)
    if scores.shape[1] > 2:
        expected = metrics.hinge_loss(labels, scores, labels=np.arange(scores.shape[1]), sample_weight=weights)
        assert nn.hinge_loss(scores, labels, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


def test_two_columns_with_labels_are_the_binary_hinge_of_their_difference():
    scores, labels = PREDICTION[:, :2], np.array([0, 1, 1, 0])
    signs = 2 * labels - 1
    expected = nn.hinge_loss(scores[:, 1] - scores[:, 0], signs, reduction="none")
    np.testing.assert_allclose(nn.hinge_loss(scores, labels, reduction="none"), expected, rtol=1e-14)
    squares = nn.squared_hinge_loss(scores, labels, reduction="none")
    np.testing.assert_allclose(squares, expected**2, rtol=1e-14)


@given(
    axes=st.lists(st.integers(1, 3), max_size=3).map(tuple),
    smoothing=st.sampled_from([0.0, 0.2]),
    weighed=st.booleans(),
    by_example=st.sampled_from([None, "example", "loss"]),
    ignored=st.sampled_from([None, -100, 1]),
    seed=st.integers(0, 99),
)
def test_labels_may_stand_along_any_axes(axes, smoothing, weighed, by_example, ignored, seed):
    """The loss is that of all rows one below the other."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(*axes, 3)), rng.integers(3, size=axes)
    labels.flat[0] = 0
    settings = {"class_weight": [1.0, 2.0, 0.5] if weighed else None, "ignore_index": ignored}
    weights = rng.uniform(0.5, 2.0, axes[:1] if by_example == "example" else axes)
    each = np.broadcast_to(weights.reshape((*weights.shape, *[1] * (len(axes) - weights.ndim))), axes)
    given_weights, flat_weights = (None, None) if by_example is None else (weights, each.ravel())
    losses = {
        nn.cross_entropy: (logits, {**settings, "label_smoothing": smoothing}),
        nn.nll_loss: (log_softmax(logits), settings),
    }
    for loss, (scores, chosen) in losses.items():
        for targets in (labels, np.eye(3, dtype=int)[labels]):
            for reduction in ("mean", "sum", "none"):
                found = loss(scores, targets, reduction=reduction, sample_weight=given_weights, **chosen)
                rows, columns = scores.reshape(-1, 3), labels.ravel()
                expected = loss(rows, columns, reduction=reduction, sample_weight=flat_weights, **chosen)
                shape = axes if reduction == "none" else ()
                assert np.shape(found) == shape
                np.testing.assert_allclose(found, np.reshape(expected, shape), rtol=1e-12, atol=1e-14)


def test_soft_targets_may_stand_along_any_axes():
    logits, soft = PREDICTION.reshape(2, 2, 3), PROBABILITIES.reshape(2, 2, 3)
    expected = nn.cross_entropy(PREDICTION, PROBABILITIES, reduction="none")
    np.testing.assert_allclose(nn.cross_entropy(logits, soft, reduction="none"), expected.reshape(2, 2), rtol=1e-14)
    assert nn.cross_entropy(logits, soft) == pytest.approx(expected.mean())
    weighed = nn.cross_entropy(logits, soft, sample_weight=[1.0, 3.0])
    assert weighed == pytest.approx(np.average(expected, weights=[1, 1, 3, 3]))
    check_gradients(lambda z: nn.cross_entropy(z, LABELS.reshape(2, 2)), logits, order=2)
    check_gradients(lambda z: nn.nll_loss(z, LABELS.reshape(2, 2), ignore_index=0), log_softmax(logits), order=2)


def test_each_loss_may_have_a_weight():
    weights = np.arange(12.0).reshape(4, 3)
    expected = np.average((PREDICTION - OTHER) ** 2, weights=weights)
    assert nn.mse_loss(PREDICTION, OTHER, sample_weight=weights) == pytest.approx(expected)


def test_losses_of_sequences_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    logits, labels = np.sin(np.arange(24.0)).reshape(2, 3, 4), np.arange(6).reshape(2, 3) % 4
    given_to_torch = torch.from_numpy(logits).movedim(-1, 1), torch.from_numpy(labels)
    for settings in ({}, {"ignore_index": 1}, {"label_smoothing": 0.1}):
        expected = torch.nn.functional.cross_entropy(*given_to_torch, **settings)
        assert nn.cross_entropy(logits, labels, **settings) == pytest.approx(expected.item(), rel=1e-12)


# PyTorch

SETTINGS = {
    "smoothed, weighed": {"label_smoothing": 0.1, "class_weight": [0.5, 1.0, 2.0]},
    "weighed, one ignored": {"class_weight": [0.5, 1.0, 2.0], "ignore_index": 1},
    "smoothed, one ignored": {"label_smoothing": 0.3, "ignore_index": 0},
}
TORCH_CALLS = {
    "huber": (lambda: nn.huber_loss(PREDICTION, OTHER, delta=0.8)),
    "bce": (lambda: nn.binary_cross_entropy_with_logits(PREDICTION, PROBABILITIES, pos_weight=[1.0, 2.0, 0.5])),
    "kl": (lambda: nn.kl_div(log_softmax(PREDICTION), PROBABILITIES)),
    "kl, batchmean": (lambda: nn.kl_div(log_softmax(PREDICTION), PROBABILITIES, reduction="batchmean")),
    "cosine": (lambda: nn.cosine_embedding_loss(PREDICTION, OTHER, PAIRS, margin=0.1)),
    "triplet": (lambda: nn.triplet_margin_loss(PREDICTION, OTHER, THIRD, margin=1.5)),
    "soft, smoothed, weighed": (lambda: nn.cross_entropy(PREDICTION, PROBABILITIES, **SETTINGS["smoothed, weighed"])),
    **{
        name: (lambda settings=settings: nn.cross_entropy(PREDICTION, LABELS, **settings))
        for name, settings in SETTINGS.items()
    },
}

# PyTorch 2.13
RECORDED = {
    "huber": 0.855467462956565,
    "bce": 0.9063139296346284,
    "kl": 0.1281552949805247,
    "kl, batchmean": 0.3844658849415741,
    "cosine": 0.888075484056583,
    "triplet": 1.4420978575996244,
    "soft, smoothed, weighed": 1.8937071518283806,
    "smoothed, weighed": 0.8986667352999381,
    "weighed, one ignored": 0.5710420639891095,
    "smoothed, one ignored": 1.0412333125770854,
}


@pytest.mark.parametrize("name", TORCH_CALLS)
def test_pytorchs_recorded_figures(name):
    assert TORCH_CALLS[name]() == pytest.approx(RECORDED[name], rel=1e-12)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_the_recorded_figures_are_those_of_the_pytorch_that_is_installed():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    f, array = torch.nn.functional, torch.tensor
    p, t, third, q = map(torch.from_numpy, (PREDICTION, OTHER, THIRD, PROBABILITIES))
    labels, log_p = torch.from_numpy(LABELS), torch.log_softmax(p, 1)

    def torch_settings(settings):
        given = {"class_weight": "weight"}
        return {
            given.get(name, name): array(setting).double() if name == "class_weight" else setting
            for name, setting in settings.items()
        }

    figures = {
        "huber": f.huber_loss(p, t, delta=0.8),
        "bce": f.binary_cross_entropy_with_logits(p, q, pos_weight=array([1.0, 2.0, 0.5]).double()),
        "kl": f.kl_div(log_p, q),
        "kl, batchmean": f.kl_div(log_p, q, reduction="batchmean"),
        "cosine": f.cosine_embedding_loss(p, t, torch.from_numpy(PAIRS), margin=0.1),
        "triplet": f.triplet_margin_loss(p, t, third, margin=1.5),
        "soft, smoothed, weighed": f.cross_entropy(p, q, **torch_settings(SETTINGS["smoothed, weighed"])),
        **{name: f.cross_entropy(p, labels, **torch_settings(settings)) for name, settings in SETTINGS.items()},
    }
    assert {name: figure.item() for name, figure in figures.items()} == pytest.approx(RECORDED, rel=1e-12)


# What cannot be compared

REFUSED = [
    (lambda: nn.huber_loss(1.0, 2.0, delta=0.0), errors.DomainError, "delta=0.0 .* huber_loss. Give a positive"),
    (lambda: nn.huber_loss(1.0, 2.0, delta="1"), errors.DomainError, "delta='1'"),
    (lambda: nn.huber_loss(1.0, 2.0, delta=np.nan), errors.DomainError, "delta=nan"),
    (lambda: nn.l1_loss([1.0, "a"], [1.0, 2.0]), errors.DataError, "dtype <U"),
    (lambda: nn.l1_loss([[1.0], [1.0, 2.0]], [1.0]), errors.ShapeError, "cannot become an array"),
    (
        lambda: nn.binary_cross_entropy_with_logits(np.zeros(3), [-1, 1, 1]),
        errors.DomainError,
        r"binary_cross_entropy_with_logits was given targets of shape \(3,\) with -1.0 among.*\(labels \+ 1\) / 2",
    ),
    (lambda: nn.binary_cross_entropy_with_logits(0.0, np.nan), errors.DomainError, "nan among"),
    (
        lambda: nn.binary_cross_entropy_with_logits(np.zeros((3, 2)), np.zeros((3, 2)), pos_weight=np.ones(3)),
        errors.ShapeError,
        r"pos_weight has the shape \(3,\)",
    ),
    (lambda: nn.binary_cross_entropy_with_logits(0.0, 1, pos_weight=[1.0, 2.0]), errors.ShapeError, "pos_weight"),
    (lambda: nn.binary_cross_entropy_with_logits(0.0, 1, pos_weight=-1.0), errors.DomainError, "pos_weight .*-1.0"),
    (lambda: nn.kl_div(np.zeros(2), [-0.5, 1.5]), errors.DomainError, "-0.5 among.*log_target=True"),
    (lambda: nn.hinge_loss(np.zeros(2), [0, 1]), errors.DomainError, r"hinge_loss .*with 0.0 among.*2 \* labels - 1"),
    (lambda: nn.hinge_loss(np.zeros((2, 3)), [0, 3]), errors.DomainError, "hinge_loss was given the label 3"),
    (lambda: nn.hinge_loss(np.zeros((2, 3)), [0.0, 1.0]), errors.DataError, "labels of dtype float64"),
    (lambda: nn.squared_hinge_loss(np.zeros((2, 1)), [1, -1]), errors.ShapeError, "squared_hinge_loss was given"),
    (
        lambda: nn.cosine_embedding_loss(np.ones((2, 3)), np.ones((2, 3)), [1, 0]),
        errors.DomainError,
        "cosine_embedding_loss was given targets .*0 among",
    ),
    (
        lambda: nn.cosine_embedding_loss(np.ones((2, 3)), np.ones((2, 3)), [1, 1, 1]),
        errors.ShapeError,
        r"Give targets of shape \(2,\)",
    ),
    (
        lambda: nn.cosine_embedding_loss(np.ones(3), np.ones(3), 1, margin=2),
        errors.DomainError,
        "margin=2",
    ),
    (
        lambda: nn.triplet_margin_loss(np.ones(3), np.ones(3), np.ones(3), margin=0),
        errors.DomainError,
        "margin=0",
    ),
    (lambda: nn.triplet_margin_loss(1.0, 2.0, 3.0), errors.ShapeError, r"\(\), \(\), \(\)"),
    (lambda: nn.cross_entropy(PREDICTION, -PROBABILITIES), errors.DomainError, "distribution over the classes"),
    (lambda: nn.cross_entropy(PREDICTION, np.full((4, 3), np.nan)), errors.DomainError, "nan among"),
    (lambda: nn.cross_entropy(PREDICTION, np.ones((4, 3), int)), errors.DomainError, "one-hot rows"),
    (lambda: nn.cross_entropy(PREDICTION, LABELS, label_smoothing=1.5), errors.DomainError, "label_smoothing=1.5"),
    (lambda: nn.cross_entropy(PREDICTION, LABELS, class_weight=[1, 2]), errors.ShapeError, "one weight for each class"),
    (lambda: nn.cross_entropy(PREDICTION, LABELS, class_weight=[1, -2, 1]), errors.DomainError, "class_weight .* -2"),
    (lambda: nn.cross_entropy(PREDICTION, LABELS, class_weight=np.zeros(3)), errors.DomainError, "sum to 0"),
    (lambda: nn.cross_entropy(PREDICTION, LABELS, ignore_index="0"), errors.DomainError, "ignore_index='0'"),
    (lambda: nn.cross_entropy(PREDICTION, PROBABILITIES, ignore_index=0), errors.DataError, "Only labels"),
    (lambda: nn.nll_loss(PREDICTION, [0, 1, 2, 3]), errors.DomainError, "nll_loss was given the label 3"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_cannot_be_compared_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count(". ") >= 2  # three sentences


@pytest.mark.parametrize(
    "loss",
    [nn.mse_loss, nn.l1_loss, nn.huber_loss, nn.binary_cross_entropy_with_logits],
    ids=lambda loss: loss.__name__,
)
def test_small_integers_do_not_wrap_around(loss):
    prediction, targets = np.array([0, 1, 200], np.uint8), np.array([1, 0, 1], np.uint8)
    assert float(loss(prediction, targets)) == float(loss(prediction.astype(float), targets.astype(float)))
    assert float(loss(prediction[0], targets[0])) == float(loss(0.0, 1.0))
