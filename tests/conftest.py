"""The profiles of Hypothesis, and the guard that fails a test which leaks global state."""

import gc
import os
import sys
from collections.abc import Iterator

import numpy
import pytest
from hypothesis import settings

try:
    from engine.graph import recording
except ModuleNotFoundError as error:
    if error.name not in ("engine", "engine.graph"):
        raise

    def recording() -> None:
        """Stand in for the recording state where only the project's own files are tested."""


# No deadlines: the first example pays for imports, and machines differ.
# `ci` draws the same examples every time, so that a red run is due to the change; `thorough` is for the hunt.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2000)
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
