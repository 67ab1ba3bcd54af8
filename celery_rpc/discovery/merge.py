"""Merge: worker reports -> Catalog; pure, and the only place that decides conflicts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import (
    BUILTIN_PREFIX,
    Catalog,
    Level,
    QueueReport,
    Service,
    TaskSpec,
    WorkerReport,
)

#: Gives a queue's task with its signature, where that is known.
Signed = Callable[[str, TaskSpec], TaskSpec]

#: What workers say of one task -> those that do.
Versions = dict[TaskSpec, set[str]]

#: Diagnostics that a catalog keeps.
MAX_DIAGNOSTICS = 200


def unsigned(queue: str, spec: TaskSpec) -> TaskSpec:
    """Return a task as its worker named it."""
    return spec


def merge(
    reports: Iterable[WorkerReport],
    *,
    complete: bool | None = None,
    missing: frozenset[str] = frozenset(),
    diagnostics: Sequence[str] = (),
    taken_at: float = 0.0,
    signed: Signed = unsigned,
) -> Catalog:
    """Put together what the workers said; ``signed`` gives a queue's task its signature."""
    known = [each for each in reports if each.complete]
    doubts = list(diagnostics)
    consumers: dict[str, list[tuple[WorkerReport, QueueReport]]] = defaultdict(list)
    for report in known:
        for queue in {each.name: each for each in report.queues or ()}.values():
            consumers[queue.name].append((report, queue))
    services = {
        name: to_service(name, consumers[name], doubts, signed) for name in sorted(consumers)
    }
    return Catalog(
        services=services,
        workers=frozenset(report.node for report in known),
        complete=complete,
        missing=missing,
        diagnostics=tuple(dict.fromkeys(doubts))[:MAX_DIAGNOSTICS],
        taken_at=taken_at,
    )


def extended(live: Catalog, saved: Catalog) -> Catalog:
    """Return what live workers say, and of a saved catalog what they do not speak of.

    A service that answers has the tasks that its workers have; the saved signature of one serves
    where they publish none. A service that nobody answers for is as it was saved.
    """
    services = {**saved.services, **live.services}
    for queue, service in live.services.items():
        known = saved.services.get(queue)
        if known is not None:
            tasks = {name: signed_by(known, spec) for name, spec in service.tasks.items()}
            services[queue] = replace(service, tasks=tasks)
    return replace(live, services=dict(sorted(services.items())))


def signed_by(known: Service, spec: TaskSpec) -> TaskSpec:
    """Return a task with the signature that was saved, if its workers publish none."""
    saved = known.tasks.get(spec.name)
    if saved is None or saved.signature is None or spec.level is Level.SCHEMA:
        return spec
    better = spec.signature is None or saved.level is Level.SCHEMA
    agreed = spec.digest is None or spec.digest == saved.digest
    return replace(spec, signature=saved.signature) if better and agreed else spec


def to_service(
    name: str,
    consumers: Sequence[tuple[WorkerReport, QueueReport]],
    doubts: list[str],
    signed: Signed = unsigned,
) -> Service:
    """Return the service behind one queue, from those who consume from it."""
    first, queue = consumers[0]
    for report, other in consumers[1:]:
        if (other.exchange, other.routing_key) != (queue.exchange, queue.routing_key):
            doubts.append(
                f"queue {name}: {report.node} bound it by {other.exchange!r}/{other.routing_key!r},"
                f" {first.node} by {queue.exchange!r}/{queue.routing_key!r}"
            )
    tasks, holders, disputed = gathered(name, [report for report, _ in consumers])
    for task, versions in disputed.items():
        tasks[task] = prevailing(versions)
        doubts += [f"queue {name}: workers differ on {task}: {how}" for how in disputes(versions)]
    skewed = {task: skew(name, versions, signed) for task, versions in sorted(disputed.items())}
    workers = frozenset(report.node for report, _ in consumers)
    return Service(
        queue=name,
        address=Address(name, queue.exchange, queue.routing_key),
        workers=workers,
        tasks={task: signed(name, tasks[task]) for task in sorted(tasks)},
        partial=partial_tasks(holders, workers),
        arguments=queue.arguments,
        exchange_type=queue.exchange_type,
        skewed={task: digests for task, digests in skewed.items() if digests},
    )


def gathered(
    queue: str, reports: Sequence[WorkerReport]
) -> tuple[dict[str, TaskSpec], dict[str, set[str]], dict[str, Versions]]:
    """Return what the first worker says of each task, who has it, and who differs."""
    tasks: dict[str, TaskSpec] = {}
    holders: dict[str, set[str]] = defaultdict(set)
    disputed: dict[str, Versions] = {}
    for report in reports:
        for task, spec in (report.tasks or {}).items():
            known = tasks.setdefault(task, spec)
            if known != spec and task not in disputed:
                disputed[task] = {known: set(holders[task])}
            holders[task].add(report.node)
            if task in disputed:
                disputed[task].setdefault(spec, set()).add(report.node)
    return tasks, holders, disputed


def prevailing(versions: Versions) -> TaskSpec:
    """Return what most workers say of a task, of those that publish its signature if any does."""
    most = min(
        versions,
        key=lambda spec: (spec.digest is None, -len(versions[spec]), spec.digest or "", str(spec)),
    )
    # Any worker may take the call: that it is answered is true only where each of them does so.
    answered = all(spec.replies == "rpc" and not spec.silent for spec in versions)
    return replace(most, answers=most.answers and answered)


def disputes(versions: Versions) -> list[str]:
    """Return how workers differ on where the results of a task go."""
    answers = sorted({f"{spec.replies}, ignored: {spec.silent}" for spec in versions})
    return [f"results go to {' and to '.join(answers)}"] if len(answers) > 1 else []


def skew(queue: str, versions: Versions, signed: Signed) -> dict[str, frozenset[str]]:
    """Return who publishes which signature of a task; nothing where all bind callers alike."""
    published = {spec: nodes for spec, nodes in versions.items() if spec.digest is not None}
    contracts = [contract(signed(queue, spec)) for spec in published]
    if all(each == contracts[0] for each in contracts):
        return {}
    digests: dict[str, frozenset[str]] = {}
    for spec, nodes in published.items():
        digests[str(spec.digest)] = digests.get(str(spec.digest), frozenset()) | nodes
    return dict(sorted(digests.items()))


def contract(spec: TaskSpec) -> object:
    """Return the part of a signature that binds its callers; where it is not known, what stands for
    it.
    """
    if spec.signature is None:
        return spec.digest
    return replace(spec.signature, doc="", version="", deprecated="", gaps=())


def partial_tasks(
    holders: Mapping[str, set[str]], workers: frozenset[str]
) -> dict[str, frozenset[str]]:
    """Return the tasks that not all workers of a queue have."""
    return {
        task: frozenset(nodes)
        for task, nodes in sorted(holders.items())
        if len(nodes) < len(workers) and not task.startswith(BUILTIN_PREFIX)
    }
