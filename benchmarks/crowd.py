"""Crowd: many calls at once from one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from benchmarks.rounds import alternate, timed_with_cpu
from benchmarks.rows import Row
from benchmarks.servers import ARGS, VALUE, Servers

#: Seconds between two looks at how late the loop is.
TICK = 0.005


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a crowd of calls took."""

    wall: float
    #: Microseconds of this process for one call.
    cpu: float
    #: The longest time, in milliseconds, in which the loop served nobody else.
    lag: float


def gather(servers: Servers, rounds: int) -> list[Row]:
    """Compare 5,000 awaited calls with 5,000 calls in the loop's threads."""
    return measure(servers, rounds, "gather", 5_000)


def concurrent(servers: Servers, rounds: int) -> list[Row]:
    """Compare 1,000 awaited calls with 1,000 calls in the loop's threads."""
    return measure(servers, rounds, "concurrent", 1_000)


def measure(servers: Servers, rounds: int, name: str, count: int) -> list[Row]:
    """Compare so many calls at once: ours awaited, stock waited for in threads."""
    with servers.client() as client:
        task = client.calc.add
        mine, theirs = alternate(
            partial(run, lambda: task.aio(*ARGS), count),
            partial(run, lambda: asyncio.to_thread(servers.call), count),
            rounds,
        )
    label = f"{name} {count:,}"
    return [
        Row(label, "wall", "s", [g.wall for g in mine], [g.wall for g in theirs]),
        Row(label, "client CPU", "µs", [g.cpu for g in mine], [g.cpu for g in theirs]),
        Row(label, "loop lag", "ms", [g.lag for g in mine], [g.lag for g in theirs]),
    ]


def run(call: Callable[[], Awaitable[object]], count: int) -> Gathered:
    """Gather so many calls in an event loop of their own."""
    lags: list[float] = []
    wall, cpu = timed_with_cpu(lambda: asyncio.run(crowd(call, count, lags)))
    return Gathered(wall, cpu / count * 1e6, max(lags) * 1e3)


async def crowd(call: Callable[[], Awaitable[object]], count: int, lags: list[float]) -> None:
    """Gather the calls, and note how late the loop is meanwhile."""
    watch = asyncio.create_task(watched(lags))
    await asyncio.sleep(TICK)
    values = await asyncio.gather(*(call() for _ in range(count)))
    await asyncio.sleep(TICK)
    watch.cancel()
    assert values == [VALUE] * count


async def watched(lags: list[float]) -> None:
    """Note by how much each sleep is too long."""
    while True:
        begin = perf_counter()
        await asyncio.sleep(TICK)
        lags.append(perf_counter() - begin - TICK)
