"""Tally: what became of the calls of a soak, counted, with a few bits kept of each."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path
from threading import Lock
from time import monotonic

from celery_rpc import RpcError, Unavailable

#: Problems that are shown in full.
SHOWN = 20


class Fate(IntFlag):
    """What is kept of one call until the worker's ledger is read."""

    NOTHING = 0
    #: delay() or batch() gave a Reply: the broker has it.
    CONFIRMED = 1
    #: It ended as Unavailable: it was certainly not sent.
    UNSENT = 2
    #: It ended with its value.
    VALUE = 4
    #: Its task is acknowledged after it ran, and has no expiry: once confirmed, it must run.
    MUST_RUN = 8
    #: Somebody else gave its value first.
    FED = 16


class Tally:
    """Counts how calls ended, and how late; any thread may use it."""

    def __init__(self) -> None:
        self.endings: Counter[str] = Counter()
        self.worst = 0.0
        self.wrong: list[str] = []
        #: Calls that have not ended, and when each must have.
        self.open: dict[int, float] = {}
        self._fates = bytearray(1)
        self._lock = Lock()

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return len(self._fates) - 1

    def begin(self, fate: Fate = Fate.NOTHING) -> int:
        """Return the number of a new call."""
        with self._lock:
            self._fates.append(fate)
            return len(self._fates) - 1

    def mark(self, number: int, fate: Fate) -> None:
        """Note something more of a call."""
        with self._lock:
            self._fates[number] |= fate

    @contextmanager
    def bounded(self, number: int, seconds: float) -> Iterator[None]:
        """Watch a part of a call that must end within so many seconds, however it ends."""
        ends = self.open[number] = monotonic() + seconds
        try:
            yield
        finally:
            self.open.pop(number, None)
            self.worst = max(self.worst, monotonic() - ends)

    def gave(self, number: int, value: object) -> None:
        """Note a call's value."""
        with self._lock:
            self.endings["value"] += 1
        self.mark(number, Fate.VALUE)
        if value != 2 * number:
            self.blame(f"call {number} gave {value!r}")

    def failed(self, number: int, error: Exception) -> None:
        """Note a call's error."""
        with self._lock:
            self.endings[type(error).__name__] += 1
        if isinstance(error, Unavailable):
            self.mark(number, Fate.UNSENT)
        if not isinstance(error, RpcError):
            self.blame(f"call {number} raised {error!r}")

    def blame(self, text: str) -> None:
        """Note something that must not be."""
        with self._lock:
            self.wrong.append(text)

    def overdue(self, grace: float) -> list[int]:
        """Return the calls that should have ended so many seconds ago."""
        now = monotonic()
        return [number for number, ends in list(self.open.items()) if now > ends + grace]

    # ----- against what the worker wrote down

    def unrun(self, ledger: Path) -> list[int]:
        """Return the calls that were confirmed and must run, and did not."""
        run = {abs(number) for number in entries(ledger)}
        must = Fate.CONFIRMED | Fate.MUST_RUN
        return [
            number
            for number, fate in enumerate(self._fates)
            if Fate(fate) & must == must and number not in run
        ]

    def audit(self, ledger: Path) -> int:
        """Blame what the ledger contradicts; return how many calls the broker gave out again."""
        first = Counter(number for number in entries(ledger) if number > 0)
        again = {-number for number in entries(ledger) if number < 0}
        for number, fate in enumerate(self._fates):
            runs = first[number] + (number in again)
            if first[number] > 1:
                self.blame(f"call {number} reached the broker {first[number]} times")
            if fate & Fate.UNSENT and runs:
                self.blame(f"call {number} was run, and was said not to be sent")
            if fate & Fate.VALUE and not runs and not fate & Fate.FED:
                self.blame(f"call {number} gave a value and was never run")
        return len(again)


def entries(ledger: Path) -> Iterator[int]:
    """Read the worker's ledger (tests/workers/ledger.py)."""
    if ledger.exists():
        with ledger.open() as lines:
            yield from map(int, lines)
