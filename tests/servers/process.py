"""One server process: started in a session of its own and ended by its own pid."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.servers.guard import GUARD, kill_session, session

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]


def wait_until(condition: Callable[[], T], *, timeout: float = 30.0, what: str = "") -> T:
    """Return the condition's first true result; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.01)
    return result


class ServerProcess:
    """A child process with all its descendants, and the text that it wrote.

    Args:
        args: The command line.
        log: The file that takes its standard output and standard error.
        env: Its whole environment; the tests' own if None.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> None:
        self._name = Path(args[0]).name
        self._log_path = log
        self._log_text: str | None = None
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        GUARD.watch(self.pid)

    def __repr__(self) -> str:
        return f"<ServerProcess {self._name} pid={self.pid} running={self.running}>"

    @property
    def pid(self) -> int:
        """The process id, which also is its session's."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """True until the process has ended; its children may live longer."""
        return self._popen.poll() is None

    @property
    def log(self) -> str:
        """All that the process wrote so far."""
        if self._log_text is not None:
            return self._log_text
        return self._log_path.read_text(errors="replace")

    def members(self) -> list[psutil.Process]:
        """Return the live processes of this server: itself first, then all its descendants."""
        return session(self.pid)

    def wait_until(self, condition: Callable[[], T], *, timeout: float, what: str) -> T:
        """Poll a condition; a process that ends meanwhile, or the timeout, raises with the log."""

        def alive_and_met() -> T:
            if not self.running:
                raise AssertionError(f"ended before {what}: {self!r}\n{self.log}")
            return condition()

        try:
            return wait_until(alive_and_met, timeout=timeout, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self!r}\n{self.log}") from None

    def terminate(self, timeout: float = 10.0) -> None:
        """SIGTERM, then after `timeout` seconds SIGKILL to whatever is left."""
        if self.running:
            self.thaw()
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """SIGKILL the process and all its descendants, and wait for their end."""
        alive = kill_session(self.pid)
        self._popen.wait(10)
        if alive:
            raise AssertionError(f"still alive after SIGKILL: {alive}")
        if self._log_text is None:
            self._log_text = self.log
            GUARD.forget(self.pid)

    def freeze(self) -> None:
        """SIGSTOP the process and all its descendants, and wait until all have stopped.

        Their connections stay, the kernel takes new ones for them, nothing answers.
        """
        self._signal(signal.SIGSTOP)
        wait_until(
            lambda: {member.status() for member in self.members()} <= {psutil.STATUS_STOPPED},
            what=f"{self!r} stopped",
        )

    def thaw(self) -> None:
        """SIGCONT what freeze() stopped."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for member in self.members():
            with contextlib.suppress(psutil.Error):
                os.kill(member.pid, number)
