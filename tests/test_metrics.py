"""Metrics: counted by hand, beside scikit-learn's, drawn, and without what they need."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import engine
import nn
from engine import errors

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)


@given(labels)
def test_accuracy_is_the_share_of_equal_labels(pairs):
    guesses, truth = np.array(pairs).T
    expected = sum(a == b for a, b in pairs) / len(pairs)
    scores, one_hot = 0.3 * np.eye(4)[guesses], np.eye(4)[truth]
    for prediction in (guesses, scores, engine.Tensor(scores), scores.tolist()):
        for targets in (truth, one_hot, truth.tolist(), engine.Tensor(truth)):
            result = nn.accuracy(prediction, targets)
            assert type(result) is float
            assert result == expected


@pytest.mark.parametrize(("prediction", "targets"), [((3,), (2,)), ((3, 2), (2,)), ((3,), (3, 1, 1)), ((0,), (0,))])
def test_accuracy_needs_a_target_for_each_prediction(prediction, targets):
    with pytest.raises(errors.ShapeError, match="compared with its own target"):
        nn.accuracy(np.zeros(prediction), np.zeros(targets))


@st.composite
def scored(draw, least=2):
    """Scores (batch, classes), and labels of at least two classes; ties are common."""
    rows, classes = draw(st.integers(2, 12)), draw(st.integers(least, 5))
    scores = draw(arrays(float, (rows, classes), elements=st.integers(-6, 6).map(lambda n: n / 2)))
    labels = draw(arrays(int, rows, elements=st.integers(0, classes - 1)).filter(lambda y: len(set(y.tolist())) > 1))
    return scores, labels


few = settings(max_examples=15)  # each of scikit-learn's metrics takes milliseconds


def forms(scores, labels):
    """The same in the shapes and types that metrics take."""
    one_hot = np.eye(scores.shape[1])[labels]
    yield scores, labels
    yield engine.Tensor(scores), one_hot
    yield scores.tolist(), labels.tolist()
    yield scores, engine.Tensor(labels)


@given(scored(), st.data())
def test_top_k_counts_the_scores_before_the_targets(problem, data):
    scores, labels = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    right = 0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        order = sorted(range(len(row)), key=lambda column: (-row[column], column))
        right += label in order[:k]
    for prediction, targets in forms(scores, labels):
        assert nn.top_k_accuracy(prediction, targets, k=k) == right / len(labels)
        assert nn.top_k_accuracy(prediction, targets, k=1) == nn.accuracy(prediction, targets)
        assert nn.top_k_accuracy(prediction, targets, k=scores.shape[1]) == 1.0


def counted(scores, labels):
    """The confusion matrix, row by row."""
    matrix = np.zeros((scores.shape[1],) * 2, int)
    for row, label in zip(scores.tolist(), labels, strict=True):
        matrix[label, row.index(max(row))] += 1
    return matrix


@few
@given(scored())
def test_precision_recall_and_f1_are_counted(problem):
    scores, labels = problem
    matrix = counted(scores, labels)
    hits, taken, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    shares = {
        nn.precision: hits / np.maximum(taken, 1),
        nn.recall: hits / np.maximum(there, 1),
        nn.f1_score: 2 * hits / np.maximum(taken + there, 1),
    }
    occurs = (taken + there) > 0
    for prediction, targets in forms(scores, labels):
        for metric, expected in shares.items():
            np.testing.assert_allclose(metric(prediction, targets, average=None), expected, rtol=1e-14)
            assert metric(prediction, targets) == pytest.approx(expected[occurs].mean())
            weighted = metric(prediction, targets, average="weighted")
            assert weighted == pytest.approx(np.average(expected, weights=there))
            micro = metric(prediction, targets, average="micro")
            assert micro == pytest.approx(nn.accuracy(scores, labels))
            assert {type(weighted), type(micro)} == {float}
            if scores.shape[1] == 2:
                assert metric(prediction, targets, average="binary") == pytest.approx(expected[1])


@few
@given(scored())
def test_a_confusion_matrix_is_counted_and_normalised(problem):
    scores, labels = problem
    matrix = counted(scores, labels)
    for prediction, targets in forms(scores, labels):
        assert nn.confusion_matrix(prediction, targets).tolist() == matrix.tolist()
        for normalize, total in (
            ("true", matrix.sum(axis=1, keepdims=True)),
            ("pred", matrix.sum(axis=0, keepdims=True)),
            ("all", matrix.sum()),
        ):
            shares = nn.confusion_matrix(prediction, targets, normalize=normalize)
            np.testing.assert_allclose(shares, matrix / np.maximum(total, 1))


@few
@given(scored())
def test_roc_auc_counts_the_pairs_in_right_order(problem):
    scores, labels = problem
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    def area(column, of_class):
        pairs = column[of_class][:, None] - column[~of_class]
        return np.mean((pairs > 0) + 0.5 * (pairs == 0))

    exact = np.round(probabilities, 9)  # so that equal probabilities are equal
    for given_scores in (exact, scores):
        areas = [area(given_scores[:, c], labels == c) if c in labels else np.nan for c in range(scores.shape[1])]
        for prediction, targets in forms(given_scores, labels):
            result = nn.roc_auc(prediction, targets)
            assert type(result) is float
            if scores.shape[1] == 2:
                assert result == pytest.approx(area(given_scores[:, 1] - given_scores[:, 0], labels == 1))
            else:
                assert result == pytest.approx(np.nanmean(areas), abs=1e-12)
                np.testing.assert_allclose(nn.roc_auc(prediction, targets, average=None), areas, atol=1e-12)
                weights = np.bincount(labels, minlength=len(areas))
                weighted = np.average(np.nan_to_num(areas), weights=weights)
                assert nn.roc_auc(prediction, targets, average="weighted") == pytest.approx(weighted)
    signs = np.where(labels == labels[0], 1, -1)
    for column in (scores[:, 0], scores[:, :1]):
        assert nn.roc_auc(column, signs) == pytest.approx(area(scores[:, 0], signs > 0))


def test_roc_auc_takes_scores_as_they_are():
    """Those of probabilities are scikit-learn's; logits have another order from row to row."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    logits, labels = 3 * np.sin(np.arange(60.0)).reshape(20, 3), np.arange(20) % 3
    probabilities = engine.softmax(logits)
    for average in ("macro", "weighted", "micro"):
        expected = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average=average)
        assert nn.roc_auc(probabilities, labels, average=average) == pytest.approx(expected, rel=1e-12)
        by_column = metrics.roc_auc_score(np.eye(3)[labels], logits, average=average)
        for given_scores in (logits, logits - logits.min(), 10 * logits):
            assert nn.roc_auc(given_scores, labels, average=average) == pytest.approx(by_column, rel=1e-12)
        assert nn.roc_auc(probabilities.astype("float32"), labels, average=average) == pytest.approx(expected, rel=1e-6)


