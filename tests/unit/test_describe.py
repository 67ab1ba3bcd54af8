"""Tasks described: every kind of task, every kind of type, and never an exception."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict
from uuid import UUID

import pytest
from celery import Celery
from pydantic import BaseModel, Field, computed_field

from celery_rpc.catalog.model import Catalog, Level
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.catalog.signature_json import digest, from_json, to_json
from celery_rpc.worker import catalog_of_app, describe_app, expose
from celery_rpc.worker.describe import describe
from tests.servers.process import ROOT
from tests.workers import typed


class Level3(IntEnum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    left: int
    right: str = ""


class Inner(TypedDict):
    day: date


class Outer(TypedDict, total=False):
    inner: Inner
    several: list[Inner]
    maybe: NotRequired[Inner | None]


@dataclass
class Node:
    value: int
    children: "list[Node]"


class Odd:
    """A class that no schema knows."""


def described(annotation: Any) -> TaskSignature:
    """Describe a task that takes this type."""

    def function(it: Any) -> None: ...

    function.__annotations__ = {"it": annotation, "return": None}
    return describe(task_of(function))


def task_of(function: Callable[..., Any], **options: Any) -> Any:
    app = Celery("unit", set_as_current=False)
    return app.tasks[app.task(name="unit.task", shared=False, **options)(function).name]


def signature_of(name: str) -> TaskSignature:
    return describe(typed.app.tasks[name], "2.1")


def same(x: int) -> int:
    return x


def shown(signature: TaskSignature) -> list[str]:
    return [f"{each.kind}:{each.name}={each.default}" for each in signature.parameters]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (object, {}),
        ("int", {"type": "integer"}),
        ("list['int']", {"type": "array", "items": {"type": "integer"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (time, {"type": "string", "format": "time"}),
        (timedelta, {"type": "string", "format": "duration"}),
        (Decimal, {"type": "string", "format": "decimal"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (bytes, {"type": "string", "format": "binary"}),
        (Path, {"type": "string", "format": "path"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}, "format": "tuple"}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (
            dict[int, bool],
            {
                "type": "object",
                "additionalProperties": {"type": "boolean"},
                "propertyNames": {"type": "string", "format": "integer"},
            },
        ),
        (Annotated[int, Field(gt=0, description="Many.")], {
            "type": "integer", "exclusiveMinimum": 0, "description": "Many.",
        }),
        (Annotated[Decimal, Field(ge=Decimal("0.5"))], {
            "type": "string", "format": "decimal", "minimum": 0.5,
        }),
    ],
)  # fmt: skip
def test_types_become_json_schema(annotation: Any, schema: dict[str, Any]) -> None:
    signature = described(annotation)
    assert signature.parameters[0].schema == schema
    assert signature.gaps == ()


def test_enums_are_their_values() -> None:
    signature = described(Level3)
    assert signature.definitions == {
        "Level3": {"type": "integer", "enum": [1, 2], "title": "Level3"}
    }


def test_named_tuples_are_tuples() -> None:
    schema = described(Pair).definitions["Pair"]
    assert [each["type"] for each in schema["prefixItems"]] == ["integer", "string"]


def test_typed_dicts_of_the_standard_library_are_described_within_one_another() -> None:
    definitions = described(dict[str, Outer]).definitions
    assert definitions["Inner"]["required"] == ["day"]
    assert definitions["Inner"]["properties"]["day"]["format"] == "date"
    assert set(definitions["Outer"]["properties"]) == {"inner", "several", "maybe"}
    assert "required" not in definitions["Outer"]


def test_recursive_types_refer_to_themselves() -> None:
    items = described(Node).definitions["Node"]["properties"]["children"]["items"]
    assert items == {"$ref": "#/$defs/Node"}
    signature = describe(task_of(typed.count_points.run))
    assert signature.definitions.keys() == {"Point", "Shape"}


def test_a_recursive_model_is_one_whether_taken_or_given() -> None:
    def function(node: Node) -> Node: ...  # type: ignore[empty-body]

    signature = describe(task_of(function))
    assert list(signature.definitions) == ["Node"]
    assert signature.returns == signature.parameters[0].schema == {"$ref": "#/$defs/Node"}


class Stamped(BaseModel):
    """A model that gives more than it takes."""

    inner: "Stamped | None" = None

    @computed_field
    def stamp(self) -> int:
        return 1


def test_a_model_that_gives_more_than_it_takes_is_two() -> None:
    def function(it: Stamped) -> Stamped: ...  # type: ignore[empty-body]

    signature = describe(task_of(function))
    assert list(signature.definitions) == ["Stamped-Input", "Stamped-Output"]


def test_generic_models_are_described_for_their_arguments() -> None:
    signature = signature_of("typed.page")
    assert signature.returns == {"$ref": "#/$defs/Page_Point_"}
    assert signature.return_annotation == "Page[Point]"


@pytest.mark.parametrize(
    "annotation",
    [Callable[[int], int], Odd, list[Odd], dict[str, Odd | int], "Undefined", "1 +", "1/0"],
)  # fmt: skip
def test_what_cannot_be_described_is_anything_and_says_why(annotation: Any) -> None:
    signature = described(annotation)
    assert signature.gaps
    assert signature.exact
    assert signature.parameters[0].name == "it"
    assert signature.returns == {"type": "null"}


def test_one_odd_type_does_not_hide_the_others() -> None:
    signature = signature_of("typed.ghost")
    assert [each.schema for each in signature.parameters] == [{"type": "integer"}, {}]
    assert signature.gaps == ("y: name 'Ghost' is not defined",)
    assert signature.parameters[1].annotation == "Ghost"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("typed.add", ["positional_or_keyword:x=None", "positional_or_keyword:y=0"]),
        (
            "typed.kinds",
            [
                "positional_only:a=None",
                "positional_or_keyword:b=None",
                "var_positional:rest=None",
                "keyword_only:c=True",
                "var_keyword:others=None",
            ],
        ),
        ("typed.bound", ["positional_or_keyword:x=None"]),
        ("typed.square", ["positional_or_keyword:x=None", "keyword_only:negative=False"]),
        ("typed.logged", ["positional_or_keyword:x=None", "positional_or_keyword:label='it'"]),
        ("typed.move", ["positional_or_keyword:point=None", "positional_or_keyword:by=1"]),
        ("typed.later", ["positional_or_keyword:when=None", "positional_or_keyword:by=..."]),
        ("typed.send", ["positional_or_keyword:parcel=None", "positional_or_keyword:colour='red'"]),
    ],
)
def test_parameters_are_those_that_a_caller_gives(name: str, parameters: list[str]) -> None:
    assert shown(signature_of(name)) == parameters


def test_a_task_says_what_it_is_for_what_it_raises_and_since_when_it_is_old() -> None:
    assert signature_of("typed.add").doc == "Add two numbers."
    assert signature_of("typed.square").doc == "Square a number."
    assert signature_of("typed.ratio").doc == ""
    assert signature_of("typed.add").version == "2.1"
    assert signature_of("typed.old_add").deprecated == "use typed.add"
    errors = signature_of("typed.fail").errors
    assert [(each.name, each.base, each.doc) for each in errors] == [
        ("Missing", "LookupError", "It is not there: its name."),
        ("TypedError", "Exception", "Something is wrong with the type."),
    ]


def test_annotations_are_shown_as_people_write_them() -> None:
    signature = signature_of("typed.pair")
    assert [each.annotation for each in signature.parameters] == [
        "set[int]", "Literal['min', 'max']",
    ]  # fmt: skip
    assert signature.return_annotation == "tuple[int, str]"
    assert signature_of("typed.later").return_annotation == "datetime"


class Hostile:
    """A task that is nothing but trouble."""

    name = "hostile"

    @property
    def run(self) -> Any:
        raise RuntimeError("no")


class Recursive(BaseModel):
    """A model whose schema raises."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        raise RecursionError("for ever")


