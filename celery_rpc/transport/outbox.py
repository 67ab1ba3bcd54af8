"""Outbox: a thread that sends for callers who must not block, many messages by one publish."""

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock, Thread

from celery_rpc.deadline import Deadline, latest
from celery_rpc.errors import ClientClosed
from celery_rpc.transport.message import Envelope, due

#: Most messages that one publish takes.
BATCH = 200

Item = tuple[Envelope, Deadline]


class Outbox:
    """Sends in the background; its thread starts with the first message."""

    def __init__(
        self,
        publish: Callable[[Sequence[Envelope], Deadline], object],
        refuse: Callable[[str, Exception], object],
    ) -> None:
        self._publish = publish
        self._refuse = refuse
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()

    def put(self, envelope: Envelope, patience: Deadline) -> None:
        """Send a message soon.

        Args:
            patience: until when the broker is waited for; a message's own deadline, if it has one.
        """
        self._queue.put((envelope, patience))
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="celery-rpc-outbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = self._take()
            if not batch:
                return
            self._send(batch)

    def _send(self, batch: Sequence[Item]) -> None:
        """Send messages together, which are no more than neighbours.

        One that is in a hurry takes no time from the others: what could not be sent by its deadline
        is left out.
        """
        envelopes = due([envelope for envelope, _ in batch], self._refuse)
        if not envelopes:
            return
        try:
            self._publish(envelopes, latest(patience for _, patience in batch))
        except Exception as error:  # it belongs to those who wait for these replies
            for envelope in envelopes:
                self._refuse(envelope.id, error)

    def _take(self) -> list[Item]:
        first = self._queue.get()
        batch: list[Item] = []
        item: Item | None = first
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH or self._queue.empty():
                break
            item = self._queue.get()
        if item is None and batch:
            self._queue.put(None)  # stop after this batch
        return batch

    def close(self) -> None:
        """End the thread; what was not sent fails."""
        unsent: list[Item] = []
        while not self._queue.empty():
            item = self._queue.get()
            if item is not None:
                unsent.append(item)
        for envelope, _ in unsent:
            self._refuse(envelope.id, ClientClosed())
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=2.0)
