"""Signatures as JSON: canonical when written, and read as if by an enemy."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celery_rpc.catalog.signature import DeclaredError, Parameter, TaskSignature
from celery_rpc.catalog.signature_json import (
    GRAMMAR,
    MAX_SIZE,
    BadSignature,
    digest,
    from_json,
    to_json,
    to_schema,
)
from tests.profiles import examples
from tests.unit.edits import edited
from tests.unit.signatures import schemas, signatures

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


def written(signature: TaskSignature) -> Any:
    return json.loads(to_json(signature))


nearly_signatures = edited(signatures().map(written))
nearly_schemas = edited(schemas(["Node"]))


def test_a_signature_comes_back_as_it_was() -> None:
    assert from_json(to_json(ADD)) == ADD
    assert type(from_json(to_json(ADD))) is TaskSignature
    assert from_json("{}") == TaskSignature()


@given(signatures())
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


@given(nearly_signatures | json_values)
def test_S06_any_json_is_a_signature_or_is_refused(value: Any) -> None:
    try:
        read = from_json(json.dumps(value))
    except BadSignature:
        return
    assert from_json(to_json(read)) == read


@given(nearly_schemas | json_values)
def test_S06_of_any_schema_only_the_grammar_is_left(value: Any) -> None:
    try:
        read = to_schema(value)
    except BadSignature:
        return
    assert read.keys() <= GRAMMAR.keys()
    assert to_schema(read) == read


def test_what_is_nearly_a_signature_is_often_one_with_content() -> None:
    """The properties above touch their subject: it is measured how often, and with what."""
    met, keywords = Counter[str](), set[str]()

    @settings(max_examples=examples(150))
    @given(nearly_signatures)
    def measure(value: Any) -> None:
        try:
            read = from_json(json.dumps(value))
        except BadSignature:
            met["refused"] += 1
        else:
            met["with content" if read.parameters and (read.returns or read.doc) else "poor"] += 1
            keywords.update(keywords_of(written(read)))

    measure()
    assert met["with content"] > met.total() / 3, met
    assert met["refused"] > met.total() / 5, met
    assert keywords == GRAMMAR.keys()


def keywords_of(value: Any) -> Iterator[str]:
    """Yield the keywords of the grammar in a value."""
    inner = value.values() if isinstance(value, dict) else value
    for each in inner if isinstance(value, dict | list) else ():
        yield from keywords_of(each)
    yield from GRAMMAR.keys() & value if isinstance(value, dict) else ()


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