def test_describing_never_raises() -> None:
    assert "RuntimeError: no" in describe(Hostile()).gaps[0]
    assert shown(describe(Hostile())) == ["var_positional:args=None", "var_keyword:kwargs=None"]
    assert described(Recursive).gaps == ("it: for ever",)


def test_a_signature_that_is_too_large_is_sent_without_its_types() -> None:
    signature = described(Literal[tuple(f"{'x' * 100}{n}" for n in range(5_000))])
    assert signature.parameters[0].schema == {}
    assert "the limit is" in signature.gaps[0]


def test_every_signature_survives_json() -> None:
    for signature in describe_app(typed.app).values():
        assert from_json(to_json(signature)) == signature


def test_an_app_is_a_catalog_without_a_broker() -> None:
    app = Celery("routed", set_as_current=False, broker="redis://x", backend="rpc://")
    app.conf.task_routes = {"far.*": {"queue": "far"}, "c": {"queue": "own"}}
    app.conf.task_default_queue = "near"
    for name, options in {
        "far.a": {},
        "b": {},
        "c": {"ignore_result": True},
    }.items():
        app.task(name=name, shared=False, **options)(same)
    catalog = catalog_of_app(app)
    assert isinstance(catalog, Catalog)
    found = {
        # Celery shares tasks between the apps of a process, so those of other tests are here too.
        queue: [name for name in service.tasks if name in ("far.a", "b", "c")]
        for queue, service in catalog.services.items()
    }
    assert found == {"far": ["far.a"], "near": ["b"], "own": ["c"]}
    spec = catalog["own"].tasks["c"]
    assert spec.signature is not None
    assert (spec.backend, spec.ignore_result, spec.level) == ("rpc", True, Level.SCHEMA)
    assert spec.digest == digest(spec.signature)
    assert catalog["far"].address.routing_key == "far"
    everything = catalog_of_app(app, queue="all")
    assert everything["all"].tasks.keys() >= {"b", "c", "far.a"}
    assert list(everything) == ["all"]


def test_only_exposed_apps_answer() -> None:
    hidden, public = (Celery(name, set_as_current=False) for name in ("hidden", "public"))
    expose(public)
    for app in (hidden, public):
        app.task(name="t", shared=False)(same)
    assert hidden.tasks["t"].rpc_digest is None
    assert public.tasks["t"].rpc_digest == digest(public.tasks["t"].rpc_schema)
    assert public.tasks["celery.backend_cleanup"].rpc_digest is None


def test_exposing_imports_no_pydantic_and_no_client() -> None:
    program = """
import sys
from celery import Celery
from celery_rpc.worker import expose
app = Celery("lazy")
expose(app)
@app.task(name="lazy.add")
def add(x: int) -> int: ...
task = app.tasks["lazy.add"]
assert not [name for name in sys.modules if name.startswith("pydantic")]
task.rpc_schema
client = {"celery_rpc.client.client", "celery_rpc.client.proxies", "celery_rpc.transport"}
assert not client & sys.modules.keys(), client & sys.modules.keys()
assert "pydantic" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=150)
