"""Batch: many calls sent, none waited for, while the worker stands still."""

from benchmarks.rounds import alternate, timed_with_cpu
from benchmarks.rows import Row
from benchmarks.servers import ARGS, Servers

COUNT = 5_000


def measure(servers: Servers, rounds: int) -> list[Row]:
    """Compare .batch() with a loop of send_task(), until the last is sent."""
    with servers.client() as client:
        task = client.calc.add

        def ours() -> tuple[float, float]:
            with servers.idle_worker():
                return timed_with_cpu(lambda: task.batch([ARGS] * COUNT))

        def stock() -> tuple[float, float]:
            with servers.idle_worker():
                return timed_with_cpu(lambda: [servers.send() for _ in range(COUNT)])

        mine, theirs = alternate(ours, stock, rounds)
    label = f"batch {COUNT:,}"
    return [
        Row(label, "wall", "s", [w for w, _ in mine], [w for w, _ in theirs]),
        Row(label, "client CPU", "µs", to_each(mine), to_each(theirs)),
    ]


def to_each(taken: list[tuple[float, float]]) -> list[float]:
    """Return the microseconds of CPU time for one call."""
    return [cpu / COUNT * 1e6 for _, cpu in taken]
