"""Paths: what names a service or a task on the command line, and back."""

import keyword
from contextlib import suppress
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.cli.connection import open_session
from celery_rpc.client import proxies
from celery_rpc.client.client import RESERVED, Client
from celery_rpc.client.proxies import TaskProxy
from celery_rpc.client.task_paths import find_task
from celery_rpc.errors import AmbiguousTask, NoSuchTask

#: Seconds that completing a name may take.
COMPLETION_WINDOW = 1.0


class Place(NamedTuple):
    """A path, taken apart: ``task`` is empty for a service; ``exact`` after a colon."""

    queue: str
    task: str = ""
    exact: bool = False


def place_of(catalog: Catalog, path: str) -> Place | None:
    """Split a path: the longest queue that it starts with is its service."""
    fitting = [
        each for each in catalog if path == each or path.startswith((f"{each}.", f"{each}:"))
    ]
    if not fitting:
        return None
    queue = max(fitting, key=len)
    rest = path[len(queue) :]
    return Place(queue, rest[1:], rest.startswith(":"))


def find(client: Client, path: str) -> Service | TaskProxy:
    """Return the service or the task that a path names.

    Raises:
        NoSuchService, NoSuchTask: there is none; names those that are near.
        AmbiguousTask: there are two.
    """
    place = place_of(client.catalog, path)
    if place is None:
        queue, colon, name = path.partition(":")
        if colon:
            return client.task(name, queue=queue)
        # A task's full name, on a queue that is called otherwise; or else nothing.
        return client.task(path) if "." in path else client.service(path)
    service = client.service(place.queue)
    if not place.task:
        return service
    return find_in(client, service, place)


def find_in(client: Client, service: Service, place: Place) -> TaskProxy:
    """Return a task of a service."""
    if place.exact:
        return client.task(place.task, queue=place.queue)
    spec = find_task(service, place.task)
    return client.task(spec.name if spec else place.task, queue=place.queue)


def find_named(client: Client, path: str) -> TaskProxy:
    """Return the task that a path names.

    Raises:
        NoSuchTask: there is none, or the path is that of a service; names its tasks.
    """
    found = find(client, path)
    if isinstance(found, TaskProxy):
        return found
    names = ", ".join(path_of(client.catalog, found, each) for each in list(found.public)[:10])
    raise NoSuchTask(
        f"{path!r} is a service: name one of its tasks ({names})", service=found.queue, task=""
    )


def path_of(catalog: Catalog, service: Service, task: str) -> str:
    """Return the path by which a task is found."""
    for path in (task, f"{service.queue}.{task}"):
        if reaches(catalog, path, service, task):
            return path
    return f"{service.queue}:{task}"


def reaches(catalog: Catalog, path: str, service: Service, task: str) -> bool:
    place = place_of(catalog, path)
    if place is None or place.exact or place.queue != service.queue or not place.task:
        return False
    with suppress(AmbiguousTask):
        spec = find_task(service, place.task)
        return spec is not None and spec.name == task
    return False


def python_of(service: Service, task: TaskSpec) -> str:
    """Return the Python expression for a task."""
    short = task.name.removeprefix(f"{service.queue}.")
    odd = f"client.task({task.name!r}, queue={service.queue!r})"
    parts = short.split(".")
    plain = is_attribute(service.queue) and all(is_attribute(part) for part in parts)
    if not plain or service.queue in RESERVED or proxies.RESERVED.intersection(parts):
        return odd
    with suppress(AmbiguousTask):
        find_task(service, short)
        return f"client.{service.queue}.{short}"
    return odd


def is_attribute(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)


# ----- completion


def complete_queue(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the queues that start so."""
    return completions(ctx, incomplete, tasks=False)


def complete_path(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the services and tasks that start so."""
    return completions(ctx, incomplete, tasks=True)


def completions(ctx: click.Context, incomplete: str, *, tasks: bool) -> list[CompletionItem]:
    """Ask the workers, briefly; whatever goes wrong, there is nothing to offer."""
    with suppress(Exception):
        window = COMPLETION_WINDOW
        with open_session(ctx, discovery_window=window, connect_timeout=window) as session:
            catalog = session.client.catalog
            paths = paths_of(catalog) if tasks else list(catalog)
            return [CompletionItem(path) for path in paths if path.startswith(incomplete)]
    return []


def paths_of(catalog: Catalog) -> list[str]:
    """Return the path of every task."""
    return [
        path_of(catalog, service, task)
        for service in catalog.services.values()
        for task in service.public
    ]
