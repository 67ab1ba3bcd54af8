"""Roll: the workers that have answered, and for how long each has been silent; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from celery_rpc.catalog.model import WorkerReport

#: A worker that was silent in so many sweeps one after the other is gone.
GONE_AFTER = 2


@dataclass(slots=True)
class Entry:
    """What one worker said last."""

    report: WorkerReport
    #: When the sweep began that it answered; all times are of the monotonic clock.
    asked_at: float
    #: Sweeps in which it has been silent since then, and when the last of them ended.
    silences: int = 0
    silent_until: float = -inf


class Roll:
    """The workers, over all sweeps.

    Sweeps may overlap, and each of them counts: an answer is heard whichever sweep asked for it,
    and what a worker said to a newer sweep stays. A worker that is silent in sweeps that overlap
    has been silent once.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    @property
    def reports(self) -> Sequence[WorkerReport]:
        """What each worker said last."""
        # A copy made in one step: other threads may hear more meanwhile.
        return [entry.report for entry in self._entries.copy().values()]

    @property
    def missing(self) -> frozenset[str]:
        """The workers that were silent in the last sweep."""
        return frozenset(node for node, each in self._entries.copy().items() if each.silences)

    def note(self, report: WorkerReport, asked_at: float) -> None:
        """Note the whole answer of a worker to the sweep that began at that time."""
        known = self._entries.get(report.node)
        if known is None or known.asked_at <= asked_at:
            self._entries[report.node] = Entry(report, asked_at)

    def end(self, asked_at: float, ended_at: float) -> None:
        """Note that a sweep has ended: no more answers to it are expected."""
        for node, entry in self._entries.copy().items():
            if entry.asked_at < asked_at and entry.silent_until <= asked_at:
                entry.silences += 1
                entry.silent_until = ended_at
                if entry.silences >= GONE_AFTER:
                    del self._entries[node]
