"""Plain: models, dataclasses and enums -> what JSON has, wherever they are within a value."""

from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any
from uuid import UUID

#: What is sent as it is: JSON has it, or kombu marks its type so that workers restore it.
SENT_AS_IT_IS = frozenset(
    {str, int, float, bool, type(None), datetime, date, time, Decimal, UUID, bytes}
)

Reduce = Callable[[Any], Any]


def reduced(value: Any) -> Any:
    """Return a model, a dataclass or an enum as JSON has it, and anything else as it is."""
    kind = type(value)
    # pydantic's warnings would be of what does not fit, which is found by who checks it.
    if hasattr(kind, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, warnings=False)
    if is_dataclass(kind):
        return adapter_of(kind).dump_python(value, mode="json", by_alias=True, warnings=False)
    return value.value if isinstance(value, Enum) else value


def reduced_by_type(value: Any) -> Any:
    """Do the same, and give as text what a declared type will read back from text."""
    if isinstance(value, timedelta):
        return adapter_of(timedelta).dump_python(value, mode="json")
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value) if isinstance(value, PurePath) else reduced(value)


@cache
def adapter_of(kind: Any) -> Any:
    """Return pydantic's adapter of a class."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def plain(value: Any, reduce: Reduce = reduced) -> Any:
    """Return a value without models; the value itself where there are none in it."""
    kind = type(value)
    if kind in SENT_AS_IT_IS:
        return value
    if kind is list or kind is tuple:
        parts = [plain(part, reduce) for part in value]
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else parts
    if kind is dict:
        items = {key: plain(part, reduce) for key, part in value.items()}
        return value if all(items[key] is part for key, part in value.items()) else items
    found = reduce(value)
    return value if found is value else plain(found, reduce)
