"""Expose: what a service adds by one line: its signatures, and answers to its callers."""

from typing import Any

from celery import Celery, signals
from celery.app.task import Task

from celery_rpc.catalog.model import BUILTIN_PREFIX
from celery_rpc.catalog.signature_json import digest, to_json
from celery_rpc.worker.apps import version_of
from celery_rpc.worker.describe import describe

#: Where a task keeps what was made of it.
KEPT = "_rpc_published"


class Published:
    """An attribute of tasks that is made when somebody first asks for it.

    A worker that nobody asks pays nothing: pydantic is not even imported.
    """

    def __init__(self, part: int) -> None:
        self.part = part

    def __get__(self, task: Any, owner: Any = None) -> str | None:
        # None is what the registered command leaves out.
        if task is None or not is_exposed(task):
            return None
        kept = vars(task).get(KEPT)
        if kept is None:
            kept = vars(task)[KEPT] = published(task)
        return str(kept[self.part])


def is_exposed(task: Any) -> bool:
    """Whether a task is one of those that were exposed."""
    name = getattr(task, "name", None)
    if not isinstance(name, str) or name.startswith(BUILTIN_PREFIX):
        return False
    return bool(getattr(task.app, "rpc_exposed", False))


def published(task: Any) -> tuple[str, str]:
    """Return the digest and the JSON of a task's signature."""
    text = to_json(describe(task, version_of(task.app)))
    return digest(text), text


def expose(app: Any = None, *, version: str = "", answer: bool = True) -> None:
    """Publish the signatures of an app's tasks to whoever can reach its broker, and answer callers.

    Nothing is done until a worker starts, or is asked for signatures. Celery's own tasks are not
    described.

    Args:
        app: the Celery app; left out: every app of this process.
        version: what the service calls its present version.
        answer: whether workers answer the clients of celery-rpc also where the app keeps its
            results elsewhere, or keeps none.
    """
    exposed: Any = Celery if app is None else app
    exposed.rpc_exposed = True
    exposed.rpc_answers = answer
    if version:
        exposed.rpc_version = version
    for part, attribute in enumerate(("rpc_digest", "rpc_schema")):
        if not isinstance(vars(Task).get(attribute), Published):
            setattr(Task, attribute, Published(part))
    signals.worker_init.connect(start_answering)


def start_answering(sender: Any = None, **_: object) -> None:
    """Make a worker that starts answer, where its app was exposed so."""
    if getattr(sender.app, "rpc_answers", False):
        from celery_rpc.worker.answers import answer_for

        answer_for(sender.app)
