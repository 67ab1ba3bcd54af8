"""Every rule, on tasks made from real Python functions, before and after."""

# mypy: disable-error-code="unused-ignore"

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import process_time
from typing import Annotated, Any, Literal, Optional, TypedDict

import pytest
from celery import Celery
from hypothesis import given
from pydantic import BaseModel, ConfigDict, Field

from celery_rpc.address import Address
from celery_rpc.discovery.diff import diff
from celery_rpc.discovery.rules import BOTH, CALLERS, MESSAGES, NOBODY, RULES, Change, Effects
from celery_rpc.model import Catalog, Service, TaskSpec
from celery_rpc.signature import Parameter, TaskSignature
from celery_rpc.worker import catalog_of_app
from tests.servers.process import ROOT
from tests.unit.test_saved import catalogs
from tests.workers import typed

Function = Callable[..., Any]


def catalog(function: Function | None = None, *, queue: str = "q", **options: Any) -> Catalog:
    """Give the catalog of a service with one task, which is always called q.task."""
    app = Celery("unit", set_as_current=False, backend=options.pop("backend", "rpc://"))
    if function is not None:
        app.task(name="q.task", shared=False, **options)(function)
    found = catalog_of_app(app, queue=queue)
    if function is None:
        return Catalog()
    spec = found[queue].tasks["q.task"]
    return Catalog({queue: replace(found[queue], tasks={"q.task": spec})})


def changes(old: Catalog, new: Catalog) -> dict[str, Effects]:
    """Give whom each rule that found something says to be broken."""
    return {each.rule: each.effects for each in diff(old, new)}


def found(old: Function, new: Function) -> dict[str, Effects]:
    return changes(catalog(old), catalog(new))


def taking(annotation: Any) -> Function:
    def function(x: Any) -> None: ...

    function.__annotations__ = {"x": annotation, "return": None}
    return function


def giving(annotation: Any) -> Function:
    def function() -> None: ...

    function.__annotations__ = {"return": annotation}
    return function


def base(x: int, y: int = 0) -> int:
    return x + y


# ----- parameters


