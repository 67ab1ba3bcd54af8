"""Shapes: where within two types they differ, field by field; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from celery_rpc.diff.rules import BOTH, CALLERS, NOBODY, RULES, Effects
from celery_rpc.diff.subtype import BUDGET, DEPTH, Budget, Relation, Type, kind_of, relation

#: What a task takes, or what it gives.
Side = Literal["taken", "given"]

#: Comparisons that every pair of types may have, however much the others of the task took.
LEAST = 200

#: Keywords whose values are types of parts.
PARTS = ("items", "prefixItems", "additionalProperties", "anyOf", "oneOf")

SUFFIX = {Relation.NARROWER: "NARROWED", Relation.WIDER: "WIDENED", Relation.OTHER: "CHANGED",
          Relation.UNKNOWN: "CHANGED"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a signature, and how rules call it."""

    where: str
    prefix: str
    side: Side
    #: The model that it is in, where it is in one.
    model: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a rule found at a spot; ``effects`` where they are not those of the rule."""

    rule: str
    where: str
    text: str
    effects: Effects
    #: The model that has it, so that other tasks which use that model have it too.
    model: str = ""


def to_difference(name: str, spot: Spot, text: str, effects: Effects | None = None) -> Difference:
    """Return what a rule says, with the effects that it has on this side."""
    usual = RULES[name].taken if spot.side == "taken" else RULES[name].given
    told = usual if effects is None else effects
    return Difference(name, spot.where, text, told, spot.model)


class Walk:
    """Goes through two versions of a task's types, and says where they differ; each model once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()
        self._depth = 0
        #: Comparisons left for the whole task: a hostile one has any number of parts that differ.
        self._left = 2 * BUDGET

    def differences(self, old: Type, new: Type, spot: Spot) -> Iterator[Difference]:
        """Yield the differences between two types."""
        if old.reference and new.reference:
            pair = (old.reference, new.reference, spot.side)
            if pair in self._seen:
                return
            self._seen.add(pair)
        self._depth += 1
        try:
            yield from self._within(old, new, spot)
        finally:
            self._depth -= 1

    def _within(self, old: Type, new: Type, spot: Spot) -> Iterator[Difference]:
        name = new.reference or (new.schema.get("title") if is_object(new) else "")
        old, new = old.resolved(), new.resolved()
        if self._depth > DEPTH:
            yield from self._related(old, new, spot)
        elif constants(old) is not None and constants(new) is not None:
            yield from self._constants(old, new, spot)
        elif is_object(old) and is_object(new):
            yield from self._fields(old, new, spot, str(name or spot.where))
        elif (parts := paired_parts(old, new)) is not None:
            for one, other in parts:
                yield from self.differences(one, other, spot)
        else:
            yield from self._related(old, new, spot)

    def _related(self, old: Type, new: Type, spot: Spot) -> Iterator[Difference]:
        budget = Budget(max(self._left, LEAST))
        self._left -= budget.left
        found = relation(old, new, budget)
        self._left += budget.left
        if found is not Relation.SAME:
            name = f"{spot.prefix}_{SUFFIX[found]}"
            yield to_difference(name, spot, f"{shown(old)} -> {shown(new)}: {found.value}")

    def _constants(self, old: Type, new: Type, spot: Spot) -> Iterator[Difference]:
        before, after = constants(old) or {}, constants(new) or {}
        for text in sorted(before.keys() - after.keys()):
            yield to_difference("ENUM_VALUE_REMOVED", spot, f"{text} is gone")
        for text in sorted(after.keys() - before.keys()):
            yield to_difference("ENUM_VALUE_ADDED", spot, f"{text} is new")

    def _fields(self, old: Type, new: Type, spot: Spot, model: str) -> Iterator[Difference]:
        before, after = old.schema["properties"], new.schema["properties"]
        for field in sorted({*before, *after}):
            at = Spot(f"{model}.{field}", "MODEL_FIELD_TYPE", spot.side, model)
            if field not in after:
                yield self._removed(new, at)
            elif field not in before:
                yield self._added(old, new, at, field)
            else:
                yield from self._kept(old, new, at, field)
        yield from self._others(old, new, replace(spot, where=model, model=model))

    def _others(self, old: Type, new: Type, spot: Spot) -> Iterator[Difference]:
        """Compare what a model does with fields that it does not know."""
        was, now = (each.schema.get("additionalProperties", {}) for each in (old, new))
        if was is not False and now is False:
            yield to_difference("MODEL_CLOSED", spot, "it refuses fields that it does not know")
        elif was is False and now is not False:
            yield to_difference("MODEL_OPENED", spot, "it takes fields that it does not know")
        else:
            yield from self.differences(old.part(was), new.part(now), spot)

    def _removed(self, new: Type, spot: Spot) -> Difference:
        refused = spot.side == "taken" and new.schema.get("additionalProperties") is False
        return to_difference(
            "MODEL_FIELD_REMOVED", spot, "the field is gone", BOTH if refused else None
        )

    def _added(self, old: Type, new: Type, spot: Spot, field: str) -> Difference:
        needed = field in required(new)
        name = "MODEL_FIELD_ADDED_REQUIRED" if needed else "MODEL_FIELD_ADDED_OPTIONAL"
        surprising = spot.side == "given" and old.schema.get("additionalProperties") is False
        kind = shown(new.part(new.schema["properties"][field]))
        return to_difference(name, spot, f"new: {kind}", CALLERS if surprising else None)

    def _kept(self, old: Type, new: Type, spot: Spot, field: str) -> Iterator[Difference]:
        was, now = field in required(old), field in required(new)
        if now and not was:
            yield to_difference("MODEL_FIELD_BECAME_REQUIRED", spot, "it must be there now")
        one, other = old.schema["properties"][field], new.schema["properties"][field]
        if was and not now:
            # A class that has a default gives the field all the same.
            effects = NOBODY if "default" in other else None
            yield to_difference(
                "MODEL_FIELD_BECAME_OPTIONAL", spot, "it may be absent now", effects
            )
        if "default" in one and "default" in other and one["default"] != other["default"]:
            text = f"{written(one['default'])} -> {written(other['default'])}"
            yield to_difference("DEFAULT_CHANGED", spot, text)
        yield from self.differences(old.part(one), new.part(other), spot)


