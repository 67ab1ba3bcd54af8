"""Supervisor: one worker that is started again whenever it was killed."""

from collections.abc import Callable
from typing import Self

from tests.servers.worker import Worker


class Supervisor:
    """Keeps one worker.

    Args:
        start: Starts a worker, without waiting until it serves.
    """

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self.worker = start()
        self.frozen = False
        self.killed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.worker.discard()

    def __repr__(self) -> str:
        return f"<Supervisor {self.worker!r} killed={self.killed} frozen={self.frozen}>"

    @property
    def serves(self) -> bool:
        """True when the worker has said that it is ready, and is not frozen."""
        return not self.frozen and f"{self.worker.hostname} ready." in self.worker.log

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wake the worker if it is frozen, and wait until it serves."""
        self.thaw()
        self.worker.wait_ready(timeout)

    def kill(self) -> None:
        """SIGKILL the worker, and start another one, which will serve in a second or two."""
        self.worker.kill()
        self.worker.discard()
        self.killed += 1
        self.frozen = False
        self.worker = self._start()

    def freeze(self) -> None:
        """SIGSTOP the worker."""
        self.worker.freeze()
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT the worker."""
        self.worker.thaw()
        self.frozen = False
