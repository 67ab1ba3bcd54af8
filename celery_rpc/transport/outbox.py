"""Outbox: a thread that sends for callers who must not block, many messages by one publish."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from celery_rpc.errors import ClientClosed, OutcomeUnknown
from celery_rpc.support.daemon import Daemon
from celery_rpc.support.deadline import Deadline, latest
from celery_rpc.transport.call_message import Envelope, due

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
        self._daemon = Daemon(self._run, "celery-rpc-outbox")
        self._closed = False

    def put(self, envelope: Envelope, patience: Deadline) -> None:
        """Send a message soon.

        Args:
            patience: until when the broker is waited for; a message's own deadline, if it has one.
        """
        self._queue.put((envelope, patience))
        if self._closed:
            self.close()
        else:
            self._daemon.ensure()

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
            self._fail(envelopes, error)
        except BaseException:
            self._fail(envelopes, OutcomeUnknown("the thread that sent it was broken off"))
            raise

    def _fail(self, envelopes: Sequence[Envelope], error: Exception) -> None:
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
        self._closed = True
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    self._fail([item[0]], ClientClosed())
        if self._daemon.alive:
            self._queue.put(None)
            self._daemon.join(timeout=2.0)
