"""Task paths: the names below a service that lead to its tasks; pure."""

import keyword
from collections.abc import Iterator

from celery_rpc.catalog.model import Service, TaskSpec, counted
from celery_rpc.errors import AmbiguousTask, NoSuchTask
from celery_rpc.support.near import did_you_mean, near


def paths(service: Service) -> Iterator[str]:
    """Yield every path of a service's tasks: the name, and the name without a leading queue."""
    own = f"{service.queue}."
    for name in service.public:
        yield name
        if name.startswith(own):
            yield name[len(own) :]


def names_below(service: Service, prefix: str) -> list[str]:
    """Return the attributes that a namespace offers; the others are reached by item."""
    names: set[str] = set()
    for path in paths(service):
        name = path.removeprefix(prefix).partition(".")[0]
        if path.startswith(prefix) and name.isidentifier() and not name.startswith("_"):
            names.add(f"{name}_" if keyword.iskeyword(name) else name)
    return sorted(names)


def leads(service: Service, path: str) -> bool:
    """Return whether a path leads to a task, or to a namespace."""
    if find_task(service, path) is not None:
        return True
    return any(each.startswith(path + ".") for each in paths(service))


def find_task(service: Service, path: str) -> TaskSpec | None:
    """Return the task that a path names.

    Raises:
        AmbiguousTask: there are two.
    """
    exact = service.tasks.get(path)
    short = service.tasks.get(f"{service.queue}.{path}")
    if exact is not None and short is not None:
        raise AmbiguousTask(
            f"client.{service.queue}.{path} could be {exact.name!r} or {short.name!r}: say which "
            f"by client.task(name, queue={service.queue!r})",
            candidates=(exact.name, short.name),
            name=path,
        )
    return exact or short


def no_such_task(service: Service, path: str) -> NoSuchTask:
    """Return the error for a name that a service does not have, with those that are near."""
    like = near(path, paths(service))
    return NoSuchTask(
        f"service {service.queue!r} has no task {path!r}{did_you_mean(like)} "
        f"({counted(len(service.public), 'task')} on {counted(len(service.workers), 'worker')})",
        service=service.queue,
        task=path,
        near=like,
        name=path,
    )


def unescaped(attribute: str, reserved: frozenset[str]) -> str:
    """Return the name that an attribute with a trailing underscore stands for.

    ``class_`` is the task ``class``, and ``delay_`` below a task is the task ``delay``.
    """
    name = attribute.removesuffix("_")
    if name != attribute and (keyword.iskeyword(name) or name in reserved or not reserved):
        return name
    return attribute
