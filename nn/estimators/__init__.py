"""Estimators: networks with scikit-learn's manners, thin shells over the modules, losses, optimisers and loop of nn.

| to see | read |
|---|---|
| which parameters there are, and what they may be | `parameters.py`, `estimator.py` |
| what fitting is: data, network, objective, the loop | `estimator.py` |
| what targets and outputs mean, in classes and in numbers | `tasks.py` |
| when training has converged | `convergence.py` |
| the four estimators | `networks.py` |

>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from nn import MLPClassifier
>>> x, y = load_iris(return_X_y=True)
>>> model = make_pipeline(StandardScaler(), MLPClassifier((32,), learning_rate_init=0.01, random_state=0))
>>> model.fit(x, y).score(x, y) > 0.95
True
"""

from engine import errors

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise errors.MissingExtraError(
        "scikit-learn is not installed. The estimators of nn are made of its base classes and checks. "
        "Install it with pip install 'chainrule[estimators]'."
    ) from error

from .networks import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"]
