"""The text of an exception, found at the end of the traceback that a worker wrote; pure.

A reply has the arguments of an exception; what ``str()`` made of them is in the traceback alone,
behind the name of its class (Python's traceback.TracebackException.format):

    Traceback (most recent call last):
      File "...", line 1, in task
    module.Class: a text that may go on
    for lines

Before it stands what led to the exception, in the same form; and the text may quote a traceback.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

#: Places, from the end, at which the last exception may begin: a text that quotes more is rare.
MAX_PLACES = 16

#: What stands between an exception and what led to it.
_LINK = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)

#: A stack, whose lines are all indented; that of an exception group has a margin.
_STACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)*")
_GROUP_STACK = re.compile(
    r"  \+ Exception Group Traceback \(most recent call last\):\n(?:  \|  .*\n)*"
)
_MARGIN, _FIRST_MEMBER = "  | ", "\n  +-+-"

#: What Python writes where __str__ fails.
_UNPRINTABLE = "<exception str() failed>"

#: What Python writes right behind the text: notes, and advice where a name is misspelled.
_APPENDED = ("\n", ". Did you ")

#: How the note begins that carries the traceback of a call that a task made.
REMOTE_NOTE = "Remote traceback of "


def text_at_end(traceback: str, name: str, args: Sequence[Any]) -> str | None:
    """Return what ``str()`` gave of the exception that a traceback ends with, or None.

    Args:
        name: its class as tracebacks name it: dotted, builtins without their module.
        args: its arguments, by which a text that quotes tracebacks is told from its quotations.
    """
    ending = partial(_texts, traceback.removesuffix("\n"), name)
    quoting = [each for each in args if isinstance(each, str) and _LINK.search(each)]
    usual = (text for text in ending() if _usual(text, args, _APPENDED) is not None)
    whole = (text for text in ending() if all(each in text for each in quoting))
    text = next(chain(usual, whole, ending()), _UNPRINTABLE)
    if text == _UNPRINTABLE:
        return None
    # Another class may have a text that begins as usual and goes on for lines: all of it is kept.
    found = _usual(text, args, (f"\n{REMOTE_NOTE}",) if "." in name else _APPENDED)
    return text if found is None else found


def usual_texts(args: Sequence[Any]) -> list[str]:
    """Return what ``str()`` gives of an exception with these arguments, as a rule."""
    if len(args) != 1:
        return [shown(tuple(args)) if args else ""]
    return [shown(args[0], str), shown(args[0])]  # the latter is KeyError's


def shown(value: Any, show: Callable[[Any], str] = repr) -> str:
    """Return a value that came as JSON as text, however deep it is."""
    try:
        return show(value)
    except RecursionError:
        return f"<{type(value).__name__}>"


def _texts(traceback: str, name: str) -> Iterator[str]:
    """Yield all that may be the text of the last exception, the one furthest down first."""
    starts = deque([0], MAX_PLACES)
    starts.extend(link.end() for link in _LINK.finditer(traceback))
    for start in reversed(starts):
        if stack := _STACK.match(traceback, start):
            text = _after(name, traceback[stack.end() :])
        elif stack := _GROUP_STACK.match(traceback, start):
            rest, _, _ = traceback[stack.end() :].partition(_FIRST_MEMBER)
            lines = rest.splitlines(keepends=True)
            text = _after(name, "".join(line.removeprefix(_MARGIN) for line in lines))
        else:
            continue
        if text is not None:
            yield text


def _after(name: str, rest: str) -> str | None:
    """Return what stands behind the name of a class, if the rest of a traceback begins with it."""
    if not rest.startswith(name):
        return None
    rest = rest[len(name) :]
    if rest.startswith(": "):
        return rest[2:]
    return "" if not rest or rest.startswith("\n") else None


def _usual(text: str, args: Sequence[Any], appended: tuple[str, ...]) -> str | None:
    """Return what the arguments give as text, if it is this one, or begins it."""
    for usual in usual_texts(args):
        rest = text.removeprefix(usual) if usual else text
        if not rest or (rest != text and rest.startswith(appended)):
            return usual
    return None
