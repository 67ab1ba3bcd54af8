"""The command line as a user types it: run to its end, started, or on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

SECONDS = 120.0
MARK = "CELERY_RPC_TEST_MARK"
CLI = [sys.executable, "-m", "celery_rpc"]


def environment(**variables: str) -> dict[str, str]:
    """Return the tests' environment without what would tell the command line anything."""
    dropped = ("CELERY_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "TERM": "xterm", **variables}


@contextmanager
def started(*args: str, mark: str) -> Iterator["subprocess.Popen[str]"]:
    """Run it in a session of its own; whatever the test finds, nothing is left afterwards."""
    with subprocess.Popen(
        [*CLI, *args],
        env=environment(CELERY_RPC_TEST_MARK=mark),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            for left in [*children(process.pid), *marked(mark)]:
                with suppress(psutil.NoSuchProcess):
                    left.kill()


def children(pid: int) -> list[psutil.Process]:
    """Return the descendants of a process."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended; nobody may have waited for one that has."""
    _, alive = psutil.wait_procs(processes, timeout=0)
    return [each for each in alive if each.is_running() and each.status() != "zombie"]


def run(
    *args: str,
    stdin: str = "",
    cwd: str | None = None,
    command: Sequence[str] = tuple(CLI),
    **variables: str,
) -> "subprocess.CompletedProcess[str]":
    """Run it, with these environment variables."""
    return subprocess.run(
        [*command, *args],
        cwd=cwd,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes that carry a mark in their environment."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def on_terminal(*args: str, **variables: str) -> str:
    """Run it on a terminal of 80 columns, and give what that would show."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [*CLI, *args],
        env=environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with open(ours, "rb", buffering=0) as screen:
        try:
            while piece := screen.read(4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
    process.wait(SECONDS)
    return shown.decode().replace("\r\n", "\n")
