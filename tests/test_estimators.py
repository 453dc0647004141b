"""Estimators beside scikit-learn's: its own exam, the same parameters, steps and attributes, and what is added."""

import inspect
import os
import pickle
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained, sentences

import engine
import nn
from engine import errors

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
joblib = pytest.importorskip("joblib")
pandas = pytest.importorskip("pandas", reason="pandas is not installed")

from sklearn import datasets, neural_network  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, train_test_split  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks  # noqa: E402

from nn import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor  # noqa: E402

ALL = [MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor]
PAIRS = {MLPClassifier: neural_network.MLPClassifier, MLPRegressor: neural_network.MLPRegressor}

IRIS = datasets.load_iris(return_X_y=True)
IRIS = IRIS[0] - IRIS[0].mean(axis=0), IRIS[1]
DIABETES = datasets.load_diabetes(return_X_y=True)
DIABETES = 10 * DIABETES[0][:150], DIABETES[1][:150] / 100
TWO = IRIS[0], np.array(["setosa", "other"])[(IRIS[1] > 0).astype(int)]
SEVERAL = IRIS[0], np.c_[IRIS[1] == 0, IRIS[1] > 0, IRIS[0][:, 0] > 0].astype(int)
TARGETS = DIABETES[0], np.c_[DIABETES[1], DIABETES[1] ** 2]


@pytest.fixture(autouse=True)
def short():
    """A few epochs converge nowhere, which is no fault here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def data_of(estimator):
    return IRIS if hasattr(estimator, "predict_proba") else DIABETES


def quick(kind, **settings):
    return kind(**{"max_iter": 5, "random_state": 0, **settings})


def answers(estimator, x):
    return estimator.predict_proba(x) if hasattr(estimator, "predict_proba") else estimator.predict(x)


def everything(estimator):
    """Every attribute, and every weight, as bytes that can be compared."""
    return pickle.dumps(dict(sorted(vars(estimator).items())))


# scikit-learn's own exam


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([kind() for kind in ALL])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


SATURATED = {
    "check_classifiers_multilabel_output_format_predict_proba": "L-BFGS fits until probabilities round to 1",
    "check_classifiers_train": "and others to 0, whose logarithms are exact all the same",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
@pytest.mark.parametrize("kind", ALL)
def test_every_check_with_the_other_solvers(kind, solver):
    check_estimator(kind(solver=solver), expected_failed_checks=SATURATED if solver == "lbfgs" else None, on_skip=None)


def test_no_check_is_skipped():
    """One of them is, unless SciPy is told about other arrays before it is imported."""
    script = """
import warnings
from functools import partial
from sklearn.utils import estimator_checks
from nn import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor
warnings.simplefilter("ignore")
for kind in (MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor):
    estimator_checks.check_array_api_input(kind.__name__, kind(), "numpy", expect_only_array_outputs=False)
