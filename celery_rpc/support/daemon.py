"""Daemon: a thread that is there when it is needed."""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, current_thread
from time import sleep

from celery_rpc.support.mutex import Busy, Mutex
from celery_rpc.support.throttled_log import RateLimited

log = logging.getLogger("celery_rpc.support.daemon")

#: Seconds between an exception and the new beginning.
PAUSE = 0.1


class Daemon:
    """A thread that starts when it is first needed, and again should it have ended.

    An exception, whatever it is, only makes it begin anew what it runs: others wait for it. It does
    not hold up the end of the interpreter.
    """

    def __init__(self, run: Callable[[], object], name: str) -> None:
        self._run = run
        self._name = name
        self._thread: Thread | None = None
        self._starting = Mutex()
        self._log = RateLimited(log)

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def current(self) -> bool:
        """True in the thread itself."""
        return self._thread is current_thread()

    def ensure(self) -> None:
        """See to it that the thread runs."""
        if not self.alive:
            with suppress(Busy):
                self._starting.run(self._start)

    def _start(self) -> None:
        if not self.alive:
            # Noted before it starts: one that is never started is not alive, and one that is
            # started in spite of an exception, unnoticed, is no longer the one that is noted.
            self._thread = Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while self.current:
            try:
                self._run()
                return
            except BaseException:
                self._log.exception("%s was broken off, and goes on", self._name)
                sleep(PAUSE)

    def join(self, timeout: float) -> None:
        """Wait so long for its end, unless called from it."""
        thread = self._thread
        if thread is not None and not self.current and thread.is_alive():
            thread.join(timeout)
