"""Signatures as services publish them: with every kind of parameter, model and type."""

from typing import Any, get_args

from hypothesis import strategies as st

from celery_rpc.catalog.signature import (
    VARIADIC,
    DeclaredError,
    Parameter,
    ParameterKind,
    Schema,
    TaskSignature,
)

Schemas = st.SearchStrategy[Schema]

ORDER: tuple[ParameterKind, ...] = get_args(ParameterKind)

DEFINED = ("Money", "Node", "shop.Mode-1")

texts = st.text("ab é\n", max_size=5)
counts = st.integers(0, 3)
numbers = st.integers(-3, 9) | st.sampled_from([0.5, -1.5])
scalars = st.none() | st.booleans() | numbers | texts
field_names = st.sampled_from(["x", "y", "$z", "größe", "type"])
#: What may stand in any schema.
notes: dict[str, st.SearchStrategy[Any]] = {
    "title": texts, "description": texts, "deprecated": st.booleans(),
    "default": scalars | st.just([1, {"a": None}]),
}  # fmt: skip


def kind(name: str, **more: st.SearchStrategy[Any]) -> Schemas:
    """Return schemas of one JSON type, with some of its limits and notes."""
    return st.fixed_dictionaries({"type": st.just(name)}, optional={**more, **notes})


def bounds(name: str) -> Schemas:
    return kind(
        name, minimum=numbers, maximum=numbers, exclusiveMinimum=numbers, exclusiveMaximum=numbers,
        multipleOf=st.integers(1, 4),
    )  # fmt: skip


def leaves(defined: list[str]) -> Schemas:
    plain = st.one_of(
        st.fixed_dictionaries({}, optional=notes),
        kind("null"),
        kind("boolean"),
        bounds("integer"),
        bounds("number"),
        kind(
            "string", minLength=counts, maxLength=counts,
            format=st.sampled_from(["date", "decimal", "uuid"]),
            pattern=st.sampled_from(["^a", "b$"]),
        ),
        st.fixed_dictionaries({"const": scalars}, optional=notes),
        st.fixed_dictionaries({"enum": st.lists(scalars, min_size=1, max_size=3)}, optional=notes),
    )  # fmt: skip
    return plain | st.sampled_from(defined).map(to_reference) if defined else plain


def to_reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def containers(inner: Schemas) -> Schemas:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        kind("array", items=inner, minItems=counts, maxItems=counts, uniqueItems=st.booleans()),
        kind("array", prefixItems=several, items=st.just(False)),
        objects(inner),
        kind(
            "object", additionalProperties=inner, propertyNames=kind("string", maxLength=counts),
            minProperties=counts, maxProperties=counts,
        ),
        st.fixed_dictionaries({"anyOf": several}, optional=notes),
        st.fixed_dictionaries({"oneOf": several}, optional={
            "discriminator": st.just({"propertyName": "x", "mapping": {"a": "#/$defs/Node"}})
        }),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=1)}, optional=notes),
    )  # fmt: skip


@st.composite
def objects(draw: st.DrawFn, inner: Schemas) -> Schema:
    """Draw a model: fields, of which some are required."""
    fields = draw(st.dictionaries(field_names, inner, min_size=1, max_size=3))
    found = draw(kind("object", additionalProperties=inner | st.just(False)))
    wanted = [name for name in fields if draw(st.booleans())]
    return {**found, "properties": fields} | ({"required": wanted} if wanted else {})


def schemas(defined: list[str]) -> Schemas:
    """Return schemas that refer to no more than what is defined."""
    return st.recursive(leaves(defined), containers, max_leaves=4)


@st.composite
def parameters(draw: st.DrawFn, types: Schemas) -> tuple[Parameter, ...]:
    """Draw parameters in an order that a function could have."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "größe", "_x"]), max_size=4, unique=True))
    kinds = sorted((draw(st.sampled_from(ORDER)) for _ in names), key=ORDER.index)
    found: list[Parameter] = []
    for name, each in zip(names, kinds, strict=True):
        if each in VARIADIC and any(one.kind == each for one in found):
            continue
        # What comes after a parameter with a default, and is given by its place, has one too.
        by_place = each.startswith("positional")
        needed = by_place and any(one.default is not None for one in found)
        defaults = st.sampled_from(["0", "'x'", "None", "..."])
        optional = st.none() if each in VARIADIC else st.none() | defaults
        found.append(
            Parameter(
                name=name,
                kind=each,
                schema=draw(types),
                annotation=draw(st.sampled_from(["", "int", "list[Node]"])),
                default=draw(defaults if needed else optional),
            )
        )
    return tuple(found)


errors = st.builds(
    DeclaredError,
    name=st.sampled_from(["Refused", "Outer.Gone", "Späť"]),
    module=st.sampled_from(["", "shop.errors"]),
    base=st.sampled_from(["Exception", "LookupError", "OSError"]),
    doc=texts,
)


@st.composite
def signatures(draw: st.DrawFn) -> TaskSignature:
    """Draw a signature with content."""
    defined = draw(st.lists(st.sampled_from(DEFINED), max_size=2, unique=True))
    types = schemas(defined)
    return TaskSignature(
        parameters=draw(parameters(types)),
        returns=draw(types),
        return_annotation=draw(st.sampled_from(["", "int"])),
        definitions={name: draw(types) for name in defined},
        doc=draw(texts),
        errors=tuple(draw(st.lists(errors, max_size=2, unique_by=lambda each: each.name))),
        deprecated=draw(st.sampled_from(["", "", "use b"])),
        version=draw(st.sampled_from(["", "2.1"])),
        gaps=tuple(draw(st.lists(texts, max_size=1))),
        exact=draw(st.sampled_from([True, True, True, False])),
    )
