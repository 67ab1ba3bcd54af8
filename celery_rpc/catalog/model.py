"""Catalog: all that is known of the fleet, as one immutable value."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.signature import TaskSignature

#: Tasks that Celery registers in every worker; they serve canvases, not callers.
BUILTIN_PREFIX = "celery."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 worker, 2 workers."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Level(StrEnum):
    """How much is known of a task."""

    #: Its name alone.
    NAME = "name"
    #: Its annotations and docstring, but neither kinds nor defaults.
    ANNOTATIONS = "annotations"
    #: Its whole signature, with types as JSON Schema.
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is known of one task."""

    name: str
    #: Where its workers send results: rpc, redis, another backend's name, or disabled.
    #: None: they did not say.
    backend: str | None = None
    ignore_result: bool = False
    #: What stands for the signature where the service publishes one.
    digest: str | None = None
    #: None: not known, or not asked for yet.
    signature: TaskSignature | None = None
    #: Whether its workers also answer callers, whatever the backend (celery_rpc.worker.expose).
    answers: bool = False

    @property
    def replies(self) -> str | None:
        """Where a caller's reply comes from: as ``backend``, or rpc where its workers answer."""
        return "rpc" if self.answers else self.backend

    @property
    def silent(self) -> bool:
        """Whether no reply comes unless it is asked for."""
        return self.ignore_result and not self.answers

    @property
    def level(self) -> Level:
        if self.signature is None:
            return Level.NAME
        return Level.SCHEMA if self.signature.exact else Level.ANNOTATIONS


@dataclass(frozen=True, slots=True)
class QueueReport:
    """One queue, as one worker reports it."""

    name: str
    exchange: str
    exchange_type: str
    routing_key: str
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What one worker said of itself; None is what it has not said (yet)."""

    node: str
    queues: Sequence[QueueReport] | None = None
    tasks: Mapping[str, TaskSpec] | None = None

    @property
    def complete(self) -> bool:
        return self.queues is not None and self.tasks is not None


@dataclass(frozen=True, slots=True)
class Service:
    """A set of tasks behind one queue."""

    queue: str
    address: Address
    #: Nodes that consume from the queue.
    workers: frozenset[str]
    tasks: Mapping[str, TaskSpec]
    #: Tasks that only some of the workers have: task -> those that do.
    partial: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    arguments: Mapping[str, Any] | None = None
    #: Tasks on whose signature the workers differ: task -> digest -> those that say so.
    skewed: Mapping[str, Mapping[str, frozenset[str]]] = field(
        default_factory=dict[str, Mapping[str, frozenset[str]]]
    )
    exchange_type: str = "direct"

    @property
    def public(self) -> Mapping[str, TaskSpec]:
        """The tasks without Celery's own."""
        return {n: t for n, t in self.tasks.items() if not n.startswith(BUILTIN_PREFIX)}

    def __repr__(self) -> str:
        tasks, workers = counted(len(self.public), "task"), counted(len(self.workers), "worker")
        return f"<Service {self.queue}: {tasks}{in_brackets(unevenness([self]))}, {workers}>"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The services that were seen, and what is not known about them."""

    services: Mapping[str, Service] = field(default_factory=dict[str, Service])
    workers: frozenset[str] = frozenset()
    #: True when every worker is known to have answered; None where the broker cannot count them.
    complete: bool | None = None
    #: Workers that were there before and did not answer this time.
    missing: frozenset[str] = frozenset()
    #: Why something a worker said was not used, and other doubts, as sentences.
    diagnostics: Sequence[str] = ()
    #: Seconds since the epoch.
    taken_at: float = 0.0

    def __getitem__(self, queue: str) -> Service:
        return self.services[queue]

    def __iter__(self) -> Iterator[str]:
        return iter(self.services)

    def __len__(self) -> int:
        return len(self.services)

    def find(self, queue: str, task: str) -> TaskSpec | None:
        """Return a task of a queue, or None."""
        service = self.services.get(queue)
        return service.tasks.get(task) if service else None

    def __repr__(self) -> str:
        tasks = sum(len(service.public) for service in self.services.values())
        doubt = {True: "", None: "", False: ", incomplete"}[self.complete]
        return (
            f"<Catalog: {counted(len(self.services), 'service')}, {counted(tasks, 'task')}"
            f"{in_brackets(unevenness(self.services.values()))}, "
            f"{counted(len(self.workers), 'worker')}{doubt}>"
        )


def unevenness(services: Iterable[Service]) -> str:
    """Return how many tasks only some workers have, or publish with different signatures."""
    partial = skewed = 0
    for service in services:
        partial += len(service.partial)
        skewed += len(service.skewed)
    return ", ".join(f"{n} {how}" for n, how in ((partial, "partial"), (skewed, "skewed")) if n)


def in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
