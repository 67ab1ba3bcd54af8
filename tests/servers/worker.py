"""A real `celery worker` process."""

import itertools
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from kombu.connection import Connection
from kombu.pidbox import Mailbox

from tests.servers.guard import GUARD
from tests.servers.process import ROOT, ServerProcess

Pool = Literal["prefork", "threads", "solo"]

LOG = "worker.log"

_numbers = itertools.count(1)


class Worker:
    """A worker of a stock Celery app, with a log of its own.

    Made by Worker.start(); ended by its `with` block, which is quick, or by stop(), as in service.
    """

    def __init__(
        self, process: ServerProcess, *, hostname: str, broker_url: str, directory: Path
    ) -> None:
        self.process = process
        self.hostname = hostname
        self.broker_url = broker_url
        self._directory = directory

    @classmethod
    def start(
        cls,
        app_module: str,
        broker_url: str,
        queues: Sequence[str],
        *,
        backend: str = "rpc://",
        pool: Pool = "prefork",
        concurrency: int = 2,
        hostname: str | None = None,
        python: str | Path = sys.executable,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> Self:
        """Start a worker; it serves only after wait_ready().

        Args:
            app_module: What `celery -A` takes, such as "tests.workers.calc".
            queues: The queues that it consumes from (`-Q`).
            backend: Its result backend.
            hostname: Its node name (`-n`), by default one that no other worker has.
            python: The interpreter whose celery runs it, see celery_python().
            args: Further arguments of `celery worker`.
            env: Added to the environment of the tests.
            cwd: The directory that app_module is imported from.
        """
        name = hostname or f"{app_module.rpartition('.')[2]}{next(_numbers)}@{os.getpid()}"
        directory = GUARD.directory("worker")
        command = [str(python), "-m", "celery", "-A", app_module]
        command += ["--broker", broker_url, "--result-backend", backend]
        command += ["worker", "--queues", ",".join(queues), "--hostname", name]
        command += ["--pool", pool, "--concurrency", str(concurrency), "--loglevel", "INFO"]
        command += ["--without-mingle", "--without-gossip", *args]
        process = ServerProcess(
            command,
            log=directory / LOG,
            env={**_environment(), **(env or {})},
            cwd=cwd,
        )
        return cls(process, hostname=name, broker_url=broker_url, directory=directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.discard()

    def __repr__(self) -> str:
        return f"<Worker {self.hostname} pid={self.pid} running={self.process.running}>"

    @property
    def pid(self) -> int:
        """The process id of the worker's parent process."""
        return self.process.pid

    @property
    def child_pids(self) -> list[int]:
        """The process ids of its pool, where that is prefork."""
        return [member.pid for member in self.process.members() if member.pid != self.pid]

    @property
    def running(self) -> bool:
        """True until the parent process has ended."""
        return self.process.running

    @property
    def log_path(self) -> Path:
        """The file that it writes to."""
        return self._directory / LOG

    @property
    def log(self) -> str:
        """All that the worker wrote so far."""
        return self.process.log

    def wait_ready(self, timeout: float = 30.0) -> Self:
        """Wait until it consumes from its queues and answers to control commands."""
        deadline = time.monotonic() + timeout
        self.process.wait_until(
            lambda: f"{self.hostname} ready." in self.log, timeout=timeout, what="'ready.'"
        )
        # Over Redis it subscribes to control commands only a moment after that line.
        left = max(deadline - time.monotonic(), 1.0)
        self.process.wait_until(self.answers, timeout=left, what="an answer to ping")
        return self

    def answers(self, timeout: float = 0.5) -> bool:
        """Ping it over a connection of its own; true if it answered within `timeout` seconds."""
        mailbox = Mailbox("celery", type="fanout", accept=["json"])
        with Connection(self.broker_url) as connection:
            replies = mailbox(connection).call([self.hostname], "ping", timeout=timeout)
        return bool(replies)

    def stop(self, timeout: float = 10.0) -> None:
        """SIGTERM, which lets running tasks end; after `timeout` seconds SIGKILL."""
        self.process.terminate(timeout)
        self.discard()

    def discard(self) -> None:
        """Kill it if it still runs, and remove its files: a warm shutdown takes seconds."""
        self.process.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL the worker with its pool: what it held is not acknowledged."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP the worker with its pool: its connections stay, it does nothing."""
        self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.thaw()


def _environment() -> dict[str, str]:
    """Return the environment of the tests without what would configure the worker."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CELERY_", "PYTEST_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", "C_FORCE_ROOT": "1"}
