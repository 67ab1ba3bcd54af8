"""Confirms: what one AMQP channel was given to publish, until the broker has confirmed it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from celery_rpc.errors import Overloaded
from celery_rpc.transport.link import Receipt

#: Confirms that may be left unread for a moment: fewer bytes than any reply has.
FEW = 3


class Confirms:
    """The messages of one channel that are not confirmed yet, by their delivery tags."""

    def __init__(self, refuse: Callable[[str, Exception], object]) -> None:
        self.refuse = refuse
        self.open: dict[int, tuple[Receipt, str]] = {}
        self.tag = 0
        self.channel: Any = None

    def start(self, channel: Any) -> None:
        """Put a new channel in confirm mode."""
        self.tag, self.channel = 0, channel
        channel.confirm_select()
        for name, error in (("basic_ack", None), ("basic_nack", Overloaded)):
            channel.events[name].add(partial(self.settle, error))

    @property
    def unhurried(self) -> int:
        """How many confirms are to come, if they are few, and if nobody waits for one of them."""
        waited_for = list(self.open.values())
        few = len(waited_for) <= FEW and not any(receipt.awaited for receipt, _ in waited_for)
        return len(waited_for) if few else 0

    def expect(self, receipt: Receipt, task_ids: Sequence[str]) -> None:
        """Count messages, right before the write: no other thread may write meanwhile."""
        for task_id in task_ids:
            self.tag += 1
            self.open[self.tag] = (receipt, task_id)

    def settle(self, error: type[Exception] | None, tag: int, multiple: bool) -> None:
        for each in self._up_to(tag) if multiple else [tag]:
            receipt, task_id = self.open.pop(each, (None, ""))
            if receipt is None:
                continue
            refusal = (
                None if error is None else error("the broker refused the message (queue full)")
            )
            if refusal is not None:
                self.refuse(task_id, refusal)
            receipt.settle(task_id, refusal)

    def _up_to(self, tag: int) -> list[int]:
        """Return the open tags up to one, oldest first; writers may add others meanwhile."""
        # list() of a dict is one step for the interpreter; a loop over it would see it grow.
        return [each for each in list(self.open) if each <= tag]

    def fail(self, error: Exception) -> None:
        """Refuse all that is open: the broker closed the channel."""
        for receipt, task_id in self._take():
            self.refuse(task_id, error)
            receipt.settle(task_id, error)

    def lose(self) -> None:
        """Mark all that is open: nobody knows."""
        for receipt, _ in self._take():
            receipt.lose()

    def _take(self) -> list[tuple[Receipt, str]]:
        taken = list(self.open.values())
        self.open.clear()
        return taken
