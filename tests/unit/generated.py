"""Tasks, and what is generated for them."""

import ast
from collections.abc import Mapping
from typing import Any

from celery_rpc.catalog.model import TaskSpec
from celery_rpc.catalog.signature import Parameter, TaskSignature
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.stubs import Written, stub_of
from tests.unit.hostile import catalog_of

INT, TEXT = {"type": "integer"}, {"type": "string"}
POINT = {
    "type": "object",
    "title": "Point",
    "description": "A place.",
    "properties": {"x": INT, "label": {"type": "string", "default": "here"}},
    "required": ["x"],
}


def task(name: str, *parameters: Parameter, **fields: Any) -> TaskSpec:
    return TaskSpec(name=name, signature=TaskSignature(parameters=parameters, **fields))


def written(*tasks: TaskSpec, models: Kind = "typeddict", queue: str = "billing") -> Written:
    return stub_of(catalog_of({queue: list(tasks)}), models=models)


def class_of(text: str, name: str) -> str:
    """Return the lines of one class."""
    found = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    return ast.unparse(found)


def pointed(name: str, point: Mapping[str, Any] = POINT) -> TaskSpec:
    reference = {"$ref": "#/$defs/Point"}
    parameter = Parameter(name="p", schema=reference)
    return task(name, parameter, returns=reference, definitions={"Point": point})
