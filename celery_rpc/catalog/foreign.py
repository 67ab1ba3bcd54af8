"""Foreign: limits on what strangers say of queues and tasks, be they workers or files; pure."""

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from celery_rpc.catalog.signature_json import DIGEST_LENGTH

#: Tasks of one worker, or of one service.
MAX_TASKS = 10_000

#: Characters of a name, and levels of a queue's arguments.
MAX_NAME = 255
MAX_LEVELS = 8

DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")


class BadReport(ValueError):
    """Something that strangers said, and that cannot be used."""


def checked_name(name: Any, what: str) -> str:
    """Refuse a name that no broker would carry, or that a terminal would obey."""
    if not isinstance(name, str) or not name:
        raise BadReport(f"a {what} without a name")
    if len(name) > MAX_NAME:
        raise BadReport(f"a {what} with a name of {len(name):,} characters: {name[:40]!r}...")
    if not name.isprintable():
        raise BadReport(f"a {what} with control characters in its name: {name!r}")
    return name


def checked_text(value: Any, what: str) -> str:
    """Refuse what may be left out, and is no name."""
    return "" if value is None or value == "" else checked_name(value, what)


def checked_object(value: Any, what: str) -> Mapping[str, Any]:
    """Refuse what may be left out, and is no object."""
    if value is not None and not isinstance(value, dict):
        raise BadReport(f"a {what} is a {type(value).__name__} in place of an object")
    return value or {}


def check_arguments(value: Any, level: int = 0) -> None:
    """Refuse arguments of a queue that cannot be written as JSON, or that have too many levels."""
    if level > MAX_LEVELS:
        raise BadReport(f"arguments of more than {MAX_LEVELS} levels")
    if isinstance(value, float) and not isfinite(value):
        raise BadReport(f"arguments with {value}, which is no number of JSON")
    inner: Iterable[Any] = value if isinstance(value, list) else ()
    for each in value.values() if isinstance(value, dict) else inner:
        check_arguments(each, level + 1)
