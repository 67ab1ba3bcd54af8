"""Pending: what is known so far of one call that was sent, and who waits for it."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from celery_rpc.calls.call import Call, Decode
from celery_rpc.errors import DeadlineExceeded, ResultError
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import NEVER, Deadline

#: States after which no other comes (celery.states.READY_STATES).
FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})

#: Updates that are kept for a reader who is slow; older ones are dropped.
KEPT_UPDATES = 1_000


@dataclass(frozen=True, slots=True)
class Update:
    """A state that is not final, as the worker reported it: STARTED, RETRY, or the task's own."""

    state: str
    meta: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: a value, or an error to raise."""

    state: str
    value: Any = None
    error: Exception | None = None
    traceback: str | None = None
    #: Ids of the tasks that this one started, as Celery's result tuples.
    children: Any = None
    #: The reply as it came, for whoever passes it on.
    meta: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stops_chain(self) -> bool:
        """Whether nothing comes of what follows; a value that only we cannot read stops nobody."""
        return self.error is not None and not isinstance(self.error, ResultError)


Callback = Callable[[], object]


class Pending:
    """The meeting point of one call's reply and of whoever waits for it, in any thread.

    Waiters are called back once, from the thread that resolves; a callback must neither block nor
    raise. There is no lock that an exception or a fork could leave locked: each change is one step
    of the interpreter, and what was broken off after it is made up for by whoever comes next.
    """

    __slots__ = ("__weakref__", "_callbacks", "_ends", "_read", "_watchers", "call", "deadline",
                 "decode", "explain", "id", "last", "root", "task", "updates")  # fmt: skip

    def __init__(self, id: str, task: str = "", deadline: Deadline = NEVER) -> None:  # noqa: A002
        self.id = id
        self.task = task
        self.deadline = deadline
        #: What was sent, until it has ended: a worker may refuse it, and another one take it.
        self.call: Call | None = None
        #: Says what the call waits for, to those who have waited in vain.
        self.explain: Callable[[], str] | None = None
        #: Id of the root of the canvas that the call is a step of, where it is no root itself.
        self.root: str | None = None
        #: Reads the value into the task's declared type; None: it is given as it came.
        self.decode: Decode | None = None
        #: The first outcome, and few that came at the same moment.
        self._ends: list[Outcome] = []
        #: The last update; ``updates`` has those that nobody has read yet.
        self.last: Update | None = None
        self.updates: deque[Update] = deque(maxlen=KEPT_UPDATES)
        self._read: Outcome | None = None
        self._callbacks: list[Callback] = []
        self._watchers: list[Callback] = []

    @property
    def outcome(self) -> Outcome | None:
        """How the call ended, as it came."""
        return self._ends[0] if self._ends else None

    @property
    def done(self) -> bool:
        return bool(self._ends)

    def read(self) -> Outcome | None:
        """Return how the call ended, with its value in the declared type.

        It is read when it is first wanted, by who wants it. ``outcome`` stays as it came, for
        canvases that pass it on.
        """
        outcome = self.outcome
        if outcome is None or outcome.error is not None or self.decode is None:
            return outcome
        if self._read is None:
            self._read = self._decoded(outcome, self.decode)
        return self._read

    def _decoded(self, outcome: Outcome, decode: Decode) -> Outcome:
        try:
            value = decode(outcome.value)
        except ResultError as error:
            error.task_id = self.id
            return replace(outcome, value=None, error=error)
        return outcome if value is outcome.value else replace(outcome, value=value)

    @property
    def state(self) -> str:
        """The last state that was heard; PENDING before any."""
        if self._ends:
            return self._ends[0].state
        return self.last.state if self.last else "PENDING"

    def resolve(self, outcome: Outcome) -> bool:
        """End the call. The first outcome wins; False says that this was not the first."""
        is_first = not self._ends
        if is_first:
            self._ends.append(outcome)
            is_first = self._ends[0] is outcome
            self.call = self.explain = None
        self._call_back()
        return is_first

    def _call_back(self) -> None:
        """Wake whoever waits for the end; each is taken out by one thread alone."""
        for callbacks in (self._callbacks, self._watchers):
            while callbacks:
                try:
                    callback = callbacks.pop(0)
                except IndexError:  # another thread was quicker
                    break
                callback()

    def fail(self, error: Exception, state: str = "FAILURE") -> bool:
        """End the call with a local error."""
        return self.resolve(Outcome(state, error=error))

    def update(self, update: Update) -> None:
        """Note a state that is not final."""
        if self._ends:
            return
        self.last = update
        self.updates.append(update)
        for watcher in self._watchers[:]:
            watcher()

    def take_updates(self) -> Iterator[Update]:
        """Yield the updates that nobody has read yet."""
        while self.updates:
            try:
                update = self.updates.popleft()
            except IndexError:  # another thread, which follows the call too, was quicker
                return
            yield update

    def on_done(self, callback: Callback) -> None:
        """Call back when the call has ended; at once when it has."""
        self._callbacks.append(callback)
        if self._ends:
            self._call_back()

    def watch(self, watcher: Callback) -> None:
        """Call back at every update and at the end."""
        self._watchers.append(watcher)
        if self._ends:
            self._call_back()

    def abandon(self, error: Exception) -> None:
        """End the call in a child process, where whoever waited is gone."""
        self._callbacks.clear()
        self._watchers.clear()
        self.fail(error)

    def forget(self, callback: Callback) -> None:
        """Remove a callback or a watcher."""
        for callbacks in (self._callbacks, self._watchers):
            with suppress(ValueError):
                callbacks.remove(callback)

    def wait(self, deadline: Deadline) -> Outcome | None:
        """Wait for the end; None when the deadline came first."""
        if self._ends:
            return self.outcome
        bell = Bell()
        self.on_done(bell.ring)
        try:
            bell.wait_for(lambda: bool(self._ends), deadline)
        finally:
            if not self._ends:
                self.forget(bell.ring)
        return self.outcome


@contextmanager
def all_of(pendings: Sequence[Pending], *, or_failure: bool) -> Generator[Pending]:
    """Provide a Pending that ends with the last of several.

    Args:
        or_failure: it ends with the first of them that fails, if one does.
    """
    together = Pending("", "the group")
    awaited = set(range(len(pendings)))

    def ended(number: int, pending: Pending) -> None:
        awaited.discard(number)
        outcome = pending.outcome
        if or_failure and outcome is not None and outcome.error is not None:
            together.resolve(outcome)
        elif not awaited:
            together.resolve(Outcome("SUCCESS"))

    if not pendings:
        together.resolve(Outcome("SUCCESS"))
    callbacks = [
        (pending, partial(ended, number, pending)) for number, pending in enumerate(pendings)
    ]
    try:
        for pending, callback in callbacks:
            pending.on_done(callback)
        yield together
    finally:
        for pending, callback in callbacks:
            pending.forget(callback)


def exceeded(pending: Pending, hint: str = "") -> DeadlineExceeded:
    """Return the error of a call that did not end in time.

    Args:
        hint: what its workers said when they were asked; left out, what it waits for.
    """
    state = pending.state if pending.state != "PENDING" else "unknown"
    explain = pending.explain
    hint = hint or (explain() if explain is not None else "")
    found = f" ({hint})" if hint else ""
    silent = "" if hint else ", or have replaced itself or ignored its result"
    return DeadlineExceeded(
        f"no reply to {pending.task or 'the call'} ({pending.id}) before the deadline; last state "
        f"heard: {state}{found}. It may still run{silent}: allow more time, or look at the service",
        task_id=pending.id,
        state=state,
        hint=hint,
    )
