"""Waker: makes a thread that waits in poll() look up."""

import os
from contextlib import suppress

from celery_rpc.support.mutex import Busy, Mutex


class Waker:
    """A pipe to register with poll(); any thread may write to it.

    Once it is closed, its descriptors may be somebody else's: nothing is read or written any more.
    """

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._out, self._in = os.pipe()
        for each in (self._out, self._in):
            os.set_blocking(each, False)
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor that is readable after wake()."""
        return self._out

    def wake(self) -> None:
        """Make poll() return, now or when it is next called."""
        with suppress(BlockingIOError, Busy):  # it is full of calls to wake up
            self._mutex.run(self._write)

    def clear(self) -> None:
        """Let poll() wait again."""
        with suppress(BlockingIOError):
            self._mutex.run(self._read)

    def close(self) -> None:
        """Close the pipe."""
        self._mutex.run(self._close)

    def _write(self) -> None:
        if not self._closed:
            os.write(self._in, b"!")

    def _read(self) -> None:
        if not self._closed:
            os.read(self._out, 4096)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._in)
            os.close(self._out)

    def abandon(self) -> None:
        """Close the pipe in a child process, where no other thread is left."""
        self._mutex = Mutex()
        self.close()
