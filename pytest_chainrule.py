"""The plug-in for pytest: the mark and the fixture `gradcheck`. pytest finds it wherever chainrule is installed.

    @pytest.mark.gradcheck(order=2)
    def test_softplus():
        return engine.softplus, np.array([-1.0, 2.0])

    def test_cube(gradcheck):
        gradcheck(lambda x: x**3, 2.0, gradient=lambda x: 3 * x**2)

The engine is imported when the first gradient is checked, not before. engine/testing/README.md shows more.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

import pytest

__tracebackhide__ = True  # pytest leaves the functions of this file out of what it shows


def pytest_configure(config: pytest.Config) -> None:
    """Describe the mark, for `pytest --markers` and --strict-markers."""
    config.addinivalue_line(
        "markers",
        "gradcheck(**settings): the test returns a function and its arguments, `return f, x, y`, or a Program; "
        "its derivatives are checked with these settings of engine.testing.check_gradients, or of check_gradient "
        "where gradient=... is the function's derivative, written by hand.",
    )


@pytest.fixture(scope="session")  # so that tests under Hypothesis's @given may use it
def gradcheck() -> Callable[..., Any]:
    """check_gradients(f, *args, ...), or check_gradient where `gradient=` is given; a failure shows the test alone."""
    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Check what a marked test returns."""
    marks = list(item.iter_markers("gradcheck"))
    if not marks or not isinstance(item, pytest.Function):
        return (yield)
    unnamed = [value for mark in marks for value in mark.args]
    settings = {name: value for mark in reversed(marks) for name, value in mark.kwargs.items()}  # the closest mark wins
    # Hypothesis calls the test many times, each time through this attribute.
    owner, name = (item.obj.hypothesis, "inner_test") if hasattr(item.obj, "hypothesis") else (item, "obj")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, checked(getattr(owner, name), unnamed, settings))
        return (yield)


def checked(test: Callable[..., Any], unnamed: list[Any], settings: dict[str, Any]) -> Callable[..., None]:
    """Return the test that also checks what the given one returns."""

    @functools.wraps(test)
    def checked_test(*args: Any, **kwargs: Any) -> None:
        returned, place = call(test, args, kwargs)
        try:
            check_returned(returned, unnamed, settings)
        except Exception as error:
            if place is not None:
                place.tb_next = error.__traceback__  # as if the `return` had called the checker
                error.__traceback__ = place
            raise error

    return checked_test


def call(test: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> tuple[Any, TracebackType | None]:
    """Return what a test returns, and the place where it does: the test is over when pytest is to show it."""
    code = getattr(inspect.unwrap(test), "__code__", None)
    place: TracebackType | None = None

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal place
        if event == "return" and frame.f_code is code:
            place = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        returned = test(*args, **kwargs)
    finally:
        sys.setprofile(before)
    return returned, place


def check_returned(returned: Any, unnamed: list[Any], settings: dict[str, Any]) -> None:
    """Check the gradient of what a marked test returns.

    Raises DataError where that is no function, and where the mark has a setting without a name.
    """
    from engine.errors import DataError

    if unnamed:
        raise DataError(
            f"The mark gradcheck was given {unnamed} without a name. It stands above a test, a class or a module. "
            "Name each setting, as in @pytest.mark.gradcheck(order=2)."
        )
    f, *args = returned if isinstance(returned, tuple) and returned else (returned,)
    if not callable(f):
        raise DataError(
            f"A test marked gradcheck returned {returned!r}. The mark checks a function at the arguments after it. "
            "Write `return f, x, y`, or take the mark away."
        )
    check(f, *args, **settings)


def check(f: Callable[..., Any], *args: Any, gradient: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Check the derivatives of f at `args`, or of a Program at its own, and keep the checker out of a failure."""
    from engine import testing
    from engine.errors import DataError
    from engine.testing.programs import Program

    if isinstance(f, Program) and not args:
        args = f.args
    checker = testing.check_gradients if gradient is None else testing.check_gradient
    known = [name for name, one in inspect.signature(checker).parameters.items() if one.kind is one.KEYWORD_ONLY]
    if unknown := [name for name in settings if name not in known]:
        raise DataError(
            f"gradcheck was given the settings {unknown}. {'Without' if gradient is None else 'With'} gradient= it has "
            f"{', '.join(known)}. Write one of these."
        )
    try:
        return checker(f, *(() if gradient is None else (gradient,)), *args, **settings)
    except testing.GradientError as error:
        raise error.with_traceback(None) from None
