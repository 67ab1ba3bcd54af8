"""An ordinary Celery app: what the tests call. It runs under every Celery since 5.4."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import builtins
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore

app = Celery("calc")
app.conf.broker_connection_retry_on_startup = True


class CalcError(Exception):
    """An error that only this service knows."""


@app.task(name="calc.add")
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="calc.mul")
def mul(x: int, y: int) -> int:
    """Multiply two numbers."""
    return x * y


@app.task(name="calc.total")
def total(numbers: list[int]) -> int:
    """Add up a list of numbers."""
    return sum(numbers)


@app.task(name="calc.mix")
def mix(*values: Any) -> int:
    """Make one number of whatever comes; which it is depends on every value and on its place."""
    return weight(values)


def weight(value: Any) -> int:
    """Weigh a number, or a list of such."""
    if isinstance(value, list | tuple):
        return sum(place * weight(each) for place, each in enumerate(value, 2)) % 1_000_003
    return int(value)


@app.task(name="calc.echo")
def echo(value: Any) -> Any:
    """Return what came."""
    return value


@app.task(name="calc.measure")
def measure(value: str) -> int:
    """Return how long a text is."""
    return len(value)


@app.task(name="calc.sleep")
def sleep(seconds: float) -> float:
    """Sleep for a while."""
    time.sleep(seconds)
    return seconds


@app.task(name="calc.hold", bind=True)
def hold(self: Any, path: str, value: Any = None) -> Any:
    """Return the value when this file is there: a minute later at the latest."""
    Path(f"{path}.{self.request.id}").touch()
    wait_for(path)
    return value


def wait_for(path: str) -> None:
    deadline = time.monotonic() + 60
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@app.task(name="calc.fail")
def fail(kind: str = "ValueError", message: str = "as asked") -> None:
    """Raise the builtin exception of that name, or CalcError."""
    error = CalcError if kind == "CalcError" else getattr(builtins, kind)
    raise error(message)


@app.task(name="calc.start_and_fail", track_started=True)
def start_and_fail() -> None:
    """Report that it has started, and fail."""
    raise ValueError("as asked")


@app.task(name="calc.progress", bind=True)
def progress(self: Any, steps: int, seconds: float = 0.0) -> int:
    """Report a state PROGRESS after each step."""
    for step in range(1, steps + 1):
        time.sleep(seconds)
        self.update_state(state="PROGRESS", meta={"step": step, "of": steps})
    return steps


@app.task(name="calc.retry_later", bind=True, max_retries=None)
def retry_later(self: Any, seconds: float) -> None:
    """Fail, to be run again in so many seconds."""
    raise self.retry(countdown=seconds, exc=CalcError("not yet"))


@app.task(name="calc.retry", bind=True, max_retries=None)
def retry(self: Any, times: int) -> int:
    """Fail and be retried this many times, then return how often it was retried."""
    if self.request.retries < times:
        raise self.retry(countdown=0, exc=CalcError("not yet"))
    retries: int = self.request.retries
    return retries


@app.task(name="calc.ignored", ignore_result=True)
def ignored(value: Any = None) -> Any:
    """Return something that nobody is told."""
    return value


@app.task(name="calc.count")
def count(path: str) -> int:
    """Append a line to a file; return how many lines it has: how often this was executed."""
    with Path(path).open("a+") as lines:
        lines.write(f"{os.getpid()}\n")
        lines.seek(0)
        return len(lines.readlines())


@app.task(name="calc.note")
def note(task_id: str, path: str) -> None:
    """Append a line to a file: as an errback, the id of the task that failed."""
    with Path(path).open("a") as lines:
        lines.write(f"{task_id}\n")


@app.task(name="calc.handle")
def handle(request: Any, exc: Exception, traceback: Any, path: str) -> None:
    """Append a line to a file: what an errback is told that takes more than an id."""
    names = ("id", "task", "args", "root_id", "parent_id")
    told = {name: getattr(request, name, None) for name in names}
    line = {**told, "error": [type(exc).__name__, str(exc)], "traceback": traceback and "there"}
    with Path(path).open("a") as lines:
        lines.write(json.dumps(line) + "\n")


@app.task(name="calc.late", acks_late=True)
def late(path: str, gate: str) -> int:
    """Do as calc.count, end when the other file is there, and be acknowledged only then."""
    executed: int = count(path)
    wait_for(gate)
    return executed


@app.task(name="calc.header", bind=True)
def header(self: Any, name: str) -> Any:
    """Return what a header of this call says."""
    return getattr(self.request, name, None)


@app.task(name="calc.request", bind=True)
def request(self: Any) -> dict[str, Any]:
    """Return what Celery made of the message."""
    names = ("id", "eta", "expires", "shadow", "timelimit", "ignore_result", "delivery_info")
    return {name: getattr(self.request, name, None) for name in names}


@app.task(name="calc.lineage", bind=True)
def lineage(self: Any, path: str, label: str) -> str:
    """Append a line to a file: where in its canvas this call is."""
    names = ("id", "root_id", "parent_id", "group", "group_index")
    told = {name: getattr(self.request, name, None) for name in names}
    with Path(path).open("a") as lines:
        lines.write(json.dumps({"label": label, **told}) + "\n")
    return label


@app.task(name="calc.replaced", bind=True)
def replaced(self: Any, x: int, y: int) -> Any:
    """Replace itself by calc.add."""
    return self.replace(here(self, add.s(x, y)))


@app.task(name="calc.replaced_by_chain", bind=True)
def replaced_by_chain(self: Any, x: int, y: int) -> Any:
    """Replace itself by a chain that adds two numbers, and doubles the sum."""
    return self.replace(here(self, add.s(x, y)) | here(self, mul.s(2)))


@app.task(name="calc.replaced_by_failure", bind=True)
def replaced_by_failure(self: Any, *_: Any) -> Any:
    """Replace itself by calc.fail."""
    return self.replace(here(self, fail.si()))


def here(task: Any, signature: Any) -> Any:
    """Let a signature go to the queue that the task came from."""
    return signature.set(queue=task.request.delivery_info["routing_key"])


@app.task(name="calc.unanswered")
def unanswered(*_: Any) -> None:
    """Ignore its own result, so that no reply is sent."""
    raise Ignore


@app.task(name="calc.suicide")
def suicide() -> None:
    """SIGKILL the process that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="calc.whoami", bind=True)
def whoami(self: Any) -> dict[str, Any]:
    """Return which worker and which process ran this."""
    return {"hostname": self.request.hostname, "pid": os.getpid()}


@app.task(name="calc.unserialisable")
def unserialisable() -> object:
    """Return what no serialiser can write."""
    return object()


@app.task
def auto_named(x: int) -> int:
    """Go by the name that Celery gives: tests.workers.calc.auto_named."""
    return x
