"""Reading: a catalog that a command looks into, and how names are found in it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.cli.connection import Session, open_session
from celery_rpc.cli.options import given
from celery_rpc.cli.origin import offline
from celery_rpc.cli.paths import find, place_of
from celery_rpc.client.client import homes_of
from celery_rpc.client.proxies import TaskProxy
from celery_rpc.client.task_paths import find_task, no_such_task
from celery_rpc.errors import ConfigurationError, NoSuchService
from celery_rpc.support.near import did_you_mean, near

#: A service, and a task of it where one was named.
Found = tuple[Service, TaskSpec | None]


@dataclass(frozen=True, slots=True)
class Offline:
    """A catalog for which nobody is asked."""

    catalog: Catalog
    name: str

    def service(self, queue: str) -> Service:
        """Return a service.

        Raises:
            NoSuchService: there is none; names those that are near.
        """
        found = self.catalog.services.get(queue)
        if found is None:
            like = near(queue, self.catalog)
            raise NoSuchService(
                f"there is no service {queue!r} in {self.name}{did_you_mean(like)}", near=like
            )
        return found

    def find(self, path: str) -> Found:
        """Return the service or the task that a path names.

        Raises:
            NoSuchService, NoSuchTask, AmbiguousTask, ConfigurationError: it names none, or two.
        """
        place = place_of(self.catalog, path)
        if place is None:
            return self._home_of(path)
        service = self.service(place.queue)
        if not place.task:
            return service, None
        exact = service.tasks.get(place.task)
        spec = exact if place.exact else find_task(service, place.task)
        if spec is None:
            raise no_such_task(service, place.task)
        return service, spec

    def _home_of(self, path: str) -> Found:
        homes = homes_of(self.catalog, path)
        if len(homes) > 1:
            queues = " or ".join(f"{home.queue}:{path}" for home in homes)
            raise ConfigurationError(f"several queues have {path!r}: say {queues}")
        if not homes:
            return self.service(path), None
        return homes[0], homes[0].tasks[path]


@dataclass(frozen=True, slots=True)
class Live:
    """The catalog of live workers: a name that is not known yet is waited for."""

    session: Session

    @property
    def catalog(self) -> Catalog:
        return self.session.client.catalog

    @property
    def name(self) -> str:
        return self.session.broker

    def service(self, queue: str) -> Service:
        return self.session.client.service(queue)

    def find(self, path: str) -> Found:
        found = find(self.session.client, path)
        if not isinstance(found, TaskProxy):
            return found, None
        self.session.client.detailed()
        service = self.service(found.queue)
        return service, service.tasks.get(found.name, found.spec)


@contextmanager
def open_reading(ctx: click.Context) -> Generator[Offline | Live, None, None]:
    """Return what a command's options name: a file, an app, or live workers."""
    catalog = offline(ctx)
    if catalog is not None:
        yield Offline(catalog, given(ctx, "from_catalog") or given(ctx, "app"))
        return
    with open_session(ctx) as session:
        yield Live(session)
