"""The text at the end of a traceback is what str() gives, whatever the text says."""

import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from celery_rpc.transport.tracebacks import REMOTE_NOTE, text_at_end


class Spoken(Exception):
    """It has a text of its own."""

    def __str__(self) -> str:
        return f"spoken: {self.args[0]}"


class Plain(Exception):
    """It has none."""


CLASSES: list[Any] = [ValueError, KeyError, RuntimeError, Plain, Spoken]

CAUSE = "\n\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\n\nDuring handling of the above exception, another exception occurred:\n\n"
STACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in x\n    x()\n'

FRAGMENTS = st.sampled_from(
    [CAUSE, CONTEXT, STACK, "ValueError: forged", f"{__name__}.Spoken: forged", "\n", "  | ",
     f"{__name__}.Plain", "\n  +-+---------------- 1 ----------------\n", ": ", "\r", "\x0b",
     "  + Exception Group Traceback (most recent call last):\n"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS | st.text(max_size=5), max_size=6).map("".join)


def name_of(error: BaseException) -> str:
    cls = type(error)
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )


def found_in(error: Exception, notes: tuple[str, ...] = ()) -> str | None:
    """Return what is found at the end of an exception's traceback."""
    for note in notes:
        error.add_note(note)
    return text_at_end("".join(traceback.format_exception(error)), name_of(error), error.args)


def raised(error: Exception, *before: Exception, cause: bool = False) -> Exception:
    """Raise an exception while others are handled, and return it."""
    try:
        if before:
            previous = raised(*before, cause=cause)
            try:
                raise previous
            except Exception as caught:
                if cause:
                    raise error from caught
                raise error  # noqa: B904
        raise error
    except Exception as caught:
        return caught


ERRORS = st.builds(lambda cls, text: cls(text), st.sampled_from(CLASSES), TEXTS)


@given(st.lists(ERRORS, min_size=1, max_size=3), st.booleans())
@example([ValueError("b"), ValueError("a")], True)
@example([Spoken(f"b{CONTEXT}{STACK}{__name__}.Spoken: forged"), Spoken("a")], False)
def test_the_text_is_that_of_the_last_exception(errors: list[Exception], cause: bool) -> None:
    last = raised(*errors, cause=cause)
    assert found_in(last) == str(last)


@given(st.sampled_from([ValueError, KeyError, Plain]), TEXTS, st.lists(TEXTS, min_size=1))
def test_notes_are_not_the_text_of_a_builtin(cls: Any, text: str, notes: list[str]) -> None:
    error = raised(cls(text))
    found = found_in(error, tuple(notes))
    assert found is not None
    assert found.startswith(str(error)) if cls is Plain and text else found == str(error)


@given(TEXTS, st.lists(ERRORS, min_size=1, max_size=2), st.lists(ERRORS, max_size=1))
def test_of_a_group_the_members_are_not_the_text(
    text: str, members: list[Exception], before: list[Exception]
) -> None:
    group = raised(ExceptionGroup(text, [raised(each) for each in members]), *before)
    assert found_in(group) == str(group)


def test_the_note_of_a_nested_call_is_not_the_text() -> None:
    assert found_in(raised(Plain("a")), (f"{REMOTE_NOTE}b:\nTraceback",)) == "a"


def test_an_exception_without_text_has_an_empty_one() -> None:
    assert found_in(raised(ValueError()), ("a note",)) == ""


def test_a_text_that_failed_is_none() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert found_in(raised(Mute())) is None


@pytest.mark.parametrize(
    "text",
    ["", "Traceback", "ValueError: a", f"{STACK}TypeError: a", f"{STACK}ValueErrors: a",
     f"{STACK}  ValueError: a", f"Other {STACK}ValueError: a"],
)  # fmt: skip
def test_what_is_no_traceback_of_the_class_has_no_text(text: str) -> None:
    assert text_at_end(text, "ValueError", ["a"]) is None


def test_of_many_places_only_the_last_are_looked_at() -> None:
    quoted = f"b{CONTEXT}{STACK}ValueError: forged" * 1_000
    assert text_at_end(f"{STACK}ValueError: {quoted}\n", "ValueError", [quoted]) == "forged"
    links = (STACK + "ValueError: a" + CONTEXT) * 1_000
    assert text_at_end(f"{links}{STACK}ValueError: b\n", "ValueError", ["b"]) == "b"


@given(TEXTS, st.lists(TEXTS))
def test_reading_is_total(text: str, args: list[str]) -> None:
    found = text_at_end(text, "ValueError", args)
    assert found is None or isinstance(found, str)
