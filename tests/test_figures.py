"""The figures of an epoch: the loss of its batches on average, and each metric of all its rows at once."""

import mmap
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from engine import Tensor, Value, errors
from nn.training.feeding import Batch
from nn.training.figures import Figures

RNG = np.random.default_rng(0)
X = RNG.normal(size=(41, 3))
LABELS = (X[:, 0] + 0.5 * RNG.normal(size=41) > 0.3).astype(int)
SIZES = st.one_of(st.none(), st.integers(1, 50))


def classifier(seed=0):
    return nn.Linear(3, 2, seed=seed)


def fit(model, y=LABELS, learning_rate=0.1, **given_settings):
    sgd = nn.SGD(model.parameters(), learning_rate)
    given_settings = {"loss": nn.cross_entropy, "epochs": 2, "batch_size": 5, "progress": False, **given_settings}
    return nn.fit(model, X, y, optimizer=sgd, **given_settings)


@settings(max_examples=25)
@given(seed=st.integers(0, 9), batch_size=SIZES, accumulate=st.integers(1, 3))
def test_metrics_of_an_epoch_are_those_of_all_its_rows(seed, batch_size, accumulate):
    """Beside scikit-learn's, of a model that does not change: none of these is a mean over batches."""
    scikit_learn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    model = classifier(seed)
    scores = model(X).data
    metrics = {"f1": nn.f1_score, "precision": nn.precision, "auc": nn.roc_auc}
    guesses = scores.argmax(axis=1)
    expected = {
        "f1": scikit_learn.f1_score(LABELS, guesses, average="macro", zero_division=0),
        "precision": scikit_learn.precision_score(LABELS, guesses, average="macro", zero_division=0),
        "auc": scikit_learn.roc_auc_score(LABELS, scores[:, 1] - scores[:, 0]),
    }
    common = {"batch_size": batch_size, "metrics": metrics}
    history = fit(model, learning_rate=0.0, accumulate=accumulate, validation=(X, LABELS), **common)
    for name, figure in expected.items():
        assert history[name] == history[f"validation_{name}"] == pytest.approx([figure] * 2)
    assert nn.evaluate(model, X, LABELS, **common) == pytest.approx(expected)


