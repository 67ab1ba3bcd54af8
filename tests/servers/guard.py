"""A process that outlives the tests and clears up what they left: they may die without warning.

A test run that is killed, or that its watchdog ends, runs no fixture's finalizer. The guard
reads `+pid` and `-pid` lines from the tests; when that pipe closes, it kills the sessions
that are still listed and removes the run's directory.
"""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import psutil


def session(leader: int) -> list[psutil.Process]:
    """Return the live processes of a session and their descendants, the leader first."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) != leader:
                continue
            for member in (process, *process.children(recursive=True)):
                if member.status() != psutil.STATUS_ZOMBIE:
                    found[member.pid] = member
    return sorted(found.values(), key=lambda member: member.pid != leader)


def kill_session(leader: int) -> list[psutil.Process]:
    """SIGKILL a session with all descendants; return those that still live 10 s later."""
    members = session(leader)
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.kill()
    deadline = time.monotonic() + 10
    while (alive := [m for m in members if _is_running(m)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return alive


def _is_running(process: psutil.Process) -> bool:
    # An orphan stays a zombie for as long as the first process of a container does not reap.
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


class Guard:
    """The tests' end of the pipe; the process is started on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._directory = Path()

    def directory(self, prefix: str) -> Path:
        """Return a new directory, which is gone when the tests have ended."""
        self._start()
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self._directory))

    def watch(self, leader: int) -> None:
        """End this session when the tests die."""
        self._tell(f"+{leader}")

    def forget(self, leader: int) -> None:
        """Stop watching a session that has ended."""
        self._tell(f"-{leader}")

    def _start(self) -> IO[str]:
        if self._process is None:
            self._directory = Path(tempfile.mkdtemp(prefix="tests-"))
            self._process = subprocess.Popen(
                # -P: this directory holds a redis.py and must not be on the import path.
                [sys.executable, "-P", str(Path(__file__)), str(self._directory)],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            atexit.register(self._close)
        assert self._process.stdin is not None
        return self._process.stdin

    def _tell(self, line: str) -> None:
        pipe = self._start()
        pipe.write(line + "\n")
        pipe.flush()

    def _close(self) -> None:
        self._start().close()
        assert self._process is not None
        self._process.wait()


GUARD = Guard()


def main() -> None:
    """Keep the list, and end what is left on it."""
    watched: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            watched.add(int(line[1:]))
        else:
            watched.discard(int(line[1:]))
    for leader in watched:
        kill_session(leader)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