# ----- what stands in a type


def is_object(kind: Type) -> bool:
    """Return whether a type names its properties."""
    return isinstance(kind.schema, Mapping) and "properties" in kind.schema


def required(kind: Type) -> frozenset[str]:
    """Return the properties that must be there."""
    return frozenset(kind.schema.get("required", ()))


def constants(kind: Type) -> dict[str, Any] | None:
    """Return the values of an enum or Literal by their text; None for any other type."""
    if not isinstance(kind.schema, Mapping):
        return None
    if "const" in kind.schema:
        return {written(kind.schema["const"]): kind.schema["const"]}
    if "enum" in kind.schema:
        return {written(each): each for each in kind.schema["enum"]}
    return None


def paired_parts(old: Type, new: Type) -> list[tuple[Type, Type]] | None:
    """Return the parts that correspond where two types are built alike; None elsewhere."""
    one, other = old.schema, new.schema
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)) or one.keys() != other.keys():
        return None
    used = [keyword for keyword in PARTS if keyword in one]
    if not used or any(one[key] != other[key] for key in one if key not in PARTS):
        return None
    pairs: list[tuple[Type, Type]] = []
    for keyword in used:
        found = paired(old, new, keyword)
        if found is None:
            return None
        pairs += found
    return pairs


def paired(old: Type, new: Type, keyword: str) -> list[tuple[Type, Type]] | None:
    """Return the parts that stand under one keyword, each with the one that it was before."""
    one, other = old.schema[keyword], new.schema[keyword]
    if keyword in ("anyOf", "oneOf"):
        before = {key_of(old.part(each)): old.part(each) for each in one}
        after = {key_of(new.part(each)): new.part(each) for each in other}
        if before.keys() != after.keys() or len(before) < max(len(one), len(other)):
            return None
        return [(before[key], after[key]) for key in before]
    if keyword == "prefixItems":
        if len(one) != len(other):
            return None
        return [(old.part(a), new.part(b)) for a, b in zip(one, other, strict=True)]
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return [(old.part(one), new.part(other))]
    return [] if one == other else None


def key_of(kind: Type) -> str:
    """Return by what an alternative of a union is found again."""
    if kind.reference:
        return f"$ref {kind.reference}"
    kind = kind.resolved()
    if constants(kind) is not None:
        return "enum"
    named = kind_of(kind)
    return f"{named} {kind.schema.get('format')}" if named else written(kind.schema)


# ----- types, as people read them


def shown(kind: Type) -> str:
    """Describe a type in a few words."""
    schema = kind.schema
    if kind.reference:
        return kind.reference
    if not isinstance(schema, Mapping):
        return "nothing"
    values = constants(kind)
    if values is not None:
        return " | ".join(values)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            return " | ".join(shown(kind.part(each)) for each in schema[keyword])
    return shown_plain(kind)


def shown_plain(kind: Type) -> str:
    schema = kind.schema
    name = str(schema.get("title") or schema.get("format") or schema.get("type") or "anything")
    if "prefixItems" in schema:
        name += f"[{', '.join(shown(kind.part(each)) for each in schema['prefixItems'])}]"
    elif schema.get("items"):
        name += f"[{shown(kind.part(schema['items']))}]"
    elif isinstance(schema.get("additionalProperties"), Mapping):
        name += f"[{shown(kind.part(schema['additionalProperties']))}]"
    limits = [f"{key} {written(schema[key])}" for key in LIMITS if key in schema]
    return f"{name} ({', '.join(limits)})" if limits else name


LIMITS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties",
)  # fmt: skip


def written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
