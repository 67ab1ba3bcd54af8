"""Aliases: schemas that are no more than another's name, followed to what they mean; pure."""

from collections.abc import Mapping
from typing import Any

from celery_rpc.catalog.signature import Schema
from celery_rpc.catalog.signature_json import REFERENCE

#: Keywords that say nothing of which values are allowed.
ANNOTATIONS = frozenset({"title", "description", "default", "deprecated", "discriminator"})


def name_in(schema: Any) -> str | None:
    """Return the name of the definition that a schema stands for, if it does."""
    found = bare(schema)
    name = found.get("$ref") if isinstance(found, Mapping) else None
    return name.removeprefix(REFERENCE) if isinstance(name, str) else None


def bare(schema: Any) -> Any:
    """Return a schema without a union or intersection of one around it, as pydantic makes them."""
    while isinstance(schema, Mapping):
        [*keywords] = schema.keys() - ANNOTATIONS
        only = keywords[0] if len(keywords) == 1 else ""
        if only not in ("anyOf", "oneOf", "allOf") or len(schema[only]) != 1:
            break
        schema = schema[only][0]
    return schema


def followed(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    """Return what a schema stands for, without names and unions of one at its head.

    A circle of names allows nothing but itself: anything, as does one that is not defined.
    """
    seen = set[str]()
    while (name := name_in(schema)) is not None:
        if name in seen or name not in definitions:
            return {}
        seen.add(name)
        schema = definitions[name]
    return bare(schema)
