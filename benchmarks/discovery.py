"""Discovery: to know what is online, from nothing."""

from functools import partial

from benchmarks.rounds import alternate, timed
from benchmarks.rows import Row, Wanted
from benchmarks.servers import QUEUE, TASK, Servers

WANTED = Wanted(1 / 50)


def measure(servers: Servers, rounds: int) -> list[Row]:
    """Compare a new client's first look with inspect()'s two questions."""
    names, asked = alternate(partial(first_name, servers), partial(inspect, servers), rounds)
    catalogs = [whole_catalog(servers) for _ in range(rounds)]
    return [
        Row("discovery", "first known name", "ms", names, asked, WANTED),
        Row("discovery", "whole catalog", "ms", catalogs, asked, WANTED),
    ]


def first_name(servers: Servers) -> float:
    """Return the milliseconds until a new client knows a task."""
    with servers.client() as client:
        return timed(lambda: client.calc.add) * 1e3


def whole_catalog(servers: Servers) -> float:
    """Return the milliseconds until a new client knows that it knows all."""
    with servers.client() as client:
        taken = timed(lambda: client.catalog) * 1e3
        assert TASK in client.catalog[QUEUE].tasks
        return taken


def inspect(servers: Servers) -> float:
    """Return the milliseconds that the same costs the stock way."""

    def ask() -> None:
        questions = servers.app.control.inspect()
        assert questions.active_queues()
        assert questions.registered()

    return timed(ask) * 1e3
