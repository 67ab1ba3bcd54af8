"""Waker: makes a thread that waits in poll() look up."""

import os
from contextlib import suppress
from threading import Lock


class Waker:
    """A pipe to register with poll(); any thread may write to it.

    Once it is closed, its descriptors may be somebody else's: nothing is read or written any more.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._out, self._in = os.pipe()
        for each in (self._out, self._in):
            os.set_blocking(each, False)
        self._closed = False

    def fileno(self) -> int:
        """Return the descriptor that is readable after wake()."""
        return self._out

    def wake(self) -> None:
        """Make poll() return, now or when it is next called."""
        with self._lock, suppress(BlockingIOError):  # it is full of calls to wake up
            if not self._closed:
                os.write(self._in, b"!")

    def clear(self) -> None:
        """Let poll() wait again."""
        with self._lock, suppress(BlockingIOError):
            if not self._closed:
                os.read(self._out, 4096)

    def close(self) -> None:
        """Close the pipe."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._in)
                os.close(self._out)

    def abandon(self) -> None:
        """Close the pipe in a child process, where nobody is left who might hold the lock."""
        self._lock = Lock()
        self.close()
