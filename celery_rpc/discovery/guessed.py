"""Detail: what workers of Celery 5.6 or older tell of tasks whose signatures nobody publishes."""

from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from celery_rpc.catalog.model import WorkerReport
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.control import Command

#: Asked for one by one: where an entry has several items, none can be told from the next. Celery
#: 5.7 answers neither, nor anything else that starts with an underscore.
ITEMS = ("__annotations__", "__doc__")

Broadcast = Callable[[Mapping[str, Command], Callable[[str, Any], object], Deadline], object]


def untold(reports: Iterable[WorkerReport]) -> dict[str, list[str]]:
    """Choose workers that between them have every task without a digest: node -> its queues."""
    chosen: dict[str, list[str]] = {}
    covered: set[tuple[str, str]] = set()
    for report in reports:
        queues = [queue.name for queue in report.queues or ()]
        bare = [spec.name for spec in (report.tasks or {}).values() if spec.digest is None]
        found = {(queue, name) for queue in queues for name in bare}
        if found - covered:
            covered |= found
            chosen[report.node] = queues
    return chosen


def ask(
    broadcast: Broadcast,
    unexpect: Callable[[Mapping[str, Command]], object],
    nodes: Iterable[str],
    deadline: Deadline,
) -> dict[str, dict[str, Any]]:
    """Ask some workers for the items: node -> item -> answer, as far as they came in time."""
    wanted = sorted(nodes)
    tickets = {uuid4().hex: item for item in ITEMS}
    commands = {
        ticket: Command("registered", {"taskinfoitems": [item]}, wanted)
        for ticket, item in tickets.items()
    }
    inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    found: dict[str, dict[str, Any]] = {node: {} for node in wanted}
    try:
        broadcast(commands, lambda ticket, body: inbox.put((ticket, body)), deadline)
        while not deadline.passed and any(len(each) < len(ITEMS) for each in found.values()):
            ticket, body = inbox.get(timeout=deadline.capped(60.0))
            for node, answer in body.items() if isinstance(body, dict) else ():
                if node in found:
                    found[node][tickets[ticket]] = answer
    except Empty:
        pass
    finally:
        unexpect(commands)
    return found
