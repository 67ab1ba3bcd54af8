"""Progress: how far a step has come, and how a run stands."""

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """How far a step has come."""

    #: For what it comes after, or for its turn.
    WAITING = "WAITING"
    SENT = "SENT"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    #: What it comes after has failed: it was never sent.
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


ENDED = frozenset({StepState.SUCCESS, StepState.FAILURE, StepState.SKIPPED, StepState.CANCELLED})


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands: how many of its steps are in which state."""

    waiting: int
    sent: int
    succeeded: int
    failed: int
    skipped: int
    cancelled: int

    @property
    def total(self) -> int:
        return self.waiting + self.sent + self.ended

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.skipped + self.cancelled
