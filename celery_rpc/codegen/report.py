"""Report: what became Any or was left out, and why."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Gap(NamedTuple):
    """One thing that is not typed as well as it might be."""

    queue: str
    task: str
    #: A parameter, ``return``, a model; empty for the task itself.
    where: str
    reason: str


@dataclass(slots=True)
class Report:
    """What was written, and the gaps in it."""

    services: int = 0
    tasks: int = 0
    models: int = 0
    gaps: list[Gap] = field(default_factory=list[Gap])

    def add(self, queue: str, task: str, where: str, reason: str) -> None:
        """Note a gap, once."""
        gap = Gap(queue, task, where, reason)
        if gap not in self._seen:
            self._seen.add(gap)
            self.gaps.append(gap)

    _seen: set[Gap] = field(default_factory=set[Gap])
