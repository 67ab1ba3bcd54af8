"""Signatures as JSON: canonical when written, and read as if by an enemy."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.schema import (
    GRAMMAR,
    MAX_SIZE,
    BadSignature,
    digest,
    from_json,
    to_json,
    to_schema,
)
from celery_rpc.signature import DeclaredError, Parameter, TaskSignature

ADD = TaskSignature(
    parameters=(
        Parameter(name="x", schema={"type": "integer"}, annotation="int"),
        Parameter(name="y", schema={"$ref": "#/$defs/Y"}, default="", kind="keyword_only"),
    ),
    returns={"type": "integer"},
    return_annotation="int",
    definitions={"Y": {"type": "string", "enum": ["a", None, 1, True]}},
    doc="Add.\n\tTwo lines.",
    errors=(DeclaredError(name="Outer.Error", module="a.b", base="LookupError", doc="No."),),
    deprecated="use sum",
    version="1.2",
    gaps=("x: it is odd",),
)

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}x", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text("ab é\n", max_size=5)
schemas = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"type": st.sampled_from(["string", "integer"]), "const": scalars}
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner | st.just(False),
            "anyOf": st.lists(inner, max_size=2),
            "properties": st.dictionaries(st.text("a$b", max_size=3), inner, max_size=2),
        },
    ),
    max_leaves=5,
)
signatures = st.builds(
    TaskSignature,
    parameters=st.lists(
        st.builds(
            Parameter,
            name=names,
            kind=st.just("keyword_only"),
            schema=schemas,
            default=st.none() | st.text("0'x", max_size=3),
        ),
        max_size=3,
        unique_by=lambda each: each.name,
    ).map(tuple),
    returns=schemas,
    definitions=st.dictionaries(names, schemas, max_size=2),
    doc=st.text("ab\n", max_size=9),
    exact=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*GRAMMAR, *TaskSignature.__dataclass_fields__, "name", "kind"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


def test_a_signature_comes_back_as_it_was() -> None:
    assert from_json(to_json(ADD)) == ADD
    assert type(from_json(to_json(ADD))) is TaskSignature
    assert from_json("{}") == TaskSignature()


@given(signatures)
def test_any_signature_comes_back_as_it_was(signature: TaskSignature) -> None:
    assert from_json(to_json(signature)) == signature


def test_equal_signatures_have_one_text_and_one_digest() -> None:
    again = from_json(json.dumps(json.loads(to_json(ADD)), indent=2, sort_keys=False))
    assert to_json(again) == to_json(ADD)
    assert digest(again) == digest(ADD) == digest(to_json(ADD))
    assert len(digest(ADD)) == 16
    assert digest(ADD) != digest(TaskSignature())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid JSON"),
        ("[]", "should be an object"),
        ("\ud800", "unicode"),
        ("[" * 100_000, "recursion"),
        ("x" * (MAX_SIZE + 1), "the limit is"),
        ('{"exact": "no"}', "exact: Input should be a valid boolean"),
        ('{"doc": 5}', "doc: "),
        ('{"parameters": [{}]}', "parameters.0.name"),
        ('{"parameters": [{"name": "a b"}]}', "a parameter is called 'a b'"),
        ('{"parameters": [{"name": "class"}]}', "a parameter is called 'class'"),
        ('{"parameters": [{"name": "a", "kind": "odd"}]}', "parameters.0.kind"),
        ('{"parameters": [{"name": "a"}, {"name": "a"}]}', "duplicate"),
        ('{"parameters": [{"name": "a", "default": "1"}, {"name": "b"}]}', "non-default"),
        ('{"errors": [{"name": "a;b"}]}', "an error is called"),
        ('{"errors": [{"name": "E", "base": "SystemExit"}]}', "no exception of Python"),
        ('{"errors": [{"name": "E", "base": "eval"}]}', "no exception of Python"),
        ('{"definitions": {"a/b": {}}}', "a definition is called 'a/b'"),
        ('{"returns": {"$ref": "#/$defs/No"}}', "no definition 'No'"),
        ('{"returns": {"$ref": "http://example.org"}}', "leads out"),
        ('{"returns": {"type": "file"}}', "'type' is 'file'"),
        ('{"returns": {"type": ["string"]}}', "'type' is"),
        ('{"returns": {"enum": [{}]}}', "'enum' is a dict"),
        ('{"returns": {"minLength": true}}', "'minLength' is a bool"),
        ('{"returns": {"properties": []}}', "'properties' is a list"),
        ('{"returns": ' + '{"items":' * 40 + "{}" + "}" * 41, "more than 32 levels"),
    ],
)
def test_S06_what_is_no_signature_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadSignature) as caught:
        from_json(text)
    assert reason in str(caught.value)


@given(json_values)
def test_S06_any_json_is_a_signature_or_is_refused(value: Any) -> None:
    try:
        read = from_json(json.dumps(value))
    except BadSignature:
        return
    assert from_json(to_json(read)) == read


@given(json_values)
def test_S06_of_any_schema_only_the_grammar_is_left(value: Any) -> None:
    try:
        read = to_schema(value)
    except BadSignature:
        return
    assert read.keys() <= GRAMMAR.keys()
    assert to_schema(read) == read


def test_the_order_of_fields_is_kept() -> None:
    fields = {"z": {}, "properties": {"type": "null", "format": "x"}, "a": {}}
    text = to_json(TaskSignature(returns={"type": "object", "properties": fields}))
    assert list(from_json(text).returns["properties"]) == ["z", "properties", "a"]
    assert '"properties":{"format":"x","type":"null"}' in text


def test_what_a_newer_service_adds_is_left_out() -> None:
    assert from_json('{"novel": 1, "returns": {"type": "null", "novel": 2}}') == TaskSignature(
        returns={"type": "null"}
    )


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    read = from_json(json.dumps({"doc": "a\x1b[31m\u202eb\n", "returns": {"title": "\x07"}}))
    assert read.doc == "a\ufffd[31m\ufffdb\n"
    assert read.returns == {"title": "\ufffd"}
