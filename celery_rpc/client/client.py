"""Client and connect(): where everything is put together."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, overload

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import DEFAULTS, Target
from celery_rpc.calls.reply import Reply
from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog, Service, counted
from celery_rpc.client.lazy_path import Unresolved
from celery_rpc.client.proxies import Caller, Namespace, TaskProxy, queue_of
from celery_rpc.client.task_paths import find_task, no_such_task, unescaped
from celery_rpc.errors import ConfigurationError, NoSuchService, NoSuchTask
from celery_rpc.settings.client_options import UNSET, ClientOptions, Unset, check_seconds
from celery_rpc.settings.sources import borrowed, check_limits, find_broker, warn_of
from celery_rpc.support.deadline import Deadline
from celery_rpc.support.near import did_you_mean, near

if TYPE_CHECKING:
    from celery_rpc.canvas.client import LaunchClient
    from celery_rpc.canvas.driver import OnChange
    from celery_rpc.canvas.graph import Graph
    from celery_rpc.canvas.run import Run
    from celery_rpc.discovery.fleet import Fleet
    from celery_rpc.transport.link import CallTransport

    class ClientCaller(Caller, Protocol):
        """What a client needs of its caller, which is a calls.Caller.

        It stands here for that class because a user's type checker reads all that this module
        names: with that one it would read the brokers' libraries and pydantic too, for seconds.
        """

        @property
        def options(self) -> ClientOptions: ...
        @property
        def fleet(self) -> Fleet: ...
        @property
        def transport(self) -> CallTransport: ...
        @property
        def host(self) -> LaunchClient: ...
        def close(self) -> None: ...


class BaseClient:
    """What every client has; generated stubs add the services."""

    def __init__(self, caller: "ClientCaller") -> None:
        #: The way from proxies to the transport; tools reach what is below by it.
        self.caller = caller

    # ----- the tree

    def task(self, name: str, *, queue: str | None = None) -> TaskProxy:
        """Return a task by its full name, whatever characters it has.

        Args:
            name: as the workers registered it.
            queue: where it is; left out, the one queue that has it.

        Raises:
            NoSuchService, NoSuchTask: there is none; names those that are near.
            ConfigurationError: several queues have it, and none was said.
        """
        if not isinstance(name, str):
            raise TypeError(f"a task's name is text, not {type(name).__name__}")
        if queue is None:
            service = self._home_of(name)
        else:
            service = self.caller.directory.service(queue, lambda found: _task_of(found, name))
        spec = _task_of(service, name)
        if spec is None:
            raise no_such_task(service, name)
        return TaskProxy(Target(spec, service.address, DEFAULTS), self.caller)

    def _home_of(self, name: str) -> Service:
        homes = self.caller.fleet.find(lambda catalog: homes_of(catalog, name) or None)
        if not homes:
            raise _nowhere(self.caller.fleet.peek(), name)
        if len(homes) > 1:
            queues = ", ".join(home.queue for home in homes)
            raise ConfigurationError(f"several queues have {name!r}: say queue= one of {queues}")
        return homes[0]

    def __getitem__(self, queue: str) -> Any:
        """Return the service behind a queue; any text is a name here."""
        if not isinstance(queue, str):
            raise TypeError(f"a queue's name is text, not {type(queue).__name__}")
        if event_loops.in_loop() and not self.caller.directory.knows(queue):
            return Unresolved(f"client[{queue!r}]", lambda: self._namespace(queue))
        return self._namespace(queue)

    def _namespace(self, queue: str) -> Namespace:
        return Namespace(self.caller, self.caller.directory.service(queue).queue)

    def service(self, queue: str) -> Service:
        """Return what is known of a service.

        Raises:
            NoSuchService: no worker listens on that queue.
        """
        return self.caller.directory.service(queue)

    @property
    def catalog(self) -> Catalog:
        """All that is known of the fleet; asks the workers the first time."""
        return self.caller.fleet.catalog()

    def refresh(self) -> Catalog:
        """Ask the workers anew, and give what they say."""
        return self.caller.fleet.catalog(fresh=True)

    def detailed(self) -> Catalog:
        """Return the catalog with what can only be guessed, too.

        Workers that publish no signatures are asked for annotations and docstrings; those of
        Celery 5.6 or older tell them.
        """
        return self.caller.fleet.detailed()

    async def discover(self) -> Catalog:
        """Ask the workers without blocking the event loop."""
        return await asyncio.to_thread(self.refresh)

    # ----- canvases

    def signature(self, canvas: Any) -> Any:
        """Return a signature or canvas, of Celery or from JSON, as one of this client."""
        from celery_rpc.canvas.signature import adopt

        return adopt(canvas, self.caller.app)

    def run(
        self,
        graph: "Graph",
        *,
        timeout: float | None = None,
        limit: int = 1_000,
        on_change: "OnChange | None" = None,
    ) -> "Run":
        """Run a graph of tasks; it is advanced by this client, and ends with it.

        Args:
            timeout: seconds for the whole of it; None: no deadline.
            limit: how many steps are under way at once.
            on_change: called as ``on_change(step, state)`` at every change, from any thread; it
                must not block.

        Raises:
            CanvasError: a step cannot run, or steps wait for one another; nothing was sent.
        """
        from celery_rpc.canvas.launch import check, started

        check_seconds("timeout", timeout, none_is="no deadline")
        if not (isinstance(limit, int) and limit > 0):
            raise ConfigurationError(f"limit must be a number of steps above 0, not {limit!r}")
        check(graph, self.caller.host)
        return started(
            graph, self.caller.host, Deadline.after(timeout), limit=limit, on_change=on_change
        )

    # ----- the rest

    def reply(self, task_id: str) -> Reply[Any]:
        """Return the reply of a call by its id.

        Over rpc:// only this process can have it, and only from now on; where results are stored,
        any client can, while the store keeps it.
        """
        return self.caller.host.reply(task_id)

    @property
    def app(self) -> Any:
        """A Celery app whose calls go through this client: what celery's own canvases use."""
        return self.caller.app

    @property
    def options(self) -> ClientOptions:
        """What this client works with."""
        return self.caller.options

    def status(self) -> dict[str, Any]:
        """Return the state of the connection, and the counts of calls and of dropped replies."""
        return self.caller.transport.status()

    def close(self) -> None:
        """Disconnect. Calls that are pending fail with ClientClosed. May be called again."""
        self.caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self.discover()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.options.broker}>"


