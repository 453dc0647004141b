"""Gradient checkers on the table of reference functions: misses, false alarms and seconds."""

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

Check = Callable[[Any, str | None, Any], float | None]
"""Of an entry, a mistake (None for the right gradient) and a point: how far off the gradient is said to be, above 1 if
it is refused; None where the checker cannot express the case."""


def ours() -> Check:
    """Return `engine.testing.check_gradient` and `check_gradients`, told which points lie at a kink."""
    from reference_functions import check

    def checked(entry, mistake, point):
        try:
            return check(entry, mistake, point).excess
        except AssertionError:
            return np.inf

    return checked


def pytorchs(**tolerance: float) -> Check:
    """Return `torch.autograd.gradcheck`, and `gradgradcheck` for what goes to second order."""
    import torch
    from reference_functions import Ruled, arguments, rows, rules

    def tensor(x):
        return torch.tensor(np.asarray(x, float))

    def undo_broadcasting(g, x):
        return g.sum_to_size(x.shape) if g.shape != x.shape else g

    def written(entry, mistake):
        gradient = entry.right if mistake is None else entry.wrong[mistake]

        class Operation(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                ctx.args = [as_given(entry, x.numpy()) for x in inputs]
                return tensor(entry.function(*ctx.args))

            @staticmethod
            def backward(ctx, g):
                jacobians = [tensor(part) for part in rows(gradient(*ctx.args))]
                return tuple(torch.tensordot(g, jacobian, g.dim()) for jacobian in jacobians)

        return Operation.apply

    def ruled(entry, mistake):
        chosen = rules(entry, mistake)

        class Operation(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                out = entry.function(torch, *inputs)
                ctx.save_for_backward(out, *inputs)
                return out

            @staticmethod
            def backward(ctx, g):
                out, *inputs = ctx.saved_tensors
                found = [rule(torch, g, out, *inputs) for rule in (chosen[name] for name in entry.right)]
                return tuple(undo_broadcasting(c, x) for c, x in zip(found, inputs, strict=True))

        return lambda *args: entry.within(Operation.apply, torch, *args)

    def checked(entry, mistake, point):
        f = (ruled if isinstance(entry, Ruled) else written)(entry, mistake)
        inputs = [tensor(x).requires_grad_() for x in arguments(point)]
        passes = torch.autograd.gradcheck(f, inputs, raise_exception=False, **tolerance)
        if passes and entry.order == 2:
            torch.manual_seed(0)
            passes = torch.autograd.gradgradcheck(f, inputs, raise_exception=False, **tolerance)
        return 0.0 if passes else np.inf

    return checked


def hips() -> Check:
    """Return `autograd.test_util.check_grads` in reverse mode, to the order at which the mistakes show."""
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive
    from autograd.numpy.numpy_vjps import unbroadcast_f
    from autograd.test_util import check_grads
    from reference_functions import Ruled, arguments, rows, rules

    def double(x):
        return float(x) if isinstance(x, float) else np.asarray(x, float)

    def written(entry, mistake):
        gradient = entry.right if mistake is None else entry.wrong[mistake]

        @primitive
        def operation(*args):
            return double(entry.function(*[as_given(entry, x) for x in args]))

        def rule(k):
            def pull(out, *args):
                jacobian = rows(gradient(*[as_given(entry, x) for x in args]))[k].astype(float)
                return lambda g: double(np.tensordot(g, jacobian, np.ndim(g)))

            return pull

        defvjp(operation, *[rule(k) for k in range(len(arguments(entry.at[0])))])
        return operation

    def ruled(entry, mistake):
        @primitive
        def operation(*args):
            return entry.function(anp, *args)

        def pull(name, k):
            rule = rules(entry, mistake)[name]
            return lambda out, *args: unbroadcast_f(args[k], lambda g: rule(anp, g, out, *args))

        defvjp(operation, *[pull(name, k) for k, name in enumerate(entry.right)])
        return lambda *args: entry.within(operation, anp, *args)

    def checked(entry, mistake, point):
        f = (ruled if isinstance(entry, Ruled) else written)(entry, mistake)
        args = [double(x) for x in arguments(point)]
        np.random.seed(0)  # noqa: NPY002 - it draws its directions from this generator
        try:
            check_grads(f, tuple(range(len(args))), modes=["rev"], order=entry.order)(*args)
        except AssertionError:
            return np.inf
        return 0.0

    return checked


def scipys() -> Check:
    """Return `scipy.optimize.check_grad`, which says how far off and leaves it to its user how far is too far."""
    from reference_functions import Ruled, arguments, primitive, rows
    from scipy.optimize import check_grad

    import engine

    def checked(entry, mistake, point):
        if entry.order > 1:
            return None
        args = [np.asarray(x, float) for x in arguments(point)]
        edges = np.cumsum([x.size for x in args])[:-1]

        def parts(x):
            pieces = zip(np.split(x, edges), args, strict=True)
            return [as_given(entry, piece.reshape(arg.shape)) for piece, arg in pieces]

        f, gradient = entry.function, entry.right if mistake is None else entry.wrong[mistake]
        if isinstance(entry, Ruled):  # any gradient will do: ours, with the wrong rule in it
            op = primitive(entry, mistake)
            f = lambda *args: entry.within(op, engine, *args)  # noqa: E731
            gradient = engine.jacobian(f, argnums=tuple(range(len(args))))

        def results(x):
            found = np.ravel(f(*parts(x)))
            return found if found.size > 1 else found[0]

        def jacobian(x):
            count = np.size(f(*parts(x)))
            found = np.concatenate([part.reshape(count, -1) for part in rows(gradient(*parts(x)))], axis=1)
            return found if count > 1 else found[0]

        start = np.concatenate([x.ravel() for x in args])
        size = np.linalg.norm(jacobian(start))
        return check_grad(results, jacobian, start) / (size if size > 0 else 1.0)

    return checked


def as_given(entry: Any, x: Any) -> Any:
    """Return an argument as the function wants it: a number stays one."""
    return x if np.ndim(x) else np.asarray(x)


CHECKERS: dict[str, Callable[[], Check]] = {
    "ours": ours,
    "PyTorch": pytorchs,
    "PyTorch 1e-4": partial(pytorchs, rtol=1e-4),  # by default it accepts 0.1 %, which the table calls wrong
    "autograd": hips,
    "SciPy": scipys,
}


def cases() -> list[tuple[str, Any, str | None, Any, bool]]:
    """Return the group, the entry, the mistake, the point, and whether the gradient is wrong there."""
    from reference_functions import GROUPS, mistaken

    return [
        (
            "at a kink" if entry.kinks != "raise" else group,
            entry,
            mistake,
            point,
            mistake is not None and mistaken(entry, mistake, point),
        )
        for group, entries in GROUPS.items()
        for entry in entries
        for point in entry.at
        for mistake in [None, *entry.wrong]
    ]


def kindest_limit(found: list[tuple[float | None, bool]]) -> float:
    """Return the limit with which a checker that names none makes the fewest errors on this very table."""
    limits = sorted({size for size, _ in found if size is not None and np.isfinite(size)})
    return min(limits, key=lambda limit: sum((not size <= limit) != wrong for size, wrong in found if size is not None))


def run(rounds: int) -> list[dict]:
    """Print and return who misses what, who raises a false alarm, and the seconds for the whole table."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the table stands beside the tests
    print(f"\n{__doc__}")
    table, figures, errors = cases(), {}, {}
    groups = dict.fromkeys(group for group, *_ in table)
    for name, prepare in CHECKERS.items():
        try:
            check = prepare()
        except ModuleNotFoundError as absence:
            print(f"  {name} is left out: {absence}")
            continue
        seconds = []
        for _ in range(min(rounds, 3)):
            start = perf_counter()
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = [(check(entry, mistake, point), wrong) for _, entry, mistake, point, wrong in table]
            seconds.append(perf_counter() - start)
        limit = kindest_limit(found) if name == "SciPy" else 1.0
        errors[name] = {group: [0, 0, 0] for group in groups}
        listed = []
        for (group, entry, mistake, point, wrong), (size, _) in zip(table, found, strict=True):
            if size is None:
                errors[name][group][2] += 1
            elif (not size <= limit) != wrong:
                errors[name][group][0 if wrong else 1] += 1
                listed.append(("miss" if wrong else "false alarm", group, entry.name, mistake, repr(point)))
        figures[name] = {"limit": limit, "seconds": seconds, "errors": listed}

    print(f"  {len({id(entry) for _, entry, *_ in table})} functions, {len(table)} gradients at points, of which")
    print(f"  {sum(wrong for *_, wrong in table)} are wrong. misses / false alarms, and (not expressible):\n")
    print(f"  {'':18}{'cases':>6}" + "".join(f"{name:>15}" for name in errors))
    for group in [*groups, "all"]:
        cells, within = "", [group] if group != "all" else [*groups]
        for counts in errors.values():
            misses, alarms, missing = (sum(counts[one][k] for one in within) for k in range(3))
            cells += f"{f'{misses} / {alarms}' + (f' ({missing})' if missing else ''):>15}"
        print(f"  {group:18}{sum(one in within for one, *_ in table):6}{cells}")
    print(f"  {'seconds':18}{'':6}" + "".join(f"{median(one['seconds']):15.2f}" for one in figures.values()))
    for _, *error in figures.get("ours", {}).get("errors", []):
        print(f"  ours errs at {error}")
    if "SciPy" in figures:
        print(f"  SciPy is judged by the kindest limit on this table, {figures['SciPy']['limit']:.1e} of the gradient.")
    return [{"title": __doc__, "cases": len(table), "checkers": figures}]
