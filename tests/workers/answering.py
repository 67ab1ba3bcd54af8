"""A service that answers whatever its result backend is: every way in which a task ends.

It runs under every Celery since 5.4.
"""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import json
import os
import signal
import time
from typing import Any

from celery import Celery, chain, chord, group
from celery.app.backends import by_url
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from celery_rpc.worker import expose

app = Celery("answering")
app.conf.broker_connection_retry_on_startup = True
app.conf.task_default_queue = "answering"
app.conf.broker_transport_options = json.loads(os.environ.get("TRANSPORT_OPTIONS", "{}"))
app.gen_task_name = lambda name, module: f"answering.{name}"
app.conf.result_chord_retry_interval = 0.2
expose(app, answer=os.environ.get("ANSWER") != "")


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def fail(message: str = "as asked") -> None:
    raise ValueError(message)


@app.task(ignore_result=True)
def ignored(value: Any) -> Any:
    return value


@app.task(ignore_result=True)
def sum_ignored(x: int, y: int) -> int:
    return x + y


@app.task(ignore_result=True)
def fail_ignored() -> None:
    raise ValueError("as asked")


@app.task(ignore_result=True, bind=True)
def retry_ignored(self: Any, times: int) -> int:
    return again(self, times)


@app.task(bind=True)
def retry(self: Any, times: int) -> int:
    return again(self, times)


def again(task: Any, times: int) -> int:
    if task.request.retries < times:
        raise task.retry(countdown=0, exc=ValueError("not yet"))
    return int(task.request.retries)


@app.task(bind=True)
def progress(self: Any, steps: int) -> int:
    for step in range(steps):
        self.update_state(state="PROGRESS", meta={"step": step})
    return steps


@app.task(track_started=True)
def started() -> str:
    return "done"


@app.task
def odd() -> Any:
    """Return what only pickle can write."""
    return object()


@app.task
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task
def spin(seconds: float) -> str:
    """Run long, and heed the soft limit."""
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        return "softly"
    return "done"


@app.task(track_started=True)
def sleep_started(seconds: float) -> None:
    time.sleep(seconds)


@app.task
def suicide() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


OWN_BACKEND, OWN_URL = by_url(os.environ.get("OWN_BACKEND", "disabled://"))


@app.task(backend=OWN_BACKEND(app=app, url=OWN_URL))
def kept_apart(x: int, y: int) -> int:
    """Return a value that is kept where no other task's is."""
    return x + y


# ----- tasks that give no state


@app.task
def ignore() -> None:
    raise Ignore


@app.task(bind=True)
def own_state(self: Any) -> None:
    """Set the final state by hand, as many do."""
    self.update_state(state="FAILURE", meta={"exc_type": "Odd", "exc_message": ["by hand"]})
    raise Ignore


@app.task(bind=True, acks_late=True)
def reject(self: Any, requeue: bool = False) -> str:
    if requeue and self.request.delivery_info.get("redelivered"):
        return "at last"
    raise Reject("no", requeue=requeue)


@app.task(bind=True)
def resend(self: Any, left: int) -> str:
    """Send itself again under its own id, and leave."""
    if left:
        self.apply_async((left - 1,), task_id=self.request.id)
        raise Ignore
    return "at last"


# ----- tasks that others go on with


@app.task(bind=True)
def replaced_by_task(self: Any, x: int) -> Any:
    return self.replace(add.s(x, 1))


@app.task(bind=True)
def replaced_twice(self: Any, x: int) -> Any:
    return self.replace(replaced_by_task.s(x + 1))


@app.task(bind=True)
def replaced_by_chain(self: Any, x: int) -> Any:
    return self.replace(chain(add.s(x, 1), add.s(1), add.s(1)))


@app.task(bind=True)
def replaced_by_failing_chain(self: Any) -> Any:
    return self.replace(chain(add.s(1, 1), fail.si("in the chain"), add.s(1)))


@app.task(bind=True)
def replaced_by_group(self: Any, n: int) -> Any:
    return self.replace(group(add.s(x, x) for x in range(n)))


@app.task(bind=True)
def replaced_by_chord(self: Any, n: int) -> Any:
    return self.replace(chord([add.s(x, x) for x in range(n)], total.s()))


@app.task(bind=True)
def replaced_by_failing_chord(self: Any) -> Any:
    return self.replace(chord([add.s(1, 1), fail.s("in the header")], total.s()))


@app.task(bind=True)
def replaced_by_chain_that_fails_before_its_chord(self: Any) -> Any:
    flow = fail.si("before the chord") | group(add.si(1, 1), add.si(2, 2)) | total.s()
    return self.replace(flow)


@app.task(bind=True)
def replaced_by_mixture(self: Any) -> Any:
    """Be replaced by a task, a group, a task and a group, whose results Celery never collects."""
    flow = add.s(1, 1) | group(add.s(1), add.s(2)) | total.s() | group(add.s(1), add.s(2))
    return self.replace(flow)


# ----- canvases within tasks, whose results are the app's own


@app.task(bind=True)
def delegate(self: Any, x: int) -> str:
    """Send a chain, and return the id of its result."""
    result = (add.s(x, 1) | add.s(1)).delay()
    return str(result.id)


@app.task
def delegate_chord(n: int) -> str:
    """Send a chord, and return the id of its result."""
    return str(chord([add.s(x, x) for x in range(n)], total.s()).delay().id)


@app.task
def look_up(task_id: str, name: str = "") -> Any:
    """Return what the service's own backend has of a task."""
    result = app.tasks[name].AsyncResult(task_id) if name else app.AsyncResult(task_id)
    value = result.result
    return [result.state, repr(value) if isinstance(value, Exception) else value]
