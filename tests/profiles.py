"""How much property tests try: always the same few, or more where $HYPOTHESIS_PROFILE asks."""

import os

from hypothesis import HealthCheck, settings

#: quick, long, or nightly.
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")

FACTOR = {"quick": 1, "long": 10, "nightly": 100}[PROFILE]


def examples(number: int) -> int:
    """Return how many examples to try where `make test` tries so many."""
    return number * FACTOR


def load() -> None:
    """Make every property test keep to the profile; a slow machine is no failure."""
    settings.register_profile(
        PROFILE,
        max_examples=examples(100),
        deadline=None,
        derandomize=PROFILE == "quick",
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(PROFILE)
