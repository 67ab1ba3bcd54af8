"""Parameters: what was done to those of a task, and what that does to its callers; pure."""

from collections.abc import Iterator, Mapping, Sequence

from celery_rpc.catalog.signature import VARIADIC, Parameter, TaskSignature
from celery_rpc.diff.rules import NOBODY
from celery_rpc.diff.subtype import Type, is_subtype
from celery_rpc.diff.types import Difference, Spot, Walk, to_difference

POSITIONAL = ("positional_only", "positional_or_keyword")

#: Changes of kind by which every call that was possible still is.
HARMLESS = {
    ("positional_only", "positional_or_keyword"),
    ("keyword_only", "positional_or_keyword"),
}

Pair = tuple[Parameter, Parameter]


def parameter_differences(
    old: TaskSignature, new: TaskSignature, walk: Walk
) -> Iterator[Difference]:
    """Yield what differs between the parameters of two versions of a task."""
    pairs = paired(old.parameters, new.parameters)
    was, now = [one.name for one, _ in pairs], [other.name for _, other in pairs]
    for parameter in old.parameters:
        if parameter.name not in was:
            yield removed(parameter, old, new)
    for parameter in new.parameters:
        if parameter.name not in now:
            yield added(parameter)
    yield from reordered(pairs, old.parameters, new.parameters)
    for one, other in pairs:
        yield from kept(one, other)
        yield from types(one, other, old, new, walk)


def paired(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[Pair]:
    """Return the parameters that correspond: by name, by kind, or by what was renamed."""
    names = {each.name: each for each in new}
    places = places_of(old), places_of(new)
    found = {each.name: names[each.name] for each in old if each.name in names}
    for one in old:
        if one.name not in found:
            taken = {each.name for each in found.values()}
            left = [each for each in new if each.name not in taken]
            other = heir(one, left, *places)
            if other is not None:
                found[one.name] = other
    return [(each, found[each.name]) for each in old if each.name in found]


def places_of(parameters: Sequence[Parameter]) -> Mapping[str, int]:
    """Return the place of each parameter, by its name."""
    return {each.name: place for place, each in enumerate(parameters)}


def heir(
    one: Parameter,
    left: Sequence[Parameter],
    was: Mapping[str, int],
    now: Mapping[str, int],
) -> Parameter | None:
    """Return the parameter that one was renamed to, if any.

    Args:
        left: those that may be it.
        was, now: the places of all parameters, before and after.
    """
    for other in left:
        if other.kind != one.kind:
            continue
        if one.kind in VARIADIC:
            return other
        same_place = was[one.name] == now[other.name]
        if one.kind == "positional_only" and same_place:
            return other
        alike = (other.schema, other.required) == (one.schema, one.required)
        if alike and (same_place or one.kind == "keyword_only"):
            return other
    return None


def spot(name: str) -> Spot:
    return Spot(name, "PARAMETER_TYPE", "taken")


def removed(parameter: Parameter, old: TaskSignature, new: TaskSignature) -> Difference:
    effects = NOBODY if absorbed(parameter, old, new) else None
    text = "it is gone" if effects is None else "it is taken by ** now"
    return to_difference("PARAMETER_REMOVED", spot(parameter.name), text, effects)


def absorbed(parameter: Parameter, old: TaskSignature, new: TaskSignature) -> bool:
    """Return whether ``**kwargs`` takes what the parameter took."""
    if parameter.kind != "keyword_only":
        return False
    return any(
        each.kind == "var_keyword"
        and is_subtype(Type(parameter.schema, old.definitions), Type(each.schema, new.definitions))
        for each in new.parameters
    )


def added(parameter: Parameter) -> Difference:
    name = "PARAMETER_ADDED_REQUIRED" if parameter.required else "PARAMETER_ADDED_OPTIONAL"
    default = "no default" if parameter.default is None else f"default {parameter.default}"
    text = "it is new" if parameter.kind in VARIADIC else f"it is new, with {default}"
    return to_difference(name, spot(parameter.name), text)


def reordered(
    pairs: Sequence[Pair], old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[Difference]:
    """Find positional arguments that go to another parameter than before."""
    places = [each.name for each in new if each.kind in POSITIONAL]
    both = [other for one, other in pairs if one.kind in POSITIONAL and other.kind in POSITIONAL]
    moved = [other for place, other in enumerate(both) if places.index(other.name) != place]
    if not moved and any(each.kind == "var_positional" for each in old):
        # What came after the others went to *args; now it goes here.
        moved = [each for each in new if each.kind in POSITIONAL and each not in both]
    if moved:
        text = f"the order is {', '.join(places)}"
        yield to_difference("PARAMETER_REORDERED", spot(", ".join(e.name for e in moved)), text)


def kept(one: Parameter, other: Parameter) -> Iterator[Difference]:
    """Compare all of a parameter but its type."""
    at = spot(other.name)
    if one.name != other.name and other.kind not in VARIADIC:
        by_place = one.kind == other.kind == "positional_only"
        text = f"{one.name} -> {other.name}"
        yield to_difference("PARAMETER_RENAMED", at, text, NOBODY if by_place else None)
    if one.kind != other.kind:
        effects = NOBODY if (one.kind, other.kind) in HARMLESS else None
        text = f"{one.kind} -> {other.kind}".replace("_", " ")
        yield to_difference("PARAMETER_KIND_CHANGED", at, text, effects)
    if one.required != other.required and other.kind not in VARIADIC:
        name = "PARAMETER_BECAME_REQUIRED" if other.required else "PARAMETER_BECAME_OPTIONAL"
        had = one.default if other.required else other.default
        yield to_difference(name, at, f"the default {'was' if other.required else 'is'} {had}")
    elif one.default != other.default:
        yield to_difference("DEFAULT_CHANGED", at, f"{one.default} -> {other.default}")


def types(
    one: Parameter, other: Parameter, old: TaskSignature, new: TaskSignature, walk: Walk
) -> Iterator[Difference]:
    """Compare the types of a parameter; no annotation is no promise that could be broken."""
    at = spot(other.name)
    if not other.annotation and one.annotation:
        yield to_difference("PARAMETER_TYPE_WIDENED", at, f"{one.annotation} -> no annotation")
    elif not one.annotation and other.annotation:
        text = f"no annotation -> {other.annotation}"
        yield to_difference("PARAMETER_TYPE_NARROWED", at, text, NOBODY)
    else:
        before, after = Type(one.schema, old.definitions), Type(other.schema, new.definitions)
        yield from walk.differences(before, after, at)
