"""Which argument of a call is no JSON, and where in it."""

from collections.abc import Mapping
from typing import Any

from celery_rpc.call import Call
from celery_rpc.errors import EncodeError
from celery_rpc.transport.headers import encode

#: The key by which kombu's JSON tells what is no JSON.
RESERVED = '"__type__"'


def named_arguments(call: Call) -> list[tuple[str, Any]]:
    """Give the arguments, each with its place."""
    return [*((f"args[{n}]", value) for n, value in enumerate(call.args)), *call.kwargs.items()]


def refuse_reserved(call: Call) -> None:
    """Refuse a dict that the worker would read as a date, a decimal or the like (kombu's tag).

    Raises:
        EncodeError: there is one; names its place.
    """
    for name, value in named_arguments(call):
        where = reserved(name, value)
        if where is not None:
            raise EncodeError(
                f"{call.task}: {where} has a key {RESERVED}, by which Celery's JSON marks dates, "
                "decimals and the like: the worker would not get a dict",
                path=where,
            )


def reserved(path: str, value: Any, depth: int = 0) -> str | None:
    """Find a dict that has the reserved key."""
    if isinstance(value, Mapping) and RESERVED.strip('"') in value:
        return path
    if depth < 32:
        for name, item in children(value):
            found = reserved(f"{path}{name}", item, depth + 1)
            if found is not None:
                return found
    return None


def unencodable(call: Call, error: Exception) -> EncodeError:
    """Say which argument is no JSON, and where in it."""
    for name, value in named_arguments(call):
        path = culprit(name, value)
        if path is not None:
            where, what = path
            return EncodeError(
                f"{call.task}: {where} cannot be sent as JSON: it is a {type(what).__name__}",
                path=where,
            )
    return EncodeError(f"{call.task}: the call cannot be sent as JSON: {error}")


def culprit(path: str, value: Any, depth: int = 0) -> tuple[str, Any] | None:
    """Find the innermost value that is no JSON."""
    try:
        encode(value)
    except (TypeError, ValueError, RecursionError):
        if depth < 32:
            for name, item in children(value):
                found = culprit(f"{path}{name}", item, depth + 1)
                if found is not None:
                    return found
        return path, value
    return None


def children(value: Any) -> list[tuple[str, Any]]:
    """Give the parts of a container, each with its place."""
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{n}]", item) for n, item in enumerate(value)]
    return []
