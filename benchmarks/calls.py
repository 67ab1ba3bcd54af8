"""Calls: one after the other, each waited for."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time

from benchmarks.rounds import alternate
from benchmarks.rows import Row, Wanted
from benchmarks.servers import ARGS, VALUE, Servers

#: Calls in a block, and blocks of each side in a round.
BLOCK, BLOCKS = 200, 3

WANTED_P50, WANTED_CPU = Wanted(0.65), Wanted(0.35)


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of calls took, in microseconds."""

    p50: float
    p99: float
    #: CPU time of this process for one call, whichever of its threads used it.
    cpu: float


def measure(servers: Servers, rounds: int) -> list[Row]:
    """Compare blocks of calls."""
    with servers.client() as client:

        def ours() -> Block:
            return run(lambda: client.calc.add(*ARGS))

        def stock() -> Block:
            return run(servers.call)

        for warm in (ours, stock):
            warm()
        mine, theirs = alternate(ours, stock, rounds * BLOCKS)
    return [
        Row("calls", "p50", "µs", [b.p50 for b in mine], [b.p50 for b in theirs], WANTED_P50),
        Row("calls", "p99", "µs", [b.p99 for b in mine], [b.p99 for b in theirs]),
        Row("calls", "client CPU", "µs", [b.cpu for b in mine], [b.cpu for b in theirs],
            WANTED_CPU),
    ]  # fmt: skip


def run(call: Callable[[], object]) -> Block:
    """Call so many times, and time each."""
    times: list[float] = []
    cpu = process_time()
    for _ in range(BLOCK):
        begin = perf_counter()
        value = call()
        times.append(perf_counter() - begin)
        assert value == VALUE
    cpu = process_time() - cpu
    micro = [each * 1e6 for each in times]
    return Block(median(micro), quantiles(micro, n=100)[98], cpu / BLOCK * 1e6)
