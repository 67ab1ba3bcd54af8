"""Subtype: whether each value of one JSON Schema is a value of another; pure, three-valued."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Any

from celery_rpc.catalog.schema_aliases import ANNOTATIONS, followed, name_in
from celery_rpc.catalog.signature import Schema
from celery_rpc.diff.bounds import Verdict, is_multiple, lengths, lower, same_or_open, upper

#: Comparisons of parts after which a question is left open; levels of parts within parts.
BUDGET, DEPTH = 20_000, 40

#: How many names and values are looked at in the time that one comparison takes.
QUICK = 10

Definitions = Mapping[str, Schema]


class Relation(Enum):
    """How a type stands to the one that it was before."""

    SAME = "the same values"
    WIDER = "more values"
    NARROWER = "fewer values"
    OTHER = "other values"
    UNKNOWN = "it cannot be decided whether these are other values"


@dataclass(slots=True)
class Budget:
    """How many more comparisons several questions may cost together."""

    left: int = BUDGET


@dataclass(frozen=True, slots=True)
class Type:
    """A schema, and the definitions to which it refers."""

    schema: Any
    definitions: Definitions = field(default_factory=dict[str, Schema])

    def part(self, schema: Any) -> "Type":
        """Return a part of it, or what is made of its parts."""
        return Type(schema, self.definitions)

    @property
    def reference(self) -> str | None:
        """The name of the definition that it is, if it is one."""
        return name_in(self.schema)

    def resolved(self) -> "Type":
        """Return the type without a name at its head, and without what allows no more or less."""
        schema = followed(self.schema, self.definitions)
        if not isinstance(schema, Mapping):
            return self.part(schema)
        return self.part({k: v for k, v in schema.items() if k not in ANNOTATIONS})


def relation(old: Type, new: Type, budget: Budget | None = None) -> Relation:
    """Return how a type has changed."""
    if old == new:
        return Relation.SAME
    wider, narrower = is_subtype(old, new, budget), is_subtype(new, old, budget)
    if wider and narrower:
        return Relation.SAME
    if wider:
        return Relation.WIDER
    if narrower:
        return Relation.NARROWER
    return Relation.OTHER if False in (wider, narrower) else Relation.UNKNOWN


def is_subtype(one: Type, other: Type, budget: Budget | None = None) -> Verdict:
    """Return whether each value of one type is a value of the other.

    A class is taken to give what it declares and nothing else, though it may accept more: so it
    is with pydantic's models, TypedDicts and dataclasses, unless they say otherwise.
    """
    return Comparison(budget).fits(one, other)


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """Return whether all are true; one that is false decides, whatever is open."""
    found: Verdict = True
    for verdict in verdicts:
        if verdict is False:
            return False
        if verdict is None:
            found = None
    return found


class Comparison:
    """One question, with what was assumed on the way to its answer."""

    def __init__(self, budget: Budget | None = None) -> None:
        #: What was found of pairs of definitions; one that is being compared is taken to fit.
        self._known: dict[tuple[str, str], Verdict] = {}
        self._budget = budget or Budget()
        self._depth = 0

    def fits(self, one: Type, other: Type) -> Verdict:
        if not self._may(1) or self._depth > DEPTH:
            return None
        pair = (one.reference or "", other.reference or "")
        if not all(pair):
            return self._resolved_fits(one, other)
        if pair not in self._known:
            before = len(self._known)
            self._known[pair] = True
            verdict = self._resolved_fits(one, other)
            if verdict is not True:
                # What was found under the assumption falls with it.
                for later in list(self._known)[before:]:
                    del self._known[later]
                self._known[pair] = verdict
        return self._known[pair]

    def _may(self, cost: int) -> bool:
        """Whether so much work may be done."""
        self._budget.left -= cost
        return self._budget.left >= 0

    def _resolved_fits(self, one: Type, other: Type) -> Verdict:
        self._depth += 1
        try:
            return self._fits(one.resolved(), other.resolved())
        finally:
            self._depth -= 1

    def _fits(self, one: Type, other: Type) -> Verdict:
        if other.schema == {} or one.schema is False:
            return True
        if other.schema is False:
            return False
        if not self._may((size_of(one) + size_of(other)) // QUICK):
            return None
        choices = Choices(other)
        return every(self._fits_one_of(each, choices) for each in options(one))

    def _fits_one_of(self, one: Type, among: "Choices") -> Verdict:
        if among.have(one):
            return True
        choices = among.that_could_take(one)
        if not self._may(len(choices)):
            return None
        verdicts = [self._option_fits(one, each) for each in choices]
        if True in verdicts:
            return True
        near = sum(kind_of(each) == kind_of(one) for each in choices)
        # What fits none of several ranges may still fit all of them together.
        return None if None in verdicts or (near > 1 and "const" not in one.schema) else False

    def _option_fits(self, one: Type, other: Type) -> Verdict:
        if other.schema == {}:
            return True
        if one.reference or other.reference:
            return self.fits(one, other)
        if "const" in other.schema:
            return same_value(one.schema, other.schema["const"])
        kind, wanted = kind_of(one), kind_of(other)
        if kind is None or wanted is None:
            return one.schema == other.schema or (False if one.schema == {} else None)
        if kind != wanted and (kind, wanted) != ("integer", "number"):
            return False
        return KINDS[wanted](self, one, other)

    # ----- by kind

    def numbers(self, one: Type, other: Type) -> Verdict:
        a, b = one.schema, other.schema
        step = b.get("multipleOf")
        return every(
            [
                lower(a) >= lower(b),
                upper(a) <= upper(b),
                step is None or is_multiple(a, step),
            ]
        )

    def texts(self, one: Type, other: Type) -> Verdict:
        a, b = one.schema, other.schema
        if "const" in a:
            length = len(a["const"])
            a = {"minLength": length, "maxLength": length, "format": None, "pattern": None}
        return every(
            [
                a.get("minLength", 0) >= b.get("minLength", 0),
                a.get("maxLength", inf) <= b.get("maxLength", inf),
                same_or_open(a, b, "format"),
                same_or_open(a, b, "pattern"),
                # A decimal is text with limits.
                lower(a) >= lower(b),
                upper(a) <= upper(b),
                same_or_open(a, b, "multipleOf"),
            ]
        )

    def arrays(self, one: Type, other: Type) -> Verdict:
        a, b = one.schema, other.schema
        first, last = lengths(a)
        least, most = lengths(b)
        unique = a.get("uniqueItems", False) or not b.get("uniqueItems", False) or last <= 1
        if first < least or last > most or not unique:
            return False
        fixed = max(len(a.get("prefixItems", ())), len(b.get("prefixItems", ())))
        places = range(int(min(fixed + 1, last)))
        return every(self.fits(item(one, place), item(other, place)) for place in places)

    def objects(self, one: Type, other: Type) -> Verdict:
        a, b = one.schema, other.schema
        first, last = sizes(a)
        least, most = b.get("minProperties", 0), b.get("maxProperties", inf)
        if first < least or last > most:
            return False
        if not set(b.get("required", ())) <= set(a.get("required", ())):
            return False
        return every(
            [
                *self._named(one, other),
                self._unnamed(one, other),
                self._names(one, other),
            ]
        )

    def _named(self, one: Type, other: Type) -> Iterator[Verdict]:
        for name, schema in one.schema.get("properties", {}).items():
            yield self.fits(one.part(schema), property_of(other, name))

    def _unnamed(self, one: Type, other: Type) -> Verdict:
        rest = rest_of(one)
        if rest.schema is False:
            return True
        own = one.schema.get("properties", {})
        others = [name for name in other.schema.get("properties", {}) if name not in own]
        wanted = [property_of(other, name) for name in others]
        return every(
            self.fits(rest, each)
            for each in [*wanted, other.part(other.schema.get("additionalProperties", {}))]
        )

    def _names(self, one: Type, other: Type) -> Verdict:
        wanted = other.schema.get("propertyNames")
        if wanted is None:
            return True
        has_own = "propertyNames" in one.schema or rest_of(one).schema is not False
        names = one.part({"type": "string", **one.schema.get("propertyNames", {})})
        own = [one.part({"const": name}) for name in one.schema.get("properties", {})]
        return every(
            self.fits(each, other.part({"type": "string", **wanted}))
            for each in [*own, *([names] if has_own else [])]
        )


def _same_kind(comparison: Comparison, one: Type, other: Type) -> Verdict:
    return True


KINDS: dict[str, Callable[[Any, Type, Type], Verdict]] = {
    "null": _same_kind,
    "boolean": _same_kind,
    "integer": Comparison.numbers,
    "number": Comparison.numbers,
    "string": Comparison.texts,
    "array": Comparison.arrays,
    "object": Comparison.objects,
}


# ----- what stands in a schema


class Choices:
    """The alternatives of a type."""

    def __init__(self, kind: Type) -> None:
        self.all = list(options(kind))
        self._values = {key for each in self.all for key in value_of(each)}
        self._types = [each for each in self.all if not value_of(each)]

    def have(self, one: Type) -> bool:
        """Whether an alternative of another type is a value that is one of them."""
        return any(key in self._values for key in value_of(one))

    def that_could_take(self, one: Type) -> list[Type]:
        """Return those with which an alternative of another type is to be compared."""
        return self._types if value_of(one) else self.all


def value_of(kind: Type) -> list[tuple[type, Any]]:
    """Return the only value of an alternative, with its type; nothing where it has more."""
    schema = kind.schema
    if "const" in schema:
        return [(type(schema["const"]), schema["const"])]
    return [(type(None), None)] if schema == {"type": "null"} else []


def size_of(kind: Type) -> int:
    """Return how many parts of a type are looked at where it is compared."""
    schema = kind.schema
    if not isinstance(schema, Mapping):
        return 0
    return sum(len(schema.get(name, ())) for name in ("properties", "required", "enum", "anyOf"))


def options(kind: Type) -> Iterator[Type]:
    """Yield the alternatives of a type: one, unless it is a union, an enum or a bool."""
    schema = kind.schema
    for name in ("anyOf", "oneOf"):
        if name in schema and len(schema) == 1:
            for each in schema[name]:
                inner = kind.part(each)
                yield from [inner] if inner.reference else options(inner.resolved())
            return
    if "enum" in schema:
        yield from (kind.part({"const": value}) for value in schema["enum"])
    elif "const" in schema:
        yield kind.part({"const": schema["const"]})
    elif schema.get("type") == "boolean":
        yield from (kind.part({"const": value}) for value in (False, True))
    else:
        yield kind


def kind_of(kind: Type) -> str | None:
    """Return the JSON type of an alternative, or None where it says none."""
    schema = kind.schema
    if "const" in schema:
        return CONSTANTS.get(type(schema["const"]))
    return schema.get("type") if not {"anyOf", "oneOf", "allOf"} & set(schema) else None


CONSTANTS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def same_value(schema: Schema, value: Any) -> Verdict:
    """Return whether an alternative is one value alone."""
    if "const" in schema:
        return type(schema["const"]) is type(value) and schema["const"] == value
    return schema == {"type": "null"} and value is None


def item(kind: Type, place: int) -> Type:
    """Return the type of a list's item."""
    fixed = kind.schema.get("prefixItems", ())
    return kind.part(fixed[place] if place < len(fixed) else kind.schema.get("items", {}))


def sizes(schema: Schema) -> tuple[float, float]:
    """Return how few and how many properties an object may have."""
    least = max(schema.get("minProperties", 0), len(schema.get("required", ())))
    most = schema.get("maxProperties", inf)
    if rest_of(Type(schema)).schema is False:
        most = min(most, len(schema.get("properties", {})))
    return least, most


def property_of(kind: Type, name: str) -> Type:
    """Return the type of an object's property."""
    properties = kind.schema.get("properties", {})
    if name in properties:
        return kind.part(properties[name])
    return kind.part(kind.schema.get("additionalProperties", {}))


def rest_of(kind: Type) -> Type:
    """Return the type of the properties that an object has beside those that it names."""
    default: Any = False if "properties" in kind.schema else {}
    return kind.part(kind.schema.get("additionalProperties", default))
