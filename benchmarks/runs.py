"""Runs: one canvas, or its bare cost, in a process of its own, so that its memory can be told."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any, Self

import psutil
from celery import Celery

import celery_rpc
from benchmarks.rounds import timed_with_cpu
from benchmarks.servers import ARGS, VALUE, Servers
from benchmarks.shapes import Ours, Shape, Stock
from celery_rpc.canvas import Graph

#: The queue of the worker that keeps results in Redis, for stock Celery's chords.
STORED = "stored"

#: Seconds; stock Celery takes minutes for some.
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took."""

    #: Seconds.
    wall: float
    #: Microseconds of the client's CPU time for one task.
    cpu: float
    #: Megabytes by which the process grew at its peak.
    memory: float
    #: Megabytes that the broker and the result store received, from clients and workers.
    received: float = 0.0


def apart(
    servers: Servers, run: Callable[..., Taken], make: Callable[..., Shape], sizes: Sequence[int]
) -> Taken:
    """Run in a new process."""
    before = servers.received()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        taken = process.submit(run, servers.url, make, sizes).result()
    return replace(taken, received=(servers.received() - before) / 1e6)


def run_ours(url: str, make: Callable[..., Shape], sizes: Sequence[int]) -> Taken:
    """Build a canvas, send it, and wait for its value."""
    shape = make(*sizes)

    def run(client: Any) -> Any:
        built = shape.build(Ours(client))
        sent = client.run(built) if isinstance(built, Graph) else built.delay()
        return sent.get(PATIENCE)

    return with_client(url, shape, run, shape.value)


def run_bare(url: str, make: Callable[..., Shape], sizes: Sequence[int]) -> Taken:
    """Send as many plain tasks as one batch."""
    shape = make(*sizes)

    def run(client: Any) -> Any:
        return [reply.get() for reply in client.calc.add.batch([ARGS] * shape.tasks)]

    return with_client(url, shape, run, [VALUE] * shape.tasks)


def run_in_turn(url: str, make: Callable[..., Shape], sizes: Sequence[int]) -> Taken:
    """Make as many plain calls one after the other."""
    shape = make(*sizes)

    def run(client: Any) -> Any:
        return [client.calc.add(*ARGS) for _ in range(shape.tasks)]

    return with_client(url, shape, run, [VALUE] * shape.tasks)


def with_client(url: str, shape: Shape, run: Callable[[Any], Any], value: Any) -> Taken:
    """Time what a new client of ours does, which must give that value."""
    with celery_rpc.connect(url, timeout=PATIENCE, max_in_flight=20_000) as client:
        return checked(shape, lambda: run(client), lambda: client.calc.add(*ARGS), value)


def run_stock(url: str, make: Callable[..., Shape], sizes: Sequence[int], *, backend: str) -> Taken:
    """Do the same with stock Celery."""
    shape = make(*sizes)
    side = Stock(Celery("stock", broker=url, backend=backend), STORED)
    return checked(
        shape,
        lambda: shape.build(side).delay().get(timeout=PATIENCE),
        lambda: side.sign("add", *ARGS).delay().get(timeout=PATIENCE),
        shape.value,
    )


def checked(shape: Shape, run: Callable[[], Any], warm: Callable[[], Any], value: Any) -> Taken:
    """Time a run after a first call, and hold what it gives against a value."""
    assert warm() == VALUE
    gave: list[Any] = []
    with Growth() as growth:
        wall, cpu = timed_with_cpu(lambda: gave.append(run()))
    assert gave == [value]
    return Taken(wall, cpu / shape.tasks * 1e6, growth.peak / 1e6)


class Growth:
    """Watches by how many bytes this process grows."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self.peak = 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._over.wait(0.02)
            self.peak = max(self.peak, self._process.memory_info().rss - self._before)
