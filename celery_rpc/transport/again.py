"""Again: calls that a worker refused unexecuted, sent once more to the same queue.

In a rolling deploy a queue has workers that know a task and workers that do not yet. One that does
not refuses the message without running it (celery/worker/consumer/consumer.py, on_unknown_task), so
sending it again cannot run it twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from time import monotonic
from weakref import WeakKeyDictionary

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.errors import NoSuchTask
from celery_rpc.support.timers import Clock

#: Seconds before the first time, and at most; each pause is twice the one before.
PAUSE = (0.05, 1.0)

#: Refusals in a row after which a task is refused here, too, although all workers seem to have it.
MAX_STRANGE = 5


class Known(Enum):
    """Which workers on a queue have a task that one of them refused."""

    BY_NONE = "none"
    BY_SOME = "some, and others do not"
    BY_ALL = "all that have answered: there may be one that has not"


#: Finds out which workers have the task that one refused, since when (on the monotonic clock);
#: completes the refusal.
KnownElsewhere = Callable[[Call, NoSuchTask, float], Known]


@dataclass(slots=True)
class Refusals:
    """What is known of the refusals of one call."""

    pause: float = 0.0
    #: When the last one came, on the monotonic clock.
    came_at: float = 0.0
    #: How many came one after the other although all workers have the task.
    strange: int = 0


class Again:
    """Sends calls again, each after a pause, from one thread, which may take its time."""

    def __init__(self, known_elsewhere: KnownElsewhere, send: Callable[[Pending], object]) -> None:
        self._known_elsewhere = known_elsewhere
        self._send = send
        self._clock = Clock("again")
        self._refusals: WeakKeyDictionary[Pending, Refusals] = WeakKeyDictionary()
        self._closed = False

    def put(self, pending: Pending, refusal: Outcome) -> None:
        """Send a call again after a pause, or end it with the refusal."""
        first, longest = PAUSE
        refusals = self._refusals.setdefault(pending, Refusals())
        refusals.came_at = monotonic()
        refusals.pause = min(longest, refusals.pause * 2 or first)
        self._clock.after(refusals.pause, partial(self._try, pending, refusal, refusals))

    def _try(self, pending: Pending, refusal: Outcome, refusals: Refusals) -> None:
        if self._closed or pending.done:
            return
        try:
            if not pending.deadline.passed and self._is_worth(pending, refusal, refusals):
                self._send(pending)
            else:
                pending.resolve(refusal)
        except Exception as error:  # it belongs to whoever waits for the reply
            pending.fail(error)

    def _is_worth(self, pending: Pending, refusal: Outcome, refusals: Refusals) -> bool:
        """Whether a worker may take the call."""
        call, error = pending.call, refusal.error
        if call is None or not isinstance(error, NoSuchTask):
            return False
        known = self._known_elsewhere(call, error, refusals.came_at)
        refusals.strange = refusals.strange + 1 if known is Known.BY_ALL else 0
        return known is not Known.BY_NONE and refusals.strange <= MAX_STRANGE

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._clock.close()
