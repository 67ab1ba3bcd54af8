"""Effort: what it may cost to check values by a type that a stranger has published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic_core.core_schema import CoreSchema, ValidationInfo

#: How many patterns of one signature are checked: some take 50 ms to compile, and megabytes.
MAX_PATTERNS = 50

#: Unions that may be tried for one value, and for each of its parts where it has many.
FEW_STEPS, STEPS_A_PART, MOST_PARTS = 100_000, 20, 10_000_000

#: Words of all the names that pydantic makes for a type.
MAX_WORDS = 100_000


class Patience:
    """How much of a kind of work a schema of strangers may still cost."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> bool:
        """Whether there was any left."""
        self.left -= 1
        return self.left >= 0


class TooManySteps(Exception):
    """A value whose check would take too long; no ValueError, which pydantic would go on after."""


class Steps:
    """Counts the unions that a check tries, where several alternatives may lead on.

    A small schema may have a value tried in more ways than could ever be finished.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._left = FEW_STEPS
        self._counted = False

    def spend(self) -> None:
        """Count one.

        Raises:
            TooManySteps: there are many more than the value has parts.
        """
        self._left -= 1
        if self._left < 0 and not self._counted:
            self._counted = True
            self._left = STEPS_A_PART * parts_of(self._value)
        if self._left < 0:
            raise TooManySteps


def parts_of(value: Any) -> int:
    """Return how many parts a value has, those of its parts included; at most MOST_PARTS."""
    count, waiting = 0, [value]
    while waiting and count < MOST_PARTS:
        each = waiting.pop()
        count += 1
        if isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list | tuple | set | frozenset):
            waiting.extend(cast("Iterable[Any]", each))
    return count


def spent(value: Any, info: ValidationInfo[Any]) -> Any:
    """Count a union that is tried."""
    if info.context is not None:
        info.context.spend()
    return value


class Names:
    """Counts the words of the names that pydantic gives to validators.

    That of a tuple or dict has those of its parts, and that of a definition is in the name of each
    that refers to it and is made later: two dozen definitions are enough to fill the memory.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, int] = {}
        self._words = 0

    def check(self, schemas: Sequence[CoreSchema]) -> None:
        """Refuse schemas whose names would be too long, in the order in which they are made.

        Raises:
            ValueError: they would be.
        """
        for schema in schemas:
            words = self._count(schema)
            if "ref" in schema:
                self._definitions[str(schema["ref"])] = words

    def _count(self, schema: Any) -> int:
        kind = schema["type"]
        if kind == "definition-ref":
            return self._definitions.get(schema["schema_ref"], 1)
        words = 1 + sum(self._count(each) for each in inner(schema))
        self._words += words
        if self._words > MAX_WORDS:
            raise ValueError("the type has too long a name")
        return 1 if kind in ("union", "typed-dict") else words


def inner(schema: Any) -> list[Any]:
    """Return the schemas that one is made of."""
    match schema["type"]:
        case "union":
            return [choice for choice, _ in schema["choices"]]
        case "typed-dict":
            return [each["schema"] for each in schema["fields"].values()]
        case "tuple":
            return list(schema["items_schema"])
        case _:
            names = ("schema", "items_schema", "keys_schema", "values_schema")
            return [schema[name] for name in names if name in schema]
