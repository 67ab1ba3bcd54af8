"""What strangers' types may cost: each reader of them ends soon, and raises no error of its own."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog, TaskSpec
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.catalog.signature_json import (
    MAX_DEFINITIONS,
    MAX_PARAMETERS,
    BadSignature,
    from_json,
)
from celery_rpc.codegen.stubs import module_of, stub_of
from celery_rpc.diff.catalogs import diff
from celery_rpc.errors import ArgumentsError, ResultError
from celery_rpc.validation.arguments import Binding
from celery_rpc.validation.effort import FEW_STEPS
from celery_rpc.validation.validators import Checker, Misfit
from tests.profiles import examples
from tests.unit.hostile import catalog_of

pytestmark = pytest.mark.watchdog(120)

Definitions = dict[str, Any]

#: Seconds of this thread that one reader may take for one signature.
LIMIT = 10.0


def ref(number: int) -> dict[str, Any]:
    return {"$ref": f"#/$defs/D{number}"}


def layers(count: int, layer: Callable[[dict[str, Any]], Any], leaf: str) -> Definitions:
    """Return definitions each of which is made of the next."""
    found = {f"D{number}": layer(ref(number + 1)) for number in range(count)}
    return {**found, f"D{count}": {"type": leaf}}


def choices(inner: Any) -> Any:
    return {"anyOf": [inner, *[{"type": "array", "items": inner}] * 9]}


def mesh(size: int, leaf: str) -> Definitions:
    """Return definitions each of which is made of all."""
    return {
        f"D{number}": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"type": leaf}, *(ref((number + step) % size) for step in range(size))]
            },
        }
        for number in range(size)
    }


TYPES: dict[str, Callable[[str], Definitions]] = {
    "unions": lambda leaf: layers(25, choices, leaf),
    "unions of one": lambda leaf: layers(30, lambda inner: {"anyOf": [inner, inner]}, leaf),
    "tuples": lambda leaf: layers(
        14, lambda inner: {"type": "array", "prefixItems": [inner] * 4}, leaf
    ),
    "names": lambda leaf: layers(
        30,
        lambda inner: {"type": "object", "propertyNames": inner, "additionalProperties": inner},
        leaf,
    ),
    "models": lambda leaf: layers(
        900, lambda inner: {"type": "object", "properties": {"a": inner, "b": inner}}, leaf
    ),
    "mesh": lambda leaf: mesh(40, leaf),
    "itself": lambda leaf: {
        "D0": {"anyOf": [*[{"type": "array", "items": ref(0)}] * 2, {"type": leaf}]}
    },
    "circle": lambda leaf: {"D0": {"allOf": [ref(1)]}, "D1": {"allOf": [ref(0)], "title": leaf}},
    "circles in a tuple": lambda leaf: {
        "D0": {"type": "array", "prefixItems": [ref(1), ref(2), ref(3), ref(4), {"type": leaf}]},
        "D1": ref(1),
        "D2": {"allOf": [ref(2)]},
        "D3": {"anyOf": [ref(3)]},
        "D4": {"allOf": [ref(4)], "minItems": 1},
    },
    "circle of unions": lambda leaf: {"D0": {"anyOf": [{"allOf": [ref(0)]}, {"type": leaf}]}},
    "values": lambda leaf: {"D0": {"anyOf": [{"enum": [leaf, *range(15_000)]}, {"type": "null"}]}},
    "numbers": lambda leaf: {
        "D0": {"anyOf": [{"type": leaf, "minimum": n, "maximum": n + 1} for n in range(2_000)]}
    },
    "patterns": lambda leaf: {
        "D0": {
            "type": "object",
            "title": leaf,
            "properties": {
                f"p{n}": {"type": "string", "pattern": rf"(?:\w{{10}}){{{n % 20}}}"}
                for n in range(1_000)
            },
        }
    },
    "many models": lambda leaf: {
        "D0": {"anyOf": [ref(n) for n in range(1, 600)]},
        **{
            f"D{n}": {"type": "object", "properties": {f"a{n}": {"type": leaf}}}
            for n in range(1, 600)
        },
    },
}  # fmt: skip


def signature(definitions: Definitions, first: Any = None) -> TaskSignature:
    """Read a signature whose argument and result are of the first definition."""
    schema = ref(0) if first is None else first
    parameters = [{"name": "x", "schema": schema}]
    plain = {"parameters": parameters, "returns": schema, "definitions": definitions}
    return from_json(json.dumps(plain))


def catalog(made: TaskSignature) -> Catalog:
    return catalog_of({"q": [TaskSpec("q.task", signature=made)]})


def nested(depth: int) -> Any:
    value: Any = "a"
    for _ in range(depth):
        value = [value]
    return value


VALUES = (1, "a", nested(28), {"p0": "a"}, {"a": {"a": nested(3)}}, [[1, 2], [3]])


def checked(made: TaskSignature) -> None:
    """Hold values against a signature; those that do not fit are no fault."""
    binding = Binding("q.task", made)
    for value in VALUES:
        for check in (lambda each: binding.bind((each,), {})), binding.read:
            with suppress(ArgumentsError, ResultError):
                check(value)


READERS: dict[str, Callable[[TaskSignature, TaskSignature], object]] = {
    "stub": lambda one, other: stub_of(catalog(one)).text,
    "module": lambda one, other: module_of(catalog(one), name="M", models="pydantic").text,
    "diff": lambda one, other: diff(catalog(one), catalog(other)),
    "reverse": lambda one, other: diff(catalog(other), catalog(one)),
    "saved": lambda one, other: saved.from_json(saved.to_json(catalog(one))),
    "checked": lambda one, other: checked(one),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", TYPES)
def test_S06_a_small_type_takes_a_short_time(kind: str, reader: str) -> None:
    one, other = signature(TYPES[kind]("integer")), signature(TYPES[kind]("string"))
    began = time.thread_time()
    READERS[reader](one, other)
    assert time.thread_time() - began < LIMIT


@pytest.mark.parametrize("kind", ["tuples", "names"])
def test_S06_the_names_of_types_fill_no_memory(kind: str) -> None:
    """A name has those of its parts where these are known, so the last definition comes first."""
    definitions = TYPES[kind]("integer")
    backwards = {"anyOf": [ref(number) for number in range(len(definitions) - 1, -1, -1)]}
    began = time.thread_time()
    checked(signature(definitions, backwards))
    assert time.thread_time() - began < LIMIT


def made_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=6)
    return st.one_of(
        *(st.builds(lambda found, k=k: {k: found}, several) for k in ("anyOf", "oneOf", "allOf")),
        st.builds(lambda found: {"type": "array", "prefixItems": found}, several),
        st.builds(lambda found: {"type": "array", "items": found}, inner),
        st.builds(lambda found: {"type": "object", "additionalProperties": found}, inner),
        st.builds(lambda found: {"type": "object", "propertyNames": found}, inner),
        st.builds(
            lambda found: {"type": "object", "properties": {"a": found[0], "b": found[-1]}}, several
        ),
    )


leaves = st.integers(0, 24).map(ref) | st.sampled_from(
    [{"type": kind} for kind in ("integer", "string", "null")]
)
tangles = st.lists(made_of(leaves) | leaves, min_size=25, max_size=25).map(
    lambda found: {f"D{number}": schema for number, schema in enumerate(found)}
)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(tangles, tangles)
def test_S06_types_that_are_made_of_one_another_take_a_short_time(
    one: Definitions, other: Definitions
) -> None:
    whole = {"anyOf": [ref(number) for number in range(24, -1, -1)]}
    pair = signature(one, whole), signature(other, whole)
    for reader in READERS.values():
        began = time.thread_time()
        reader(*pair)
        assert time.thread_time() - began < LIMIT


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"minItems": -5}, "'minItems' is -5"),
        ({"maxLength": 10**400}, "'maxLength' is 1000"),
        ({"minProperties": True}, "'minProperties' is a bool"),
        ({"minimum": float("nan")}, "'minimum' is nan"),
        ({"default": [float("inf")]}, "'default' is inf"),
        ({"enum": [float("-inf")]}, "'enum' is -inf"),
        ({"multipleOf": 0}, "'multipleOf' is 0"),
        ({"multipleOf": -0.5}, "'multipleOf' is -0.5"),
    ],
)
def test_S06_limits_that_are_none_are_refused(schema: Any, reason: str) -> None:
    for place in schema, {"type": "array", "items": schema}:
        with pytest.raises(BadSignature, match=reason):
            signature({"D0": place})


def test_S06_too_many_parts_are_refused() -> None:
    names = [f"x{number}" for number in range(MAX_PARAMETERS + 1)]
    with pytest.raises(BadSignature, match="256 parameters; the limit is 255"):
        from_json(json.dumps({"parameters": [{"name": name} for name in names]}))
    with pytest.raises(BadSignature, match="1,001 definitions; the limit is 1,000"):
        signature({f"D{number}": {} for number in range(MAX_DEFINITIONS + 1)})


@pytest.mark.parametrize("models", [None, {}])
def test_a_schema_that_was_never_read_strictly_is_no_error_of_another_kind(models: Any) -> None:
    odd = {"type": "array", "prefixItems": [{"type": "integer"}], "minItems": -5, "maxItems": 1}
    assert [*Checker(odd, {}, models).check([2])] == [2]
    assert [*Checker(odd, {}, models).check([])] == [None]


def test_many_values_of_several_alternatives_are_checked_as_they_are() -> None:
    inner = {"type": "array", "items": {"type": "integer"}}
    either = {"anyOf": [inner, {"type": "object", "additionalProperties": inner}]}
    checker = Checker({"type": "array", "items": either}, {})
    values: list[Any] = [[1], {"a": [2]}] * FEW_STEPS
    assert checker.check(values) == values
    with pytest.raises(Misfit) as caught:
        checker.check([*values, ["3"]])
    assert caught.value.path == f"[{len(values)}][0]"


def test_what_cannot_be_checked_in_time_says_how_to_leave_that_out() -> None:
    binding = Binding("q.task", signature(TYPES["itself"]("integer")))
    with pytest.raises(ArgumentsError, match=r"too many alternatives .*validate=False"):
        binding.bind((nested(40),), {})
