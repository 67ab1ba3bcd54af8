"""The subtype decision: sound against values, whatever the types."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from celery_rpc.diff.subtype import Comparison, Relation, Type, is_subtype, relation
from celery_rpc.worker.types import TypeBook
from tests.profiles import examples


class Point(BaseModel):
    x: int
    y: int = 0


class Place(BaseModel):
    x: int
    y: int = 0
    z: int | None = None


class Named(BaseModel):
    x: int
    y: int = 0
    name: str


class Tree(BaseModel):
    value: int
    children: "list[Tree]"


class Bush(BaseModel):
    value: float
    children: "list[Bush]"


class Vine(BaseModel):
    value: str
    children: "list[Vine]"


def type_of(annotation: Any) -> Type:
    book = TypeBook()
    book.add("it", annotation, "validation")
    return Type(book.schemas()["it"], book.definitions)


Short = Annotated[str, Field(max_length=3)]
Digit = Annotated[int, Field(ge=0, le=9)]
Positive = Annotated[int, Field(gt=0)]
Even = Annotated[int, Field(multiple_of=2)]
Lower = Annotated[str, Field(pattern="^[a-z]+$")]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (int, float, True),
        (float, int, False),
        (int, Any, True),
        (Any, int, False),
        (bool, int, False),
        (bool, Literal[True, False], True),
        (bool, Literal[True], False),
        (int, int | None, True),
        (int | None, int, False),
        (int | str, str | int | None, True),
        (Literal["a"], Literal["a", "b"], True),
        (Literal["a", "b"], Literal["a"], False),
        (Literal["a"], str, True),
        (Literal["abcd"], Short, False),
        (str, Literal["a"], False),
        (Literal[1], Literal[True], False),
        (Literal[5], Digit, True),
        (Literal[50], Digit, False),
        (Digit, int, True),
        (int, Digit, False),
        (Positive, Annotated[int, Field(ge=0)], True),
        (Annotated[int, Field(ge=0)], Positive, False),
        (Annotated[int, Field(multiple_of=4)], Even, True),
        (Even, Annotated[int, Field(multiple_of=4)], False),
        (Short, str, True),
        (str, Short, False),
        (Lower, Lower, True),
        (str, Lower, False),
        (Literal["a"], Lower, None),
        (Annotated[str, Field(pattern="^x")], Lower, None),
        (date, str, True),
        (str, date, False),
        (date, datetime, None),
        (Annotated[Decimal, Field(ge=1)], Annotated[Decimal, Field(ge=0)], True),
        (Annotated[Decimal, Field(ge=0)], Annotated[Decimal, Field(ge=1)], False),
        (list[int], list[float], True),
        (list[int], list[str], False),
        (list[int], list[Any], True),
        (list, list[int], False),
        (set[int], list[int], True),
        (list[int], set[int], False),
        (tuple[int, str], list[int | str], True),
        (tuple[int, str], tuple[int, ...], False),
        (tuple[int, int], tuple[int, ...], True),
        (tuple[int, ...], tuple[int, int], False),
        (tuple[int, int], tuple[int, int, int], False),
        (Annotated[list[int], Field(max_length=3)], list[int], True),
        (dict[str, int], dict[str, float], True),
        (dict[str, Any], dict[str, int], False),
        (dict[int, int], dict[str, int], True),
        (dict[str, int], dict[int, int], False),
        (Point, Place, True),
        (Place, Point, True),
        (Point, Named, False),
        (Named, Point, True),
        (Point, dict[str, Any], True),
        (Point, dict[str, int], True),
        (Point, dict[str, str], False),
        (dict[str, int], Point, False),
        (Tree, Tree, True),
        (Tree, Bush, True),
        (Bush, Tree, False),
        (Tree, Vine, False),
        (list[Tree] | None, list[Bush] | None, True),
        (Point, Tree | Point, True),
        (Digit, Annotated[int, Field(le=5)] | Annotated[int, Field(gt=5)], None),
    ],
)
def test_types_of_python(one: Any, other: Any, expected: bool | None) -> None:
    assert is_subtype(type_of(one), type_of(other)) is expected


def test_relations() -> None:
    assert relation(type_of(int), type_of(int)) is Relation.SAME
    assert relation(type_of(int | str), type_of(str | int)) is Relation.SAME
    assert relation(type_of(int), type_of(float)) is Relation.WIDER
    assert relation(type_of(float), type_of(int)) is Relation.NARROWER
    assert relation(type_of(int), type_of(str)) is Relation.OTHER


def test_circles_and_mazes_come_to_an_end() -> None:
    circle = Type({"$ref": "#/$defs/A"}, {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}})
    assert is_subtype(circle, circle) is True
    union = Type({"$ref": "#/$defs/A"}, {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}})
    # A union of one is that one: a circle, too, which allows anything.
    assert is_subtype(union, Type({"type": "string"})) is False
    assert is_subtype(Type({"type": "string"}), union) is True
    deep: Any = {"type": "string"}
    for _ in range(200):
        deep = {"type": "array", "items": deep}
    assert is_subtype(Type(deep), Type(json.loads(json.dumps(deep)))) is None
    names = [f"N{number}" for number in range(40)]
    maze = {
        name: {"anyOf": [{"type": "array", "items": {"$ref": f"#/$defs/{each}"}} for each in names]}
        for name in names
    }
    other = {
        name: {**kind, "anyOf": [*kind["anyOf"], {"type": "null"}]} for name, kind in maze.items()
    }
    entry = {"$ref": "#/$defs/N0"}
    assert is_subtype(Type(entry, other), Type(entry, maze)) in (False, None)


def test_what_was_assumed_and_did_not_hold_is_forgotten() -> None:
    comparison = Comparison()
    one, other = type_of(Tree), type_of(Vine)
    assert comparison.fits(one, other) is False
    assert comparison.fits(one, other) is False


# ----- soundness, against pydantic


def united(pair: tuple[Any, Any]) -> Any:
    one, other = pair
    return one if {one, other} & {None, Any} else one | other


def generic(origin: Any, *arguments: Any) -> Any:
    return origin[arguments]


annotations: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(
        [int, float, str, bool, None, Any, Short, Digit, Positive, Even, Literal["a", 1], Point,
         Place, Named, Tree, date]
    ),
    lambda inner: (
        inner.map(lambda each: generic(list, each))
        | inner.map(lambda each: generic(dict, str, each))
        | st.tuples(inner, inner).map(united)
        | st.tuples(inner, inner).map(lambda pair: generic(tuple, *pair))
    ),
    max_leaves=3,
)  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.5, "a", "abcd", "2026-01-02"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.fixed_dictionaries(
            {"x": inner}, optional={"y": inner, "name": inner, "value": inner, "children": inner}
        )
    ),
    max_leaves=5,
)


def accepts(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


@given(annotations)
def test_each_type_is_a_subtype_of_itself(annotation: Any) -> None:
    kind = type_of(annotation)
    again = Type(json.loads(json.dumps(kind.schema)), json.loads(json.dumps(kind.definitions)))
    assert is_subtype(kind, again) is True
    assert relation(kind, again) is Relation.SAME


#: Ways to put each of two types into the same place.
PLACES: tuple[Callable[[Any], Any], ...] = (
    lambda each: each,
    lambda each: generic(list, each),
    lambda each: generic(dict, str, each),
    lambda each: generic(tuple, int, each),
    lambda each: united((each, date)),
)


@st.composite
def related(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Draw two types, of which one often takes more than the other, and a value of the first."""
    one = draw(annotations)
    more = draw(annotations.filter(lambda each: each not in (one, None, Any)))
    other = draw(st.sampled_from([WIDER.get(one, more), united((one, more))]))
    place = draw(st.sampled_from(PLACES))
    first, second = (place(one), place(other)) if draw(st.booleans()) else (other, one)
    return first, second, draw(instances(first))