@few
@given(st.integers(2, 8), st.integers(1, 3), st.data())
def test_errors_of_numbers_are_their_formulas(rows, outputs, data):
    numbers = arrays(float, (rows, outputs), elements=st.integers(-8, 8).map(float))
    found, wanted = data.draw(numbers), data.draw(numbers.filter(lambda y: (np.ptp(y, axis=0) > 0).all()))
    given_as = [(found, wanted), (engine.Tensor(found), wanted.tolist()), (found.astype("float32"), wanted)]
    given_as += [(found[:, 0], wanted), (found, wanted[:, 0])] if outputs == 1 else []
    spread = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    for prediction, targets in given_as:
        assert nn.mean_squared_error(prediction, targets) == pytest.approx(np.mean((found - wanted) ** 2))
        assert nn.mean_absolute_error(prediction, targets) == pytest.approx(np.mean(abs(found - wanted)))
        r2 = np.mean(1 - ((found - wanted) ** 2).sum(axis=0) / spread)
        assert nn.r2_score(prediction, targets) == pytest.approx(r2)


def test_r2_of_a_single_row_is_nan_and_silent():
    assert np.isnan(nn.r2_score([[1.0]], [[2.0]]))


def test_figures_of_models_that_diverge_are_silent():
    for wrong in (np.nan, np.inf, 1e300):
        for metric in (nn.mean_squared_error, nn.mean_absolute_error, nn.r2_score):
            assert not abs(metric([wrong, 1.0], [1.0, 2.0])) < 1e299


