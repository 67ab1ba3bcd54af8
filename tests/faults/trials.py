"""Trials: calls under observation, each with the value that it must give and its deadline."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from celery_rpc import (
    CallCancelled,
    DeadlineExceeded,
    OutcomeUnknown,
    RemoteError,
    ReplyLost,
    ResultError,
    Unavailable,
)
from tests.limits import GRACE, METRONOME

#: What a call may end with when the network, the broker or the worker failed it.
HONEST: tuple[type[BaseException], ...] = (Unavailable, OutcomeUnknown)

#: What it may end with, too, when this was done to it.
EARNED: dict[str, tuple[type[BaseException], ...]] = {
    "cancelled": (CallCancelled, asyncio.CancelledError),
    "forged": (RemoteError,),
    "garbled": (ResultError,),
}


@dataclass(eq=False)
class Trial:
    """One call: when it began, and how it ended."""

    number: int
    way: str
    timeout: float
    began: float = field(default_factory=monotonic)
    ended: float | None = None
    #: What the machine had lost when it began, and when it ended.
    lost_before: float = field(default_factory=lambda: METRONOME.lost)
    lost_after: float = 0.0
    value: Any = None
    #: The class of its error, and its text; the error itself would keep the client's frames.
    error: type[BaseException] | None = None
    text: str = ""
    #: How often it ended, for the caller and for its done callback.
    ends: int = 0
    callbacks: int = 0
    #: What was done to it: keys of EARNED, and "fed" where a reply was forged that is right.
    suffered: set[str] = field(default_factory=set)
    #: There while it is open, where the way of calling gives one.
    reply: Any = None

    @property
    def open(self) -> bool:
        return self.ended is None

    @property
    def overshoot(self) -> float:
        """Seconds by which it ended, or still goes on, after its deadline."""
        return (self.ended or monotonic()) - self.began - self.timeout

    @property
    def is_late(self) -> bool:
        """Whether it ended too late, or still goes on: later than the machine itself was."""
        lost = (METRONOME.lost if self.open else self.lost_after) - self.lost_before
        return self.overshoot > GRACE + lost

    def end(self, get: Callable[[], Any]) -> None:
        """Wait for the value or the error, and note it."""
        try:
            self.close(get(), None)
        except Exception as error:
            self.close(None, error)

    def close(self, value: Any, error: BaseException | None) -> None:
        """Note how it ended."""
        self.ended, self.lost_after = monotonic(), METRONOME.lost
        self.ends += 1
        self.value = value
        if error is not None:
            self.error, self.text = type(error), repr(error)
        if self.reply is not None and isinstance(error, DeadlineExceeded):
            self.reply.forget()
        self.reply = None

    @property
    def ending(self) -> str:
        """The class of its end."""
        return "value" if self.error is None else self.error.__name__

    def problems(self, runs: int) -> Iterator[str]:
        """Yield what is wrong with a call that ended, after the worker ran it so many times."""
        if self.ends != 1 or self.callbacks > 1:
            yield f"ended {self.ends} times, {self.callbacks} for its callback"
        if self.is_late:
            yield f"ended {self.overshoot:.2f} s after its deadline"
        if runs > 1:
            yield f"was run {runs} times"
        if self.error is None:
            yield from self._wrong_value(runs)
        elif not self._is_honest(self.error):
            yield f"ended with {self.text}"
        elif issubclass(self.error, Unavailable) and runs:
            yield f"was run, and said that it was not sent: {self.text}"

    def _wrong_value(self, runs: int) -> Iterator[str]:
        if self.value != 2 * self.number:
            yield f"gave {self.value!r}"
        if not runs and "fed" not in self.suffered:
            yield "gave a value and was never run"

    def _is_honest(self, error: type[BaseException]) -> bool:
        earned = tuple(cls for name in self.suffered for cls in EARNED.get(name, ()))
        if self.overshoot >= 0:
            earned += (CallCancelled,)  # the worker said first that the message had expired
        return issubclass(error, HONEST + earned) and not issubclass(error, ReplyLost)


class Trials:
    """Begins calls in every way, each in a thread or in the event loop, and keeps them."""

    def __init__(self, task: Any, ledger: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._task = task
        self._ledger = ledger
        self._loop = loop
        self._numbers = count(1)
        self._threads: list[Thread] = []
        self.all: list[Trial] = []

    def begin(self, way: str, timeout: float, seconds: float, size: int = 1) -> list[Trial]:
        """Call with this deadline a task that takes so many seconds.

        Args:
            way: "call", "delay", "aio" or "batch".
            size: calls in a batch.
        """
        trials = [Trial(next(self._numbers), way, timeout) for _ in range(size)]
        self.all += trials
        task = self._task.options(timeout=timeout)
        arguments = [(str(self._ledger), trial.number, seconds) for trial in trials]
        if way == "aio":
            asyncio.run_coroutine_threadsafe(_await(task, trials[0], arguments[0]), self._loop)
        else:
            thread = Thread(target=WAYS[way], args=(task, trials, arguments), daemon=True)
            self._threads.append(thread)
            thread.start()
        return trials

    @property
    def open(self) -> list[Trial]:
        """The calls that have not ended."""
        return [trial for trial in self.all if trial.open]

    def late(self) -> list[Trial]:
        """Return the open calls that should have ended."""
        return [trial for trial in self.open if trial.is_late]

    def runs(self) -> Counter[int]:
        """Count how often each call was run."""
        if not self._ledger.exists():
            return Counter()
        return Counter(abs(int(line)) for line in self._ledger.read_text().split())

    def problems(self) -> list[str]:
        """Return what is wrong with the calls that ended."""
        runs = self.runs()
        return [
            f"{trial.way} {trial.number} {problem}"
            for trial in self.all
            if not trial.open
            for problem in trial.problems(runs[trial.number])
        ]

    def join(self) -> None:
        """Wait for the threads of calls that have ended."""
        for thread in self._threads:
            thread.join(5)


Arguments = Sequence[tuple[str, int, float]]


def _call(task: Any, trials: Sequence[Trial], arguments: Arguments) -> None:
    trials[0].end(lambda: task(*arguments[0]))


def _delay(task: Any, trials: Sequence[Trial], arguments: Arguments) -> None:
    trials[0].end(lambda: _watched(trials[0], task.delay(*arguments[0])).get())


def _batch(task: Any, trials: Sequence[Trial], arguments: Arguments) -> None:
    try:
        replies = task.batch(arguments)
    except Exception as error:
        for trial in trials:
            trial.close(None, error)
        return
    for trial, reply in zip(trials, replies, strict=True):
        trial.end(_watched(trial, reply).get)


async def _await(task: Any, trial: Trial, arguments: tuple[str, int, float]) -> None:
    try:
        trial.close(await task.aio(*arguments), None)
    except (Exception, asyncio.CancelledError) as error:
        trial.close(None, error)


def _watched(trial: Trial, reply: Any) -> Any:
    def called_back(_: Any) -> None:
        trial.callbacks += 1

    reply.add_done_callback(called_back)
    trial.reply = reply
    return reply


WAYS = {"call": _call, "delay": _delay, "batch": _batch}
