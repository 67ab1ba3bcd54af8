"""The shop: one Celery worker process per service, started and ended together."""

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Literal, Self, get_args

from celery import Celery
from celery.exceptions import OperationalError
from celery.utils.nodenames import gethostname
from kombu.utils.url import maybe_sanitize_url

Pool = Literal["prefork", "threads", "solo"]

SERVICES = ("billing", "inventory", "mail", "media", "legacy")
POOLS: tuple[Pool, ...] = get_args(Pool)
FOLDER = Path(__file__).resolve().parent
DEFAULT_BROKER = "redis://localhost:6379/0"


class ShopError(Exception):
    """A service could not be started, or has ended."""


@contextmanager
def requests_held() -> Generator[None]:
    """Put off Ctrl-C and SIGTERM: between a process's start and its entry nobody would end it."""
    missed: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    # What is ignored stays so, for the processes too: that is how nohup works.
    before = {each: handler for each, handler in before.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda number, frame: missed.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in missed:
        signal.raise_signal(number)


class Shop:
    """The workers of the shop, each the process of a stock ``celery worker``.

    As a context manager it is open once every worker answers, and closed once all have ended::

        with Shop(broker="redis://localhost:6379/0") as shop:
            shop.wait()

    The workers end with this process, unless it is killed before it can end them.

    Args:
        broker: URL of the broker; $CELERY_BROKER_URL, or Redis on this machine, if not given.
        backend: URL of the result backend; $CELERY_RESULT_BACKEND, or ``rpc://``, if not given.
            Stock Celery's chords need one that stores results, such as Redis.
        services: which of ``SERVICES`` to start.
        pool: how each worker runs its tasks.
        concurrency: how many tasks each worker runs at once.
        environment: further environment variables of the workers.
    """

    def __init__(
        self,
        broker: str | None = None,
        *,
        backend: str | None = None,
        services: Iterable[str] = SERVICES,
        pool: Pool = "prefork",
        concurrency: int = 2,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.broker = broker or os.environ.get("CELERY_BROKER_URL") or DEFAULT_BROKER
        self.services = tuple(services)
        self.pool = pool
        self.concurrency = concurrency
        self.environment = {"CELERY_BROKER_URL": self.broker, **(environment or {})}
        if backend:
            self.environment["CELERY_RESULT_BACKEND"] = backend
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: tempfile.TemporaryDirectory[str] | None = None
        if unknown := set(self.services) - set(SERVICES):
            raise ValueError(f"no such service: {', '.join(sorted(unknown))}")

    def __repr__(self) -> str:
        running = ", ".join(f"{name}={each.pid}" for name, each in self.processes.items())
        return f"<Shop {maybe_sanitize_url(self.broker)} {running or 'stopped'}>"

    def __enter__(self) -> Self:
        try:
            self.start()
            self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all workers at once, without waiting for them."""
        if self.processes:
            raise ShopError("the shop is open already")
        self._logs = tempfile.TemporaryDirectory(prefix="shop-")
        atexit.register(self.stop)
        for service in self.services:
            with self.log_path(service).open("wb") as log, requests_held():
                self.processes[service] = subprocess.Popen(
                    self.command(service),
                    cwd=FOLDER,
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def ready(self, timeout: float = 60.0) -> None:
        """Wait until every worker answers a ping.

        Raises:
            ShopError: a worker has ended, or some do not answer within timeout seconds.
        """
        deadline = time.monotonic() + timeout
        silent = list(self.services)
        problem = ""
        while silent:
            self.check()
            if time.monotonic() > deadline:
                where = maybe_sanitize_url(self.broker)
                raise ShopError(f"no answer from {', '.join(silent)} through {where}{problem}")
            try:
                answered = self._ping(silent)
            except OperationalError as error:
                problem = f": {error}"
                time.sleep(0.2)
            else:
                silent = [service for service in silent if service not in answered]

    def _ping(self, services: Iterable[str]) -> set[str]:
        nodes = {self.node(service): service for service in services}
        with Celery("shop", set_as_current=False) as app:
            app.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
            # Left to its own pool, the mailbox would publish to $CELERY_BROKER_URL instead.
            app.control.mailbox.producer_pool = None
            # A new connection each time: on Redis, one that waited in vain is deaf for a second.
            with app.connection_for_write(self.broker) as connection:
                replies = app.control.ping(list(nodes), timeout=0.2, connection=connection)
        return {nodes[node] for reply in replies for node in reply}

    def check(self) -> None:
        """Raise ShopError, with what it wrote, if a worker has ended."""
        for service, process in self.processes.items():
            if process.poll() is not None:
                raise ShopError(
                    f"{service} has ended with exit code {process.returncode}\n{self.log(service)}"
                )

    def wait(self) -> None:
        """Stay until a worker ends, and raise ShopError then."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self, timeout: float = 10.0) -> None:
        """End all workers: warm, cold after timeout seconds, killed 2 seconds later.

        Does nothing if they have ended already.
        """
        self._end(signal.SIGTERM, timeout)
        self._end(signal.SIGQUIT, 2.0)  # with its tasks, and its pool's children
        self._end(signal.SIGKILL, 2.0)
        self.processes.clear()
        if self._logs is not None:
            self._logs.cleanup()
            self._logs = None
        atexit.unregister(self.stop)

    def _end(self, sent: signal.Signals, timeout: float) -> None:
        running = [process for process in self.processes.values() if process.poll() is None]
        for process in running:
            process.send_signal(sent)
        deadline = time.monotonic() + timeout
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue

    def command(self, service: str) -> list[str]:
        """Write the command line of a worker, as it can be typed in this folder."""
        return [
            *(sys.executable, "-m", "celery", "-A", service, "worker"),
            *("-Q", service, "-n", f"{service}@%h"),
            *("--pool", self.pool, "--concurrency", str(self.concurrency)),
            *("--loglevel", "warning"),
            # Both are for workers that share a queue; mingle alone takes a second at the start.
            *("--without-mingle", "--without-gossip"),
        ]

    def node(self, service: str) -> str:
        """Name the worker of a service, as ``celery inspect`` does."""
        return f"{service}@{gethostname()}"

    def log_path(self, service: str) -> Path:
        """Return where a worker writes its output; the file is gone once the shop stops."""
        if self._logs is None:
            raise ShopError("the shop is closed")
        return Path(self._logs.name, f"{service}.log")

    def log(self, service: str) -> str:
        """Read what a worker has written so far."""
        return self.log_path(service).read_text(errors="replace")