RESERVED = frozenset(name for name in vars(BaseClient) if not name.startswith("_")) | {"caller"}


class Client(BaseClient):
    """A client whose attributes are the services that are online."""

    def __init__(self, caller: "ClientCaller") -> None:
        super().__init__(caller)
        self._kept: dict[str, Namespace] = {}

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(
                f"{attribute}: queues that start with _ are reached by item, as in "
                f"client[{attribute!r}]"
            )
        kept = self._kept.get(attribute)
        if kept is not None and self.caller.directory.known(queue_of(kept)) is not None:
            return kept
        if event_loops.in_loop() and not self.caller.directory.knows(attribute):
            return Unresolved(f"client.{attribute}", lambda: self._attribute(attribute))
        kept = self._kept[attribute] = self._attribute(attribute)
        return kept

    def _attribute(self, attribute: str) -> Namespace:
        try:
            return self._namespace(attribute)
        except NoSuchService:
            escaped = unescaped(attribute, frozenset())
            if escaped == attribute:
                raise
            return self._namespace(escaped)

    def __dir__(self) -> Iterable[str]:
        names = (name for name in self.catalog if name.isidentifier() and name not in RESERVED)
        return [*object.__dir__(self), *names]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.catalog)


if TYPE_CHECKING:
    from celery_rpc_registry import Services  # type: ignore[import-not-found, unused-ignore]
else:
    Services = Client


S = TypeVar("S", bound=BaseClient)


