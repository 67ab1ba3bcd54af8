"""Encoding: values as the JSON that Celery's workers read, written and copied."""

from collections.abc import Mapping, Sequence
from typing import Any

from kombu.utils.json import JSONEncoder, loads

from celery_rpc.support.jsonable import SENT_AS_IT_IS, reduced

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Encoder(JSONEncoder):  # type: ignore[misc]
    """kombu's encoder, for which models, dataclasses and enums are what they hold."""

    def default(self, value: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = reduced(value)
        return super().default(value) if found is value else found


#: kombu's dumps makes an encoder for each call.
encode = Encoder().encode


def owned(value: Any) -> Any:
    """Return a copy that nobody else can change, with models dumped.

    What is no JSON stays as it is: a declared type may know how to write it, and otherwise it is
    refused when it is encoded.
    """
    try:
        return copied(value)
    except RecursionError:  # it holds itself, and will be refused
        return value


def owned_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
    """Return the arguments of a call as they are now, whatever is done to them later."""
    return (
        tuple([arg if type(arg) in SENT_AS_IT_IS else owned(arg) for arg in args]),
        {name: owned(arg) for name, arg in kwargs.items()},
    )


def copied(value: Any) -> Any:
    kind = type(value)
    if kind in SENT_AS_IT_IS:
        return value
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [part if type(part) in SENT_AS_IT_IS else copied(part) for part in value]
        return tuple(parts) if kind is tuple else parts
    if isinstance(value, set | frozenset):
        return set(value)
    found = value.__json__() if hasattr(kind, "__json__") else reduced(value)
    return as_read(value) if found is value else copied(found)


def as_read(value: Any) -> Any:
    """Return what a worker would read; the value itself where it cannot be written."""
    try:
        return loads(encode(value))
    except (TypeError, ValueError):
        return value
