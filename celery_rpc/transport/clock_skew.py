"""Skew: how far the workers' clocks are ahead of ours, as their replies tell."""

from datetime import datetime
from time import monotonic, time
from typing import Any

#: Seconds between two looks, and seconds after which older looks count no more.
EVERY, WINDOW = 1.0, 60.0

#: What is less, in seconds, is taken for the time that a reply takes; what is more, for no clock at
#: all: a reply may say any time, and all later calls would be allowed for it.
NOTICEABLE, FURTHEST = 1.0, 86_400.0


class Skew:
    """Compares the time that a worker put on a reply with the time at which it came.

    A reply may take any time, so a clock that is behind cannot be told from a slow reply; one that
    is ahead can. The reader's thread writes, others read.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self._looked_at = self._began_at = float("-inf")

    @property
    def ahead(self) -> float:
        """Seconds by which the worker that is the furthest ahead is so; 0 where none is."""
        return self._ahead if self._ahead >= NOTICEABLE else 0.0

    def note(self, date_done: Any) -> None:
        """Look at the time on a reply (Celery's date_done, ISO 8601), now and then."""
        now = monotonic()
        if now - self._looked_at < EVERY and self._ahead < NOTICEABLE:
            return
        self._looked_at = now
        ahead = seconds_ahead(date_done)
        if ahead is None or ahead > FURTHEST:
            return
        if ahead > self._ahead or now - self._began_at > WINDOW:
            self._ahead, self._began_at = ahead, now


def seconds_ahead(date_done: Any) -> float | None:
    """Return how many seconds a time is ahead of our clock; None if it is no time with a zone."""
    try:
        done = datetime.fromisoformat(date_done)
        return None if done.tzinfo is None else done.timestamp() - time()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
