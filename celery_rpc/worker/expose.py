"""Expose: two public attributes on every task, which the stock ``registered`` command returns."""

from typing import Any

from celery.app.task import Task

from celery_rpc.model import BUILTIN_PREFIX
from celery_rpc.schema import digest, to_json
from celery_rpc.worker.apps import version_of
from celery_rpc.worker.describe import describe

#: Where a task keeps what was made of it.
KEPT = "_rpc_published"


class Published:
    """An attribute of tasks that is made when somebody first asks for it.

    A worker that nobody asks pays nothing: pydantic is not even imported.
    """

    #: True once every app of the process is exposed.
    everywhere = False

    def __init__(self, part: int) -> None:
        self.part = part

    def __get__(self, task: Any, owner: Any = None) -> str | None:
        # None is what the registered command leaves out.
        if task is None or not self.covers(task):
            return None
        kept = vars(task).get(KEPT)
        if kept is None:
            kept = vars(task)[KEPT] = published(task)
        return str(kept[self.part])

    @classmethod
    def covers(cls, task: Any) -> bool:
        """Tell whether a task is one of those that were exposed."""
        name = getattr(task, "name", None)
        if not isinstance(name, str) or name.startswith(BUILTIN_PREFIX):
            return False
        return cls.everywhere or bool(getattr(task.app, "rpc_exposed", False))


def published(task: Any) -> tuple[str, str]:
    """Give the digest and the JSON of a task's signature."""
    text = to_json(describe(task, version_of(task.app)))
    return digest(text), text


def expose(app: Any = None, *, version: str = "") -> None:
    """Publish the signatures of an app's tasks to whoever can reach its broker.

    Nothing is done until a worker is asked for them. Celery's own tasks are not described.

    Args:
        app: the Celery app; left out: every app of this process.
        version: what the service calls its present version.
    """
    if app is None:
        Published.everywhere = True
    else:
        app.rpc_exposed = True
        if version:
            app.rpc_version = version
    for part, attribute in enumerate(("rpc_digest", "rpc_schema")):
        if not isinstance(vars(Task).get(attribute), Published):
            setattr(Task, attribute, Published(part))
