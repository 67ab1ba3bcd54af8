"""Mailboxes: many workers' answers to control commands, given by one thread over a real broker."""

import json
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Consumer, Producer
from redis import Redis

from celery_rpc.transport.headers import Headers
from celery_rpc.transport.redis.link import wrap

Answer = Callable[[str, int], Any]


class Mailboxes:
    """So many mailboxes on a Redis broker; `answer(command, number)` gives each one's body.

    One connection subscribes once a mailbox: Redis counts every pattern that matches, and
    patterns that differ in their number of stars match alike.
    """

    def __init__(self, url: str, count: int, answer: Answer) -> None:
        self.count = count
        self.answer = answer
        self.questions = 0
        self._client = Redis.from_url(url)
        database = self._client.connection_pool.connection_kwargs.get("db", 0)
        self._subscription = self._client.pubsub()
        channel = f"/{database}.celery.pidbox"
        for start in range(0, count, 200):
            numbers = range(start, min(count, start + 200))
            self._subscription.psubscribe(*(channel + "*" * (n + 1) for n in numbers))
        self._stop = Event()
        self._ready = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)
        self._subscription.close()
        self._client.close()

    def _run(self) -> None:
        subscribed = 0
        while not self._stop.is_set():
            message = self._subscription.get_message(timeout=0.1)
            if message is None:
                continue
            if message["type"] == "psubscribe":
                subscribed += 1
                if subscribed == self.count:
                    self._ready.set()
            elif message["type"] == "pmessage":
                number = message["pattern"].count(b"*") - 1
                self._reply(json.loads(message["data"]), number)

    def _reply(self, envelope: dict[str, Any], number: int) -> None:
        from base64 import b64decode

        question = json.loads(b64decode(envelope["body"]))
        self.questions += 1
        body = self.answer(question["method"], number)
        if body is None:
            return
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"ticket": question["ticket"], "clock": 1}
        queue = question["reply_to"]["routing_key"]
        self._client.lpush(queue, wrap(raw, Headers(headers), {}, queue))


class AmqpMailbox:
    """One mailbox on RabbitMQ that answers in the name of so many workers."""

    def __init__(self, url: str, count: int, answer: Answer) -> None:
        self.count = count
        self.answer = answer
        self._connection = Connection(url)
        exchange = Exchange("celery.pidbox", type="fanout", durable=False)
        queue = Queue(uuid4().hex, exchange, exclusive=True, auto_delete=True)
        self._producer = Producer(self._connection)
        self._consumer = Consumer(self._connection, [queue], on_message=self._reply, no_ack=True)
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._consumer.consume()
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)
        self._connection.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue

    def _reply(self, message: Any) -> None:
        question = message.payload
        for number in range(self.count):
            body = self.answer(question["method"], number)
            if body is None:
                continue
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self._producer.publish(
                raw,
                exchange="",
                routing_key=question["reply_to"]["routing_key"],
                content_type="application/json",
                content_encoding="utf-8",
                headers={"ticket": question["ticket"], "clock": 1},
            )


def queue(name: str) -> dict[str, Any]:
    """Return a queue as active_queues tells of it."""
    return {
        "name": name,
        "exchange": {"name": name, "type": "direct"},
        "routing_key": name,
        "queue_arguments": None,
    }


def registered(task: str) -> str:
    """Return a task as registered('backend', 'ignore_result') tells of it."""
    backend = "<celery.backends.rpc.RPCBackend object at 0x7f00deadbeef>"
    return f"{task} [backend={backend} ignore_result=False]"