@few
@given(st.integers(2, 8), st.integers(1, 3), st.data())
def test_metrics_of_numbers_are_scikit_learns(rows, outputs, data):
    """Also where all targets are equal."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    numbers = arrays(float, (rows, outputs), elements=st.integers(0, 2).map(float))
    found, wanted = data.draw(numbers), data.draw(numbers)
    for metric in (nn.mean_squared_error, nn.mean_absolute_error, nn.r2_score):
        assert metric(found, wanted) == pytest.approx(getattr(metrics, metric.__name__)(wanted, found), abs=1e-12)


NAMES = np.array(["cow", "ox", "sheep"])


@pytest.mark.filterwarnings("ignore:A single label was found")
@few
@given(labels)
def test_metrics_of_labels_are_scikit_learns(pairs):
    """Of every kind of label; the predictions come first here and the targets there."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    guesses, truth = np.array(pairs).T % 3
    for p, t in ((guesses, truth), (guesses - 1.0, truth - 1.0), (NAMES[guesses], NAMES[truth].astype(object))):
        np.testing.assert_array_equal(nn.confusion_matrix(p, t), metrics.confusion_matrix(t, p))
        for metric in (nn.precision, nn.recall, nn.f1_score):
            theirs = getattr(metrics, f"{metric.__name__.removesuffix('_score')}_score")
            for average in ("macro", "micro", "weighted", None):
                expected = theirs(t, p, average=average, zero_division=0.0)
                np.testing.assert_allclose(metric(p, t, average=average), expected, rtol=1e-14)
    p, t = guesses > 0, truth > 0
    for metric in (nn.precision, nn.recall, nn.f1_score):
        theirs = getattr(metrics, f"{metric.__name__.removesuffix('_score')}_score")
        for one, other in ((p, t), (2 * p - 1, 2 * t - 1)):
            expected = theirs(other == 1, one == 1, zero_division=0.0)
            assert metric(one, other, average="binary") == pytest.approx(expected)


def test_labels_of_sequences_count_place_by_place():
    scores, labels = np.sin(np.arange(24.0)).reshape(2, 4, 3), np.arange(8).reshape(2, 4) % 3
    for metric in (nn.accuracy, nn.precision, nn.recall, nn.f1_score):
        assert metric(engine.Tensor(scores), labels) == metric(scores.reshape(8, 3), labels.ravel())
    flat = nn.confusion_matrix(scores.reshape(8, 3), labels.ravel())
    np.testing.assert_array_equal(nn.confusion_matrix(scores, labels), flat)
    assert nn.top_k_accuracy(scores, labels, k=2) == nn.top_k_accuracy(scores.reshape(8, 3), labels.ravel(), k=2)


def test_metrics_are_reported_by_fit():
    x = np.sin(np.arange(40.0)).reshape(20, 2)
    labels = (x[:, 0] > 0).astype(int)
    model = nn.Linear(2, 2, seed=0)
    named = {"f1": lambda p, t: nn.f1_score(p, t, average="micro"), "auc": nn.roc_auc, "top": nn.accuracy}
    sgd = nn.SGD(model.parameters(), learning_rate=0.5)
    history = nn.fit(
        model, x, labels, loss=nn.cross_entropy, optimizer=sgd, metrics=named, epochs=2, batch_size=20, progress=False
    )
    assert {len(history[name]) for name in named} == {2}
    model = nn.Linear(2, 1, seed=0)
    figures = nn.evaluate(model, x, x[:, :1], loss=nn.mse_loss, metrics=[nn.mean_squared_error, nn.r2_score])
    assert figures["mean_squared_error"] == pytest.approx(figures["loss"])


