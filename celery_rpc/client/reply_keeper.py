"""ReplyKeeper: what replies ask of their client."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from celery_rpc.calls.pending import Pending, exceeded
from celery_rpc.calls.reply import Cancellation, Reply
from celery_rpc.support.timers import Clock
from celery_rpc.transport.cancel import revoke, revoke_stamped
from celery_rpc.transport.link import CallTransport


class ReplyKeeper(ABC):
    """Keeps calls until they have ended, and cancels them.

    Args:
        timeout: seconds after which a blocking call ends; None means never.
    """

    def __init__(self, transport: CallTransport, clock: Clock, timeout: float | None) -> None:
        self.transport = transport
        self.clock = clock
        self.timeout = timeout

    @property
    @abstractmethod
    def app(self) -> Any:
        """A Celery app whose calls go this way."""

    def reply(self, task_id: str) -> Reply[Any]:
        """Return the reply of a call by its id."""
        return Reply(self.transport.pending(task_id), self)

    def expected(self, task_id: str) -> Pending | None:
        """Return what somebody waits by for a call's reply, if anybody does."""
        return self.transport.expected(task_id)

    def hold(self, pending: Pending) -> None:
        """Keep a call until it has ended, by its deadline at the latest."""
        self.transport.hold(pending)
        left = pending.deadline.remaining()
        if left is not None and not pending.done:
            alarm = self.clock.after(left, lambda: pending.fail(exceeded(pending)))
            pending.on_done(alarm.cancel)

    def forget(self, task_id: str) -> None:
        """Let go of a call."""
        self.transport.forget(task_id)

    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        """Revoke a call."""
        return self.transport.cancel(pending, terminate, signal, timeout)

    def revoke(self, task_ids: Sequence[str], terminate: bool, signal: str) -> None:
        """Ask every worker to drop calls, without waiting for answers."""
        if task_ids:
            revoke(self.transport, task_ids, terminate=terminate, signal=signal)

    def revoke_stamped(self, stamps: Mapping[str, Any], **options: Any) -> list[Any]:
        """Ask workers to drop all calls that have one of these stamps, as of transport.cancel."""
        return revoke_stamped(self.transport, stamps, **options)
