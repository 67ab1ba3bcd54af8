"""Merge: worker reports -> Catalog; pure, and the only place that decides conflicts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from celery_rpc.address import Address
from celery_rpc.model import (
    BUILTIN_PREFIX,
    Catalog,
    QueueReport,
    Service,
    TaskSpec,
    WorkerReport,
)

#: Diagnostics that a catalog keeps.
MAX_DIAGNOSTICS = 200


def merge(
    reports: Iterable[WorkerReport],
    *,
    complete: bool | None = None,
    missing: frozenset[str] = frozenset(),
    diagnostics: Sequence[str] = (),
    taken_at: float = 0.0,
) -> Catalog:
    """Put together what the workers said."""
    known = [each for each in reports if each.complete]
    doubts = list(diagnostics)
    consumers: dict[str, list[tuple[WorkerReport, QueueReport]]] = defaultdict(list)
    for report in known:
        for queue in {each.name: each for each in report.queues or ()}.values():
            consumers[queue.name].append((report, queue))
    services = {name: to_service(name, consumers[name], doubts) for name in sorted(consumers)}
    return Catalog(
        services=services,
        workers=frozenset(report.node for report in known),
        complete=complete,
        missing=missing,
        diagnostics=tuple(dict.fromkeys(doubts))[:MAX_DIAGNOSTICS],
        taken_at=taken_at,
    )


def to_service(
    name: str, consumers: Sequence[tuple[WorkerReport, QueueReport]], doubts: list[str]
) -> Service:
    """Give the service behind one queue, from those who consume from it."""
    _, queue = consumers[0]
    for report, other in consumers[1:]:
        if (other.exchange, other.routing_key) != (queue.exchange, queue.routing_key):
            doubts.append(
                f"queue {name}: {report.node} bound it by {other.exchange!r}/{other.routing_key!r},"
                f" {consumers[0][0].node} by {queue.exchange!r}/{queue.routing_key!r}"
            )
    holders: dict[str, set[str]] = defaultdict(set)
    specs: dict[str, TaskSpec] = {}
    for report, _ in consumers:
        for task, spec in (report.tasks or {}).items():
            holders[task].add(report.node)
            known = specs.setdefault(task, spec)
            if known != spec:
                doubts.append(f"queue {name}: workers differ on {task}: {known} and {spec}")
    workers = frozenset(report.node for report, _ in consumers)
    return Service(
        queue=name,
        address=Address(name, queue.exchange, queue.routing_key),
        workers=workers,
        tasks={task: specs[task] for task in sorted(specs)},
        partial=partial_tasks(holders, workers),
        arguments=queue.arguments,
    )


def partial_tasks(
    holders: Mapping[str, set[str]], workers: frozenset[str]
) -> dict[str, frozenset[str]]:
    """Give the tasks that not all workers of a queue have."""
    return {
        task: frozenset(nodes)
        for task, nodes in sorted(holders.items())
        if len(nodes) < len(workers) and not task.startswith(BUILTIN_PREFIX)
    }
