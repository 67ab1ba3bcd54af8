"""Updates: the states that a call reports before its end."""

from collections.abc import AsyncIterator, Iterator

from celery_rpc.calls import event_loops
from celery_rpc.calls.pending import Pending, Update, exceeded
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import NEVER, Deadline


class Updates:
    """The states that a call reports before its end, for ``for`` and for ``async for``."""

    def __init__(self, pending: Pending, deadline: Deadline = NEVER) -> None:
        self.pending = pending
        self.until = deadline

    def __iter__(self) -> Iterator[Update]:
        bell = Bell()
        self.pending.watch(bell.ring)
        try:
            while True:
                yield from self.pending.take_updates()
                if self.pending.done:
                    yield from self.pending.take_updates()
                    return
                if not bell.wait_for(self._is_more, self.until):
                    raise exceeded(self.pending)
        finally:
            self.pending.forget(bell.ring)

    def _is_more(self) -> bool:
        return bool(self.pending.updates) or self.pending.done

    async def __aiter__(self) -> AsyncIterator[Update]:
        while True:
            for update in self.pending.take_updates():
                yield update
            if self.pending.done:
                for update in self.pending.take_updates():
                    yield update
                return
            if self.until.passed:
                raise exceeded(self.pending)
            if not self.pending.updates:
                await event_loops.next_update(self.pending, self.until)
