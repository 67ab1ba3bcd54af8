"""What services do from one version to the next: pairs of versions, and the rule for each."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Service, TaskSpec
from celery_rpc.catalog.signature import DeclaredError, Parameter, Schema, TaskSignature

#: Two versions of the services that a service becomes.
Versions = tuple[list[Service], list[Service]]
Evolution = Callable[[Service], Versions]

INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}


def task(old: Callable[[TaskSpec], TaskSpec], new: Callable[[TaskSpec], TaskSpec]) -> Evolution:
    """Change the one task of a service."""

    def changed(service: Service, change: Callable[[TaskSpec], TaskSpec]) -> list[Service]:
        [spec] = service.tasks.values()
        return [replace(service, tasks={spec.name: change(spec)})]

    return lambda service: (changed(service, old), changed(service, new))


def fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> Evolution:
    """Change fields of the task."""
    return task(lambda spec: replace(spec, **old), lambda spec: replace(spec, **new))


def signature(old: Mapping[str, Any], new: Mapping[str, Any]) -> Evolution:
    """Change fields of the task's signature."""

    def changed(spec: TaskSpec, **change: Any) -> TaskSpec:
        assert spec.signature is not None
        return replace(spec, signature=replace(spec.signature, **change))

    return task(lambda spec: changed(spec, **old), lambda spec: changed(spec, **new))


def parameters(
    old: list[Parameter], new: list[Parameter], models: tuple[Schema, Schema] = ({}, {})
) -> Evolution:
    """Change parameters among those that the task has, and the model that they refer to."""

    def changed(spec: TaskSpec, more: list[Parameter], model: Schema) -> TaskSpec:
        assert isinstance(spec.signature, TaskSignature)
        first = [each for each in more if each.kind == "positional_only"]
        rest = [each for each in more if each.kind != "positional_only"]
        own = spec.signature.parameters
        others = [each for each in own if each.kind == "var_keyword"]
        own = tuple(each for each in own if each not in others)
        definitions = {**spec.signature.definitions, "Edited": model}
        return replace(
            spec,
            signature=replace(
                spec.signature, parameters=(*first, *own, *rest, *others), definitions=definitions
            ),
        )

    return task(
        lambda spec: changed(spec, old, models[0]), lambda spec: changed(spec, new, models[1])
    )


def named(name: str, schema: Schema = INTEGER, default: str | None = None) -> Parameter:
    return Parameter(name=name, kind="keyword_only", schema=schema, default=default)


def first(name: str, schema: Schema) -> Parameter:
    return Parameter(name=name, kind="positional_only", schema=schema)


def parameter(old: Parameter | None, new: Parameter | None) -> Evolution:
    return parameters([old] if old else [], [new] if new else [])


def taken(old: Schema, new: Schema) -> Evolution:
    """Change the type of a parameter."""
    return parameter(named("it", old), named("it", new))


def returned(old: Schema, new: Schema) -> Evolution:
    """Change the type of the result."""
    same = {"return_annotation": "it"}
    return signature({"returns": old, **same}, {"returns": new, **same})


def model(old: Schema, new: Schema) -> Evolution:
    """Change a model that a parameter refers to."""
    it = named("it", {"$ref": "#/$defs/Edited"})
    made = ({"type": "object", **old}, {"type": "object", **new})
    return parameters([it], [it], made)


def model_field(old: Schema, new: Schema) -> Evolution:
    """Change the type of a model's field."""
    return model({"properties": {"x": old}}, {"properties": {"x": new}})


def declared(*errors: DeclaredError) -> Mapping[str, Any]:
    return {"errors": errors}


def moved(service: Service) -> Versions:
    other = f"{service.queue}.new"
    return [service], [replace(service, queue=other, address=Address(other, "", other))]


def with_other_task(service: Service) -> Service:
    more = TaskSpec(f"{service.queue}.another")
    return replace(service, tasks={**service.tasks, more.name: more})


GONE = DeclaredError(name="Gone", base="LookupError")
X = {"properties": {"x": INTEGER}}
XY = {"properties": {"x": INTEGER, "y": INTEGER}}

