"""Reply: what a call gives back at once; the value comes later."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol

from celery.result import AsyncResult, result_from_tuple
from typing_extensions import TypeVar
from vine import promise

from celery_rpc.calls import event_loops
from celery_rpc.calls.pending import Outcome, Pending, Update, exceeded
from celery_rpc.calls.updates import Updates
from celery_rpc.settings.client_options import UNSET, Unset, check_seconds
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import Deadline

log = logging.getLogger("celery_rpc.calls.reply")

R = TypeVar("R", default=Any)

if TYPE_CHECKING:  # celery ships no types; what Reply does not define itself is typed here

    class ResultBase:
        parent: Any

        def collect(self, intermediate: bool = False, **kwargs: Any) -> Iterator[Any]: ...
        def as_tuple(self) -> tuple[Any, Any]: ...
        def as_list(self) -> list[str]: ...
        def revoke_by_stamped_headers(
            self,
            headers: Mapping[str, Any],
            connection: Any = None,
            terminate: bool = False,
            signal: str | None = None,
            wait: bool = False,
            timeout: float | None = None,
        ) -> None: ...
else:
    ResultBase = AsyncResult


class Cancellation(StrEnum):
    """What cancel() found."""

    #: Too late: the call had ended.
    FINISHED = "FINISHED"
    #: A worker dropped or terminated it.
    REVOKED = "REVOKED"
    #: No worker that answered was running it; each will drop it when it meets it.
    FLAGGED = "FLAGGED"
    #: A worker runs it and was not asked to stop: cancel(terminate=True) stops it.
    RUNNING = "RUNNING"
    #: No worker answered: it may still run.
    UNANSWERED = "UNANSWERED"


class ReplyOwner(Protocol):
    """What a Reply needs of the client that it came from."""

    @property
    def app(self) -> Any: ...
    @property
    def timeout(self) -> float | None: ...
    def hold(self, pending: Pending) -> None: ...
    def forget(self, task_id: str) -> None: ...
    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation: ...


class Reply(ResultBase, Generic[R]):
    """The result of one call, now or later: a celery ``AsyncResult`` that can also be awaited.

    Any thread and any event loop may wait for it, any number of times. Celery's own methods keep
    their meaning, but for two: ``get()`` without a timeout ends with the call's deadline, or else
    after the client's default timeout; ``timeout=None`` waits for ever.
    """

    def __init__(self, pending: Pending, owner: ReplyOwner, parent: Any = None) -> None:
        # AsyncResult's constructor is not called: it asks the app for its backend, which costs
        # more than the call. What it would set is set here, or made when first asked for.
        self.pending = pending
        self.owner = owner
        self.id = pending.id
        self.parent = parent
        self._cache = None
        self.ignored = False

    # ----- the value

    def get(
        self,
        timeout: float | Unset | None = UNSET,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], object] | None = None,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        disable_sync_subtasks: bool = True,
        **compat: Any,
    ) -> R:
        """Wait for the value.

        Args:
            timeout: seconds from now. Left out: until the call's deadline where it has one, else
                the client's default. None: for ever.
            propagate: raise the error of a failed call; False returns it.
            follow_parents: a failed parent fails this call too.
            callback: called with the id and the value.
            on_message: called with every state that is heard meanwhile.

        Raises:
            DeadlineExceeded: no reply in time; the call goes on and can be waited for again.
            RemoteError: the task raised.
            RpcError: the call failed; the class says how.
        """
        if self.ignored:
            return None  # type: ignore[return-value]
        deadline = self.deadline(timeout)
        if on_message is not None:
            for update in self.updates(timeout=deadline.remaining()):
                on_message({"task_id": self.id, "status": update.state, "result": update.meta})
        outcome = self._wait(deadline, follow_parents and propagate)
        if outcome.error is None:
            outcome = self.pending.read() or outcome
        if outcome.error is not None:
            if propagate:
                raise outcome.error.with_traceback(None)
            value: Any = outcome.error
        else:
            value = outcome.value
        if callback is not None:
            callback(self.id, value)
        return value  # type: ignore[no-any-return]

    wait = get

    def deadline(self, timeout: float | Unset | None = UNSET) -> Deadline:
        """Return the end of a wait that starts now."""
        if timeout is UNSET:
            call = self.pending.deadline
            return call if call.at is not None else Deadline.after(self.owner.timeout)
        if timeout == 0:
            return Deadline.after(0)
        check_seconds("timeout", timeout, none_is="no deadline")
        return Deadline.after(timeout)

    def _wait(self, deadline: Deadline, follow_parents: bool) -> Outcome:
        parents = self._parents_pending() if follow_parents else []
        outcome = _wait_family(self.pending, parents, deadline)
        if outcome is None:
            raise exceeded(self.pending)
        return outcome

    def __await__(self) -> Generator[Any, None, R]:
        return self._await().__await__()

    async def _await(self, deadline: Deadline | None = None) -> R:
        if self.ignored:
            return None  # type: ignore[return-value]
        outcome = await event_loops.outcome_of(self.pending, deadline or self.deadline())
        if outcome is None:
            raise exceeded(self.pending)
        outcome = self.pending.read() or outcome
        if outcome.error is not None:
            raise outcome.error.with_traceback(None)
        return outcome.value  # type: ignore[no-any-return]

    def updates(self, timeout: float | Unset | None = UNSET) -> Updates:
        """Follow the states that come before the end: STARTED, RETRY and the task's own.

        Iterate with ``for`` or with ``async for``. It ends with the call, whatever the outcome;
        get() then has it.

        Raises:
            DeadlineExceeded: the call did not end in time.
        """
        return Updates(self.pending, self.deadline(timeout))

    # ----- callbacks

    def add_done_callback(self, callback: "Callable[[Reply[R]], object]") -> None:
        """Call ``callback(reply)`` when the call has ended, in the thread that ends it.

        A call that has a deadline ends there at the latest. The client keeps the reply until then.
        The callback must not block. An exception that it raises is logged.
        """
        self.owner.hold(self.pending)

        def call_back() -> None:
            try:
                callback(self)
            except Exception:  # it is the user's, and other callbacks wait behind it
                log.exception("a done callback of %r failed", self)

        self.pending.on_done(call_back)

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        """Call ``callback(reply)`` when the call has ended (Celery's name for it)."""
        return self.on_ready.then(callback, on_error)

    @property
    def on_ready(self) -> Any:
        made = promise()
        kept = self.__dict__.setdefault("_on_ready", made)  # others may make one at the same time
        if kept is made:
            self.add_done_callback(made)
        return kept

    # ----- the state

    @property
    def done(self) -> bool:
        """True when the call has ended."""
        return self.pending.done

    def ready(self) -> bool:
        return self.pending.done

    def successful(self) -> bool:
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        return self.state == "FAILURE"

    @property
    def state(self) -> str:
        """The last state that was heard; PENDING before any."""
        return self.pending.state

    status = state

    @property
    def result(self) -> Any:
        """The value, the error, or the meta of the last state."""
        return self._get_task_meta()["result"]

    info = result

    @property
    def traceback(self) -> str | None:
        """The remote traceback of a failed call, as text."""
        return self.pending.outcome.traceback if self.pending.outcome else None

    @property
    def children(self) -> Sequence[Any]:
        """The results of what the task started, where its worker keeps a trail of them."""
        outcome = self.pending.outcome
        if outcome is None or not isinstance(outcome.children, list):
            return []
        children = [result_from_tuple(child, self.app) for child in outcome.children]
        return [each for each in children if each.id != self.id]  # that is its relay

    @property
    def name(self) -> str:
        """The task's name."""
        return self.pending.task

    def exists(self) -> bool:
        return self.pending.done or self.pending.last is not None

    def maybe_throw(
        self, propagate: bool = True, callback: Callable[[str, Any], object] | None = None
    ) -> Any:
        outcome = self.pending.read()
        if outcome is not None and outcome.error is not None and propagate:
            raise outcome.error.with_traceback(None)
        if callback is not None:
            callback(self.id, self.result)
        return self.result

    maybe_reraise = maybe_throw

    # ----- the end of it

    def cancel(
        self, *, terminate: bool = False, signal: str = "SIGTERM", timeout: float = 1.0
    ) -> Cancellation:
        """Ask every worker to drop the call, and say what was found.

        Args:
            terminate: stop it where it runs (pools of processes can).
            signal: what a running one is sent.
            timeout: seconds to wait for the workers' answers.
        """
        return self.owner.cancel(self.pending, terminate, signal, timeout)

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Ask every worker to drop the call (Celery's name for cancel)."""
        self.owner.cancel(self.pending, terminate, signal or "SIGTERM", (timeout or 1.0) * wait)

    def forget(self) -> None:
        """Let go of the call: its reply will be dropped."""
        if self.parent is not None:
            self.parent.forget()
        self.owner.forget(self.id)

    # ----- what celery.result expects

    @property
    def app(self) -> Any:
        return self.owner.app

    @property
    def backend(self) -> Any:
        return self.owner.app.backend

    def _get_task_meta(self) -> dict[str, Any]:
        outcome = self.pending.read()
        if outcome is None:
            last = self.pending.last or Update("PENDING")
            return {"task_id": self.id, "status": last.state, "result": last.meta}
        result = outcome.value if outcome.error is None else outcome.error
        return {**outcome.meta, "task_id": self.id, "status": outcome.state, "result": result,
                "traceback": outcome.traceback, "children": self.children}  # fmt: skip

    def _parents_pending(self) -> list[Pending]:
        found: list[Pending] = []
        node = self.parent
        while node is not None:
            if isinstance(node, Reply):
                found.append(node.pending)
            node = getattr(node, "parent", None)
        return found

    def __del__(self) -> None:
        pass  # AsyncResult's would ask the backend; here the garbage collector does it all

    def __copy__(self) -> "Reply[R]":
        return Reply(self.pending, self.owner, self.parent)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "a Reply belongs to its process: pass its id, and its value when it is there"
        )

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncResult):
            return bool(other.id == self.id)
        return other == self.id if isinstance(other, str) else NotImplemented

    def __repr__(self) -> str:
        name = f"{self.pending.task} " if self.pending.task else ""
        return f"<Reply {name}{self.id} {self.state}>"


def _wait_family(pending: Pending, parents: list[Pending], deadline: Deadline) -> Outcome | None:
    """Wait for a call, or for the failure of one that it depends on."""
    if not parents or pending.done:
        return pending.wait(deadline)
    bell = Bell()
    family = [pending, *parents]

    def end() -> Outcome | None:
        failures = (each.outcome for each in parents if each.outcome is not None)
        return pending.outcome or next((each for each in failures if each.stops_chain), None)

    for each in family:
        each.on_done(bell.ring)
    try:
        bell.wait_for(lambda: end() is not None, deadline)
        return end()
    finally:
        for each in family:
            each.forget(bell.ring)
