"""The plug-ins: what pytest and Hypothesis do where chainrule is installed, each time in a process of its own."""

import configparser
import functools
import importlib.util
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import pytest_chainrule
from engine.errors import DataError
from engine.testing import GradientError, check_gradients, strategies

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "engine" / "testing" / "README.md"

pytest_plugins = ["pytester"]

entry_points = configparser.ConfigParser()
entry_points.read(ROOT / "setup.cfg", encoding="utf-8")
ENTRY_POINTS = dict(entry_points["options.entry_points"])

WRONG = """
import numpy as np
import pytest
from hypothesis import given, settings
import engine
from engine.testing import strategies

def wrong(x):
    return x * engine.detach(x)

def right(x):
    return x * x
"""


@pytest.fixture
def installed(pytester, monkeypatch):
    """Run pytest, or Python, on the checkout as if it were installed: the entry points are those of setup.cfg."""
    metadata = pytester.mkdir("installed").joinpath("chainrule-0.dist-info")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: chainrule\nVersion: 0\n")
    sections = [f"[{group}]\n{lines.strip()}\n" for group, lines in ENTRY_POINTS.items()]
    (metadata / "entry_points.txt").write_text("\n".join(sections))
    monkeypatch.setenv("PYTHONPATH", f"{metadata.parent}{os.pathsep}{ROOT}")
    for name in ("CI", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "HYPOTHESIS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    pytester.run_pytest = functools.partial(
        pytester.runpytest_subprocess, "--strict-markers", "-Werror", "-pno:cacheprovider", "-pno:xdist", "-pno:cov"
    )
    return pytester


