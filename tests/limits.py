"""Limits: by when something has to end, on a machine that may itself be late."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep

import pytest

from celery_rpc import RpcError

#: Seconds by which a call may end after its deadline.
GRACE = 0.5
#: Seconds for what a test does besides.
SLACK = 1.5


class Metronome:
    """Measures for how long this process could not run although it was to: others had the machine.

    It sleeps a moment again and again; what each sleep takes beyond that is lost.
    """

    BEAT = 0.02

    def __init__(self) -> None:
        self._lost = 0.0
        self._due = monotonic() + self.BEAT
        Thread(target=self._run, name="metronome", daemon=True).start()

    def _run(self) -> None:
        while True:
            sleep(self.BEAT)
            now = monotonic()
            self._lost += max(0.0, now - self._due)
            self._due = now + self.BEAT

    @property
    def lost(self) -> float:
        """Seconds lost until now: of interest is how they grow."""
        return self._lost + max(0.0, monotonic() - self._due)


METRONOME = Metronome()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Hold a block to a deadline: it may take so many seconds, a grace, and what the machine lost.

    What takes longer for another reason than its deadline is no business of a test.
    """
    began, lost = monotonic(), METRONOME.lost
    yield
    took, lost = monotonic() - began, METRONOME.lost - lost
    assert took < seconds + GRACE + SLACK + lost, f"{took:.2f} s, of which {lost:.2f} s were lost"


def fails(call: Callable[[], object], *kinds: type[RpcError], within: float) -> RpcError:
    """Return the error, of one of these kinds, with which a call ends within so many seconds."""
    with ends_within(within), pytest.raises(kinds) as caught:
        call()
    return caught.value
