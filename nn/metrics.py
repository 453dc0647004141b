"""Metrics: figures for people, from predictions and targets; nothing is recorded.

Each is called `metric(prediction, targets)`, as losses are and as `fit(metrics=...)` calls it. The predictions come
first, as in torchmetrics, which has most of these names; in scikit-learn's functions the targets do. Settings are
handed over in a function of one's own, `metrics={"f1": lambda p, t: f1_score(p, t, average="micro")}`.

Predictions of classes are scores of shape `(batch, classes)`, of which the highest counts, or labels of shape
`(batch,)`; their targets are labels, or scores such as one-hot rows. Scores of shape `(batch, ..., classes)` with
labels of shape `(batch, ...)` count place by place. The figures are those of scikit-learn, which is needed for areas
under curves and drawings alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine import Tensor, Value, errors

from .data import as_array, check_count
from .initializers import chosen

silent = np.errstate(all="ignore")  # a model that diverges is reported by its figures

# Classes


def accuracy(prediction: Any, targets: Any) -> float:
    """Return the share of right answers.

    `prediction` holds scores of shape `(batch, classes)`, of which the highest counts, or labels of shape `(batch,)`;
    `targets` hold labels of shape `(batch,)`, or scores such as one-hot rows.

    Raises ShapeError where their numbers of rows differ or there are none.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1])
    0.5
    """
    guesses, labels = _answers("accuracy", prediction, targets)
    return float(np.mean(guesses == labels))


def top_k_accuracy(prediction: Any, targets: Any, *, k: int = 5) -> float:
    """Return the share of rows in which the target is among the `k` highest scores; with k=1 this is `accuracy`.

    `prediction` holds scores of shape `(batch, classes)`, two classes among them, which scikit-learn would want as one
    column. Of equal scores the first counts as higher, as in `argmax`.

    Raises ShapeError for other shapes, DomainError for a `k` that is not from 1 to the number of classes.

    >>> top_k_accuracy([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], [2, 2], k=2)
    0.5
    """
    check_count(k, 1, "k", "the scores among which the target may be")
    scores, targets = _rows(prediction, targets)
    _, labels = _answers("top_k_accuracy", scores, targets)
    if scores.ndim != 2:
        raise errors.ShapeError(
            f"top_k_accuracy was given predictions of shape {scores.shape}. Labels say nothing of what comes second. "
            "Give scores of shape (batch, classes)."
        )
    if k > scores.shape[1]:
        raise errors.DomainError(
            f"k={k} was given for scores of {scores.shape[1]} classes. top_k_accuracy would call every answer right. "
            f"Give a k below {scores.shape[1]}."
        )
    highest = np.argsort(-scores.astype(float), axis=1, kind="stable")[:, :k]
    return float(np.mean((highest == labels[:, None]).any(axis=1)))


def precision(prediction: Any, targets: Any, *, average: str | None = "macro") -> Any:
    """Return true positives over predicted positives: of the rows that were taken for a class, the share that is of it.

    It is 0 for a class that no row was taken for: van Rijsbergen (1979), chapter 7.

    `average` says what becomes of the classes: "macro" is their plain mean, "weighted" the mean weighed by their
    numbers of rows, "micro" counts all rows together, "binary" is the class 1 of two alone, and None gives an array
    with one entry for each class: each column of scores, or each label that occurs, in order.

    Raises ShapeError where predictions and targets do not fit, DomainError for another average, and for "binary" where
    there are more classes than two.

    >>> precision([1, 1, 0, 2], [1, 0, 0, 2], average=None).tolist()
    [1.0, 0.5, 1.0]
    """
    return _averaged("precision", lambda hits, taken, there: _ratio(hits, taken), prediction, targets, average)


def recall(prediction: Any, targets: Any, *, average: str | None = "macro") -> Any:
    """Return true positives over positives: of the rows of a class, the share that was taken for it.

    It is 0 for a class without rows. Settings and errors are those of `precision`.

    >>> recall([1, 1, 0, 2], [1, 0, 0, 2], average=None).tolist()
    [0.5, 1.0, 1.0]
    """
    return _averaged("recall", lambda hits, taken, there: _ratio(hits, there), prediction, targets, average)


def f1_score(prediction: Any, targets: Any, *, average: str | None = "macro") -> Any:
    """Return the harmonic mean of precision and recall of each class; settings and errors are those of `precision`.

    >>> round(f1_score([1, 1, 0, 2], [1, 0, 0, 2]), 4)
    0.7778
    """

    def dice(hits: Any, taken: Any, there: Any) -> Any:
        return _ratio(2 * hits, taken + there)

    return _averaged("f1_score", dice, prediction, targets, average)


def confusion_matrix(prediction: Any, targets: Any, *, normalize: str | None = None) -> np.ndarray:
    """Return how many rows of the true class i were taken for the class j, of shape `(classes, classes)`.

    `normalize` makes shares of the counts: of each true class ("true", rows add up to 1), of each predicted class
    ("pred"), or of all rows ("all"). Classes are the columns of the scores, or the labels that occur, in order.

    Raises ShapeError where predictions and targets do not fit, DomainError for another `normalize`.

    >>> confusion_matrix([1, 1, 0, 2], [1, 0, 0, 2]).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    """
    if normalize is not None:
        chosen(str(normalize), dict.fromkeys(["true", "pred", "all"]), "normalize")
    _, counts = _counts("confusion_matrix", prediction, targets)
    if normalize is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    return _ratio(counts, counts.sum(axis=axis, keepdims=True))


def plot_confusion_matrix(
    prediction: Any, targets: Any, *, names: Any = None, normalize: str | None = None, axes: Any = None
) -> Any:
    """Draw the `confusion_matrix`, true classes downwards and predicted ones to the right; return matplotlib's axes.

    `names` are those of the classes; shares are written in per cent. Draws into `axes`, or into a figure of its own.

    Raises ShapeError where predictions, targets or names do not fit, MissingExtraError where scikit-learn or
    matplotlib is not installed.

    >>> from matplotlib.figure import Figure
    >>> panel = Figure().subplots()
    >>> plot_confusion_matrix([1, 1, 0], [1, 0, 0], names=["ox", "cow"], axes=panel).get_xlabel()
    'Predicted class'
    """
    matrix = confusion_matrix(prediction, targets, normalize=normalize)
    classes = _counts("plot_confusion_matrix", prediction, targets)[0].tolist() if names is None else list(names)
    if len(classes) != len(matrix):
        raise errors.ShapeError(
            f"plot_confusion_matrix was given {len(classes)} names for {len(matrix)} classes. Each row and column has "
            "its own. Name the columns of the scores, or the labels that occur, in order."
        )
    display = _scikit_learn("plot_confusion_matrix").ConfusionMatrixDisplay(matrix, display_labels=classes)
    if axes is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise errors.MissingExtraError(
                "A confusion matrix was to be drawn, and matplotlib is not installed. Its numbers are there without "
                "it, from confusion_matrix. Run pip install 'chainrule[demos]'."
            ) from error
        side = min(3.2 + 0.35 * len(matrix), 12.0)
        _, axes = pyplot.subplots(figsize=(side * 1.15, side), layout="compressed")
    few = len(matrix) <= 20  # more numbers than that cannot be read
    top = matrix.max() if normalize in (None, "all") else 1.0
    room = axes.get_window_extent().width / axes.figure.dpi / len(matrix)
    letter = 0.09  # inches, about
    rotation = "vertical" if max(len(str(name)) for name in classes) * letter > room else "horizontal"
    # One hue from light to dark, which is the same to colour-blind readers and in grey.
    settings = {"cmap": "Blues", "im_kw": {"vmin": 0, "vmax": top}, "xticks_rotation": rotation}
    display.plot(ax=axes, include_values=few, colorbar=False, **settings)
    for number, text in zip(matrix.flat, display.text_.flat if few else []):
        share = "100" if number == 1 else f"{100 * number:.1f}"
        text.set_text("" if not number else f"{number}" if normalize is None else share)
        text.set_color("white" if display.im_.norm(number) > 0.7 else "black")
    shown = (lambda share, _: f"{100 * share:.3g}%") if normalize else None
    beside = axes.inset_axes((1.04, 0.0, 0.05, 1.0))  # as high as the matrix
    bar = axes.figure.colorbar(display.im_, cax=beside, format=shown, label=SHARES[normalize or "none"])
    if normalize is None:
        bar.locator.set_params(integer=True)
    axes.set(xlabel="Predicted class", ylabel="True class")
    return axes


def roc_auc(prediction: Any, targets: Any, *, average: str | None = "macro") -> Any:
    """Return the area under the ROC curve: of all pairs of a row of a class and another, the share in right order.

    In right order is a pair whose row of the class has the higher score for it; equal scores count half: Hanley and
    McNeil (1982).

    `prediction` holds one score for each row, of shape `(batch,)` or `(batch, 1)`, for the greater of two labels; or
    scores of shape `(batch, classes)`, a column for each class. With two columns their difference is the score. With
    more, each class is told from the rest by its own column, as it is given, and the areas are averaged as in
    `precision`; the columns of logits are not in the order of their probabilities, so hand over engine.softmax(logits)
    where these are meant, as in scikit-learn. Classes that do not occur are left out, and NaN with `average=None`.

    Raises ShapeError where predictions and targets do not fit, DomainError where the targets hold one class only,
    MissingExtraError where scikit-learn is not installed.

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    scores, labels = _plain(prediction), _labels("roc_auc", targets)
    scores = scores.astype(float) if scores.dtype.kind in "iub" else scores
    scores = scores[:, 0] if scores.shape[1:] == (1,) else scores
    _check_average(average, *AVERAGES[:3])
    if scores.ndim not in (1, 2) or labels.shape != scores.shape[:1]:
        raise errors.ShapeError(
            f"roc_auc was given scores of shape {scores.shape} and {labels.shape} targets. Each row of scores has its "
            "own target. Give scores of shape (batch,) or (batch, classes) and labels of shape (batch,)."
        )
    present = np.unique(labels)
    columns = scores.shape[1] if scores.ndim == 2 else 2
    if not 2 <= len(present) <= columns:
        raise errors.DomainError(
            f"roc_auc was given targets of {len(present)} classes and scores of shape {scores.shape}. It compares the "
            "scores of rows that are of a class with those of rows that are not. Give targets of at least two classes, "
            "and a column of scores for each where there are more."
        )
    area = _scikit_learn("roc_auc").roc_auc_score
    if scores.ndim == 1:
        return float(area(labels == present[1], scores))
    if not np.isin(present, np.arange(columns)).all():
        raise errors.DomainError(
            f"roc_auc was given the labels {present.tolist()} and {columns} columns of scores. A label is the number "
            f"of its column. Number the classes 0, ..., {columns - 1}."
        )
    if columns == 2:
        return float(area(labels == 1, scores[:, 1] - scores[:, 0]))  # the same order for probabilities and logits
    areas = area(labels[:, None] == present, scores[:, present], average=average)
    if average is not None:
        return float(areas)
    every = np.full(columns, math.nan)
    every[present] = areas
    return every


