"""A Celery app that writes down each execution; the tests read how often each call was run."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import logging
import os
import time
from typing import Any

from celery import Celery

app = Celery("ledger")
app.conf.broker_connection_retry_on_startup = True
for chatty in ("celery.app.trace", "celery.worker.strategy"):
    logging.getLogger(chatty).setLevel(logging.WARNING)  # else a line or two for each call
if os.environ.get("LEDGER_VISIBILITY"):
    # Redis: what a killed worker had taken is given to another one after so many seconds.
    app.conf.broker_transport_options = {
        "visibility_timeout": float(os.environ["LEDGER_VISIBILITY"]),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "unacked_restore_limit": 1000,
    }


def write(request: Any, path: str, number: int) -> None:
    """Append a number by one write, which other threads and processes do not break into.

    A minus says that the broker gave it out before: to a worker that was killed, or lost its link.
    """
    again = request.delivery_info.get("redelivered")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, b"%d\n" % (-number if again else number))
    finally:
        os.close(descriptor)


@app.task(name="ledger.early", bind=True)
def early(self: Any, path: str, number: int, seconds: float = 0.0) -> int:
    """Note the call, take some time, give twice the number; acknowledged before it runs."""
    write(self.request, path, number)
    time.sleep(seconds)
    return 2 * number


@app.task(name="ledger.fail")
def fail() -> None:
    """Fail."""
    raise KeyError("as asked")


@app.task(name="ledger.late", bind=True, acks_late=True)
def late(self: Any, path: str, number: int, seconds: float = 0.0) -> int:
    """Do the same, acknowledged when it has run."""
    write(self.request, path, number)
    time.sleep(seconds)
    return 2 * number
