"""Forger: writes to a client's reply queue what no worker sent."""

import json
import struct
from typing import Any

from kombu.connection import Connection
from kombu.messaging import Producer

from celery_rpc.transport.amqp import frames

#: Bodies that are no reply, with their content types.
GARBAGE: list[tuple[bytes, str]] = [
    (b"", "application/json"),
    (b"\xff\xfe", "application/json"),
    (b"[1]", "application/json"),
    (b"null", "application/json"),
    (b'{"status": "SUCCESS"}', "application/json"),
    (b'{"task_id": 1, "status": {}}', "application/json"),
    (b'{"task_id": "x", "status": "SUCCESS", "result": NaN}', "application/json"),
    (b"[" * 100_000, "application/json"),
    (b"\x80\x04K\x01.", "application/x-python-serialize"),
    (b"{}", "no/type"),
]


class Forger:
    """Publishes over a connection of its own, past any proxy; used by one thread."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self._producer = Producer(self._connection)

    def close(self) -> None:
        """Disconnect."""
        self._connection.release()

    def put(
        self,
        queue: str,
        body: bytes,
        content_type: str = "application/json",
        correlation_id: str | None = None,
        **headers: Any,
    ) -> None:
        """Put one message into a queue that exists."""
        self._producer.publish(
            body,
            exchange="",
            routing_key=queue,
            content_type=content_type,
            content_encoding="utf-8",
            correlation_id=correlation_id,
            headers=headers,
        )

    def put_fields(self, queue: str, **fields: Any) -> None:
        """Put a message into a Redis list with these fields in place of those of a good one."""
        good = {"body": "{}", "content-type": "application/json", "headers": {}, "properties": {}}
        item = json.dumps({**good, **fields})
        self._connection.default_channel.client.lpush(queue, item)

    def put_table(self, queue: str, body: bytes, correlation_id: str, entries: bytes) -> None:
        """Put one message into a queue of RabbitMQ, with these bytes as the entries of its headers.

        py-amqp itself writes none that it could not read.
        """
        channel = self._connection.default_channel
        table = struct.pack(">I", len(entries)) + entries
        flags = frames.CONTENT_TYPE | frames.HEADERS | frames.CORRELATION_ID
        header = struct.pack(">HHQH", 60, 0, len(body), flags)
        header += frames.short("application/json") + table + frames.short(correlation_id)
        method = frames.PUBLISH + b"\0\0\0" + frames.short(queue) + b"\0"
        for kind, payload in ((1, method), (2, header), (3, body)):
            channel.connection.transport.write(frames.frame(kind, channel.channel_id, payload))

    def reply(
        self, queue: str, task_id: str, result: Any, status: str = "SUCCESS", **more: Any
    ) -> None:
        """Put a reply, well formed, in a task's name."""
        meta = {"task_id": task_id, "status": status, "result": result, **more}
        self.put(queue, json.dumps(meta).encode(), correlation_id=task_id)

    def failure(self, queue: str, task_id: str, module: str, name: str, *args: Any) -> None:
        """Put a reply that says that the task raised such an exception."""
        raised = {"exc_type": name, "exc_module": module, "exc_message": args}
        self.reply(queue, task_id, raised, "FAILURE")
