"""Again: calls that a worker refused unexecuted, sent once more to the same queue.

In a rolling deploy a queue has workers that know a task and workers that do not yet. One that does
not refuses the message without running it (celery/worker/consumer/consumer.py, on_unknown_task), so
sending it again cannot run it twice.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Thread
from time import monotonic

from celery_rpc.pending import Outcome, Pending

#: Seconds before the first time, and at most; each pause is twice the one before.
PAUSE = (0.05, 1.0)

_order = count()


@dataclass(order=True)
class Attempt:
    """One call to send again, and what it ends with when that makes no sense."""

    due: float
    number: int
    pending: Pending = field(compare=False)
    end: Callable[[], Outcome] = field(compare=False)


class Again:
    """One thread that waits for what is due, deadlines included; it starts when it is needed."""

    def __init__(
        self, wanted: Callable[[Pending, Outcome], bool], send: Callable[[Pending], object]
    ) -> None:
        self._wanted = wanted
        self._send = send
        self._due: list[Attempt] = []
        self._pauses: dict[str, float] = {}
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def put(self, pending: Pending, refusal: Outcome) -> None:
        """Send a call again after a pause, or end it with the refusal."""
        first, longest = PAUSE
        with self._changed:
            pause = self._pauses.get(pending.id, 0.0)
            if not pause:
                task_id = pending.id
                pending.on_done(lambda: self._pauses.pop(task_id, None))
            pause = self._pauses[pending.id] = min(longest, pause * 2 or first)
            self._push(Attempt(monotonic() + pause, next(_order), pending, lambda: refusal))

    def end(self, pending: Pending, outcome: Callable[[], Outcome]) -> None:
        """End a call with this at its deadline, where it has one: nobody waits who would see it."""
        if pending.deadline.at is not None:
            with self._changed:
                self._push(Attempt(pending.deadline.at, next(_order), pending, outcome))

    def _push(self, attempt: Attempt) -> None:
        heapq.heappush(self._due, attempt)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="celery-rpc-again", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while (attempt := self._next()) is not None:
            pending = attempt.pending
            try:
                if self._makes_sense(attempt):
                    self._send(pending)
                    continue
            except Exception as error:  # it belongs to whoever waits for the reply
                pending.fail(error)
            pending.resolve(attempt.end())

    def _makes_sense(self, attempt: Attempt) -> bool:
        left = attempt.pending.deadline.remaining()
        return (left is None or left > 0) and self._wanted(attempt.pending, attempt.end())

    def _next(self) -> Attempt | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0].due - monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)
                self._changed.wait(wait)
            return None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
