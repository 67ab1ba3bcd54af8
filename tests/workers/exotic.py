"""A stock Celery app on queues that a plain queue= could not reach."""

# mypy: disable-error-code="untyped-decorator,no-untyped-call"
# Celery ships no types.

import os

from celery import Celery
from kombu.entity import Exchange, Queue

app = Celery("exotic")
app.conf.broker_connection_retry_on_startup = True
app.conf.task_default_queue = "exotic-default"
topic = Exchange("exotic-topic", type="topic")
queues = [
    Queue("odd.name with-spaces", Exchange("odd"), routing_key="odd-key"),
    Queue("by-topic", topic, routing_key="img.#"),
    Queue("by-other-topic", topic, routing_key="img.*"),
    Queue("on-default-exchange", Exchange(""), routing_key="on-default-exchange"),
]
if os.environ.get("EXOTIC_AMQP"):
    queues += [
        Queue(
            "quorum", Exchange("quorum"), routing_key="quorum",
            queue_arguments={"x-queue-type": "quorum"},
        ),
        Queue("urgent", Exchange("urgent"), routing_key="urgent", max_priority=10),
    ]  # fmt: skip
    app.conf.worker_detect_quorum_queues = True
app.conf.task_queues = queues


@app.task(name="where")
def where(value: int = 0) -> int:
    """Return what came, plus one."""
    return value + 1


@app.task(name="delay")
def delay() -> str:
    """Have the name of a method of proxies."""
    return "delay"


@app.task(name="class")
def class_() -> str:
    """Have the name of a keyword."""
    return "class"


@app.task(name="by-topic.where")
def clash() -> str:
    """Want the same attribute as another task."""
    return "clash"


@app.task(name="deep.er.task-with-dash")
def deep() -> str:
    """Have dots and dashes."""
    return "deep"


@app.task(name="naïve.ünïcode")
def unicode_name() -> str:
    """Have letters beyond ASCII."""
    return "unicode"


@app.task(name="evil\x1b[31m\nname")
def evil() -> str:
    """Have control characters."""
    return "evil"
