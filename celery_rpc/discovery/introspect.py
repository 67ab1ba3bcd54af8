"""Introspect: what one worker answers -> WorkerReport, strictly; pure."""

import re
from collections.abc import Sequence
from typing import Any

from celery_rpc.model import QueueReport, TaskSpec, WorkerReport
from celery_rpc.schema import DIGEST_LENGTH

#: Limits for one worker's answers; what is beyond is dropped, and said.
MAX_QUEUES = 1_000
MAX_TASKS = 10_000
MAX_NAME = 255

#: Limits for one sweep: workers, the tasks of all of them, and what was wrong.
MAX_WORKERS = 10_000
MAX_ALL_TASKS = 1_000_000
MAX_DIAGNOSTICS = 1_000

#: What every worker is asked about its tasks: public attributes of every Celery task, and the one
#: that celery_rpc.worker adds.
TASK_ITEMS = ("backend", "ignore_result", "rpc_digest")

_BACKEND = re.compile(r"<(?:[\w.]+\.)?(\w+) object at 0x[0-9a-fA-F]+>")
_TASK = re.compile(
    r"(?P<name>.*?)"
    r"(?: \[(?:backend=(?P<backend><[\w. ]+ object at 0x[0-9a-fA-F]+>))?"
    r" ?(?:ignore_result=(?P<ignore>True|False))?"
    r" ?(?:rpc_digest=(?P<digest>[^\]\s]*))?\])?",
    re.DOTALL,
)
DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")
#: Celery's backend classes by the names that URLs have.
_BACKENDS = {"RPCBackend": "rpc", "RedisBackend": "redis", "SentinelBackend": "redis",
             "DisabledBackend": "disabled", "DatabaseBackend": "db"}  # fmt: skip


class BadReport(ValueError):
    """An answer that cannot be used."""


def to_queues(answer: Any) -> list[QueueReport]:
    """Read the answer to active_queues.

    Raises:
        BadReport: it is no list of queues.
    """
    if not isinstance(answer, list):
        raise BadReport(f"active_queues gave a {type(answer).__name__} in place of a list")
    if len(answer) > MAX_QUEUES:
        raise BadReport(f"active_queues gave {len(answer):,} queues; the limit is {MAX_QUEUES:,}")
    return [to_queue(each) for each in answer]


def to_queue(answer: Any) -> QueueReport:
    """Read one queue (kombu.Queue.as_dict)."""
    if not isinstance(answer, dict):
        raise BadReport(f"a queue is a {type(answer).__name__} in place of an object")
    exchange = answer.get("exchange")
    if not isinstance(exchange, dict):
        exchange = {}
    arguments = answer.get("queue_arguments")
    priority = answer.get("max_priority")
    if isinstance(priority, int):
        arguments = {**(arguments or {}), "x-max-priority": priority}
    return QueueReport(
        name=checked_name(answer.get("name"), "queue"),
        exchange=text(exchange.get("name")),
        exchange_type=text(exchange.get("type")) or "direct",
        routing_key=text(answer.get("routing_key")),
        arguments=arguments if isinstance(arguments, dict) else None,
    )


def to_tasks(answer: Any) -> tuple[dict[str, TaskSpec], list[str]]:
    """Read the answer to registered: the tasks, and what was dropped."""
    if isinstance(answer, dict) and "error" in answer:
        raise BadReport(f"registered failed: {text(answer['error'])[:200]}")
    if not isinstance(answer, list):
        raise BadReport(f"registered gave a {type(answer).__name__} in place of a list")
    dropped: list[str] = []
    if len(answer) > MAX_TASKS:
        dropped.append(f"only the first {MAX_TASKS:,} of {len(answer):,} tasks were read")
    tasks: dict[str, TaskSpec] = {}
    for each in answer[:MAX_TASKS]:
        try:
            spec = to_task(each)
        except BadReport as error:
            dropped.append(str(error))
            continue
        tasks[spec.name] = spec
    return tasks, dropped


def to_task(answer: Any) -> TaskSpec:
    """Read one entry: the name, and in brackets what was asked of the task."""
    if not isinstance(answer, str):
        raise BadReport(f"a task is a {type(answer).__name__} in place of text")
    match = _TASK.fullmatch(answer)
    if match is None:
        raise BadReport(f"no task: {answer[:80]!r}")
    digest = match["digest"]
    return TaskSpec(
        name=checked_name(match["name"], "task"),
        backend=to_backend(match["backend"]),
        ignore_result=match["ignore"] == "True",
        digest=digest if digest and DIGEST.fullmatch(digest) else None,
    )


def to_backend(shown: str | None) -> str | None:
    """Give a backend's name from its repr."""
    match = _BACKEND.fullmatch(shown or "")
    if match is None:
        return None
    return _BACKENDS.get(match[1], match[1].removesuffix("Backend").lower())


def checked_name(name: Any, what: str) -> str:
    """Refuse a name that no broker would carry, or that a terminal would obey."""
    if not isinstance(name, str) or not name:
        raise BadReport(f"a {what} without a name")
    if len(name) > MAX_NAME:
        raise BadReport(f"a {what} with a name of {len(name):,} characters: {name[:40]!r}...")
    if not name.isprintable():
        raise BadReport(f"a {what} with control characters in its name: {name!r}")
    return name


def text(value: Any) -> str:
    """Give a text; nothing for anything else."""
    return value if isinstance(value, str) else ""


class ReportBook:
    """Collects what workers answer, node by node."""

    def __init__(self) -> None:
        self.reports: dict[str, WorkerReport] = {}
        self.diagnostics: list[str] = []
        self._tasks = 0

    def note(self, question: str, body: Any) -> None:
        """Take one answer: an object with the node's name as its only key."""
        self._note_all(question, body)
        del self.diagnostics[MAX_DIAGNOSTICS:]

    def _note_all(self, question: str, body: Any) -> None:
        if not isinstance(body, dict):
            self.diagnostics.append(f"an answer to {question} was a {type(body).__name__}")
            return
        for node, answer in body.items():
            try:
                self._note(question, checked_name(node, "worker"), answer)
            except BadReport as error:
                self.diagnostics.append(f"{str(node)[:80]!r}: {error}")

    def _note(self, question: str, node: str, answer: Any) -> None:
        known = self.reports.get(node, WorkerReport(node))
        if len(self.reports) >= MAX_WORKERS and node not in self.reports:
            raise BadReport(f"only the first {MAX_WORKERS:,} workers were read")
        if question == "active_queues":
            if known.queues is not None:
                self.diagnostics.append(f"two workers are called {node}: give each its own -n")
                queues = [*known.queues, *to_queues(answer)]
            else:
                queues = to_queues(answer)
            self.reports[node] = WorkerReport(node, queues, known.tasks)
            return
        tasks, dropped = to_tasks(answer)
        self.diagnostics += [f"{node}: {each}" for each in dropped]
        self._tasks += len(tasks)
        if self._tasks > MAX_ALL_TASKS:
            raise BadReport(f"all workers together have more than {MAX_ALL_TASKS:,} tasks")
        self.reports[node] = WorkerReport(node, known.queues, {**(known.tasks or {}), **tasks})

    def complete(self) -> Sequence[WorkerReport]:
        """Give the workers that have answered everything."""
        return [each for each in self.reports.values() if each.complete]
