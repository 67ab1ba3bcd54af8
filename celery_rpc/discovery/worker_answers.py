"""What one worker answers -> WorkerReport, strictly; pure."""

import re
from collections.abc import Sequence
from typing import Any

from celery_rpc.catalog.foreign import (
    DIGEST,
    MAX_TASKS,
    BadReport,
    check_arguments,
    checked_name,
    checked_object,
    checked_text,
)
from celery_rpc.catalog.model import QueueReport, TaskSpec, WorkerReport

#: Limits for one worker's answers; what is beyond is dropped, and said.
MAX_QUEUES = 1_000

#: Limits for one sweep: workers, the tasks of all of them, and what was wrong.
MAX_WORKERS = 10_000
MAX_ALL_TASKS = 1_000_000
MAX_DIAGNOSTICS = 1_000

#: What every worker is asked about its tasks: public attributes of every Celery task, and
#: those that celery_rpc.worker adds.
TASK_ITEMS = ("backend", "ignore_result", "rpc_answers", "rpc_digest")

_BACKEND = re.compile(r"<(?:([\w.]+)\.)?(\w+) object at 0x[0-9a-fA-F]+>")
_TASK = re.compile(
    r"(?P<name>.*?)"
    r"(?: \[(?:backend=(?P<backend><[\w. ]+ object at 0x[0-9a-fA-F]+>))?"
    r" ?(?:ignore_result=(?P<ignore>True|False))?"
    r" ?(?:rpc_answers=(?P<answers>True))?"
    r" ?(?:rpc_digest=(?P<digest>[^\]\s]*))?\])?",
    re.DOTALL,
)
#: Celery's backend classes by the names that URLs have.
_BACKENDS = {"RPCBackend": "rpc", "RedisBackend": "redis", "SentinelBackend": "redis",
             "DisabledBackend": "disabled", "DatabaseBackend": "db"}  # fmt: skip


def to_queues(answer: Any) -> tuple[list[QueueReport], list[str]]:
    """Read the answer to active_queues: the queues, and what was dropped.

    Raises:
        BadReport: it is no list.
    """
    found: list[QueueReport] = []
    dropped: list[str] = []
    for each in entries("active_queues", answer, MAX_QUEUES, dropped):
        try:
            found.append(to_queue(each))
        except BadReport as error:
            dropped.append(str(error))
    return found, dropped


def entries(question: str, answer: Any, limit: int, dropped: list[str]) -> Sequence[Any]:
    """Return the entries of an answer, as many as are read.

    Raises:
        BadReport: it is no list.
    """
    if isinstance(answer, dict) and "error" in answer:
        raise BadReport(f"{question} failed: {str(answer['error'])[:200]!r}")
    if not isinstance(answer, list):
        raise BadReport(f"{question} gave a {type(answer).__name__} in place of a list")
    if len(answer) > limit:
        dropped.append(
            f"only the first {limit:,} of {len(answer):,} entries of {question} were read"
        )
    return answer[:limit]


def to_queue(answer: Any) -> QueueReport:
    """Read one queue (kombu.Queue.as_dict)."""
    if not isinstance(answer, dict):
        raise BadReport(f"a queue is a {type(answer).__name__} in place of an object")
    name = checked_name(answer.get("name"), "queue")
    try:
        exchange = checked_object(answer.get("exchange"), "exchange")
        arguments = checked_object(answer.get("queue_arguments"), "set of arguments")
        check_arguments(arguments)
        priority = answer.get("max_priority")
        if isinstance(priority, int):
            arguments = {**arguments, "x-max-priority": priority}
        return QueueReport(
            name=name,
            exchange=checked_text(exchange.get("name"), "exchange"),
            exchange_type=checked_text(exchange.get("type"), "type of exchange") or "direct",
            routing_key=checked_text(answer.get("routing_key"), "routing key"),
            arguments=arguments or None,
        )
    except BadReport as error:
        raise BadReport(f"queue {name}: {error}") from error


def to_tasks(answer: Any) -> tuple[dict[str, TaskSpec], list[str]]:
    """Read the answer to registered: the tasks, and what was dropped.

    Raises:
        BadReport: it is no list.
    """
    dropped: list[str] = []
    tasks: dict[str, TaskSpec] = {}
    for each in entries("registered", answer, MAX_TASKS, dropped):
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
        answers=match["answers"] is not None,
    )


def to_backend(shown: str | None) -> str | None:
    """Return a backend's name from its repr."""
    match = _BACKEND.fullmatch(shown or "")
    if match is None:
        return None
    name = _BACKENDS.get(match[2], match[2].removesuffix("Backend").lower())
    return f"django-{name}" if (match[1] or "").startswith("django_celery_results.") else name


class ReportBook:
    """Collects what workers answer, node by node."""

    def __init__(self) -> None:
        self.reports: dict[str, WorkerReport] = {}
        #: Node -> the questions that it has answered, readably or not.
        self.heard: dict[str, set[str]] = {}
        self.diagnostics: list[str] = []
        self._tasks = 0

    def note(self, question: str, body: Any) -> None:
        """Note one answer: an object with the node's name as its only key."""
        if not isinstance(body, dict):
            self.doubt(f"an answer to {question} was a {type(body).__name__}")
            return
        for node, answer in body.items():
            try:
                self._note(question, checked_name(node, "worker"), answer)
            except BadReport as error:
                self.doubt(f"{str(node)[:80]!r}: {error}")

    def doubt(self, *doubts: str) -> None:
        """Note why something was not used."""
        self.diagnostics += doubts[: MAX_DIAGNOSTICS - len(self.diagnostics)]

    def _note(self, question: str, node: str, answer: Any) -> None:
        if len(self.heard) >= MAX_WORKERS and node not in self.heard:
            raise BadReport(f"only the first {MAX_WORKERS:,} workers were read")
        self.heard.setdefault(node, set()).add(question)
        known = self.reports.get(node, WorkerReport(node))
        if question == "active_queues":
            queues, dropped = to_queues(answer)
            if known.queues is not None:
                self.doubt(f"two workers are called {node}: give each its own -n")
                queues = [*known.queues, *queues][:MAX_QUEUES]
            self.reports[node] = WorkerReport(node, queues, known.tasks)
        else:
            tasks, dropped = to_tasks(answer)
            self._tasks += len(tasks)
            if self._tasks > MAX_ALL_TASKS:
                raise BadReport(f"all workers together have more than {MAX_ALL_TASKS:,} tasks")
            self.reports[node] = WorkerReport(node, known.queues, {**(known.tasks or {}), **tasks})
        self.doubt(*(f"{node}: {each}" for each in dropped))

    def complete(self) -> Sequence[WorkerReport]:
        """Return the workers that have answered everything."""
        # Listed in one step: others may look while more is noted.
        return [each for each in list(self.reports.values()) if each.complete]

    @property
    def half_heard(self) -> Sequence[str]:
        """The workers that have answered one question of two."""
        return [node for node, questions in self.heard.items() if len(questions) < 2]
