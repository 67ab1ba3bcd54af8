"""JSON Schema, and annotations as text, become annotations."""

import ast
from typing import Any

import pytest

from celery_rpc.codegen.annotations import Annotator
from celery_rpc.codegen.imports import Imports
from tests.unit.generated import INT, TEXT, task, written


@pytest.mark.parametrize(
    ("schema", "argument", "result"),
    [
        ({}, "Any", "Any"),
        (INT, "int", "int"),
        ({"type": "string", "format": "decimal"}, "Decimal", "Decimal"),
        ({"type": "string", "format": "unheard-of"}, "str", "str"),
        ({"anyOf": [{"type": "null"}, INT]}, "int | None", "int | None"),
        ({"anyOf": [INT, {}]}, "Any", "Any"),
        ({"const": "a"}, "Literal['a']", "Literal['a']"),
        ({"enum": ["a", 1, None]}, "Literal['a', 1, None]", "Literal['a', 1, None]"),
        ({"type": "array", "items": INT}, "Sequence[int]", "list[int]"),
        ({"type": "array", "items": TEXT}, "list[str]", "list[str]"),
        ({"type": "array", "format": "tuple", "items": INT}, "Sequence[int]", "tuple[int, ...]"),
        ({"type": "array", "prefixItems": [INT, TEXT]}, "tuple[int, str]", "tuple[int, str]"),
        ({"type": "array", "uniqueItems": True, "items": INT}, "Set[int]", "set[int]"),
        (
            {"type": "object", "additionalProperties": INT},
            "Mapping[str, int]",
            "dict[str, int]",
        ),
        (
            {"type": "object", "propertyNames": {"format": "integer"}},
            "Mapping[int, Any]",
            "dict[int, Any]",
        ),
    ],
)
def test_schemas_become_annotations(schema: dict[str, Any], argument: str, result: str) -> None:
    annotator = Annotator(Imports(), {}, lambda name, mode: None, pytest.fail)
    assert ast.unparse(annotator.read(schema, "argument")) == argument
    assert ast.unparse(annotator.read(schema, "result")) == result


@pytest.mark.parametrize(
    ("text", "annotation"),
    [
        ("int", "int"),
        ("list", "list[Any]"),
        ("dict[str, int] | None", "dict[str, int] | None"),
        ("tuple[int, ...]", "tuple[int, ...]"),
        ("datetime", "Any"),
        ("list[int, str]", "Any"),
        ("open('x')", "Any"),
    ],
)
def test_annotations_as_text_are_read_as_far_as_they_are_builtin(
    text: str, annotation: str
) -> None:
    gaps: list[str] = []
    annotator = Annotator(Imports(), {}, lambda name, mode: None, gaps.append)
    assert ast.unparse(annotator.read_text(text)) == annotation
    assert bool(gaps) == (annotation == "Any")


def test_names_of_types_give_way_to_attributes() -> None:
    dated = {
        "type": "object",
        "properties": {"date": {"type": "string", "format": "date"}, "list": INT},
        "required": ["date", "list"],
    }
    stub = written(
        task(
            "f",
            definitions={"Dated": dated},
            returns={"type": "array", "items": {"$ref": "#/$defs/Dated"}},
        )
    )
    assert "from datetime import date as _date" in stub.text
    assert "date: _date" in stub.text
    assert "-> _list[Dated]" in stub.text


def test_deep_and_endless_types_end_in_any() -> None:
    schema: dict[str, Any] = INT
    for _ in range(40):
        schema = {"type": "array", "items": schema}
    gaps: list[str] = []
    endless = {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}
    annotator = Annotator(Imports(), endless, lambda name, mode: None, gaps.append)
    assert ast.unparse(annotator.read(schema, "result")) == "Any"
    assert ast.unparse(annotator.read({"$ref": "#/$defs/Tree"}, "result")) == "Any"
    assert gaps == ["the type is nested too deeply", "Tree is part of itself, and no model"]
