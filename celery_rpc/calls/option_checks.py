"""Checks: what each option of a call must be, and how that is said."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from reprlib import repr as shortened
from typing import Any

from celery_rpc.calls.retry import Retry
from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.client_options import UNSET, check_seconds
from celery_rpc.support.moment import to_moment

#: Bytes of a short string, as which AMQP carries the id.
LONGEST_ID = 255


def check(name: str, value: Any) -> None:
    """Refuse what no broker or worker could honour.

    A worker drops a message whose times it cannot read, and nobody would answer to the call.

    Raises:
        ConfigurationError: names the option and what it would take.
    """
    if name == "timeout" and value is not UNSET:
        check_seconds(name, value, none_is="no deadline")
    if value is None or name not in WANTED:
        return
    fits, wanted = WANTED[name]
    if not fits(value):
        raise ConfigurationError(f"{name} must be {wanted}, not {shortened(value)}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def is_length(value: Any) -> bool:
    return is_number(value) and value >= 0


def is_delay(value: Any) -> bool:
    """Whether that many seconds from now is a time that all workers can read."""
    try:
        return is_number(value) and is_time(datetime.now(UTC) + timedelta(seconds=value))
    except OverflowError:
        return False


def is_time(value: Any) -> bool:
    """Whether it is a time that all workers can read, or one in ISO 8601."""
    try:
        return isinstance(value, datetime | str) and bool(to_moment(value))
    except (TypeError, ValueError, OverflowError):
        return False


def is_end(value: Any) -> bool:
    return is_delay(value) or is_time(value)


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_key(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_id(value: Any) -> bool:
    return is_key(value) and len(value.encode(errors="replace")) <= LONGEST_ID


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_signatures(value: Any) -> bool:
    """Return whether it is a signature, which is a dict, or several."""
    several = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(each, Mapping) for each in several)


_SIGNATURES = is_signatures, "a signature, as task.s() gives it, or a list of them"
_LENGTH = is_length, "a number of seconds, 0 or more"
_TEXT = is_text, "text"

#: Times that hosts in all zones can tell.
IN_REACH = " that leads to the years 1 to 9999"

#: Option -> whether a value fits, and what one that fits is called.
WANTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "countdown": (is_delay, f"a number of seconds{IN_REACH}"),
    "eta": (is_time, f"a datetime{IN_REACH}, or one in ISO 8601"),
    "expires": (is_end, f"a number of seconds or a datetime{IN_REACH}, or one in ISO 8601"),
    "time_limit": _LENGTH,
    "soft_time_limit": _LENGTH,
    "priority": (lambda value: value in range(256), "a whole number from 0 to 255"),
    "headers": (lambda value: isinstance(value, Mapping), "a dict"),
    "task_id": (is_id, f"text of 1 to {LONGEST_ID} bytes"),
    "link": _SIGNATURES,
    "link_error": _SIGNATURES,
    "ignore_result": (is_bool, "True or False"),
    "shadow": _TEXT,
    "argsrepr": _TEXT,
    "kwargsrepr": _TEXT,
    "delivery_mode": (
        lambda value: value in (1, 2, "transient", "persistent"),
        "'persistent' or 'transient'",
    ),
    "retry": (lambda value: isinstance(value, Retry | bool), "a Retry(...), True or False"),
    "idempotent": (is_bool, "True or False"),
    "replaces": (is_bool, "True or False"),
    "idempotency_key": (is_key, "text that is not empty"),
    "wait_for_ready": (is_bool, "True or False"),
    "check": (lambda value: value == "consumers", "'consumers'"),
    "cancel_on_timeout": (
        lambda value: value in (True, False, "terminate"),
        "True, False or 'terminate'",
    ),
    "validate": (lambda value: value is UNSET or is_bool(value), "True or False"),
}