def test_metrics_are_called_once_for_an_epoch_with_what_was_predicted_in_it():
    seen, predicted = [], {True: [], False: []}

    class Watching(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            predicted[self.training].append(y.data.copy())
            return y

    def watch(prediction, targets):
        seen.append(prediction)
        assert type(prediction) is type(targets) is np.ndarray
        return len(targets)

    model = Watching(3, 2, seed=0)
    history = fit(model, metrics={"rows": watch}, validation=(X[:9], LABELS[:9]))
    assert history["rows"] == [41.0, 41.0] and history["validation_rows"] == [9.0, 9.0]
    trained, held_out = predicted[True], predicted[False]
    for found, batches in zip(seen, (trained[:9], held_out[:1], trained[9:], held_out[1:]), strict=True):
        np.testing.assert_array_equal(found, np.concatenate(batches))


@settings(max_examples=25)
@given(seed=st.integers(0, 9), batch_size=SIZES, weighted=st.booleans())
def test_evaluation_does_not_depend_on_the_batch_size(seed, batch_size, weighted):
    weights = np.random.default_rng(seed).integers(0, 3, len(X)) if weighted else None
    weights = None if weighted and not weights.any() else weights
    model, rows = classifier(seed), []
    whole = nn.evaluate(model, X, LABELS, loss=nn.cross_entropy, metrics=nn.accuracy, sample_weight=weights)
    metrics = {"accuracy": nn.accuracy}
    with model.register_forward_hook(lambda module, inputs, output: rows.append(len(output))):
        parts = nn.evaluate(
            model, X, LABELS, loss=nn.cross_entropy, metrics=metrics, sample_weight=weights, batch_size=batch_size
        )
    assert parts == pytest.approx(whole, rel=1e-12)
    assert max(rows) == min(batch_size or 99, sum(rows))
    assert sum(rows) == (len(X) if weights is None else np.count_nonzero(weights))


def test_many_rows_are_evaluated_in_parts():
    model, rows = nn.Linear(1, 1, seed=0), []
    x = np.ones((600, 1))
    with model.register_forward_hook(lambda module, inputs, output: rows.append(len(output))):
        nn.evaluate(model, x, x, loss=nn.mse_loss)
        sgd = nn.SGD(model.parameters())
        nn.fit(model, x, x, loss=nn.mse_loss, optimizer=sgd, epochs=1, batch_size=600, validation=0.5, progress=False)
    assert rows == [256, 256, 88, 300, 256, 44]
    with pytest.raises(errors.DomainError, match="batch_size=0"):
        nn.evaluate(model, x, x, batch_size=0)


def test_memory_mapped_arrays_are_evaluated_in_the_models_dtype(tmp_path):
    np.save(tmp_path / "x.npy", X.astype("float32"))
    x, dtypes = np.load(tmp_path / "x.npy", mmap_mode="r"), set()
    assert isinstance(x.base, mmap.mmap)
    model = classifier()
    with model.register_forward_hook(lambda module, inputs, output: dtypes.add(inputs[0].dtype)):
        found = nn.evaluate(model, x, LABELS, loss=nn.cross_entropy, batch_size=7)
    assert dtypes == {np.dtype(float)}
    assert found["loss"] == pytest.approx(nn.evaluate(model, X, LABELS, loss=nn.cross_entropy)["loss"], rel=1e-6)


def test_arrays_may_be_used_again_for_the_next_batch():
    """As readers of large files do."""

    class Reader:
        def __iter__(self):
            x, y = np.empty((1, 3)), np.empty(1, int)
            for row, label in zip(X, LABELS, strict=True):
                x[0], y[0] = row, label
                yield x, y

    model = classifier()
    expected = nn.evaluate(model, X, LABELS, metrics=nn.f1_score)
    assert nn.evaluate(model, Reader(), metrics=nn.f1_score) == expected
    scores = {"sum": lambda prediction, targets: prediction.sum()}
    found = nn.evaluate(nn.Identity(), Reader(), metrics=scores)  # whose predictions are the very inputs
    assert found["sum"] == pytest.approx(X.sum())


def test_nothing_is_kept_without_metrics():
    figures = Figures({})
    figures.add(Batch(X, LABELS), 41.0, 0.5, Tensor(X))
    assert figures.predictions == figures.targets == []
    assert figures.by_name() == {"loss": 0.5}


def joined(*predictions):
    """What a metric is given of these predictions, batch by batch."""
    seen = SimpleNamespace()
    figures = Figures({"seen": lambda prediction, targets: setattr(seen, "prediction", prediction) or 0})
    for prediction in predictions:
        figures.add(Batch(X[:2], LABELS[:2]), 2, 0.0, prediction)
    figures.by_name()
    return seen.prediction


def test_outputs_may_be_several():
    one, two = Tensor(X[:2]), Tensor(X[2:4])
    first, second = joined((one, 2 * one), (two, 2 * two))
    np.testing.assert_array_equal(first, X[:4])
    np.testing.assert_array_equal(second, 2 * X[:4])
    found = joined({"a": one, "b": [Value(1.0), Value(2.0)]}, {"a": two, "b": [Value(3.0), Value(4.0)]})
    np.testing.assert_array_equal(found["a"], X[:4])
    np.testing.assert_array_equal(found["b"], [1.0, 2.0, 3.0, 4.0])
    assert [part.shape for part in joined([one, X[:2, 0]], [two, X[2:4, 0]])] == [(4, 3), (4,)]
    assert joined(Value(2.0)) == 2.0


@pytest.mark.parametrize("parts", [(X[:2], X[:2, :1]), (Value(1.0), Value(2.0)), ((X, X[:, 0]), (X, X))])
def test_what_cannot_be_joined_is_refused(parts):
    with pytest.raises(errors.ShapeError, match=r"of shapes \(.*once for all rows.*leave out metrics"):
        joined(*parts)


@pytest.mark.parametrize("figure", [None, "high", np.ones(2), Tensor([1.0, 2.0])])
def test_a_metric_is_one_number(figure):
    model = classifier()
    before = repr(model.state_dict())
    with pytest.raises(errors.DataError, match=r"metric 'odd' returned .* of type .*one number"):
        fit(model, metrics={"odd": lambda prediction, targets: figure})
    assert repr(model.state_dict()) == before