WIDER: dict[Any, Any] = {
    int: float, Short: str, Digit: int, Positive: int, Even: int, bool: int | bool, Place: Point,
    Named: Point, date: str,
}  # fmt: skip


def fields(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"x": numbers, **more}, optional={"y": numbers})


numbers = st.integers(-3, 12)
trees: st.SearchStrategy[Any] = st.deferred(
    lambda: st.fixed_dictionaries({"value": numbers, "children": st.lists(trees, max_size=2)})
)
#: Values of plain types, as JSON has them.
INSTANCES: dict[Any, st.SearchStrategy[Any]] = {
    int: numbers, float: st.sampled_from([0.5, 2]), str: st.sampled_from(["", "a", "abcd"]),
    bool: st.booleans(), None: st.none(), type(None): st.none(), Any: values,
    Short: st.just("abc"), Digit: st.integers(0, 9), Positive: st.integers(1, 12),
    Even: st.sampled_from([-2, 0, 4]), Literal["a", 1]: st.sampled_from(["a", 1]),
    date: st.just("2026-01-02"), Point: fields(), Place: fields(z=st.none() | numbers),
    Named: fields(name=st.just("n")), Tree: trees,
}  # fmt: skip


def instances(annotation: Any) -> st.SearchStrategy[Any]:
    """Return values of a type, as JSON has them."""
    if annotation in INSTANCES:
        return INSTANCES[annotation]
    parts = get_args(annotation)
    inner = [instances(each) for each in parts]
    if get_origin(annotation) is list:
        return st.lists(*inner, max_size=2)
    if get_origin(annotation) is dict:
        return st.dictionaries(st.sampled_from("xyz"), inner[1], max_size=2)
    if get_origin(annotation) is tuple:
        return st.tuples(*inner).map(list)
    return st.one_of(inner)


@given(related())
@settings(max_examples=examples(500))
def test_a_value_of_a_subtype_is_a_value_of_the_other(found: tuple[Any, Any, Any]) -> None:
    one, other, value = found
    assert accepts(one, value)
    if is_subtype(type_of(one), type_of(other)) is True:
        assert accepts(other, value)


def test_subtypes_that_are_other_types_are_met_often() -> None:
    met = Counter[Any]()

    @given(related())
    def measure(found: tuple[Any, Any, Any]) -> None:
        one, other = type_of(found[0]), type_of(found[1])
        met["same" if one == other else is_subtype(one, other)] += 1

    measure()
    assert met[True] > met.total() / 5, met
    assert met[False] > met.total() / 5, met
