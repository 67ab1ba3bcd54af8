"""Values held against signatures: what fits goes there and back, what does not is named."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.utils.json import loads
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from celery_rpc.calls.encoding import encode
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.catalog.signature_json import BadSignature, from_json
from celery_rpc.errors import ArgumentsError, ResultError
from celery_rpc.validation.arguments import Binding
from celery_rpc.worker.describe import describe
from tests.profiles import examples
from tests.unit.edits import edited
from tests.unit.signatures import schemas
from tests.unit.test_schema import json_values


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Line(BaseModel):
    sku: str
    price: Decimal
    since: date | None = None


class Order(BaseModel):
    lines: list[Line]
    size: Size = Size.SMALL
    parent: "Order | None" = None


@dataclass
class Box:
    edges: tuple[int, int, int]
    tags: set[str]
    open_for: timedelta


class Ticket(TypedDict):
    id: UUID
    at: datetime


def binding_of(annotation: Any, models: Any = None) -> Binding:
    def function(it: Any) -> Any: ...

    function.__annotations__ = {"it": annotation, "return": annotation}
    app = Celery("unit", set_as_current=False)
    task = app.tasks[app.task(name="unit.task", shared=False)(function).name]
    signature = describe(task)
    assert signature.gaps == ()
    return Binding("unit.task", signature, models)


def received(binding: Binding, value: Any) -> Any:
    """Return what a worker gets of an argument."""
    args, kwargs = binding.bind((), {"it": value})
    assert not args
    return loads(encode(kwargs))["it"]


texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(-(2**60), 2**60)
prices = st.decimals(-(10**6), 10**6, places=2)
deltas = st.timedeltas(timedelta(0), timedelta(days=400))
lines = st.builds(Line, sku=texts, price=prices, since=st.none() | st.dates())
orders = st.recursive(
    st.builds(Order, lines=st.lists(lines, max_size=2), size=st.sampled_from(Size)),
    lambda inner: st.builds(Order, lines=st.just([]), parent=inner),
    max_leaves=3,
)
boxes = st.builds(
    Box,
    edges=st.tuples(numbers, numbers, numbers),
    tags=st.sets(texts, max_size=3),
    open_for=deltas,
)
tickets = st.builds(lambda i, at: Ticket(id=i, at=at), st.uuids(), st.datetimes())

TYPES: list[tuple[Any, Any]] = [
    (int, numbers),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (str, texts),
    (bool, st.booleans()),
    (None, st.none()),
    (bytes, st.binary(max_size=8)),
    (date, st.dates()),
    (datetime, st.datetimes()),
    (time, st.times()),
    (timedelta, deltas),
    (Decimal, prices),
    (UUID, st.uuids()),
    (int | str | None, numbers | texts | st.none()),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (list[int], st.lists(numbers, max_size=4)),
    (set[int], st.sets(numbers, max_size=4)),
    (tuple[int, ...], st.lists(numbers, max_size=4).map(tuple)),
    (tuple[int, str], st.tuples(numbers, texts)),
    (dict[str, Decimal], st.dictionaries(texts, prices, max_size=3)),
    (dict[int, bool], st.dictionaries(numbers, st.booleans(), max_size=3)),
    (list[dict[str, date]], st.lists(st.dictionaries(texts, st.dates(), max_size=2), max_size=2)),
    (Ticket, tickets),
]
named = pytest.mark.parametrize(("annotation", "values"), TYPES, ids=[str(t) for t, _ in TYPES])


@named
def test_what_was_returned_is_read_as_it_was(annotation: Any, values: Any) -> None:
    binding = binding_of(annotation)
    adapter = TypeAdapter(annotation)
    as_bytes = annotation is bytes

    @settings(max_examples=examples(40))
    @given(values)
    def check(value: Any) -> None:
        if not as_bytes:  # pydantic writes them as UTF-8, which they need not be
            assert binding.read(adapter.dump_python(value, mode="json")) == value
        if not isinstance(value, timedelta | set | dict):
            assert binding.read(loads(encode(value))) == value

    check()


@named
def test_what_is_sent_is_what_the_service_declares(annotation: Any, values: Any) -> None:
    binding = binding_of(annotation)
    adapter = TypeAdapter(annotation)

    @settings(max_examples=examples(40))
    @given(values)
    def check(value: Any) -> None:
        assert adapter.validate_python(received(binding, value)) == value

    check()


@pytest.mark.parametrize(("annotation", "values"), [(Order, orders), (Box, boxes)])
def test_models_go_there_and_come_back(annotation: Any, values: Any) -> None:
    binding = binding_of(annotation, {annotation.__name__: annotation})
    adapter = TypeAdapter(annotation)

    @settings(max_examples=examples(60))
    @given(values)
    def check(value: Any) -> None:
        assert adapter.validate_python(received(binding, value)) == value
        as_json = adapter.dump_python(value, mode="json")
        assert received(binding, as_json) == as_json
        assert binding.read(as_json) == value

    check()


@given(edited(schemas([])) | json_values, json_values)
def test_no_schema_and_no_value_raise_anything_else(schema: Any, value: Any) -> None:
    text = json.dumps({"parameters": [{"name": "it", "schema": schema}], "returns": schema})
    try:
        signature = from_json(text)
    except BadSignature:
        return
    binding = Binding("t", signature)
    for use in (lambda: binding.bind((value,), {}), lambda: binding.read(value)):
        with_only(use, ArgumentsError, ResultError)


def with_only(use: Callable[[], Any], *allowed: type[Exception]) -> None:
    with contextlib.suppress(*allowed):
        use()


def test_schemas_that_refer_to_themselves_end() -> None:
    loop = {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}
    signature = TaskSignature(returns={"$ref": "#/$defs/A"}, definitions=loop)
    with_only(lambda: Binding("t", signature).read([1]), ResultError)


def test_a_value_that_is_nested_for_ever_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    for annotation in (list[Any], Any):
        with pytest.raises(ArgumentsError, match="nested too deeply") as caught:
            binding_of(annotation).bind((value,), {})
        assert caught.value.parameter == "it"


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        (int, "1", "it: Input should be a valid integer, not '1'"),
        (int, 1.0, "valid integer"),
        (float, "1", "valid number"),
        (str, b"x", "valid string"),
        (bool, 1, "valid boolean"),
        (date, 5, "Input should be date or text"),
        (Decimal, True, "Input should be Decimal or text or int or float"),
        (list[int], {"a": 1}, "valid list"),
        (dict[str, int], {1: 1}, "valid string"),
        (list[Line], [{"sku": "a"}], "it[0].price: Field required"),
        (Order, Line(sku="a", price=Decimal(1)), "it.lines: Field required"),
        (Size, "m", "Input should be 's' or 'l'"),
        (Path, 5, "valid string"),
    ],
)
def test_what_does_not_fit_is_named(annotation: Any, value: Any, reason: str) -> None:
    with pytest.raises(ArgumentsError) as caught:
        binding_of(annotation).bind((value,), {})
    assert reason in str(caught.value)
    assert caught.value.parameter == "it"


def test_plain_values_are_sent_as_they_are() -> None:
    value = [{"lines": [{"sku": "a", "price": "1"}]}]
    args, _ = binding_of(list[Order]).bind((value,), {})
    assert args[0] is value
    args, _ = binding_of(datetime).bind((datetime(2026, 1, 1),), {})
    assert args[0] == datetime(2026, 1, 1)
    assert received(binding_of(Path), Path("a/b")) == "a/b"
    assert received(binding_of(Size), Size.LARGE) == "l"
