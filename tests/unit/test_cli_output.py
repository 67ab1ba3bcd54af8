"""What the command line prints, as text and as JSON."""

import json
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Service, TaskSpec
from celery_rpc.cli.output import count, escaped, to_json


def test_text_that_a_terminal_can_show_stays_as_it_is() -> None:
    text = "Straße 42, naïve, 東京, \N{PARTY POPPER}\n\tindented"
    assert escaped(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\u001b[31mred"),
        ("\x9b31m", r"\u009b31m"),
        ("bell\x07", r"bell\u0007"),
        ("\x7f", r"\u007f"),
        ("a\rb", r"a\rb"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_cell_has_no_tab_and_no_line_break() -> None:
    assert escaped("a\tb\nc", keep="") == r"a\tb\nc"


@given(st.text())
def test_S14_nothing_escaped_is_a_control_character(text: str) -> None:
    shown = escaped(text)
    assert not [ch for ch in shown if unicodedata.category(ch) == "Cc" and ch not in "\n\t"]
    shown.encode()  # no lone surrogate is left


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_reads_back_as_the_same_value(value: object) -> None:
    for indent in (None, 2):
        assert json.loads(to_json(value, indent=indent)) == value


def test_json_takes_what_a_catalog_is_made_of() -> None:
    service = Service("q", Address("q"), frozenset({"b", "a"}), {"t": TaskSpec("t")})
    plain = json.loads(to_json(service))
    assert plain["workers"] == ["a", "b"]
    assert plain["tasks"]["t"]["name"] == "t"


def test_json_takes_values_that_it_has_no_kind_for() -> None:
    assert to_json({"price": Decimal("1.50")}) == '{"price": "1.50"}'


def test_numbers_of_things_are_written_as_people_do() -> None:
    assert [count(1, "worker"), count(0, "worker"), count(2, "mailbox")] == [
        "1 worker",
        "0 workers",
        "2 mailboxes",
    ]