def added_required(x: int, y: int, z: int) -> int: ...  # type: ignore[empty-body]
def two(x: int, y: int) -> int: ...  # type: ignore[empty-body]
def two_renamed(x: int, why: int) -> int: ...  # type: ignore[empty-body]
def two_swapped(y: int, x: int) -> int: ...  # type: ignore[empty-body]
def two_and_default(x: int, y: int = 1) -> int: ...  # type: ignore[empty-body]
def default_between(x: int, new: int = 0, y: int = 0) -> int: ...  # type: ignore[empty-body]
def one(x: int) -> int: ...  # type: ignore[empty-body]
def keyword(x: int, *, y: int) -> int: ...  # type: ignore[empty-body]
def keyword_renamed(x: int, *, why: int) -> int: ...  # type: ignore[empty-body]
def only_by_place(x: int, y: int, /) -> int: ...  # type: ignore[empty-body]
def other_by_place(x: int, z: int, /) -> int: ...  # type: ignore[empty-body]
def rest(x: int, *rest: int) -> int: ...  # type: ignore[empty-body]
def two_and_rest(x: int, y: int = 0, *rest: int) -> int: ...  # type: ignore[empty-body]
def others(x: int, **others: int) -> int: ...  # type: ignore[empty-body]
def text_others(x: int, **others: str) -> int: ...  # type: ignore[empty-body]
def bare(x, y):  # type: ignore[no-untyped-def]
    ...


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (two, added_required, {"PARAMETER_ADDED_REQUIRED": BOTH}),
        (one, two_and_default, {"PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (one, rest, {"PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (
            base,
            default_between,
            {"PARAMETER_ADDED_OPTIONAL": NOBODY, "PARAMETER_REORDERED": BOTH},
        ),
        (two, one, {"PARAMETER_REMOVED": BOTH}),
        (rest, one, {"PARAMETER_REMOVED": BOTH}),
        (keyword, others, {"PARAMETER_REMOVED": NOBODY, "PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (keyword, text_others, {"PARAMETER_REMOVED": BOTH, "PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (two, two_renamed, {"PARAMETER_RENAMED": BOTH}),
        (keyword, keyword_renamed, {"PARAMETER_RENAMED": BOTH}),
        (only_by_place, other_by_place, {"PARAMETER_RENAMED": NOBODY}),
        (two, two_swapped, {"PARAMETER_REORDERED": BOTH}),
        (
            rest,
            two_and_rest,  # y takes the first of what went to *rest
            {"PARAMETER_ADDED_OPTIONAL": NOBODY, "PARAMETER_REORDERED": BOTH},
        ),
        (two, keyword, {"PARAMETER_KIND_CHANGED": BOTH}),
        (keyword, two, {"PARAMETER_KIND_CHANGED": NOBODY}),
        (two, only_by_place, {"PARAMETER_KIND_CHANGED": BOTH}),
        (two_and_default, two, {"PARAMETER_BECAME_REQUIRED": BOTH}),
        (two, two_and_default, {"PARAMETER_BECAME_OPTIONAL": NOBODY}),
        (base, two_and_default, {"DEFAULT_CHANGED": NOBODY}),
        (two, bare, {"PARAMETER_TYPE_WIDENED": NOBODY, "RETURN_TYPE_WIDENED": CALLERS}),
        (bare, two, {"PARAMETER_TYPE_NARROWED": NOBODY, "RETURN_TYPE_NARROWED": NOBODY}),
    ],
)
def test_rules_of_parameters(old: Function, new: Function, expected: dict[str, Effects]) -> None:
    assert found(old, new) == expected


# ----- types


def model(**fields: Any) -> Any:
    """Make a model that is called Point, whatever it has."""
    closed = fields.pop("closed", False)
    namespace = {
        "__annotations__": {
            name: each[0] if isinstance(each, tuple) else each for name, each in fields.items()
        },
        "__module__": __name__,
        "model_config": ConfigDict(extra="forbid" if closed else "ignore"),
        **{name: each[1] for name, each in fields.items() if isinstance(each, tuple)},
    }
    return type("Point", (BaseModel,), namespace)


def listed(kind: Any) -> Any:
    return list[kind]


TYPES: list[tuple[Any, Any, dict[str, Effects], dict[str, Effects]]] = [
    # before, after, found of a parameter, found of a result
    (
        int | None,
        int,
        {"PARAMETER_TYPE_NARROWED": BOTH},
        {"RETURN_TYPE_NARROWED": NOBODY},
    ),
    (int, float, {"PARAMETER_TYPE_WIDENED": NOBODY}, {"RETURN_TYPE_WIDENED": CALLERS}),
    (int, str, {"PARAMETER_TYPE_CHANGED": BOTH}, {"RETURN_TYPE_CHANGED": CALLERS}),
    (
        list[int],
        list[str],
        {"PARAMETER_TYPE_CHANGED": BOTH},
        {"RETURN_TYPE_CHANGED": CALLERS},
    ),
    (
        Literal["a", "b"],
        Literal["a", "c"],
        {"ENUM_VALUE_REMOVED": BOTH, "ENUM_VALUE_ADDED": NOBODY},
        {"ENUM_VALUE_REMOVED": NOBODY, "ENUM_VALUE_ADDED": CALLERS},
    ),
    (
        Optional[Literal["a"]],  # noqa: UP045
        Optional[Literal["a", "b"]],  # noqa: UP045
        {"ENUM_VALUE_ADDED": NOBODY},
        {"ENUM_VALUE_ADDED": CALLERS},
    ),
    (
        model(x=int),
        model(x=int, y=int),
        {"MODEL_FIELD_ADDED_REQUIRED": BOTH},
        {"MODEL_FIELD_ADDED_REQUIRED": NOBODY},
    ),
    (
        listed(model(x=int)),
        listed(model(x=int, y=int)),
        {"MODEL_FIELD_ADDED_REQUIRED": BOTH},
        {"MODEL_FIELD_ADDED_REQUIRED": NOBODY},
    ),
    (
        model(x=int),
        model(x=int, y=(int, 0)),
        {"MODEL_FIELD_ADDED_OPTIONAL": NOBODY},
        {"MODEL_FIELD_ADDED_OPTIONAL": NOBODY},
    ),
    (
        model(x=int, closed=True),
        model(x=int, y=(int, 0), closed=True),
        {"MODEL_FIELD_ADDED_OPTIONAL": NOBODY},
        {"MODEL_FIELD_ADDED_OPTIONAL": CALLERS},
    ),
    (
        model(x=int, y=int),
        model(x=int),
        {"MODEL_FIELD_REMOVED": NOBODY},
        {"MODEL_FIELD_REMOVED": CALLERS},
    ),
    (
        model(x=int, y=int, closed=True),
        model(x=int, closed=True),
        {"MODEL_FIELD_REMOVED": BOTH},
        {"MODEL_FIELD_REMOVED": CALLERS},
    ),
    (
        model(x=int),
        model(x=int, closed=True),
        {"MODEL_CLOSED": BOTH},
        {"MODEL_CLOSED": NOBODY},
    ),
    (
        listed(model(x=int, closed=True)),
        listed(model(x=int)),
        {"MODEL_OPENED": NOBODY},
        {"MODEL_OPENED": CALLERS},
    ),
    (
        model(x=(int, 0)),
        model(x=int),
        {"MODEL_FIELD_BECAME_REQUIRED": BOTH},
        {"MODEL_FIELD_BECAME_REQUIRED": NOBODY},
    ),
    (
        model(x=int),
        model(x=(int, 0)),
        {"MODEL_FIELD_BECAME_OPTIONAL": NOBODY},
        # What a model gives has all its fields.
        {"MODEL_FIELD_BECAME_OPTIONAL": NOBODY},
    ),
    (
        model(x=(int, 0)),
        model(x=(int, 1)),
        {"DEFAULT_CHANGED": NOBODY},
        {"DEFAULT_CHANGED": NOBODY},
    ),
    (
        model(x=float),
        model(x=int),
        {"MODEL_FIELD_TYPE_NARROWED": BOTH},
        {"MODEL_FIELD_TYPE_NARROWED": NOBODY},
    ),
    (
        model(x=int),
        model(x=float),
        {"MODEL_FIELD_TYPE_WIDENED": NOBODY},
        {"MODEL_FIELD_TYPE_WIDENED": CALLERS},
    ),
    (
        model(x=int),
        model(x=bytes),
        {"MODEL_FIELD_TYPE_CHANGED": BOTH},
        {"MODEL_FIELD_TYPE_CHANGED": CALLERS},
    ),
]


@pytest.mark.parametrize(("old", "new", "taken", "given"), TYPES)
def test_rules_of_types_depend_on_the_direction(
    old: Any, new: Any, taken: dict[str, Effects], given: dict[str, Effects]
) -> None:
    assert found(taking(old), taking(new)) == taken
    assert found(giving(old), giving(new)) == given


class Full(TypedDict):
    number: int


class Partial(TypedDict, total=False):
    number: int


def test_what_may_be_absent_from_a_result_breaks_its_readers() -> None:
    assert found(giving(Full), giving(Partial)) == {"MODEL_FIELD_BECAME_OPTIONAL": CALLERS}
    assert found(giving(Partial), giving(Full)) == {"MODEL_FIELD_BECAME_REQUIRED": NOBODY}


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = Field(default_factory=list)


NewTree: Any = type(
    "Tree",
    (BaseModel,),
    {"__annotations__": {"value": str, "children": "list[Tree]"}, "__module__": "elsewhere"},
)


def test_a_model_that_holds_itself_is_compared_once() -> None:
    NewTree.model_rebuild(_types_namespace={"Tree": NewTree})
    [only] = [
        each
        for each in diff(catalog(taking(Tree)), catalog(taking(list[Tree] | NewTree)))
        if each.rule.startswith("PARAMETER")
    ]
    assert only.rule in ("PARAMETER_TYPE_CHANGED", "PARAMETER_TYPE_WIDENED")
    rules = [each.rule for each in diff(catalog(taking(Tree)), catalog(taking(NewTree)))]
    assert sorted(rules) == ["MODEL_FIELD_BECAME_REQUIRED", "MODEL_FIELD_TYPE_CHANGED"]


# ----- tasks and services


class Rejected(Exception):
    """It was not taken."""


class Declined(LookupError):
    """It was not taken."""


Declined.__name__ = Declined.__qualname__ = "Rejected"


def test_rules_of_tasks() -> None:
    plain = catalog(base)
    assert changes(plain, catalog(base, rpc_deprecated="use another")) == {"DEPRECATED": NOBODY}
    assert changes(plain, catalog(base, ignore_result=True)) == {"IGNORE_RESULT_CHANGED": CALLERS}
    assert changes(catalog(base, ignore_result=True), plain) == {"IGNORE_RESULT_CHANGED": NOBODY}
    assert changes(plain, catalog(base, backend="redis://")) == {"BACKEND_CHANGED": CALLERS}
    raising = catalog(base, throws=(Rejected,))
    assert changes(plain, raising) == {"ERROR_ADDED": NOBODY}
    assert changes(raising, plain) == {"ERROR_REMOVED": CALLERS}
    assert changes(raising, catalog(base, throws=(Declined,))) == {"ERROR_BASE_CHANGED": CALLERS}


def test_a_signature_that_is_not_told_is_not_compared() -> None:
    bare = Catalog({"q": Service("q", catalog(base)["q"].address, frozenset(), {})})
    named = Catalog({"q": replace(bare["q"], tasks={"q.task": TaskSpec("q.task", "rpc")})})
    assert changes(catalog(base), named) == {"SIGNATURE_UNKNOWN": NOBODY}
    assert changes(named, catalog(two)) == {"SIGNATURE_UNKNOWN": NOBODY}
    assert changes(named, named) == {}


def test_rules_of_services() -> None:
    here, there = catalog(base), catalog(base, queue="other")
    assert changes(Catalog(), here) == {"SERVICE_ADDED": NOBODY}
    assert changes(here, Catalog()) == {"SERVICE_REMOVED": BOTH}
    assert changes(here, there) == {
        "SERVICE_REMOVED": BOTH,
        "QUEUE_CHANGED": BOTH,
        "SERVICE_ADDED": NOBODY,
    }
    empty = Catalog({"q": replace(here["q"], tasks={})})
    assert changes(here, empty) == {"TASK_REMOVED": BOTH}
    assert changes(empty, here) == {"TASK_ADDED": NOBODY}
    assert changes(Catalog({**empty.services, **there.services}), here) == {
        "QUEUE_CHANGED": BOTH,
        "SERVICE_REMOVED": BOTH,
    }


def test_rules_of_queues() -> None:
    here = catalog(base)
    other = Catalog({"q": replace(here["q"], arguments={"x-max-priority": 9})})
    assert changes(here, other) == {"QUEUE_ARGUMENTS_CHANGED": MESSAGES}
    bound = Catalog({"q": replace(here["q"], exchange_type="topic")})
    assert changes(here, bound) == {"QUEUE_BINDING_CHANGED": NOBODY}


def test_a_task_that_moves_is_compared_all_the_same() -> None:
    moved = changes(catalog(two), catalog(one, queue="other"))
    assert moved["QUEUE_CHANGED"] == moved["PARAMETER_REMOVED"] == BOTH


def test_a_change_says_where_it_is_and_whom_it_breaks() -> None:
    [only] = diff(catalog(two), catalog(two_renamed))
    assert (only.queue, only.task, only.where, only.text) == ("q", "q.task", "why", "y -> why")
    assert only.label == "breaks callers and messages"
    assert only.breaking


# ----- always


@given(catalogs)
def test_nothing_differs_from_itself(catalog: Catalog) -> None:
    assert diff(catalog, catalog) == []


def test_a_real_service_does_not_differ_from_itself() -> None:
    assert diff(catalog_of_app(typed.app), catalog_of_app(typed.app)) == []


@given(catalogs, catalogs)
def test_any_two_catalogs_can_be_compared(old: Catalog, new: Catalog) -> None:
    for each in diff(old, new):
        assert isinstance(each, Change)
        assert each.rule in RULES


def documented() -> Mapping[str, str]:
    """Read the tables of docs/catalog.md: rule -> whom it breaks."""
    text = (ROOT / "docs" / "catalog.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {name: broken for name, broken, _, _ in rows}


def test_every_rule_is_documented_with_whom_it_breaks() -> None:
    def words(effects: Effects) -> str:
        return ", ".join(sorted(effects)) or "nobody"

    told = {
        name: words(each.taken)
        if each.taken == each.given
        else f"taken: {words(each.taken)}; given: {words(each.given)}"
        for name, each in RULES.items()
    }
    assert documented() == told
    assert list(documented()) == list(RULES)


def test_what_cannot_be_decided_is_said() -> None:
    old, new = (taking(Annotated[str, Field(pattern=each)]) for each in ("a+", "b+"))
    [change] = diff(catalog(old), catalog(new))
    assert change.rule == "PARAMETER_TYPE_CHANGED"
    assert "it cannot be decided" in change.text
    [decided] = diff(catalog(taking(int)), catalog(taking(str)))
    assert "decided" not in decided.text


@pytest.mark.watchdog(30)
def test_types_that_never_end_cost_a_bounded_time() -> None:
    def maze(*more: dict[str, str]) -> Catalog:
        names = [f"N{number}" for number in range(30)]
        definitions = {
            name: {
                "type": "object",
                "properties": {
                    f"p{other}": {
                        "anyOf": [
                            {"$ref": f"#/$defs/{other}"},
                            {"type": "array", "items": {"$ref": f"#/$defs/{other}"}},
                            *more,
                        ]
                    }
                    for other in names
                },
            }
            for name in names
        }
        entry = Parameter(name="x", schema={"$ref": "#/$defs/N0"})
        signature = TaskSignature(parameters=(entry,), definitions=definitions)
        spec = TaskSpec("q.task", signature=signature)
        return Catalog({"q": Service("q", Address("q"), frozenset(), {"q.task": spec})})

    started = process_time()
    found = diff(maze(), maze({"type": "null"}))
    assert {each.rule for each in found} <= {"MODEL_FIELD_TYPE_WIDENED", "MODEL_FIELD_TYPE_CHANGED"}
    assert process_time() - started < 10.0
