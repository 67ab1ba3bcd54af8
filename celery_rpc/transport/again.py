"""Again: calls that a worker refused unexecuted, sent once more to the same queue.

In a rolling deploy a queue has workers that know a task and workers that do not yet. One that does
not refuses the message without running it (celery/worker/consumer/consumer.py, on_unknown_task), so
sending it again cannot run it twice.
"""

from collections.abc import Callable
from functools import partial

from celery_rpc.clock import Clock
from celery_rpc.pending import Outcome, Pending

#: Seconds before the first time, and at most; each pause is twice the one before.
PAUSE = (0.05, 1.0)


class Again:
    """Sends calls again, each after a pause, from one thread, which may take its time."""

    def __init__(
        self, wanted: Callable[[Pending, Outcome], bool], send: Callable[[Pending], object]
    ) -> None:
        self._wanted = wanted
        self._send = send
        self._clock = Clock("again")
        self._pauses: dict[str, float] = {}
        self._closed = False

    def put(self, pending: Pending, refusal: Outcome) -> None:
        """Send a call again after a pause, or end it with the refusal."""
        first, longest = PAUSE
        task_id = pending.id
        if task_id not in self._pauses:
            pending.on_done(lambda: self._pauses.pop(task_id, None))
        pause = self._pauses[task_id] = min(longest, self._pauses.get(task_id, 0.0) * 2 or first)
        self._clock.after(pause, partial(self._try, pending, refusal))

    def _try(self, pending: Pending, refusal: Outcome) -> None:
        if self._closed:
            return
        left = pending.deadline.remaining()
        try:
            if (left is None or left > 0) and self._wanted(pending, refusal):
                self._send(pending)
            else:
                pending.resolve(refusal)
        except Exception as error:  # it belongs to whoever waits for the reply
            pending.fail(error)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._clock.close()