# Pictures


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


GUESSES, TRUTH = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("normalize", "numbers", "share"),
    [
        (None, ["2", "1", "", "", "2", "", "", "", "1"], "Number of rows"),
        ("true", ["66.7", "33.3", "", "", "100", "", "", "", "100"], "Share of the true class"),
        ("pred", ["100", "33.3", "", "", "66.7", "", "", "", "100"], "Share of the predicted class"),
        ("all", ["33.3", "16.7", "", "", "33.3", "", "", "", "16.7"], "Share of all"),
    ],
)
def test_a_drawn_confusion_matrix_says_what_it_shows(pyplot, normalize, numbers, share):
    axes = nn.plot_confusion_matrix(GUESSES, TRUTH, normalize=normalize, names=["ox", "cow", "sheep"])
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.texts] == numbers
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ox", "cow", "sheep"]
    (bar,) = axes.child_axes
    assert bar.get_ylabel() == share
    ticks = [label.get_text() for label in bar.get_yticklabels()]
    assert len(set(ticks)) == len(ticks)


@pytest.mark.parametrize("normalize", [None, "true", "all"])
@pytest.mark.parametrize("names", [["cats", "dogs", "oxen"], ["very long names"] * 3, list("abcdefghij")])
def test_a_drawn_confusion_matrix_can_be_read(pyplot, normalize, names):
    rng = np.random.default_rng(0)
    truth = np.arange(200) % len(names)
    guesses = np.where(rng.random(200) < 0.4, truth, rng.integers(len(names), size=200))
    axes = nn.plot_confusion_matrix(guesses, truth, names=names, normalize=normalize)
    axes.figure.canvas.draw()
    matrix = nn.confusion_matrix(guesses, truth, normalize=normalize)
    for number, text in zip(matrix.flat, axes.texts, strict=True):
        written, behind = (_luminance(colour) for colour in (text.get_color(), axes.images[0].to_rgba(number)))
        assert (max(written, behind) + 0.05) / (min(written, behind) + 0.05) > 4.4
    picture, (bar,) = axes.figure.bbox, axes.child_axes
    for part in (axes, bar):
        drawn = part.get_tightbbox()
        assert drawn.x0 > 0 and drawn.y0 > 0 and drawn.x1 < picture.x1 and drawn.y1 < picture.y1
    assert bar.get_window_extent().height == pytest.approx(axes.get_window_extent().height)
    turned = {label.get_rotation() for label in axes.get_xticklabels()}
    assert turned == ({90.0} if "very long names" in names else {0.0})


def _luminance(colour):
    """The relative luminance of WCAG 2, between which contrast is a ratio."""
    from matplotlib.colors import to_rgb

    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_a_confusion_matrix_is_drawn_where_it_is_told(pyplot):
    figure, panels = pyplot.subplots(1, 2)
    assert nn.plot_confusion_matrix(GUESSES, TRUTH, axes=panels[1]) is panels[1]
    assert panels[1].figure is figure
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["0", "1", "2"]
    many = nn.plot_confusion_matrix(np.arange(30), np.arange(30))
    assert not many.texts
    with pytest.raises(errors.ShapeError, match="2 names for 3 classes"):
        nn.plot_confusion_matrix(GUESSES, TRUTH, names=["ox", "cow"])


# What cannot be measured