"""
    run(script, SCIPY_ARRAY_API="1")


def run(script, **environment):
    subprocess.run(
        [sys.executable, "-c", script], check=True, env=os.environ | environment, cwd=os.path.dirname(nn.__path__[0])
    )


# The same as scikit-learn's


@pytest.mark.parametrize("kind", PAIRS)
def test_parameters_have_scikit_learns_names_defaults_and_order(kind):
    ours, theirs = (inspect.signature(each.__init__).parameters for each in (kind, PAIRS[kind]))
    for name in theirs:
        assert (ours[name].default, ours[name].kind) == (theirs[name].default, theirs[name].kind), name
    positional = [name for name, each in ours.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert positional == [name for name, each in theirs.items() if each.kind is each.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("kind", ALL)
def test_parameters_are_kept_as_they_were_given(kind):
    names = inspect.signature(kind).parameters
    values = {name: object() for name in names}
    estimator = kind(**values)
    assert vars(estimator) == values


SETTINGS = [
    {},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": 6, "activation": "logistic"},
    {"activation": "tanh", "alpha": 1.0, "batch_size": "auto"},
    {"activation": "identity", "beta_1": 0.5, "beta_2": 0.9, "learning_rate_init": 0.01},
    {"solver": "sgd", "learning_rate_init": 0.01},
    {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0.0, "power_t": 0.3, "learning_rate_init": 0.1},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05},
    {"solver": "sgd", "learning_rate": "adaptive", "momentum": 0.0, "tol": 0.03, "n_iter_no_change": 1},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.03, "n_iter_no_change": 1, "nesterovs_momentum": False},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 40},
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(
    ("kind", "data"),
    [(MLPClassifier, IRIS), (MLPClassifier, TWO), (MLPClassifier, SEVERAL), (MLPRegressor, DIABETES)],
    ids=["classes", "two classes", "several labels", "numbers"],
)
def test_training_is_scikit_learns_to_rounding(kind, data, settings, weighted):
    """From the same draws, in the same order of rows; its Adam only puts epsilon elsewhere."""
    settings = {"hidden_layer_sizes": (7, 5), "batch_size": 40, "max_iter": 12, "shuffle": False} | settings
    ours, theirs = (each(random_state=3, epsilon=1e-30, **settings) for each in (kind, PAIRS[kind]))
    weights = np.random.default_rng(0).uniform(0.5, 2, len(data[0])) if weighted else None
    ours.fit(*data, sample_weight=weights)
    theirs.fit(*data, sample_weight=weights)
    for name in ("coefs_", "intercepts_"):
        for mine, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "validation_scores_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.best_validation_score_ is theirs.best_validation_score_ is None
    if not weighted:  # scikit-learn's mean over batches counts rows, ours their weights
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-9)
    np.testing.assert_allclose(answers(ours, data[0]), answers(theirs, data[0]), rtol=1e-9)
    if kind is MLPClassifier:
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(data[0]), theirs.predict(data[0]))
        np.testing.assert_allclose(ours.predict_log_proba(data[0]), theirs.predict_log_proba(data[0]), rtol=1e-7)
    assert ours.score(*data) == pytest.approx(theirs.score(*data), rel=1e-9)


@st.composite
def problems(draw):
    """Rows of classes, or of several labels, and settings that scikit-learn has as well."""
    rows, features, outputs = draw(st.integers(4, 12)), draw(st.integers(1, 3)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    # Adam makes steps of full length of gradients that are all rounding, as sure predictions have.
    x = rng.normal(scale=draw(st.sampled_from([0.1, 1.0])), size=(rows, features))
    if draw(st.booleans()):
        y = rng.integers(0, 2, size=(rows, outputs))
    else:
        y = draw(st.sampled_from([np.arange(4), -np.arange(4.0), np.array(["b", "a", "d", "c"])]))[
            np.arange(rows) % min(outputs, rows)
        ]
    settings = {
        "solver": draw(st.sampled_from(["adam", "sgd"])),
        "hidden_layer_sizes": draw(st.lists(st.integers(1, 5), max_size=3)),
        "activation": draw(st.sampled_from(["identity", "logistic", "tanh", "relu"])),
        "alpha": draw(st.sampled_from([0.0, 1e-4, 2.0])),
        "batch_size": draw(st.integers(1, rows)),
        "learning_rate_init": draw(st.sampled_from([1e-3, 0.05])),
        "learning_rate": draw(st.sampled_from(["constant", "invscaling", "adaptive"])),
        "momentum": 0.0,  # scikit-learn's velocity remembers the rates, ours only gradients
        "max_iter": draw(st.integers(1, 6)),
        "random_state": draw(st.integers(0, 99)),
    }
    return x, y, settings


@given(problems())
def test_small_problems_are_solved_as_scikit_learn_does(problem):
    x, y, settings = problem
    ours, theirs = (
        each(shuffle=False, epsilon=1e-30, **settings).fit(x, y) for each in (MLPClassifier, PAIRS[MLPClassifier])
    )
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    proba, score = ours.predict_proba(x), ours.decision_function(x)
    if y.ndim == 1:
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert set(ours.predict(x)) <= set(ours.classes_) == set(y)
        np.testing.assert_array_equal(ours.classes_[proba.argmax(axis=1)], ours.predict(x))
    assert score.shape == (len(x),) if len(ours.classes_) == 2 and y.ndim == 1 else score.shape == proba.shape


@pytest.mark.parametrize("settings", [{}, {"loss": "poisson"}], ids=str)
def test_several_numbers_are_learned_as_scikit_learn_does(settings):
    """Its loss is the mean over the outputs, and its gradient that of their sum."""
    settings |= {"hidden_layer_sizes": (7,), "shuffle": False, "max_iter": 8, "random_state": 0, "epsilon": 1e-30}
    x, y = TARGETS
    if "loss" in settings:
        y = np.floor(y)
    ours, theirs = MLPRegressor(**settings).fit(x, y), neural_network.MLPRegressor(**settings).fit(x, y)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-9)
    assert ours.predict(x).shape == y.shape
    assert ours.loss_ == pytest.approx(theirs.loss_ * (1 if "loss" in settings else 2))


def test_early_stopping_is_scikit_learns_on_the_same_rows():
    """For two classes and numbers; more classes are stratified as well, as its documentation says."""
    for kind, data in ((MLPClassifier, TWO), (MLPRegressor, DIABETES)):
        settings = {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 3, "shuffle": False, "epsilon": 1e-30}
        ours, theirs = (each(random_state=1, **settings).fit(*data) for each in (kind, PAIRS[kind]))
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-9)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
        assert ours.best_loss_ is theirs.best_loss_ is None
        assert ours.n_iter_ == theirs.n_iter_
        np.testing.assert_allclose(answers(ours, data[0]), answers(theirs, data[0]), rtol=1e-9)


def test_partial_fit_is_scikit_learns():
    for kind, data in ((MLPClassifier, IRIS), (MLPClassifier, SEVERAL), (MLPRegressor, DIABETES)):
        settings = {"random_state": 0, "shuffle": False, "epsilon": 1e-30}
        ours, theirs = kind(**settings), PAIRS[kind](**settings)
        classes = {"classes": [0, 1, 2]} if kind is MLPClassifier else {}
        for start in (0, 30, 60):
            x, y = (each[start : start + 30] for each in data)
            ours.partial_fit(x, y, **classes)
            theirs.partial_fit(x, y, **classes)
            classes = {}
        np.testing.assert_allclose(answers(ours, data[0]), answers(theirs, data[0]), rtol=1e-9)
        assert (ours.t_, ours.n_iter_, ours.n_outputs_) == (theirs.t_, theirs.n_iter_, theirs.n_outputs_)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_)


def test_warm_start_goes_on_as_scikit_learns_does():
    settings = {"max_iter": 4, "warm_start": True, "shuffle": False, "random_state": 0, "epsilon": 1e-30}
    ours, theirs = MLPClassifier(**settings), neural_network.MLPClassifier(**settings)
    for _ in range(3):
        ours.fit(*IRIS)
        theirs.fit(*IRIS)
    np.testing.assert_allclose(answers(ours, IRIS[0]), answers(theirs, IRIS[0]), rtol=1e-9)
    assert ours.t_ == theirs.t_ == 3 * 4 * 150
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_)


@pytest.mark.parametrize(
    ("kind", "data"), [(MLPClassifier, IRIS), (MLPClassifier, SEVERAL), (MLPRegressor, TARGETS)], ids=lambda x: None
)
def test_lbfgs_ends_about_as_low_as_scikit_learns(kind, data):
    settings = {"solver": "lbfgs", "hidden_layer_sizes": (6,), "activation": "tanh", "max_iter": 400, "alpha": 1.0}
    ours, theirs = (
        min([each(random_state=seed, **settings).fit(*data) for seed in range(3)], key=lambda each: each.loss_)
        for each in (kind, PAIRS[kind])
    )
    factor = 2 if data is TARGETS else 1  # the sum over the outputs, not their mean
    assert ours.loss_ < 1.1 * factor * theirs.loss_
    assert ours.score(*data) > theirs.score(*data) - 0.02
    assert not hasattr(ours, "partial_fit")
    assert 1 < ours.n_iter_ < 400


def test_the_loss_of_lbfgs_is_that_of_its_last_weights():
    x, y = DIABETES
    model = quick(MLPRegressor, solver="lbfgs", alpha=0.5, max_iter=3).fit(x, y)
    penalty = 0.5 / 2 / len(x) * sum((weights**2).sum() for weights in model.coefs_)
    assert model.loss_ == pytest.approx(np.mean((model.predict(x) - y) ** 2) / 2 + penalty)
    assert model.loss_ < model.loss_curve_[-1]


def test_lbfgs_says_why_it_stopped():
    with pytest.warns(ConvergenceWarning, match=r"stopped after 2 epochs.*Raise max_iter=2"):
        quick(MLPRegressor, solver="lbfgs", max_iter=2).fit(*DIABETES)
    with pytest.warns(ConvergenceWarning, match="had not converged"):
        model = quick(MLPRegressor, solver="lbfgs", max_iter=999, max_fun=9).fit(*DIABETES)
    assert model.n_iter_ < 9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(MLPRegressor, solver="lbfgs", hidden_layer_sizes=(), max_iter=200).fit(*DIABETES)
    x = np.c_[DIABETES[0], np.ones(len(DIABETES[0]))]
    penalty = np.diag([1e-4] * 10 + [0])
    solution = np.linalg.solve(x.T @ x + penalty, x.T @ DIABETES[1])
    np.testing.assert_allclose(model.predict(DIABETES[0]), x @ solution, atol=1e-3)


def test_the_end_of_patience_is_convergence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(MLPClassifier, tol=9.0, n_iter_no_change=2, max_iter=5).fit(*IRIS)
    assert model.n_iter_ == 4
    with pytest.warns(ConvergenceWarning, match=r"MLPClassifier stopped after 5 epochs.*Raise max_iter=5, or tol"):
        quick(MLPClassifier).fit(*IRIS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(MLPClassifier).partial_fit(*IRIS, classes=[0, 1, 2])
        quick(MLPClassifier, callbacks=[lambda epoch, _: epoch == 2]).fit(*IRIS)


# Among scikit-learn's other parts


@pytest.mark.parametrize("kind", ALL)
def test_they_are_searched_in_processes_in_a_pipeline_with_names_of_columns(kind):
    x, y = data_of(kind())
    x = pandas.DataFrame(x, columns=[f"column {number}" for number in range(x.shape[1])])
    pipeline = make_pipeline(StandardScaler(), quick(kind)).set_output(transform="pandas")
    name = kind.__name__.lower()
    search = GridSearchCV(pipeline, {f"{name}__alpha": [1e-4, 1.0]}, n_jobs=2, cv=2).fit(x, pandas.Series(y))
    fitted = search.best_estimator_[-1]
    assert fitted.feature_names_in_.tolist() == x.columns.tolist()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="feature names"):
        search.predict(x[x.columns[::-1]])


def test_validation_reaches_an_estimator_in_a_pipeline():
    x, y = IRIS
    pipeline = make_pipeline(StandardScaler(), quick(MLPClassifier))
    pipeline.fit(x, y, mlpclassifier__validation=(x, y), mlpclassifier__sample_weight=np.ones(150))
    assert len(pipeline[-1].validation_scores_) == 5


@pytest.mark.parametrize("kind", ALL)
def test_what_was_saved_goes_on_as_the_original_does(kind, tmp_path):
    x, y = data_of(kind())
    fitted = quick(kind).fit(x, y)
    joblib.dump(fitted, tmp_path / "estimator")
    copies = [pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "estimator")]
    for each in [fitted, *copies]:
        each.partial_fit(x, y)
    for each in copies:
        np.testing.assert_array_equal(answers(each, x), answers(fitted, x))


@pytest.mark.parametrize("kind", ALL)
def test_a_clone_has_the_parameters_and_nothing_learned(kind):
    fitted = quick(kind, alpha=0.5).fit(*data_of(kind()))
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(IRIS[0])
    assert not hasattr(copy, "coefs_")
    assert repr(copy) == f"{kind.__name__}(alpha=0.5, max_iter=5, random_state=0)"


def test_sparse_data_are_dense_data():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = IRIS
    fitted = quick(MLPClassifier).fit(sparse.csr_array(x), y)
    np.testing.assert_array_equal(answers(fitted, sparse.coo_array(x)), answers(quick(MLPClassifier).fit(x, y), x))


def test_labels_may_be_anything_that_can_be_sorted():
    for labels in (["ä", "b", "c"], [-5, 7, 900], [0.0, 1.0, 2.0]):
        named = np.array(labels)[IRIS[1]]
        fitted = quick(MLPClassifier, max_iter=30).fit(IRIS[0], named)
        assert set(fitted.predict(IRIS[0])) <= set(named)
        assert fitted.score(IRIS[0], named) > 0.6


def test_the_module_is_imported_when_it_is_asked_for():
    run("import sys, nn; assert 'sklearn' not in sys.modules; nn.MLPClassifier; assert 'sklearn' in sys.modules")
    run("import nn; assert nn.estimators.MLPRegressor is nn.MLPRegressor")
    run("from nn import *; import sys; assert 'sklearn' not in sys.modules")
    with pytest.raises(AttributeError, match="has no attribute 'MLPClasifier'"):
        nn.MLPClasifier  # noqa: B018


def test_without_scikit_learn_the_extra_is_named():
    script = """
