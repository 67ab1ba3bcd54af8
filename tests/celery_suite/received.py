"""The signal task_received, sent on from the worker to the process of the tests.

Celery's tests run their worker in their own process, and listen to the signal there.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from celery.signals import task_received
from redis import Redis

#: Keys: somebody listens; what was received.
LISTENING, RECEIVED = "suite:listening", "suite:received"


def forward(host: str, port: int) -> None:
    """In a worker: tell whoever listens of each task, and wait until it was heard."""
    connection = Redis(host=host, port=port, socket_timeout=None)

    def tell(request: Any = None, **_: Any) -> None:
        if not connection.exists(LISTENING):
            return
        heard = f"suite:heard:{uuid4()}"
        args, kwargs, embed = request._Request__payload
        told = {
            "heard": heard,
            "id": request.id,
            "task_name": request.task_name,
            "stamps": request.stamps,
            "stamped_headers": request.stamped_headers,
            "errbacks": request.errbacks,
            "replaced_task_nesting": request.replaced_task_nesting,
            "_Request__payload": [list(args), dict(kwargs), dict(embed)],
        }
        connection.rpush(RECEIVED, json.dumps(told, default=str))
        connection.blpop([heard], 2)

    task_received.connect(tell, weak=False)


class Received:
    """What a worker said of a request."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.__dict__.update(told)


@contextmanager
def heard(connect: Any) -> Iterator[None]:
    """Send the signal here for what a worker receives.

    Args:
        connect: makes a connection to the Redis of both.
    """
    over = Event()

    def listen() -> None:
        connection = connect()
        while not over.is_set():
            if item := connection.blpop([RECEIVED], 0.2):
                told = json.loads(item[1])
                task_received.send(sender=None, request=Received(told))
                connection.rpush(told["heard"], 1)

    connection = connect()
    connection.delete(RECEIVED)
    connection.set(LISTENING, 1)
    listener = Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        connection.delete(LISTENING)
        over.set()
        listener.join(5)
