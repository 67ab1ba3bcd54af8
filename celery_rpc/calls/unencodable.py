"""Which argument of a call is no JSON, and where in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery_rpc.calls.encoding import encode
from celery_rpc.errors import EncodeError
from celery_rpc.support.jsonable import SENT_AS_IT_IS

#: The key by which kombu's JSON tells what is no JSON.
RESERVED = '"__type__"'

#: Levels of nesting up to which the encoder need not be asked.
DEEP = 100


def named_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the arguments, each with its place."""
    return [*((f"args[{n}]", value) for n, value in enumerate(args)), *kwargs.items()]


def require_json(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], known: dict[int, Any]
) -> None:
    """Refuse arguments that cannot be sent, before anything is.

    Args:
        known: those that can, by their identity; what many tasks share is looked at once.

    Raises:
        EncodeError: one of them is no JSON; names its place.
    """
    for value in (*args, *kwargs.values()):
        if type(value) in SENT_AS_IT_IS or id(value) in known:
            continue
        if not is_json(value):
            try:
                text = encode(value)
            except (TypeError, ValueError, RecursionError) as error:
                raise unencodable(task, args, kwargs, error) from error
            if RESERVED in text:
                refuse_reserved(task, args, kwargs)
        known[id(value)] = value


def is_json(value: Any, depth: int = 0) -> bool:
    """Whether a value certainly can be sent; False leaves that to the encoder."""
    kind = type(value)
    if kind in SENT_AS_IT_IS:
        return True
    if depth > DEEP:
        return False
    if kind is list or kind is tuple:
        return all(type(each) in SENT_AS_IT_IS or is_json(each, depth + 1) for each in value)
    return kind is dict and all(
        type(key) is str and key != "__type__" and is_json(each, depth + 1)
        for key, each in value.items()
    )


def refuse_reserved(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a dict that the worker would read as a date, a decimal or the like (kombu's tag).

    Raises:
        EncodeError: there is one; names its place.
    """
    for name, value in named_arguments(args, kwargs):
        where = reserved(name, value)
        if where is not None:
            raise EncodeError(
                f"{task}: {where} has a key {RESERVED}, by which Celery's JSON marks dates, "
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


def unencodable(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], error: Exception
) -> EncodeError:
    """Return which argument is no JSON, and where in it."""
    for name, value in named_arguments(args, kwargs):
        path = culprit(name, value)
        if path is not None:
            where, what = path
            return EncodeError(
                f"{task}: {where} cannot be sent as JSON: it is a {type(what).__name__}",
                path=where,
            )
    return EncodeError(f"{task}: the call cannot be sent as JSON: {error}")


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
    """Return the parts of a container, each with its place."""
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{n}]", item) for n, item in enumerate(value)]
    return []
