"""A service that fails in every way. It runs under every Celery since 5.4."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery.exceptions
from celery import Celery
from celery.result import allow_join_result
from kombu.exceptions import OperationalError
from pydantic import BaseModel

app = Celery("failing")
app.conf.broker_connection_retry_on_startup = True


class Plain(Exception):
    """It has the constructor of Exception."""


class Declined(Exception):
    """It cannot be pickled: its constructor takes other arguments than Exception's got."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class Keyed(Exception):
    """It cannot be pickled, and has no arguments."""

    def __init__(self, *, code: int) -> None:
        self.code = code

    def __repr__(self) -> str:
        return f"Keyed(code={self.code})"


class Spoken(Exception):
    """It has a text of its own."""

    def __str__(self) -> str:
        return f"spoken:\n  {', '.join(map(str, self.args))}"


class Mute(Exception):
    """Its text fails."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Missing(Exception):
    """It can neither be pickled nor be written as JSON."""

    def __init__(self, *, path: Path) -> None:
        super().__init__("missing", path)


class Refused(ValueError):
    """It cannot be pickled, but its base can."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class Shop:
    """It has exceptions of its own."""

    class Closed(Exception):
        """It can be pickled."""

    class Denied(Exception):
        """It cannot be pickled."""

        def __init__(self, code: int, reason: str) -> None:
            super().__init__(f"{code}: {reason}")


class Order(BaseModel):
    """What pydantic validates."""

    amount: int
    customer: str


QUOTED = """quoted

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "other.py", line 1, in other
ValueError: forged"""


def noted() -> None:
    error = ValueError("as asked")
    error.add_note("a note\nof two lines")
    raise error


def plain_and_noted() -> None:
    error = Plain("as asked")
    error.add_note("a note")
    raise error


def spoken_and_noted() -> None:
    error = Spoken("a")
    error.add_note("a note")
    raise error


def grouped() -> None:
    raise ExceptionGroup("two\nlines", [ValueError("a"), Plain("b")])


def chained() -> None:
    try:
        raise ValueError(QUOTED)
    except ValueError as error:
        raise ValueError("at last") from error


def chained_to_group() -> None:
    try:
        grouped()
    except ExceptionGroup as error:
        raise Spoken("at last") from error


def group_in_chain() -> None:
    try:
        raise ValueError("first")
    except ValueError:
        grouped()


def local() -> None:
    class Local(Exception):
        """It cannot be pickled, because nobody can import it."""

    raise Local("a", 1)


def misspelled() -> None:
    Path.hom()  # type: ignore[attr-defined]


def throw(error: BaseException) -> None:
    raise error


#: What a task can do, by name.
WAYS: dict[str, Callable[[], Any]] = {
    "plain": lambda: throw(Plain("as asked", 1)),
    "no arguments": lambda: throw(Plain()),
    "empty": lambda: throw(Plain("")),
    "declined": lambda: throw(Declined(4, "stolen")),
    "keyed": lambda: throw(Keyed(code=4)),
    "spoken": lambda: throw(Spoken("a", 1)),
    "mute": lambda: throw(Mute("a", 1)),
    "refused": lambda: throw(Refused(4, "stolen")),
    "closed": lambda: throw(Shop.Closed("at night")),
    "denied": lambda: throw(Shop.Denied(4, "stolen")),
    "local": local,
    "pydantic": lambda: Order(amount="many", customer=5),  # type: ignore[arg-type]
    "no file": lambda: Path("/there/is/none").read_text(),
    "key": lambda: WAYS["no such way"],
    "quoting": lambda: throw(ValueError(QUOTED)),
    "spoken quoting": lambda: throw(Spoken(QUOTED)),
    "noted": noted,
    "plain and noted": plain_and_noted,
    "spoken and noted": spoken_and_noted,
    "grouped": grouped,
    "chained": chained,
    "chained to group": chained_to_group,
    "group in chain": group_in_chain,
    "misspelled": misspelled,
    "syntax": lambda: compile("a b", "there.py", "exec"),
    "no json": lambda: object(),
    "operational": lambda: throw(OperationalError("as asked")),
    "exit": lambda: sys.exit(3),
    "base": lambda: throw(BaseException("as asked")),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "lookup": lambda: app.tasks["failing.other"].name,
}


@app.task(name="failing.fail", rpc_errors=(Declined, Shop.Denied, Shop.Closed))
def fail(way: str) -> Any:
    """Fail in this way."""
    return WAYS[way]()


@app.task(name="failing.miss")
def miss(path: str) -> None:
    """Miss a file."""
    raise Missing(path=Path(path))


@app.task(name="failing.raise_celerys")
def raise_celerys(name: str, *args: Any) -> None:
    """Raise one of Celery's own exceptions."""
    raise getattr(celery.exceptions, name)(*args)


@app.task(name="failing.count_and_raise")
def count_and_raise(path: str, name: str, *args: Any) -> None:
    """Append a line to a file, and raise one of Celery's own exceptions."""
    with Path(path).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
    raise_celerys(name, *args)


@app.task(name="failing.give_up", bind=True, max_retries=0)
def give_up(self: Any) -> None:
    """Retry once too often."""
    self.retry(countdown=0)


@app.task(name="failing.store", bind=True)
def store(self: Any, path: str) -> None:
    """Store a refusal of itself, as only workers do."""
    with Path(path).open("a") as lines:
        lines.write(f"{os.getpid()}\n")
    self.update_state(state="FAILURE", meta=celery.exceptions.NotRegistered("failing.store"))
    raise celery.exceptions.Ignore


@app.task(name="failing.sleep")
def sleep(seconds: float) -> None:
    """Sleep for a while."""
    time.sleep(seconds)


@app.task(name="failing.limited", time_limit=1)
def limited() -> None:
    """Run longer than allowed."""
    time.sleep(60)


@app.task(name="failing.limited_softly", soft_time_limit=1)
def limited_softly() -> None:
    """Run longer than allowed, and be told so."""
    time.sleep(60)


@app.task(name="failing.forward")
def forward(queue: str, task: str, *args: Any) -> Any:
    """Call another task by stock Celery, and let its error pass."""
    with (
        Celery(broker=app.conf.broker_url, backend="rpc://", set_as_current=False) as caller,
        allow_join_result(),  # or else the reply queue is declared too late, after sending
    ):
        return caller.send_task(task, args, queue=queue).get(timeout=20)
