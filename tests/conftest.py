"""The plug-ins, the profile of Hypothesis, and the guard that fails a test which leaks global state."""

import gc
import os
import sys
from collections.abc import Iterator

import numpy
import pytest
from hypothesis import settings

import hypothesis_chainrule

try:
    from engine.graph import recording
except ModuleNotFoundError as error:
    if error.name not in ("engine", "engine.graph"):
        raise

    def recording() -> None:
        """Stand in for the recording state where only the project's own files are tested."""


pytest_plugins = ["pytest_chainrule"]  # pytest finds it by itself only where the package is installed

hypothesis_chainrule.register_profiles()  # so does Hypothesis
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev"))


def global_state() -> dict[str, object]:
    """Everything that outlives a test by accident, under the name by which a failure reports it."""
    return {
        "NumPy's error state": numpy.geterr(),
        "NumPy's print options": numpy.get_printoptions(),
        "the engine's recording state": recording(),
        "Python's cycle collector": (gc.isenabled(), gc.get_threshold()),
        "Python's recursion limit": sys.getrecursionlimit(),
    }


@pytest.fixture(autouse=True)
def no_leaked_state() -> Iterator[None]:
    """Fail the test that leaves global state other than it found it."""
    before = global_state()
    yield
    after = global_state()
    for name in before:
        if after[name] != before[name]:
            pytest.fail(
                f"The test leaks {name}: it was {before[name]} before and is {after[name]} after. "
                "Change it inside a `with` block, or restore it."
            )
