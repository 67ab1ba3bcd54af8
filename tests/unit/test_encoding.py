"""Values as JSON: copies that nobody else can change, and what is refused with its place."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from pydantic import BaseModel

from celery_rpc.calls.encoding import encode, owned, owned_arguments
from celery_rpc.calls.unencodable import require_json
from celery_rpc.errors import EncodeError
from tests.unit.test_schema import json_values

Pair = namedtuple("Pair", "x y")


class Model(BaseModel):
    rows: list[int]


@dataclass
class Line:
    rows: list[int]


class Colour(Enum):
    RED = "red"


class Shown:
    """Knows how to write itself, as kombu asks."""

    def __init__(self) -> None:
        self.rows = [1]

    def __json__(self) -> Any:
        return {"rows": self.rows}


@given(value=json_values)
def test_a_copy_is_written_like_the_original(value: Any) -> None:
    assert encode(owned(value)) == encode(value)


@pytest.mark.parametrize(
    "value", [[[1]], {"rows": [1]}, OrderedDict(rows=[1]), ([1],), Pair([1], 2)], ids=repr
)
def test_a_copy_shares_no_container(value: Any) -> None:
    written = encode(value)
    copy = owned(value)
    inner = value[0] if isinstance(value, list | tuple) else value["rows"]
    inner.append(99)
    assert encode(copy) == written != encode(value)


@pytest.mark.parametrize("value", [Model(rows=[1]), Line([1]), Shown()], ids=type)
def test_an_object_is_dumped_when_it_is_copied(value: Any) -> None:
    copy = owned({"it": value})
    value.rows.append(99)
    assert copy == {"it": {"rows": [1]}}


def test_what_json_has_no_words_for_arrives_as_it_was() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    value = [when, Decimal("1.50"), b"\xff", Colour.RED, (1, 2), float("inf")]
    assert owned(value) == [when, Decimal("1.50"), b"\xff", "red", (1, 2), float("inf")]


def test_what_only_a_declared_type_can_write_stays() -> None:
    args, kwargs = owned_arguments([timedelta(1), {1, 2}], {"x": object})
    assert args == (timedelta(1), {1, 2})
    assert kwargs == {"x": object}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "args[0]"),
        ([1, {"x": object()}], "args[0][1]['x']"),
        ({(1, 2): 3}, "args[0]"),
        ({"x": {"__type__": "decimal", "__value__": "1"}}, "args[0]['x']"),
        (OrderedDict(x={"__type__": 1}), "args[0]['x']"),
    ],
    ids=["object", "inner object", "key", "reserved", "reserved in a subclass"],
)
def test_what_is_no_json_is_refused_with_its_place(value: Any, path: str) -> None:
    for each in (value, owned(value)):
        with pytest.raises(EncodeError) as caught:
            require_json("calc.echo", (each,), {}, {})
        assert caught.value.path == path
        assert "calc.echo: args[0]" in str(caught.value)


def test_what_holds_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(EncodeError, match=r"calc\.echo: rows"):
        require_json("calc.echo", (), {"rows": owned(circle)}, {})


def test_what_the_encoder_can_write_is_not_refused() -> None:
    require_json("calc.echo", (1, [None, {"x": (1.5, Decimal(1))}]), {"y": {1: "int"}}, {})