def failure(result, name: str) -> str:
    """What pytest shows of one failure."""
    text = result.stdout.str()
    found = re.search(rf"^_+ {re.escape(name)} _+$\n(.*?)(?=^_+ \w[^ ]* _+$|^=+ )", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[1].strip()


# The mark and the fixture, in this process.


@given(strategies.numbers(), st.sampled_from([engine.sin, lambda x: x * engine.detach(x), abs]))
def test_the_fixture_says_what_the_checker_says(gradcheck, x, f):
    try:
        expected = str(check_gradients(f, x))
    except GradientError as error:
        with pytest.raises(GradientError, match=re.escape(str(error))) as caught:
            gradcheck(f, x)
        assert [entry.path.name for entry in caught.traceback] == ["test_plugin.py", "pytest_chainrule.py"]
    else:
        assert str(gradcheck(f, x)) == expected


@given(strategies.expressions(operations=3))
def test_a_program_brings_its_arguments(gradcheck, program):
    gradcheck(program)
    gradcheck(program, *program.args)


def test_a_gradient_written_by_hand_is_checked(gradcheck):
    gradcheck(np.sin, 0.5, gradient=np.cos)
    with pytest.raises(GradientError):
        gradcheck(np.sin, 0.5, gradient=lambda x: 1.001 * np.cos(x))


class Callable:
    def __call__(self, x, *, y=1):
        return x + y

    def method(self, x, *, y=1):
        return x + y


def wrapped(x, *, y=1):
    return x + y


@pytest.mark.parametrize(
    "test",
    [wrapped, functools.wraps(wrapped)(lambda *args, **kwargs: wrapped(*args, **kwargs)), Callable().method],
    ids=["function", "decorated", "method"],
)
def test_the_place_of_a_return_is_known(test):
    returned, place = pytest_chainrule.call(test, (2,), {"y": 3})
    assert returned == 5
    assert place.tb_frame.f_locals["x"] == 2
    assert Path(place.tb_frame.f_code.co_filename) == Path(__file__)


@pytest.mark.parametrize("test", [Callable(), functools.partial(wrapped, y=3), abs], ids=["object", "partial", "C"])
def test_what_is_no_function_of_python_has_no_place(test):
    assert pytest_chainrule.call(test, (2,), {})[1] is None


def test_a_profiler_that_runs_goes_on():
    events = []
    before = sys.getprofile()
    sys.setprofile(profiler := lambda *event: events.append(event))
    try:
        pytest_chainrule.call(wrapped, (2,), {})
        with pytest.raises(TypeError):
            pytest_chainrule.call(wrapped, (), {})
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    assert after is profiler
    assert events


# The mark and the fixture, where the package is installed.


def test_a_failure_shows_the_test_and_nothing_of_the_checker(installed):
    installed.makepyfile(
        WRONG
        + """
@pytest.mark.gradcheck(order=2)
def test_right():
    return right, np.array([1.0, 2.0])

@pytest.mark.gradcheck(order=2)
def test_marked():
    at = np.array([0.0, 2.0])
    if at.size:
        return wrong, at
    return right, at

def test_with_the_fixture(gradcheck):
    gradcheck(right, 2.0)
    gradcheck(wrong, 3.0)

@pytest.mark.gradcheck
@given(strategies.numbers())
@settings(database=None)
def test_drawn(x):
    return wrong, x
"""
    )
    result = installed.run_pytest("--showlocals")
    result.assert_outcomes(passed=1, failed=3)
    text = result.stdout.str()
    assert "pytest_chainrule.py" not in text
    assert "checks.py" not in text
    assert "hidden" not in text
    assert re.search(r"^> {11}return wrong, at\nE {11}engine\.errors\.GradientError: ", text, re.MULTILINE)
    assert re.search(r"^at +=", failure(result, "test_marked"), re.MULTILINE), "the frame is the test's own"
    assert "result[1] by args[0][1]" in failure(result, "test_marked")
    assert re.search(r"^>       gradcheck\(wrong, 3\.0\)$", failure(result, "test_with_the_fixture"), re.MULTILINE)
    assert re.search(r"^E +x=0\.0625,", failure(result, "test_drawn"), re.MULTILINE), "shrunk"


def test_the_mark_stands_wherever_a_mark_may(installed):
    installed.makepyfile(
        WRONG
        + """
import unittest

pytestmark = pytest.mark.gradcheck(rtol=0.4, order=2)

@pytest.mark.gradcheck(order=1)
class TestClass:
    def test_tolerant(self):
        return (lambda x: right(x) + 0.1 * wrong(x)), 1.0

    @pytest.mark.gradcheck(rtol=1e-6)
    def test_strict(self):
        return (lambda x: right(x) + 0.1 * wrong(x)), 1.0

class TestUnit(unittest.TestCase):
    def test_unit_right(self):
        return right, 1.0

    def test_unit_wrong(self):
        return wrong, -5.0

@pytest.mark.parametrize("x", [0.0, 1.0, 2.0])
@pytest.mark.gradcheck(order=1)
def test_parameters(x, request):
    return right if x == 1 else wrong, x

@pytest.fixture
def point():
    return np.array([1.0, 2.0])

def test_other_fixtures(point, tmp_path):
    return right, point

@pytest.mark.gradcheck(gradient=np.cos)
def test_by_hand():
    return np.sin, 0.5

@given(strategies.expressions(operations=2))
@settings(max_examples=5)
def test_program(program):
    return program

@pytest.mark.skip
def test_skipped():
    return wrong, 1.0

@pytest.mark.xfail(strict=True, raises=engine.errors.GradientError)
def test_expected():
    return wrong, 1.0
"""
    )
    result = installed.run_pytest("-rA")
    # by_hand fails: check_gradient has no `order`, which the module sets.
    failed = re.findall(r"^FAILED \S*?::(\S+)", result.stdout.str(), re.MULTILINE)
    assert failed == ["TestClass::test_strict", "TestUnit::test_unit_wrong", "test_parameters[2.0]", "test_by_hand"]
    result.assert_outcomes(passed=6, failed=4, skipped=1, xfailed=1)


def test_misuse_is_said_at_the_test(installed):
    installed.makepyfile(
        WRONG
        + """
@pytest.mark.gradcheck
def test_returns_nothing():
    wrong(2.0)

@pytest.mark.gradcheck
def test_returns_no_function():
    return np.ones(2), wrong

@pytest.mark.gradcheck(2)
def test_unnamed():
    return right, 2.0

@pytest.mark.gradcheck(ordre=2)
def test_unknown():
    return right, 2.0

def mine(x):
    raise ValueError("mine")

@pytest.mark.gradcheck
def test_error_of_the_function():
    return mine, 2.0

@pytest.mark.gradcheck
def test_error_of_the_test():
    raise ValueError("early")
"""
    )
    result = installed.run_pytest()
    result.assert_outcomes(failed=6)
    for name, line, message in [
        ("test_returns_nothing", "wrong(2.0)", "DataError: A test marked gradcheck returned None."),
        ("test_returns_no_function", "return np.ones(2), wrong", "DataError: A test marked gradcheck returned (array"),
        ("test_unnamed", "return right, 2.0", "DataError: The mark gradcheck was given [2] without a name."),
        (
            "test_unknown",
            "return right, 2.0",
            "gradcheck was given the settings ['ordre']",
        ),
        ("test_error_of_the_function", "return mine, 2.0", 'raise ValueError("mine")'),
        ("test_error_of_the_test", 'raise ValueError("early")', "ValueError: early"),
    ]:
        shown = failure(result, name)
        assert f">       {line}" in shown, shown
        assert message in shown, shown


def test_nothing_is_imported_before_it_is_used(installed):
    installed.makeconftest(
        """
import sys

def pytest_sessionfinish(session, exitstatus):
    for name in ("engine", "hypothesis", "numpy"):
        assert name not in sys.modules, name
"""
    )
    installed.makepyfile(
        """
import pytest

def test_asks_for_the_fixture(gradcheck):
    assert callable(gradcheck)

@pytest.mark.gradcheck
@pytest.mark.skip
def test_marked(): ...
"""
    )
    result = installed.run_pytest("-pno:hypothesispytest")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()


def test_the_plugin_is_found_described_and_left_out(installed):
    installed.makepyfile("def test_fixture(gradcheck): ...")
    installed.run_pytest("-p", "pytest_chainrule").assert_outcomes(passed=1)
    installed.run_pytest("-p", "no:chainrule").assert_outcomes(errors=1)
    described = installed.run_pytest("--markers").stdout.str()
    assert "@pytest.mark.gradcheck(**settings): the test returns a function and its arguments" in described


# The profiles of Hypothesis.


def test_the_profiles_have_names(installed):
    installed.makepyfile(
        """
from hypothesis import settings

def test_profiles():
    assert settings.get_current_profile_name() == "thorough"
    shown = {
        name: (one.max_examples, one.derandomize, one.deadline, one.print_blob)
        for name in ("dev", "ci", "thorough")
        for one in [settings.get_profile(name)]
    }
    assert shown == {
        "dev": (100, False, None, True), "ci": (100, True, None, True), "thorough": (2000, False, None, True)
    }
"""
    )
    installed.run_pytest("--hypothesis-profile=thorough").assert_outcomes(passed=1)


def test_profiles_can_be_loaded_and_replaced_in_a_conftest(installed):
    installed.makeconftest(
        """
from hypothesis import settings

settings.load_profile("thorough")
settings.register_profile("dev", max_examples=7)
"""
    )
    installed.makepyfile(
        """
from hypothesis import settings

def test_profiles():
    assert settings.get_current_profile_name() == "thorough"
    assert settings.get_profile("dev").max_examples == 7
"""
    )
    installed.run_pytest().assert_outcomes(passed=1)


def test_a_profile_that_is_there_is_left_alone(installed):
    """Also on a machine that Hypothesis takes for one of CI, where its profile is `ci` from the start."""
    script = """
import sys

import hypothesis_chainrule

assert not {"engine", "hypothesis", "numpy", "pytest"} & set(sys.modules)

from hypothesis import settings

own = settings.get_profile("ci")
settings.register_profile("thorough", max_examples=5)
del settings._profiles["dev"]
hypothesis_chainrule.register_profiles()
assert settings.get_profile("ci") is own
assert settings.get_profile("thorough").max_examples == 5
assert not settings.get_profile("dev").derandomize

settings.load_profile("default")
del settings._profiles["ci"]  # as in an older Hypothesis
hypothesis_chainrule.register_profiles()
assert settings.get_profile("ci").derandomize
assert "engine" not in sys.modules
"""
    path = installed.makepyfile(script=script)
    result = installed.run("env", "CI=true", sys.executable, "-Werror", path)
    assert result.ret == 0, result.stderr.str()


# The page.


def test_the_page_is_one_file_of_tests_that_pass(installed):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    source = "\n".join(block for block in blocks if not block.startswith(">>>"))
    installed.makepyfile(test_page=source)
    installed.makeconftest(
        """
from hypothesis import settings

settings.register_profile("few", settings.get_profile("dev"), max_examples=5, derandomize=True, database=None)
settings.load_profile("few")
"""
    )
    result = installed.run_pytest("-rs")
    tests = len(re.findall(r"^def test_", source, re.MULTILINE))
    skipped = int(importlib.util.find_spec("torch") is None)
    assert tests >= 4
    result.assert_outcomes(passed=tests - skipped, skipped=skipped)


def test_the_page_names_every_setting():
    text = PAGE.read_text("utf-8")
    for checker in (engine.testing.check_gradient, engine.testing.check_gradients):
        for name in checker.__kwdefaults__:
            assert f"`{name}`" in text, name


def test_the_plugins_are_packed():
    options = entry_points["options"]
    modules = options["py_modules"].split()
    assert modules == sorted(path.stem for path in ROOT.glob("*.py") if path.stem != "setup")
    named = re.findall(r"= (\w+)", "\n".join(ENTRY_POINTS.values()))
    assert sorted(named) == modules
    assert PAGE.relative_to(ROOT / "engine").as_posix() in entry_points["options.package_data"]["engine"]


@pytest.mark.parametrize("settings", [{"orders": 2}, {"order": 2, "gradient": np.cos}])
def test_a_setting_that_is_unknown_is_told_with_the_known_ones(settings, gradcheck):
    with pytest.raises(DataError, match="kinks, wrt, rtol, atol"):
        gradcheck(engine.sin, 0.5, **settings)