@overload
def connect(  # pyright: ignore[reportUnknownParameterType]
    broker: str | None = None,
    *,
    services: None = None,
    backend: str | None = None,
    timeout: float | Unset | None = UNSET,
    catalog: Catalog | str | PathLike[str] | None = None,
    app: Any = None,
    errors: Sequence[type[Exception]] = (),
    transport_options: Mapping[str, Any] | None = None,
    **limits: Any,
) -> "Services": ...
@overload
def connect(
    broker: str | None = None,
    *,
    services: type[S],
    backend: str | None = None,
    timeout: float | Unset | None = UNSET,
    catalog: Catalog | str | PathLike[str] | None = None,
    app: Any = None,
    errors: Sequence[type[Exception]] = (),
    transport_options: Mapping[str, Any] | None = None,
    **limits: Any,
) -> S: ...
def connect(
    broker: str | None = None,
    *,
    services: type[Any] | None = None,
    backend: str | None = None,
    timeout: float | Unset | None = UNSET,
    catalog: Catalog | str | PathLike[str] | None = None,
    app: Any = None,
    errors: Sequence[type[Exception]] = (),
    transport_options: Mapping[str, Any] | None = None,
    **limits: Any,
) -> Any:
    """Return a client of the services on a broker. Nothing is connected before the first use.

    Args:
        broker: URL; left out: $CELERY_RPC_BROKER, then $CELERY_BROKER_URL.
        services: a generated class, which says to type checkers what there is; results are made of
            the models that it carries.
        backend: where workers send results: "rpc://", or the redis:// URL of their result_backend.
        timeout: seconds after which a blocking call ends (30); None: never.
        catalog: a saved catalog, or its path: names are found in it without asking anybody, until
            live workers have been asked in the background; what they say wins.
        app: a Celery app to take broker, transport options and TLS settings from.
        errors: exception classes of the services that may be raised as themselves.
        transport_options: what Celery calls broker_transport_options.
        limits: further fields of ClientOptions, such as max_in_flight or catalog_ttl.

    Raises:
        ConfigurationError: the URL, an option or the saved catalog is wrong; says what.
    """
    from celery_rpc.client.assembly import assembled  # see ClientCaller

    settings: dict[str, Any] = {**borrowed(app), "errors": tuple(errors)}
    if services is not None:
        settings["models"] = models_of(services)
    if backend is not None:
        settings["backend"] = backend
    if timeout is not UNSET:
        settings["timeout"] = timeout
    if transport_options is not None:
        settings["transport_options"] = transport_options
    settings["broker"] = find_broker(broker or settings.get("broker"))
    settings.update(limits)
    check_limits(limits)
    options = ClientOptions(**settings)
    warn_of(options)
    return Client(assembled(options, first=to_catalog(catalog)))


def to_catalog(given: Any) -> Catalog | None:
    """Return a catalog, read from its file where a path is given.

    Raises:
        ConfigurationError: it is neither, or no saved catalog.
    """
    if given is None or isinstance(given, Catalog):
        return given
    if not isinstance(given, str | PathLike):
        kind = type(given).__name__
        raise ConfigurationError(f"catalog= takes a path or a Catalog, not a {kind}")
    return saved.load(Path(given))


def models_of(services: Any) -> Mapping[str, Mapping[str, type]]:
    """Return the models that a generated class carries: queue -> name of the definition -> class.

    Raises:
        ConfigurationError: it is no class of services.
    """
    if not (isinstance(services, type) and issubclass(services, BaseClient)):
        raise ConfigurationError(
            f"services= takes a class that celery-rpc genstubs wrote, not {services!r}"
        )
    models: Mapping[str, Mapping[str, type]] = getattr(services, "__rpc_models__", {})
    return models


def homes_of(catalog: Catalog, name: str) -> list[Service]:
    """Return the services that have a task."""
    return [service for service in catalog.services.values() if name in service.tasks]


def _task_of(service: Service, name: str) -> Any:
    return service.tasks.get(name) or find_task(service, name)


def _nowhere(catalog: Catalog, name: str) -> NoSuchTask:
    names = {task for service in catalog.services.values() for task in service.public}
    like = near(name, sorted(names))
    return NoSuchTask(
        f"no worker has a task {name!r}{did_you_mean(like)} "
        f"({counted(len(catalog.workers), 'worker')} online)",
        task=name,
        near=like,
        name=name,
    )


__all__ = ["BaseClient", "Client", "Services", "connect"]