# Numbers


@silent
def mean_squared_error(prediction: Any, targets: Any) -> float:
    """Return the mean of the squared differences, over rows and outputs.

    Raises ShapeError where the shapes differ or there are no numbers, DataError for what is no number.

    >>> mean_squared_error([1.0, 3.0], [0.0, 1.0])
    2.5
    """
    found, wanted = _by_number("mean_squared_error", prediction, targets)
    return float(np.mean((found - wanted) ** 2))


def mean_absolute_error(prediction: Any, targets: Any) -> float:
    """Return the mean of the absolute differences, over rows and outputs; errors are those of `mean_squared_error`.

    >>> mean_absolute_error([1.0, 3.0], [0.0, 1.0])
    1.5
    """
    found, wanted = _by_number("mean_absolute_error", prediction, targets)
    return float(np.mean(abs(found - wanted)))


@silent
def r2_score(prediction: Any, targets: Any) -> float:
    """Return R², the share of the targets' variance that is explained: 1 for perfect predictions, 0 for their mean.

    It is averaged over outputs. An output whose targets are all equal counts 1 if its predictions are perfect and 0
    otherwise, as in scikit-learn. NaN for a single row, which has no variance to be explained. Errors are those of
    `mean_squared_error`.

    >>> r2_score([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    0.5
    """
    found, wanted = _by_number("r2_score", prediction, targets)
    left, spread = ((wanted - centre) ** 2 for centre in (found, wanted.mean(axis=0)))
    left, spread = left.sum(axis=0), spread.sum(axis=0)
    unexplained = np.divide(left, spread, out=np.sign(left), where=spread > 0)
    return float(1.0 - unexplained.mean()) if len(wanted) > 1 else math.nan