#: Rule -> what it is about.
EVOLUTIONS: dict[str, Evolution] = {
    "SERVICE_REMOVED": lambda service: ([service], []),
    "SERVICE_ADDED": lambda service: ([], [service]),
    "TASK_REMOVED": lambda service: ([with_other_task(service)], [service]),
    "TASK_ADDED": lambda service: ([service], [with_other_task(service)]),
    "QUEUE_CHANGED": moved,
    "QUEUE_ARGUMENTS_CHANGED": lambda service: (
        [replace(service, arguments=None)],
        [replace(service, arguments={"x-max-priority": 9})],
    ),
    "QUEUE_BINDING_CHANGED": lambda service: ([service], [replace(service, exchange_type="topic")]),
    "BACKEND_CHANGED": fields({"backend": "rpc"}, {"backend": "redis"}),
    "IGNORE_RESULT_CHANGED": fields({"ignore_result": False}, {"ignore_result": True}),
    "DEPRECATED": signature({"deprecated": ""}, {"deprecated": "use another"}),
    "SIGNATURE_UNKNOWN": task(lambda spec: spec, lambda spec: replace(spec, signature=None)),
    "PARAMETER_ADDED_REQUIRED": parameter(None, named("it")),
    "PARAMETER_ADDED_OPTIONAL": parameter(None, named("it", default="0")),
    "PARAMETER_REMOVED": parameter(named("it"), None),
    "PARAMETER_RENAMED": parameter(named("was"), named("it")),
    "PARAMETER_REORDERED": parameters(
        [first("it", INTEGER), first("that", TEXT)], [first("that", TEXT), first("it", INTEGER)]
    ),
    "PARAMETER_KIND_CHANGED": parameters([first("it", INTEGER)], [named("it", INTEGER)]),
    "PARAMETER_BECAME_REQUIRED": parameter(named("it", default="0"), named("it")),
    "PARAMETER_BECAME_OPTIONAL": parameter(named("it"), named("it", default="0")),
    "PARAMETER_TYPE_NARROWED": taken(NUMBER, INTEGER),
    "PARAMETER_TYPE_WIDENED": taken(INTEGER, NUMBER),
    "PARAMETER_TYPE_CHANGED": taken(INTEGER, TEXT),
    "DEFAULT_CHANGED": parameter(named("it", default="0"), named("it", default="1")),
    "RETURN_TYPE_NARROWED": returned(NUMBER, INTEGER),
    "RETURN_TYPE_WIDENED": returned(INTEGER, NUMBER),
    "RETURN_TYPE_CHANGED": returned(INTEGER, TEXT),
    "ERROR_ADDED": signature(declared(), declared(GONE)),
    "ERROR_REMOVED": signature(declared(GONE), declared()),
    "ERROR_BASE_CHANGED": signature(declared(GONE), declared(replace(GONE, base="OSError"))),
    "MODEL_FIELD_ADDED_REQUIRED": model(X, {**XY, "required": ["y"]}),
    "MODEL_FIELD_ADDED_OPTIONAL": model(X, XY),
    "MODEL_FIELD_REMOVED": model(XY, X),
    "MODEL_FIELD_BECAME_REQUIRED": model(X, {**X, "required": ["x"]}),
    "MODEL_FIELD_BECAME_OPTIONAL": model({**X, "required": ["x"]}, X),
    "MODEL_FIELD_TYPE_NARROWED": model_field(NUMBER, INTEGER),
    "MODEL_FIELD_TYPE_WIDENED": model_field(INTEGER, NUMBER),
    "MODEL_FIELD_TYPE_CHANGED": model_field(INTEGER, TEXT),
    "MODEL_CLOSED": model(X, {**X, "additionalProperties": False}),
    "MODEL_OPENED": model({**X, "additionalProperties": False}, X),
    "ENUM_VALUE_ADDED": taken({"enum": ["a"]}, {"enum": ["a", "b"]}),
    "ENUM_VALUE_REMOVED": taken({"enum": ["a", "b"]}, {"enum": ["a"]}),
}  # fmt: skip

#: What else an evolution is seen as.
BESIDE = {"QUEUE_CHANGED": {"SERVICE_REMOVED", "SERVICE_ADDED"}}
