"""Commands: what a run's machine asks of whoever drives it; and the alarms that it sets.

``place`` is that of a node in its graph.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from celery_rpc.calls.pending import Outcome
from celery_rpc.canvas.progress import StepState


class AlarmKind(StrEnum):
    """What an alarm is for."""

    #: The run's deadline.
    DEADLINE = "deadline"
    #: There may be room for more calls.
    ROOM = "room"
    #: An attempt of a step must have ended.
    TIMEOUT = "timeout"
    #: The pause before the next attempt of a step is over.
    RETRY = "retry"


class Alarm(NamedTuple):
    """A time at which the machine wants to be called; one that it no longer knows is void."""

    kind: AlarmKind
    #: Seconds, on the driver's clock.
    due: float
    #: The step, and the number of its attempt; those of the run have neither.
    place: int = -1
    attempt: int = 0


class Send(NamedTuple):
    """Send a step, then call ``sent``; or else ``no_room``, or ``landed`` with its failure."""

    place: int
    attempt: int


class Expect(NamedTuple):
    """Expect the result of a call that was made elsewhere, or before; ``landed`` takes it."""

    place: int
    attempt: int


class Wake(NamedTuple):
    """Call ``alarm`` at its time."""

    alarm: Alarm


class Drop(NamedTuple):
    """Expect no more of the call of a step: the run goes on without it."""

    place: int
    attempt: int


class CallErrback(NamedTuple):
    """Call an errback, because a node has failed, with the id of the canvas that failed by it."""

    place: int
    #: The node that has the result of that canvas.
    end: int
    errback: Any
    error: Exception


class Move(NamedTuple):
    """Report to whoever watches that a node has come further."""

    place: int
    state: StepState


class Decide(NamedTuple):
    """Report to whoever waits the value of the run, or the first failure that it depends on."""

    outcome: Outcome


class Finish(NamedTuple):
    """Every node has ended."""


Command = Send | Expect | Wake | Drop | CallErrback | Move | Decide | Finish