import sys
sys.modules["sklearn"] = None
import engine
import nn
from engine import errors
try:
    nn.MLPClassifier
except errors.MissingExtraError as error:
    assert "chainrule[estimators]" in str(error)
else:
    raise SystemExit("no error")
"""
    run(script)


# Networks of one's own


def two_layers(n_features, n_outputs, rng, width=6):
    return nn.Sequential(nn.Linear(n_features, width, seed=rng), nn.Tanh(), nn.Linear(width, n_outputs, seed=rng))


@pytest.mark.parametrize(("data", "outputs"), [(IRIS, 3), (TWO, 1), (SEVERAL, 3)])
def test_a_factory_is_told_what_the_data_need(data, outputs):
    seen = []

    def factory(n_features, n_outputs, rng):
        seen.append((n_features, n_outputs, type(rng)))
        return two_layers(n_features, n_outputs, rng)

    fitted = quick(NetworkClassifier, network=factory, max_iter=60, learning_rate_init=0.02).fit(*data)
    assert seen == [(4, outputs, np.random.Generator)]
    assert fitted.score(*data) > 0.6
    assert isinstance(fitted.network_, nn.Sequential) and not fitted.network_.training


def test_a_network_and_a_perceptron_are_trained_alike():
    perceptron = quick(MLPRegressor, hidden_layer_sizes=(6,), activation="tanh").fit(*TARGETS)

    def same(n_features, n_outputs, rng):
        network = two_layers(n_features, n_outputs, rng)
        for layer, weights, biases in zip(network[::2], start.coefs_, start.intercepts_, strict=True):
            layer.weight.data, layer.bias.data = weights.T, biases
        return network

    start = quick(MLPRegressor, hidden_layer_sizes=(6,), activation="tanh", callbacks=[stop_at_once])
    start.learning_rate_init = 1e-300
    start.fit(*TARGETS)
    network = quick(NetworkRegressor, network=same, shuffle=False).fit(*TARGETS)
    perceptron.set_params(shuffle=False).fit(*TARGETS)
    np.testing.assert_allclose(network.predict(TARGETS[0]), perceptron.predict(TARGETS[0]), rtol=1e-9)


def stop_at_once(epoch, history):
    return True


def test_equal_layers_of_a_factory_get_weights_of_their_own():
    def square(n_features, n_outputs, rng):
        return nn.Sequential(*[nn.Linear(4, 4, seed=rng) for _ in range(3)], nn.Linear(4, n_outputs, seed=rng))

    estimator = quick(NetworkClassifier, network=square, learning_rate_init=1e-300, random_state=3)
    first, second = (clone(estimator).fit(*IRIS).network_ for _ in range(2))
    assert len({layer.weight.data.tobytes() for layer in first}) == 4
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name])


def test_a_search_goes_over_settings_of_a_network():
    grid = {"network": [partial(two_layers, width=width) for width in (1, 8)]}
    search = GridSearchCV(quick(NetworkClassifier, max_iter=60, learning_rate_init=0.02), grid, cv=2)
    search.fit(*IRIS)
    assert search.best_params_["network"].keywords == {"width": 8}
    assert search.best_estimator_.network_[0].out_features == 8


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_is_that_of_a_recorded_term(solver, weighted):
    """As a decay, and as a part of the loss, which is what another optimiser gets."""
    weights = np.random.default_rng(0).integers(1, 4, len(IRIS[1])).astype(float) if weighted else None
    settings = {"alpha": 3.0, "batch_size": 40, "random_state": 0, "max_iter": 5}
    decayed = quick(MLPClassifier, solver=solver, **settings).fit(*IRIS, weights)
    classes = {"adam": nn.Adam, "sgd": partial(nn.SGD, momentum=0.9, nesterov=True)}
    recorded = quick(MLPClassifier, solver=classes[solver], **settings).fit(*IRIS, weights)
    np.testing.assert_allclose(decayed.loss_curve_, recorded.loss_curve_, rtol=1e-9)
    for one, other in zip(decayed.coefs_ + decayed.intercepts_, recorded.coefs_ + recorded.intercepts_):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_a_penalty_may_change_between_parts_of_the_data():
    fitted = quick(MLPClassifier, alpha=5.0, random_state=0).partial_fit(*IRIS, classes=[0, 1, 2])
    fitted.set_params(alpha=0.0).partial_fit(*IRIS)
    other = quick(MLPClassifier, alpha=0.0, random_state=0)
    assert [group.weight_decay for group in fitted._optimizer.groups] == [0.0, 0.0]
    other.partial_fit(*IRIS, classes=[0, 1, 2])
    assert fitted.loss_curve_[0] > other.loss_curve_[0]


def test_a_network_without_weights_or_without_biases_is_trained():
    class Scale(nn.Module):
        def __init__(self):
            self.scale = engine.Tensor(np.ones(4))

        def forward(self, x):
            return engine.sum(self.scale * x, axis=1, keepdims=True)

    for factory in (lambda *_: Scale(), lambda n, m, rng: nn.Linear(n, m, bias=False, seed=rng)):
        fitted = quick(NetworkRegressor, network=factory, alpha=1.0).fit(DIABETES[0][:, :4], DIABETES[1])
        assert len(fitted._optimizer.groups) == 1


def test_buffers_and_masks_belong_to_a_network():
    def factory(n_features, n_outputs, rng):
        hidden = nn.Linear(n_features, 8, seed=rng)
        return nn.Sequential(hidden, nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2, seed=rng), nn.Linear(8, n_outputs))

    fitted = quick(NetworkClassifier, network=factory, max_iter=60, learning_rate_init=0.02).fit(*IRIS)
    assert fitted.score(*IRIS) > 0.8
    np.testing.assert_array_equal(fitted.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))


# What scikit-learn's have not


def test_activations_may_differ_from_layer_to_layer():
    double = lambda x: 2 * x  # noqa: E731
    leaky = nn.LeakyReLU(0.3)
    fitted = quick(MLPClassifier, hidden_layer_sizes=(5, 4, 3, 2), activation=["logistic", nn.Tanh, leaky, double])
    kinds = [type(layer).__name__ for layer in fitted.fit(*IRIS).network_]
    assert kinds[1::2] == ["Sigmoid", "Tanh", "LeakyReLU", "function"]
    assert fitted.network_[5] is not leaky and fitted.network_[5].slope == 0.3
    assert fitted.n_layers_ == 6 and [each.shape for each in fitted.coefs_] == [(4, 5), (5, 4), (4, 3), (3, 2), (2, 3)]


def test_dropout_is_for_training_only():
    fitted = quick(MLPClassifier, hidden_layer_sizes=(8, 6), dropout=[0.5, 0.0]).fit(*IRIS)
    kinds = [type(layer).__name__ for layer in fitted.network_]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    np.testing.assert_array_equal(fitted.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))
    plain = quick(MLPClassifier, hidden_layer_sizes=(8, 6)).fit(*IRIS)
    assert np.abs(fitted.coefs_[0] - plain.coefs_[0]).max() > 1e-4
    again = quick(MLPClassifier, hidden_layer_sizes=(8, 6), dropout=[0.5, 0.0]).fit(*IRIS)
    np.testing.assert_array_equal(again.coefs_[0], fitted.coefs_[0])


def test_weights_start_as_they_are_told_to():
    fitted = quick(MLPRegressor, weight_init="he_normal", learning_rate_init=1e-300, hidden_layer_sizes=(400,))
    assert fitted.fit(*DIABETES).coefs_[0].std() == pytest.approx((2 / 10) ** 0.5, rel=0.1)
    assert np.abs(fitted.intercepts_[0]).max() < 1e-200
    fitted.set_params(weight_init=lambda shape, rng: np.full(shape, 0.25), alpha=0.0).fit(*DIABETES)
    np.testing.assert_allclose(fitted.coefs_[0], 0.25)


@pytest.mark.parametrize("data", [IRIS, TWO])
def test_the_weight_of_a_class_is_the_weight_of_its_rows(data):
    x, y = data
    labels = np.unique(y)
    factors = dict(zip(labels.tolist(), [3.0, 0.5, 1.0], strict=False))
    rows = np.array([factors[label] for label in y.tolist()])
    for class_weight, weights in (
        (factors, rows),
        ("balanced", [1 / np.mean(y == label) / len(labels) for label in y]),
    ):
        ours = quick(MLPClassifier, class_weight=class_weight).fit(x, y)
        np.testing.assert_allclose(
            ours.predict_proba(x), quick(MLPClassifier).fit(x, y, sample_weight=weights).predict_proba(x), rtol=1e-9
        )
    first = quick(MLPClassifier, class_weight={labels[0].item(): 3.0}).fit(x, y)
    assert first.predict_proba(x)[:, 0].mean() > quick(MLPClassifier).fit(x, y).predict_proba(x)[:, 0].mean()
    part = quick(MLPClassifier, class_weight=factors).partial_fit(x, y, classes=labels)
    assert part.n_iter_ == 1


def test_a_row_of_weight_two_is_two_rows():
    x, y = DIABETES
    weights = np.arange(len(x)) % 3
    settings = {"batch_size": 999, "max_iter": 20}
    weighted = quick(MLPRegressor, **settings).fit(x, y, sample_weight=weights)
    repeated = quick(MLPRegressor, **settings).fit(x.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-7)


def test_the_loss_may_be_a_function():
    x, y = DIABETES
    robust = quick(MLPRegressor, loss=nn.l1_loss, max_iter=3).fit(x, y)
    assert robust.loss_ == pytest.approx(abs(robust.predict(x) - y).mean(), rel=0.1)

    def mine(logits, targets):
        assert targets.dtype.kind == "i" and logits.shape == (len(targets), 3)
        return nn.cross_entropy(logits, targets, label_smoothing=0.2)

    fitted = quick(MLPClassifier, loss=mine, max_iter=100, learning_rate_init=0.02).fit(*IRIS)
    assert fitted.score(*IRIS) > 0.9
    assert fitted.predict_proba(IRIS[0]).max() < 0.99


def test_the_solver_may_be_a_function():
    fitted = quick(MLPClassifier, solver=nn.RMSprop, learning_rate_init=0.02, max_iter=40).fit(*IRIS)
    assert isinstance(fitted._optimizer, nn.RMSprop) and fitted._optimizer.learning_rate == 0.02
    assert fitted.score(*IRIS) > 0.9
    fitted.partial_fit(*IRIS)


def test_callbacks_see_every_epoch_and_may_end_training():
    seen = []

    def watch(epoch, history):
        seen.append((epoch, history["loss"][-1]))
        return epoch == 3

    fitted = quick(MLPClassifier, callbacks=[watch]).fit(*IRIS)
    assert seen == list(enumerate(fitted.loss_curve_, start=1)) and fitted.n_iter_ == 3


def test_progress_is_shown_when_asked_for(capsys):
    quick(MLPClassifier).fit(*IRIS)
    assert capsys.readouterr() == ("", "")
    quick(MLPClassifier, verbose=True).fit(*IRIS)
    assert "epoch 5/5" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ALL)
def test_a_validation_set_of_ones_own_is_scored(kind):
    x, y = data_of(kind())
    parts = train_test_split(x, y, random_state=0)
    training, held_out = parts[::2], parts[1::2]
    fitted = quick(kind).fit(*training, validation=held_out)
    assert len(fitted.validation_scores_) == 5
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(*held_out))
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert fitted.best_loss_ == min(fitted.loss_curve_)
    fitted.partial_fit(*training, validation=held_out)
    assert len(fitted.validation_scores_) == 6
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(*held_out))


def test_early_stopping_goes_back_to_the_best_weights():
    x, y = IRIS
    flipped = (y + 1) % 3  # the better the training, the worse the score
    fitted = quick(MLPClassifier, early_stopping=True, n_iter_no_change=3, max_iter=50, learning_rate_init=0.02)
    fitted.fit(x, y, validation=(x, flipped))
    assert fitted.n_iter_ < 50 and fitted.validation_scores_[-1] < fitted.best_validation_score_
    assert fitted.score(x, flipped) == fitted.best_validation_score_
    assert fitted.t_ == fitted.n_iter_ * 150  # no rows are held out


def test_early_stopping_holds_out_as_many_of_each_class():
    x, y = np.r_[IRIS[0], IRIS[0]], np.r_[IRIS[1], IRIS[1]]
    fitted = quick(MLPClassifier, early_stopping=True, validation_fraction=0.1).fit(x, y)
    assert fitted.t_ == 5 * 270
    weights = np.r_[np.ones(150), np.zeros(150)]
    assert quick(MLPClassifier, early_stopping=True).fit(x, y, sample_weight=weights).t_ < 5 * 150


@pytest.mark.parametrize("kind", ALL)
def test_float32_stays_float32(kind):
    x, y = data_of(kind())
    settings = {"dtype": "float32"} if "dtype" in inspect.signature(kind).parameters else {"network": small}
    for fitted in (quick(kind, **settings).fit(x, y), quick(kind, **settings).fit(x.astype("f4"), y)):
        assert {parameter.dtype for parameter in fitted.network_.parameters()} == {np.dtype("float32")}
        assert answers(fitted, x).dtype == np.float32
    if kind in PAIRS:
        assert {each.dtype for each in quick(kind).fit(x.astype("f4"), y).coefs_} == {np.dtype("float32")}
        assert {each.dtype for each in quick(kind, dtype=float).fit(x.astype("f4"), y).coefs_} == {np.dtype(float)}


def small(n_features, n_outputs, rng):
    return nn.MLP([n_features, 3, n_outputs], seed=rng, dtype="float32")


def test_chance_comes_from_random_state_alone():
    for settings in ({}, {"dropout": 0.2}, {"weight_init": "he_normal"}, {"early_stopping": True}):
        fitted = [quick(MLPClassifier, random_state=seed, **settings).fit(*IRIS) for seed in (1, 1, 2)]
        np.testing.assert_array_equal(fitted[0].coefs_[0], fitted[1].coefs_[0])
        assert (fitted[0].coefs_[0] != fitted[2].coefs_[0]).any()
    state = np.random.RandomState(0)
    first, second = (quick(MLPClassifier, random_state=state).fit(*IRIS) for _ in range(2))
    assert (first.coefs_[0] != second.coefs_[0]).any()
    quick(MLPClassifier, random_state=None).fit(*IRIS)


def test_probabilities_are_exact_where_they_are_tiny():
    fitted = quick(MLPClassifier, hidden_layer_sizes=()).fit(*TWO)
    fitted.network_[0].weight.data = np.full((1, 4), 100.0)
    x = np.full((1, 4), 1.0)
    assert 0 < fitted.predict_proba(x)[0, 0] == pytest.approx(np.exp(-400), rel=0.1)
    assert fitted.predict_log_proba(-10 * x)[0, 1] == pytest.approx(-4000, rel=0.01)
    assert fitted.decision_function(x).shape == (1,)


# What cannot be


WRONG = {
    "hidden_layer_sizes": [0, -1, (5, 0), 2.5, "ten", None, (True,), [[3]]],
    "activation": ["rellu", 3, ["relu", "tanh"], None],
    "solver": ["adm", None, 1],
    "alpha": [-0.1, "0.1", None, np.nan, np.inf, True],
    "batch_size": [0, -3, "all", 1.5, None],
    "learning_rate": ["adaptiv", 0.1, nn.SGD],
    "learning_rate_init": [0.0, -1.0, "fast", np.inf],
    "power_t": [-1.0],
    "max_iter": [0, -1, 2.5, None, True],
    "shuffle": ["yes", None, 2],
    "tol": [-1e-9, None],
    "verbose": ["loud", None],
    "warm_start": ["no"],
    "momentum": [-0.1, 1.0],
    "nesterovs_momentum": [None],
    "early_stopping": [None, 5],
    "validation_fraction": [1.0, -0.1],
    "beta_1": [1.0, -0.1],
    "beta_2": [1.0],
    "epsilon": [0.0],
    "n_iter_no_change": [0, 1.5],
    "max_fun": [0],
    "callbacks": [None, [3], "print"],
    "dropout": [1.0, -0.1, "half", [0.1, 0.2], None],
    "weight_init": ["he_norml", 3],
    "dtype": ["int32", "float16", "real", object],
    "loss": ["squared", None, 3],
    "class_weight": ["ballanced", 3, {9: 1.0}, {0: -1.0}],
    "network": ["MLP", 3],
}


@pytest.mark.parametrize("kind", ALL)
def test_a_parameter_out_of_range_is_named_and_leaves_all_as_it_was(kind):
    x, y = data_of(kind())
    fitted = quick(kind).fit(x, y)
    defaults = fitted.get_params()
    assert set(WRONG) >= set(defaults) - {"random_state"}
    for name in set(WRONG) & set(defaults):
        for value in WRONG[name]:
            fitted.set_params(**defaults | {name: value})
            before = everything(fitted)
            for method in (fitted.fit, fitted.partial_fit):
                with pytest.raises(errors.EngineError, match=name) as caught:
                    method(x, y)
                assert 3 <= len(sentences(str(caught.value))) <= 3 + ("Did you mean" in str(caught.value))
            assert everything(fitted) == before


def test_the_closest_known_name_is_suggested():
    for name, wrong, right in (
        ("solver", "adm", "adam"),
        ("activation", "logistc", "logistic"),
        ("loss", "logg_loss", "log_loss"),
    ):
        with pytest.raises(errors.DomainError, match=f"as {name}.* Did you mean {right!r}"):
            quick(MLPClassifier, **{name: wrong}).fit(*IRIS)


NAN = IRIS[0].copy()
NAN[7, 2] = np.nan
BAD = [
    (NAN, IRIS[1], "NaN"),
    (np.where(IRIS[0] == IRIS[0].max(), np.inf, IRIS[0]), IRIS[1], "infinity|NaN"),
    (IRIS[0][:0], IRIS[1][:0], "0 sample"),
    (IRIS[0][:, :0], IRIS[1], "0 feature"),
    (IRIS[0][0], IRIS[1], "2D array"),
    (IRIS[0], IRIS[1][:-1], "inconsistent"),
    (np.full((150, 4), "a"), IRIS[1], "convert"),
    (IRIS[0] * 1j, IRIS[1], "complex"),
    (IRIS[0], None, "requires y"),
    (IRIS[0], np.where(IRIS[1] == 0, np.nan, IRIS[1]), "NaN"),
    (IRIS[0][:, :3], IRIS[1], "3 features"),
]
BAD_LABELS = [
    (IRIS[0], IRIS[0][:, 0], "continuous"),
    (IRIS[0], np.zeros(150, int), "1 class"),
    (IRIS[0], np.c_[IRIS[1], IRIS[1]], "more than two values"),
    (IRIS[0], IRIS[1].reshape(1, -1), "inconsistent"),
    (IRIS[0], [[1], [2, 3]] * 75, "sequence|inhomogeneous"),
    (IRIS[0], np.array([0, "a", None] * 50, object), "type|mix|label"),
]
BAD_NUMBERS = [(IRIS[0], np.array(["a", "b", "c"])[IRIS[1]], "convert|numeric|dtype")]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", ALL)
def test_wrong_data_leave_a_fitted_estimator_as_it_was(kind, warm):
    fitted = quick(kind, warm_start=warm).fit(*IRIS)
    before = everything(fitted)
    only_new, only_warm = "1 class", "3 features"
    for x, y, message in BAD + (BAD_LABELS if hasattr(fitted, "predict_proba") else BAD_NUMBERS):
        if message != (only_new if warm else only_warm):
            with pytest.raises((ValueError, TypeError), match=f"(?i){message}"):
                fitted.fit(x, y)
            assert everything(fitted) == before, message
    weights = {"negative": -np.ones(150), "zero": np.zeros(150), "shape": np.ones(9), "NaN": np.full(150, np.nan)}
    for message, sample_weight in weights.items():
        with pytest.raises(ValueError, match=message):
            fitted.fit(*IRIS, sample_weight=sample_weight)
    for message, validation in {
        "pair": IRIS[0],
        "3 features": (IRIS[0][:, :3], IRIS[1]),
        "NaN": (NAN, IRIS[1]),
    }.items():
        with pytest.raises((ValueError, TypeError), match=message):
            fitted.fit(*IRIS, validation=validation)
    assert everything(fitted) == before


def test_one_class_is_not_enough():
    with explained(errors.DomainError, "MLPClassifier", "['only']", "at least two classes"):
        quick(MLPClassifier).fit(IRIS[0], ["only"] * 150)
    with explained(errors.DomainError, "1 class"):
        quick(MLPClassifier).partial_fit(*IRIS, classes=[1])
    fitted = quick(MLPClassifier).partial_fit(IRIS[0][:50], IRIS[1][:50], classes=[0, 1, 2])  # all of them 0
    assert fitted.classes_.tolist() == [0, 1, 2]


def test_later_parts_bring_nothing_new():
    with explained(errors.DomainError, "first time without classes"):
        quick(MLPClassifier).partial_fit(*IRIS)
    fitted = quick(MLPClassifier).partial_fit(*IRIS, classes=[0, 1, 2])
    before = everything(fitted)
    with explained(errors.DomainError, "[7]", "[0, 1, 2]"):
        fitted.partial_fit(IRIS[0], np.where(IRIS[1] == 0, 7, IRIS[1]))
    with explained(errors.DomainError, "classes=[0, 1]"):
        fitted.partial_fit(*IRIS, classes=[0, 1])
    with explained(errors.ShapeError, "(150, 3)", "one label for each row"):
        fitted.partial_fit(*SEVERAL)
    with explained(errors.DomainError, "'balanced'"):
        clone(fitted).set_params(class_weight="balanced").partial_fit(*IRIS, classes=[0, 1, 2])
    assert everything(fitted) == before
    several = quick(MLPClassifier, warm_start=True).fit(*SEVERAL)
    with explained(errors.ShapeError, "3 labels"):
        several.fit(SEVERAL[0], SEVERAL[1][:, :2])
    numbers = quick(MLPRegressor, warm_start=True).fit(*TARGETS)
    with explained(errors.ShapeError, "2 numbers"):
        numbers.fit(*DIABETES)
    with explained(errors.DomainError, "early_stopping=True"):
        numbers.set_params(early_stopping=True).partial_fit(*TARGETS)


def test_settings_that_do_not_go_together_are_refused():
    with explained(errors.DomainError, "solver='lbfgs'", "dropout"):
        quick(MLPClassifier, solver="lbfgs", dropout=0.5).fit(*IRIS)
    with explained(errors.DomainError, "several labels"):
        quick(MLPClassifier, class_weight="balanced").fit(*SEVERAL)
    with explained(errors.DomainError, "-1.0", "poisson"):
        quick(MLPRegressor, loss="poisson").fit(DIABETES[0], -np.ones(150))
    with explained(errors.ShapeError, "validation_fraction=0.01", "1 would be held out"):
        quick(MLPRegressor, early_stopping=True, validation_fraction=0.01).fit(DIABETES[0][:50], DIABETES[1][:50])
    with pytest.raises(AttributeError, match="partial_fit"):
        quick(MLPClassifier, solver="lbfgs").partial_fit(*IRIS)


def test_a_factory_must_make_what_fits():
    with explained(errors.DataError, "returned 3 of type int"):
        quick(NetworkClassifier, network=lambda *_: 3).fit(*IRIS)
    with explained(errors.DomainError, "network=Linear(4, 3)", "a function (n_features, n_outputs, rng)"):
        quick(NetworkClassifier, network=nn.Linear(4, 3)).fit(*IRIS)
    for other in (lambda: nn.Linear(4, 3), lambda n, m: nn.Linear(n, m), nn.MLP, partial(two_layers, 4, 3)):
        with explained(errors.DomainError, "cannot be called with three values", "def network(n_features, n_outputs, "):
            quick(NetworkClassifier, network=other).fit(*IRIS)
    with explained(errors.ShapeError, "(150, 2)", "n_outputs=3"):
        quick(NetworkClassifier, network=lambda n, m, rng: nn.Linear(n, 2)).fit(*IRIS)


def test_a_training_that_diverges_leaves_all_as_it_was():
    x, y = DIABETES
    fitted = quick(MLPRegressor, solver="sgd", warm_start=True).fit(x, y)
    before = everything(fitted)
    fitted.learning_rate_init = 1e6
    settings = everything(fitted)
    for method in (fitted.fit, fitted.set_params(max_iter=50).fit):
        with pytest.raises(nn.DivergenceError):
            method(x, y)
    fitted.max_iter = 5
    assert everything(fitted) == settings != before


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_an_interrupt_keeps_what_was_learned(settings):
    def interrupt(epoch, history):
        if epoch == 3:
            raise KeyboardInterrupt

    stopped = quick(MLPClassifier, callbacks=[interrupt], **settings)
    with pytest.warns(UserWarning, match="interrupted"):
        stopped.fit(*IRIS)
    same = quick(MLPClassifier, max_iter=3, **settings).fit(*IRIS)
    np.testing.assert_array_equal(stopped.predict_proba(IRIS[0]), same.predict_proba(IRIS[0]))
    assert stopped.n_iter_ == 3 and not stopped.network_.training


def test_an_interrupt_in_the_first_epoch_leaves_the_first_weights():
    def interrupt(logits, targets):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted in epoch 1"):
        stopped = quick(MLPClassifier, loss=interrupt).fit(*IRIS)
    assert stopped.n_iter_ == 0 and stopped.predict(IRIS[0]).shape == (150,)


# Scores


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_scores_are_at_least_scikit_learns_minus_one_standard_error(name):
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    kind = MLPRegressor if name == "diabetes" else MLPClassifier
    scores = {}
    for seed in range(5):
        x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=seed)
        for each in (kind, PAIRS[kind]):
            model = make_pipeline(StandardScaler(), each(random_state=seed, max_iter=100))
            scores.setdefault(each, []).append(model.fit(x_train, y_train).score(x_test, y_test))
    ours, theirs = (np.array(scores[each]) for each in (kind, PAIRS[kind]))
    assert ours.mean() >= theirs.mean() - theirs.std(ddof=1) / len(theirs) ** 0.5
