"""Errands: what other threads ask the reader's own thread to do, and wait for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from amqp.exceptions import ChannelError

from celery_rpc.errors import RpcError, Unavailable
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.amqp.errors import translated

T = TypeVar("T")


class Errands:
    """Methods of an AMQP connection that have an answer: who runs one reads by itself."""

    def __init__(self, broker: str, wake: Callable[[], object]) -> None:
        self.broker = broker
        #: Makes the reader's thread look.
        self._wake = wake
        self._jobs: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self._jobs)

    def run(self, lent: Callable[[], AbstractContextManager[Any]]) -> None:
        """Do all that is asked, in the reader's thread.

        Args:
            lent: lets py-amqp read by itself.
        """
        while self._jobs:
            with lent():
                self._jobs.pop(0)()

    def ask(self, ask: Callable[[], T], deadline: Deadline) -> T:
        """Let the reader's thread run something, and give what it returned.

        Raises:
            Unavailable: it was not done in time.
            RpcError: it failed.
        """
        answer: list[T] = []
        problem: list[RpcError] = []
        bell = Bell()

        def job() -> None:
            try:
                answer.append(ask())
            except ChannelError as error:
                problem.append(translated(error, self.broker))
            except Exception as error:  # whatever it is, whoever waits must be told
                problem.append(translated(error, self.broker))
                raise
            except BaseException as error:
                problem.append(Unavailable(f"the thread that asked was broken off: {error!r}"))
                raise
            finally:
                bell.ring()

        self._jobs.append(job)
        self._wake()
        if not bell.wait_for(lambda: bool(answer or problem), deadline):
            raise Unavailable(f"{self.broker} did not answer in time")
        if problem:
            raise problem[0]
        return answer[0]