SCORES = np.zeros((3, 4))
REFUSED = [
    (lambda: nn.top_k_accuracy([0, 1, 2], [0, 1, 2], k=1), errors.ShapeError, "say nothing of what comes second"),
    (lambda: nn.top_k_accuracy(SCORES, [0, 1, 2], k=0), errors.DomainError, "k=0"),
    (lambda: nn.top_k_accuracy(SCORES, [0, 1, 2], k=5), errors.DomainError, "k=5 was given for scores of 4 classes"),
    (lambda: nn.top_k_accuracy(SCORES, [0, 1], k=1), errors.ShapeError, "compared with its own target"),
    (lambda: nn.precision(SCORES, [0, 1]), errors.ShapeError, "precision was given"),
    (lambda: nn.recall(SCORES, [0, 1, 2], average="makro"), errors.DomainError, "Did you mean 'macro'"),
    (lambda: nn.f1_score(SCORES[:, :1], [0, 1, 2]), errors.ShapeError, "f1_score was given one column"),
    (lambda: nn.f1_score([0.5, 0.1], [0, 1]), errors.ShapeError, "scores that are no labels, such as 0.5"),
    (lambda: nn.f1_score([0, 1, 2], [0, 1, 2], average="binary"), errors.DomainError, r"the classes \[0, 1, 2\]"),
    (lambda: nn.precision([2, 3], [3, 2], average="binary"), errors.DomainError, "about the class 1 of two"),
    (lambda: nn.recall(SCORES, ["a", "b", "c"]), errors.DataError, "No number is equal to a word"),
    (lambda: nn.accuracy(["a"], [0]), errors.DataError, "accuracy was given predictions of dtype <U1"),
    (lambda: nn.r2_score(["a", "b"], [0.0, 1.0]), errors.DataError, "compute with numbers"),
    (lambda: nn.confusion_matrix(SCORES, [0, 1, 2], normalize="truth"), errors.DomainError, "Did you mean 'true'"),
    (lambda: nn.roc_auc([0.1, 0.2], [1, 1]), errors.DomainError, "targets of 1 classes"),
    (lambda: nn.roc_auc([0.1, 0.2, 0.3], [0, 1, 2]), errors.DomainError, "targets of 3 classes"),
    (lambda: nn.roc_auc([0.1, 0.2, 0.3], [0, 1]), errors.ShapeError, "Each row of scores has its own target"),
    (lambda: nn.roc_auc(SCORES, [0, 4, 1]), errors.DomainError, r"labels \[0, 1, 4\] and 4 columns"),
    (lambda: nn.roc_auc(SCORES, [0, 2, 1], average="binary"), errors.DomainError, "'binary' was given as average"),
    (lambda: nn.mean_squared_error(SCORES, np.zeros(3)), errors.ShapeError, "mean_squared_error was given"),
    (lambda: nn.mean_absolute_error([], []), errors.ShapeError, "mean_absolute_error was given"),
    (lambda: nn.r2_score(np.zeros(3), np.zeros(4)), errors.ShapeError, "r2_score was given"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_cannot_be_measured_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count(". ") >= 2  # three sentences


def test_an_absent_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert nn.accuracy([0, 1], [0, 1]) == nn.top_k_accuracy(np.eye(2), [0, 1], k=1) == 1.0
    for metric in (nn.precision, nn.recall, nn.f1_score, nn.r2_score):
        assert metric([0, 1], [0, 1]) == 1.0
    assert nn.mean_squared_error([0, 1], [0, 1]) == nn.mean_absolute_error([0, 1], [0, 1]) == 0.0
    assert nn.confusion_matrix([0, 1], [0, 1]).tolist() == [[1, 0], [0, 1]]
    for metric in (nn.plot_confusion_matrix, nn.roc_auc):
        with pytest.raises(errors.MissingExtraError, match=r"scikit-learn is not installed.*chainrule\[estimators\]"):
            metric([0, 1], [0, 1])


def test_an_absent_matplotlib_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(errors.MissingExtraError, match=r"matplotlib is not installed.*chainrule\[demos\]"):
        nn.plot_confusion_matrix([0, 1], [0, 1])


def test_small_integers_do_not_wrap_around():
    scores, labels = np.array([[10, 5], [5, 10], [0, 0], [7, 3]], np.uint8), [0, 1, 1, 0]
    assert nn.roc_auc(scores, labels) == nn.roc_auc(scores.astype(float), labels)
    assert nn.top_k_accuracy(np.array([[0, 5, 3]], np.uint8), [1], k=1) == 1.0