def _by_number(where: str, prediction: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets as floats of one shape, `(batch, outputs)`."""
    found, wanted = (as_array(_plain(given)).astype(float) for given in (prediction, targets))
    found, wanted = (array[:, None] if array.ndim == 1 else array for array in (found, wanted))
    if found.shape != wanted.shape or found.ndim != 2 or not found.size:
        raise errors.ShapeError(
            f"{where} was given predictions of shape {np.shape(prediction)} and targets of shape {np.shape(targets)}. "
            "Each number is compared with its own target, and there must be some. "
            "Give both the shape (batch,) or (batch, outputs)."
        )
    return found, wanted


# What they have in common

AVERAGES = ("macro", "weighted", "micro", "binary")
SHARES = {
    "true": "Share of the true class",
    "pred": "Share of the predicted class",
    "all": "Share of all",
    "none": "Number of rows",
}


def _counts(where: str, prediction: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """The classes in order, and how many rows of class i were taken for class j.

    Classes are the columns of the scores, where there are some, and the labels that occur.
    """
    rows = _rows(prediction, targets)
    guesses, labels = _answers(where, *rows)
    columns = np.arange(max([0, *(given.shape[1] for given in rows if given.ndim == 2)]))
    classes, places = np.unique(np.concatenate([labels, guesses, columns]), return_inverse=True)
    true, taken, _ = np.split(places, [len(labels), 2 * len(labels)])
    count = len(classes)
    return classes, np.bincount(count * true + taken, minlength=count * count).reshape(count, count)


def _averaged(where: str, shares: Any, prediction: Any, targets: Any, average: str | None) -> Any:
    """The shares of the classes in one number; `shares` makes them of hits, of rows taken for a class and of it."""
    _check_average(average, *AVERAGES)
    classes, counts = _counts(where, prediction, targets)
    hits, taken, there = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    if average == "micro":
        return float(shares(hits.sum(), taken.sum(), there.sum()))
    each = shares(hits, taken, there)
    if average is None:
        return each
    if average == "binary":
        if len({*classes.tolist(), 1}) > 2:
            raise errors.DomainError(
                f'{where} was given average="binary" and the classes {classes.tolist()}. It is about the class 1 of '
                'two. Write average="macro", or average=None for each class.'
            )
        return float(each[classes == 1].sum())
    occurs = taken + there > 0
    return float(np.average(each[occurs], weights=there[occurs] if average == "weighted" else None))


def _ratio(part: Any, whole: Any) -> Any:
    """Shares of counts, and 0 where the whole is 0."""
    return np.divide(part, np.maximum(whole, 1))


def _check_average(average: Any, *known: str) -> None:
    if average is not None:
        chosen(str(average), dict.fromkeys(known), "average")


def _scikit_learn(metric: str) -> Any:
    try:
        from sklearn import metrics
    except ImportError as error:
        raise errors.MissingExtraError(
            f"{metric} was asked for, and scikit-learn is not installed. It computes areas under curves and draws. "
            "Run pip install 'chainrule[estimators]'."
        ) from error
    return metrics


def _plain(given: Any) -> np.ndarray:
    return np.asarray(given.data if isinstance(given, Value | Tensor) else given)


def _rows(prediction: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays; those of more axes place by place, one below the other."""
    found, wanted = _plain(prediction), _plain(targets)
    if found.ndim > 2 and found.size and wanted.shape == found.shape[:-1]:
        return found.reshape(-1, found.shape[-1]), wanted.ravel()
    return found, wanted


def _answers(where: str, prediction: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """The labels that were guessed, and the right ones."""
    guesses, labels = (_labels(where, given) for given in _rows(prediction, targets))
    if guesses.shape != labels.shape or guesses.ndim != 1 or not guesses.size:
        raise errors.ShapeError(
            f"{where} was given {guesses.shape} predictions and {labels.shape} targets. "
            "Each prediction is compared with its own target, and there must be some. "
            "Give scores of shape (batch, classes) and labels of shape (batch,)."
        )
    if (guesses.dtype.kind in "fiub") != (labels.dtype.kind in "fiub"):
        raise errors.DataError(
            f"{where} was given predictions of dtype {guesses.dtype} and targets of dtype {labels.dtype}. No number is "
            "equal to a word. Number the classes with numpy.unique(labels, return_inverse=True)."
        )
    return guesses, labels


def _labels(where: str, given: Any) -> np.ndarray:
    array = _plain(given)
    if array.ndim == 2 and array.shape[1] == 1:
        raise errors.ShapeError(
            f"{where} was given one column of scores, of shape {array.shape}. "
            "The highest of one is always the first, which would call every answer right. "
            "Turn scores into labels first, for example with (scores > 0).astype(int).ravel()."
        )
    if array.ndim == 1 and array.dtype.kind == "f" and not np.equal(array, np.floor(array)).all():
        raise errors.ShapeError(
            f"{where} was given {array.shape[0]} scores that are no labels, such as {array[0]}. "
            "One score for each row does not say which label it means. "
            "Turn scores into labels first, for example with (scores > 0).astype(int)."
        )
    return array.argmax(axis=1) if array.ndim == 2 else array
