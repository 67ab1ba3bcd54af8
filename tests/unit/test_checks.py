"""Options of a call: what no worker could honour is refused before anything is sent."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import Any

import pytest

from celery_rpc import ConfigurationError
from celery_rpc.calls.call import DEFAULTS, CallOptions
from celery_rpc.calls.option_checks import WANTED

NEAR_THE_END = (datetime(1, 1, 3), datetime(9999, 12, 29, tzinfo=UTC))

#: Times that there are in one zone, and not in all.
BEYOND = (
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=12))),
    datetime.min,
    datetime.max,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("timeout", value) for value in (0, -1, "3", True, nan, inf, 1e12)),
        *(("countdown", value) for value in ("soon", True, nan, inf, 1e12)),
        *(("eta", value) for value in ("tomorrow", 5, "", *BEYOND)),
        *(("expires", value) for value in ("soon", nan, inf, True, timedelta(1), *BEYOND)),
        *((name, value) for name in ("countdown", "expires") for value in (-7e10, 2.6e11, 10**400)),
        *(("time_limit", value) for value in (-1, nan, "3")),
        *(("soft_time_limit", value) for value in (-1, inf)),
        *(("priority", value) for value in (-1, 256, "3", 1.5)),
        *(("headers", value) for value in ([1], "a")),
        *(("task_id", value) for value in ("", 5, "x" * 256, "\N{SNOWMAN}" * 86)),
        *(("link", value) for value in ("task", [5], print)),
        *(("link_error", value) for value in (5, ["task"])),
        *((name, "no") for name in ("ignore_result", "idempotent", "wait_for_ready", "validate")),
        *((name, 5) for name in ("shadow", "argsrepr", "kwargsrepr", "idempotency_key")),
        *(("delivery_mode", value) for value in ("slow", 3, [1])),
        ("idempotency_key", ""),
        ("retry", 3),
        ("check", "workers"),
        ("cancel_on_timeout", "now"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_option(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be "):
        DEFAULTS.merged(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("timeout", value) for value in (None, 0.1, 60, 10**6)),
        *(("countdown", value) for value in (None, -1, 0, 2.5)),
        *(("eta", value) for value in (datetime.now(UTC), "2030-01-01T00:00:00+00:00")),
        *(("expires", value) for value in (0, -1, 3.5, datetime.now(UTC), "2030-01-01")),
        *((name, value) for name in ("eta", "expires") for value in NEAR_THE_END),
        ("time_limit", 0),
        ("task_id", "x" * 255),
        ("link", [{"task": "a"}]),
        ("link_error", ({"task": "a"},)),
        ("validate", False),
    ],
)
def test_what_celery_takes_is_taken(name: str, value: Any) -> None:
    assert getattr(DEFAULTS.merged(**{name: value}), name) == value


def test_every_check_is_of_an_option() -> None:
    assert {*WANTED} <= {each.name for each in fields(CallOptions)}


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(ConfigurationError) as caught:
        DEFAULTS.merged(priority="x" * 10_000)
    assert len(str(caught.value)) < 200
