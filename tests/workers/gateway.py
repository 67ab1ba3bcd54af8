"""A service whose tasks call other services: the one of the tests' apps that has a client."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import os
from typing import Any

from celery import Celery

from celery_rpc import connect

app = Celery("gateway")
app.conf.broker_connection_retry_on_startup = True
client: Any = connect(os.environ["GATEWAY_BROKER"])


@app.task(name="gateway.deadline")
def deadline() -> dict[str, Any]:
    """Return the deadline of a nested call, and of one that is only sent."""
    return {
        "called": client.calc.header("rpc_deadline"),
        "sent": client.calc.header.delay("rpc_deadline").get(timeout=5),
    }


@app.task(name="gateway.late")
def late(seconds: float) -> Any:
    """Call a task that may not start before so many seconds have passed."""
    return client.calc.add.options(countdown=seconds, timeout=None)(1, 1)
