"""Directory: what the services are and have, as far as the workers have told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import Target
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import BUILTIN_PREFIX, Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import DeclaredError, TaskSignature
from celery_rpc.client.task_paths import no_such_task
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import NoSuchService
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.near import did_you_mean, near
from celery_rpc.validation.declared_errors import KnownErrors, ServiceErrors


class Directory:
    """Finds services and tasks, and waits for workers to name them where that is needed."""

    def __init__(self, options: ClientOptions, fleet: Fleet, errors: KnownErrors) -> None:
        self.options = options
        self.fleet = fleet
        self.errors = errors
        #: Tasks whose annotations and docstring were asked for once.
        self._asked: set[tuple[str, str]] = set()

    # ----- services

    def service(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> Service:
        """Return what is known of a service, after it had time to show what is wanted of it.

        Raises:
            NoSuchService: no worker listens on that queue.
        """
        service = self.fleet.find(
            lambda catalog: _if(catalog.services.get(queue), wanted)
        ) or self.fleet.peek().services.get(queue)
        if service is None:
            raise self._no_such_service(queue)
        return service

    def known(self, queue: str) -> Service | None:
        """Return what is known now; what is old is asked for anew in the background."""
        return self.fleet.known().services.get(queue)

    def knows(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> bool:
        """Whether service() would answer at once."""
        return _if(self.fleet.peek().services.get(queue), wanted) is not None

    def workers(self, queue: str, task: str) -> frozenset[str]:
        """Return the workers that would run a task, as far as is known."""
        service = self.fleet.peek().services.get(queue)
        return service.partial.get(task, service.workers) if service else frozenset()

    def bound(self, address: Address) -> Address:
        """Return the address of the queue that is bound by an exchange and a routing key.

        Raises:
            NoSuchService: none is; names queues that are near.
        """

        def served(catalog: Catalog) -> Service | None:
            names = names_of(address)
            bound = (s for s in catalog.services.values() if names_of(s.address) == names)
            return next(bound, None)

        catalog = self.fleet.peek()
        service = served(catalog) if event_loops.in_loop() else self.fleet.find(served)
        if service is None:
            like = near(address.routing_key, catalog.services)
            raise NoSuchService(
                f"no queue is bound to {address.label}: say queue= instead{did_you_mean(like)}",
                near=like,
            )
        return Address(service.queue)

    def _no_such_service(self, queue: str) -> NoSuchService:
        catalog = self.fleet.peek()
        like = near(queue, catalog.services)
        live = [each.queue for each in catalog.services.values() if each.workers]
        online = ", ".join(live[:20]) or "nothing"
        window = self.options.discovery_window
        doubt = f"; some workers did not answer within {window:g} s, perhaps the ones sought"
        return NoSuchService(
            f"no worker listens on queue {queue!r} at {self.options.broker}{did_you_mean(like)} "
            f"(online: {online}{doubt if catalog.complete is False else ''})",
            service=queue,
            near=like,
            name=queue,
        )

    # ----- tasks

    def task(self, queue: str, name: str) -> TaskSpec | None:
        """Return what is known of a task; None for those of Celery itself, which no worker names.

        Raises:
            NoSuchService, NoSuchTask: it is not there; names what is near.
        """
        if name.startswith(BUILTIN_PREFIX):
            self.service(queue)
            return None
        return self._service_of(queue, name).tasks[name]

    def _service_of(self, queue: str, name: str) -> Service:
        service = self.service(queue, lambda found: found.tasks.get(name))
        if name not in service.tasks:
            raise no_such_task(service, name)
        return service

    def known_task(self, queue: str, name: str) -> TaskSpec | None:
        """Return what is known of a task by now, without asking anybody."""
        return self.fleet.peek().find(queue, name)

    def moved(self, target: Target, address: Address) -> Target:
        """Return a task as it is on another queue.

        Raises:
            NoSuchService, NoSuchTask: it is not there; names what is near.
        """
        name = target.spec.name
        service = self._service_of(address.queue or self.bound(address).queue, name)
        return replace(target, spec=service.tasks[name], address=service.address)

    def describe(self, target: Target) -> TaskSignature | None:
        """Return a task's signature, or what can be guessed of it."""
        spec, queue = target.spec, target.address.queue
        signature = self.fleet.signature_of(spec)
        if signature is not None or spec.digest is not None or event_loops.in_loop():
            return signature
        if (queue, spec.name) not in self._asked:
            self._asked.add((queue, spec.name))
            self.fleet.detailed()
        found = self.known_task(queue, spec.name)
        return found.signature if found else None

    def errors_of(self, queue: str) -> ServiceErrors:
        """Return the errors that the tasks of a service declare."""
        found: dict[DeclaredError, None] = {}
        for spec in self.service(queue).public.values():
            signature = self.fleet.signature_of(spec)
            found.update(dict.fromkeys(signature.errors if signature else ()))
        return ServiceErrors(queue, found, self.errors)


def _if(service: Service | None, wanted: Callable[[Service], Any] | None) -> Service | None:
    if service is None or wanted is None:
        return service
    return service if wanted(service) else None


def names_of(address: Address) -> tuple[str, str]:
    """Return the exchange and the routing key by which workers bound a queue."""
    return address.exchange, address.routing_key
