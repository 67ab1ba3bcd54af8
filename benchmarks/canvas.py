"""Canvas: big ones beside stock Celery with a Redis result backend, and beside bare calls.

The bare cost of a canvas is that of as many plain tasks, sent as one batch to the same worker.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.rounds import timed
from benchmarks.rows import Row, Wanted
from benchmarks.runs import (
    PATIENCE,
    STORED,
    Taken,
    apart,
    run_bare,
    run_in_turn,
    run_ours,
    run_stock,
)
from benchmarks.servers import QUEUE, Servers
from benchmarks.shapes import Ours, Shape, chain, chord, chords, dag
from celery_rpc.testing.memory import in_memory
from tests.servers import Worker
from tests.workers.calc import app

SHAPES: dict[bool, list[tuple[Callable[..., Shape], Sequence[int]]]] = {
    False: [(chord, [10_000]), (chain, [1_000]), (chords, [5, 1_000]), (chords, [200, 9]),
            (dag, [10_000])],
    True: [(chord, [2_000]), (chain, [300]), (chords, [5, 200]), (chords, [50, 9]), (dag, [2_000])],
}  # fmt: skip
#: Steps of the runs without a broker.
STEPS = (100, 1_000, 10_000, 100_000)

#: Of which shape, compared with what.
WANTED = {
    ("chord", "bare"): Wanted(1.15),
    ("chain", "in turn"): Wanted(1.15),
    ("chords of", "stock"): Wanted(0.05),
}


def measure(servers: Servers, rounds: int) -> list[Row]:
    """Compare canvases with stock's and with their bare cost, then the steps by themselves."""
    rows: list[Row] = []
    with storing(servers) as backend:
        for make, sizes in SHAPES[servers.quick]:
            rows += compare(servers, backend, make, sizes, rounds)
    return rows + steps_alone(servers.quick, rounds)


@contextlib.contextmanager
def storing(servers: Servers) -> Iterator[str]:
    """Start the worker with a Redis result backend; gives its URL, "" where there is no Redis."""
    if not servers.url.startswith("redis"):
        yield ""
        return
    backend = servers.broker.fresh_url()
    with Worker.start("tests.workers.calc", servers.url, [STORED], backend=backend,
                      pool=servers.pool, concurrency=2) as worker:  # fmt: skip
        worker.wait_ready()
        yield backend


def compare(
    servers: Servers, backend: str, make: Callable[..., Shape], sizes: Sequence[int], rounds: int
) -> list[Row]:
    """Measure one shape."""
    shape = make(*sizes)
    sides = {"ours": run_ours, "bare": run_bare}
    if shape.kind == "chain":
        sides["in turn"] = run_in_turn
    if shape.stock and backend:
        sides["stock"] = partial(run_stock, backend=backend)
    taken: dict[str, list[Taken]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sides if number % 2 == 0 else reversed(sides):
            taken[name].append(apart(servers, sides[name], make, sizes))
    return list(rows_of(shape, taken))


def rows_of(shape: Shape, taken: dict[str, list[Taken]]) -> Iterator[Row]:
    """Compare one shape with each of the others."""

    def row(
        measure: str, unit: str, of: Callable[[Taken], float], other: str,
        wanted: Wanted | None = None,
    ) -> Row:  # fmt: skip
        ours, theirs = ([of(each) for each in taken[name]] for name in ("ours", other))
        return Row(shape.name, measure, unit, ours, theirs, wanted, other)

    others = [name for name in ("stock", "in turn", "bare") if name in taken]
    for other in others:
        wanted = WANTED.get((shape.kind, other))
        yield row("wall", "s", lambda each: each.wall, other, wanted)
    for other in others:
        yield row("client CPU", "µs", lambda each: each.cpu, other)
    yield row("client memory", "MB", lambda each: each.memory, others[0])
    if all(each.received for each in taken["ours"]):
        yield row("received", "MB", lambda each: each.received, others[0])


def steps_alone(quick: bool, rounds: int) -> list[Row]:
    """Compare the cost of a step in small and in large graphs, on the in-memory transport."""
    sizes = STEPS[:-1] if quick else STEPS
    costs = {size: [cost_of_step(size) for _ in range(rounds)] for size in sizes}
    least = sizes[0]
    return [
        Row(
            f"steps in memory, {size:,}",
            "each",
            "µs",
            costs[size],
            costs[least],
            against=f"of {least}",
        )
        for size in sizes[1:]
    ]


def cost_of_step(size: int) -> float:
    """Return the microseconds of one step: to build it, run it here, and move on."""
    shape = dag(size)
    with in_memory({QUEUE: app}, timeout=PATIENCE) as client:
        side = Ours(client)
        gave: list[Any] = []
        wall = timed(lambda: gave.append(client.run(shape.build(side)).get()))
        assert gave == [shape.value]
    return wall / size * 1e6
