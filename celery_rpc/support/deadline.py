"""Deadline: the absolute end of a wait; timeouts are relative, deadlines are not."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from time import monotonic

#: Longest wait that threading primitives accept everywhere, in seconds.
LONGEST_WAIT = 4_000_000.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, or never."""

    at: float | None

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """Return the deadline that many seconds from now; None means never."""
        return cls(None if seconds is None else monotonic() + seconds)

    def remaining(self) -> float | None:
        """Return the seconds left, never below zero; None means no end."""
        return None if self.at is None else max(0.0, self.at - monotonic())

    def wait(self) -> float:
        """Return the seconds left in the form that threading takes: -1 for no end."""
        return -1 if self.at is None else min(LONGEST_WAIT, max(0.0, self.at - monotonic()))

    def capped(self, seconds: float) -> float:
        """Return the seconds left, at most so many."""
        left = self.remaining()
        return seconds if left is None else min(seconds, left)

    @property
    def passed(self) -> bool:
        return self.at is not None and monotonic() >= self.at

    def earlier(self, other: "Deadline") -> "Deadline":
        """Return the one that comes first."""
        if self.at is None:
            return other
        return self if other.at is None or self.at <= other.at else other

    def later(self, other: "Deadline") -> "Deadline":
        """Return the one that comes last."""
        if self.at is None:
            return self
        return other if other.at is None or self.at <= other.at else self


NEVER = Deadline(None)

#: Has passed: for what must not wait.
NOW = Deadline(float("-inf"))


def latest(deadlines: Iterable[Deadline]) -> Deadline:
    """Return the one of several that comes last."""
    return reduce(Deadline.later, deadlines)
