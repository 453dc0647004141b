"""The plug-in for Hypothesis: the profiles `dev`, `ci` and `thorough`, for `pytest --hypothesis-profile=thorough`.

Hypothesis calls `register_profiles` as soon as it is imported, wherever chainrule is installed.
"""

from typing import Any

# No deadlines: the first example pays for imports, and machines differ. `ci` draws the same examples every time, so
# that a red run is due to the change; `thorough` is for the hunt.
PROFILES: dict[str, dict[str, Any]] = {
    "dev": {"deadline": None, "print_blob": True},
    "ci": {"deadline": None, "print_blob": True, "derandomize": True},
    "thorough": {"deadline": None, "print_blob": True, "max_examples": 2000},
}


def register_profiles() -> None:
    """Register each of the profiles, unless there is one of its name: Hypothesis's own `ci`, or the user's."""
    from hypothesis import settings
    from hypothesis.errors import InvalidArgument

    for name, values in PROFILES.items():
        try:
            settings.get_profile(name)
        except InvalidArgument:
            settings.register_profile(name, settings.get_profile("default"), **values)
