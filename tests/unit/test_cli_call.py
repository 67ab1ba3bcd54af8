"""Arguments of a call on the command line."""

from pathlib import Path

import click
import pytest

from celery_rpc.cli.call import read_argument, read_arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ('"1"', "1"),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("alice", "alice"),
        ("", ""),
        ("01", "01"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("{oops", "{oops"),
    ],
)
def test_an_argument_is_json_where_it_can_be(text: str, value: object) -> None:
    read = read_argument(text)
    assert read == value
    assert type(read) is type(value)


def test_keywords_come_from_json() -> None:
    assert read_arguments(("1",), '{"y": 2}', None) == ([1], {"y": 2})


def test_data_is_keywords_or_arguments_by_its_kind() -> None:
    assert read_arguments(("1",), None, '{"y": 2}') == ([1], {"y": 2})
    assert read_arguments((), '{"y": 2}', "[1]") == ([1], {"y": 2})


def test_data_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"id": "ü"}', encoding="utf-8")
    assert read_arguments((), None, f"@{file}") == ([], {"id": "ü"})


@pytest.mark.parametrize(
    ("arguments", "keywords", "data", "message"),
    [
        ((), "[1]", None, "--json takes an object"),
        ((), "{", None, "--json is no JSON"),
        ((), None, "1", "-d takes an object"),
        ((), None, "NaN", "-d is no JSON"),
        ((), None, "@/nowhere/at/all", "-d cannot read"),
        (("1",), None, "[2]", "-d gives arguments that are given already"),
        ((), '{"y": 2}', '{"y": 3}', "-d gives keyword arguments that are given already"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(
    arguments: tuple[str, ...], keywords: str | None, data: str | None, message: str
) -> None:
    with pytest.raises(click.UsageError, match=message):
        read_arguments(arguments, keywords, data)
