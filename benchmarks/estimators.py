"""MLPClassifier and MLPRegressor beside scikit-learn's: test scores over seeds, and the time of one fit."""

import warnings
from statistics import median
from time import perf_counter

import numpy as np

SEEDS = 10
DATASETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
EPOCHS = 20


def run(rounds: int) -> list[dict]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few of these fits converge, ours or theirs
        return [scores(), times(rounds)]


def scores() -> dict:
    """Print mean test scores, with their standard errors; ours may be one of scikit-learn's below, no more."""
    from sklearn import datasets, neural_network
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import nn

    print(f"\nestimators: mean test score ± standard error, {SEEDS} seeds, default settings, standardised data")
    figures: dict = {}
    for name in DATASETS:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        kind = "MLPRegressor" if name == "diabetes" else "MLPClassifier"
        found: dict[str, list[float]] = {"ours": [], "scikit-learn": []}
        for seed in range(SEEDS):
            x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=seed)
            for who, module in (("ours", nn), ("scikit-learn", neural_network)):
                model = make_pipeline(StandardScaler(), getattr(module, kind)(random_state=seed))
                found[who].append(model.fit(x_train, y_train).score(x_test, y_test))
        means = {who: float(np.mean(each)) for who, each in found.items()}
        spread = {who: float(np.std(each, ddof=1) / SEEDS**0.5) for who, each in found.items()}
        verdict = "holds" if means["ours"] >= means["scikit-learn"] - spread["scikit-learn"] else "FALLS SHORT"
        shown = "   ".join(f"{who} {means[who]:.4f} ± {spread[who]:.4f}" for who in found)
        print(f"  {name:14}{shown}   {verdict}")
        figures[name] = found
    return {"title": "estimators: scores", "scores": figures}


def times(rounds: int) -> dict:
    """Print the time of a fit on digits, hidden layers of 128 and 64, batches of 128, in turns."""
    from sklearn import datasets, neural_network

    import nn

    print(f"\nestimators: one fit on digits, 64-128-64-10, batches of 128, {EPOCHS} epochs, float64")
    x, y = datasets.load_digits(return_X_y=True)
    x = x / 16
    kinds = {"ours": nn.MLPClassifier, "scikit-learn": neural_network.MLPClassifier}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):
        for name, kind in kinds.items():
            model = kind((128, 64), batch_size=128, max_iter=EPOCHS, n_iter_no_change=EPOCHS, random_state=0)
            start = perf_counter()
            model.fit(x, y)
            seconds[name].append(perf_counter() - start)
    for name, times in seconds.items():
        del times[0]  # the warm-up
        print(f"  {name:14}{median(times):9.3f} s   ({min(times):.3f} … {max(times):.3f})")
    ours, theirs = seconds.values()
    by_round = median(a / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"  ours / scikit-learn: {median(ours) / median(theirs):.3f} of medians, {by_round:.3f} median by round, "
        f"{min(ours) / min(theirs):.3f} of fastest   (goal: at most 1.0)"
    )
    return {"title": "estimators: one fit on digits", "seconds_per_fit": seconds}
