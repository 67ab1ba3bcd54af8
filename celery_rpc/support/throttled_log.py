"""RateLimited: a logger for what may happen thousands of times a second."""

import logging
from time import monotonic

#: Seconds between two messages of one kind.
EVERY = 10.0


class RateLimited:
    """Logs the first message of a kind, and then one in ten seconds, with how many were left out.

    A kind is the message before its arguments are put in. Two threads at once may log one message
    too many: a lock could stay locked.
    """

    def __init__(self, logger: logging.Logger, every: float = EVERY) -> None:
        self.logger = logger
        self.every = every
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def log(self, level: int, message: str, *args: object, exc_info: bool = False) -> None:
        """Log, or count what is not logged."""
        now = monotonic()
        if now < self._next.get(message, now):
            self._left_out[message] = self._left_out.get(message, 0) + 1
            return
        self._next[message] = now + self.every
        left_out = self._left_out.pop(message, 0)
        more = f" ({left_out:,} more since the last of this kind)" if left_out else ""
        self.logger.log(level, message + more, *args, exc_info=exc_info)

    def warning(self, message: str, *args: object) -> None:
        self.log(logging.WARNING, message, *args)

    def exception(self, message: str, *args: object) -> None:
        self.log(logging.ERROR, message, *args, exc_info=True)
