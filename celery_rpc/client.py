"""Client and connect(): where everything is put together."""

import asyncio
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery_rpc import loops
from celery_rpc.address import Address
from celery_rpc.call import DEFAULTS, Call, CallOptions
from celery_rpc.config import UNSET, ClientOptions, Unset
from celery_rpc.deadline import Deadline
from celery_rpc.discovery.source import Fleet
from celery_rpc.errors import (
    ArgumentsError,
    BackendMismatch,
    ConfigurationError,
    NoSuchService,
    NoSuchTask,
)
from celery_rpc.model import Catalog, Service, TaskSpec
from celery_rpc.pending import Outcome, Pending
from celery_rpc.proxy import Namespace, TaskProxy, find_task, no_such_task, unescaped
from celery_rpc.reply import Reply, exceeded
from celery_rpc.transport.broker import BrokerTransport
from celery_rpc.unresolved import Unresolved
from celery_rpc.url import BrokerUrl, masked

#: Where the broker's URL is looked for when connect() is not told.
ENVIRONMENT = ("CELERY_RPC_BROKER", "CELERY_BROKER_URL")


class BaseClient:
    """What every client has; generated stubs add the services."""

    def __init__(self, options: ClientOptions, transport: BrokerTransport | None = None) -> None:
        self._options = options
        self._transport = transport or BrokerTransport(options, self._known_elsewhere)
        self._fleet = Fleet(self._transport.broadcast, self._transport.unexpect, options)

    # ----- the tree

    def task(self, name: str, *, queue: str | None = None) -> TaskProxy:
        """Give a task by its full name, whatever characters it has.

        Args:
            name: as the workers registered it.
            queue: where it is; left out, the one queue that has it.

        Raises:
            NoSuchService, NoSuchTask: there is none; names those that are near.
        """
        if queue is not None:
            service = self.service(queue)
            spec = service.tasks.get(name) or find_task(service, name)
            if spec is None:
                self._fleet.find(lambda catalog: catalog.find(queue, name))
                service = self.service(queue)
                spec = service.tasks.get(name)
            if spec is None:
                raise no_such_task(service, name)
            return TaskProxy(spec, service.address, self, DEFAULTS)
        homes = self._fleet.find(lambda catalog: homes_of(catalog, name) or None)
        if not homes:
            raise self._nowhere(name)
        if len(homes) > 1:
            queues = ", ".join(home.queue for home in homes)
            raise ConfigurationError(f"several queues have {name!r}: say queue= one of {queues}")
        return TaskProxy(homes[0].tasks[name], homes[0].address, self, DEFAULTS)

    def __getitem__(self, queue: str) -> Any:
        """Give the service behind a queue; any text is a name here."""
        if not isinstance(queue, str):
            raise TypeError(f"a queue's name is text, not {type(queue).__name__}")
        if loops.in_loop() and queue not in self._fleet.peek().services:
            return Unresolved(f"client[{queue!r}]", lambda: self._namespace(queue))
        return self._namespace(queue)

    def _namespace(self, queue: str) -> Namespace:
        return Namespace(self, self.service(queue).queue)

    def service(self, queue: str) -> Service:
        """Give what is known of a service.

        Raises:
            NoSuchService: no worker listens on that queue.
        """
        service = self._fleet.find(lambda catalog: catalog.services.get(queue))
        if service is None:
            raise self._no_such_service(queue)
        return service

    @property
    def catalog(self) -> Catalog:
        """All that is known of the fleet; asks the workers the first time."""
        return self._fleet.catalog()

    def refresh(self) -> Catalog:
        """Ask the workers anew, and give what they say."""
        return self._fleet.catalog(fresh=True)

    async def discover(self) -> Catalog:
        """Ask the workers without blocking the event loop."""
        return await asyncio.to_thread(self.refresh)

    # ----- calls: what proxies ask for

    def call(
        self,
        task: TaskSpec,
        address: Address,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions,
    ) -> Any:
        """Call and wait for the value."""
        call = self._call(task, address, args, kwargs, options, blocking=True)
        pending = self._transport.send(call, confirm=call.options.ignore_result)
        if call.options.ignore_result:
            return None
        try:
            outcome = pending.wait(pending.deadline)
        finally:
            if not pending.done:
                self._transport.forget(call.id)
        return value_of(outcome, pending)

    async def call_async(
        self,
        task: TaskSpec,
        address: Address,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions,
    ) -> Any:
        """Call and await the value; the event loop is never blocked."""
        call = self._call(task, address, args, kwargs, options, blocking=True)
        pending = self._transport.send_soon(call)
        if call.options.ignore_result:
            return None
        try:
            outcome = await loops.outcome_of(pending, pending.deadline)
        finally:
            if not pending.done:
                self._transport.forget(call.id)
        return value_of(outcome, pending)

    def send(
        self,
        task: TaskSpec,
        address: Address,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions,
    ) -> Reply[Any]:
        """Send a call."""
        call = self._call(task, address, args, kwargs, options, blocking=False)
        return self._reply(self._transport.send(call), call)

    def send_many(
        self, task: TaskSpec, address: Address, arguments: Iterable[Any], options: CallOptions
    ) -> list[Reply[Any]]:
        """Send many calls at once."""
        calls: list[Call] = []
        for number, each in enumerate(arguments):
            args, kwargs = split_arguments(task, number, each)
            calls.append(self._call(task, address, args, kwargs, options, blocking=False))
        pendings = self._transport.send_many(calls)
        return [self._reply(pending, call) for pending, call in zip(pendings, calls, strict=True)]

    def signature(
        self,
        task: TaskSpec,
        address: Address,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions,
        immutable: bool,
    ) -> Any:
        """Give a signature that carries its address."""
        from celery_rpc.canvas.signature import make_signature

        return make_signature(self.app, task.name, address, args, kwargs, options, immutable)

    def send_call(self, call: Call) -> Reply[Any]:
        """Send a call that a canvas made."""
        return self._reply(self._transport.send(call), call)

    def reply(self, task_id: str) -> Reply[Any]:
        """Give the reply of a call by its id.

        Over rpc:// only this process can have it, and only from now on; where results are stored,
        any client can, while the store keeps it.
        """
        return Reply(self._transport.pending(task_id), self)

    def _call(
        self,
        task: TaskSpec,
        address: Address,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: CallOptions,
        *,
        blocking: bool,
    ) -> Call:
        self._check_answer(task, options, blocking)
        return Call(
            id=options.task_id or self._transport.new_id(),
            task=task.name,
            address=address,
            args=args,
            kwargs=kwargs,
            options=options,
            expires_in=self._expires_in(options, blocking),
        )

    def _expires_in(self, options: CallOptions, blocking: bool) -> float | None:
        """Give the seconds after which nobody wants the call any more."""
        if options.timeout is not UNSET:
            return options.timeout
        return self._options.timeout if blocking else None

    def _check_answer(self, task: TaskSpec, options: CallOptions, blocking: bool) -> None:
        """Refuse to wait for a reply that cannot come.

        Raises:
            BackendMismatch: the workers send results elsewhere, or nowhere.
        """
        if options.ignore_result or task.backend is None:
            return
        wanted = "rpc" if self._options.backend == "rpc://" else "redis"
        if task.ignore_result:
            if blocking:
                raise BackendMismatch(
                    f"{task.name} ignores its result, so no reply would come: send it by "
                    ".options(ignore_result=True).delay(...)"
                )
            return
        if task.backend != wanted:
            raise BackendMismatch(
                f"the workers of {task.name} keep results in {task.backend!r}, this client listens "
                f"to {masked(self._options.backend)!r}: set their result_backend to 'rpc://', or "
                "connect(backend=...) to theirs; .options(ignore_result=True) sends without a reply"
            )

    def _known_elsewhere(self, call: Call) -> bool:
        """Tell whether another worker on the queue has the task that one refused."""
        if not self._fleet.is_partial(call.address.queue, call.task):
            self._fleet.catalog(fresh=True)  # it did not know of that worker
        return self._fleet.peek().find(call.address.queue, call.task) is not None

    def _reply(self, pending: Pending, call: Call) -> Reply[Any]:
        reply: Reply[Any] = Reply(pending, self)
        reply.ignored = call.options.ignore_result
        return reply

    # ----- what canvases and replies ask for

    def new_id(self) -> str:
        """Give the id of a call to come."""
        return self._transport.new_id()

    @property
    def reply_to(self) -> str:
        """The queue to which workers send replies."""
        return self._transport.link(Deadline.after(self._options.connect_timeout)).reply_queue

    @cached_property
    def app(self) -> Any:
        """A Celery app whose calls go through this client: what celery's own canvases use."""
        from celery_rpc.canvas.app import RpcApp

        return RpcApp(self)

    @property
    def timeout(self) -> float | None:
        """Seconds after which a blocking call ends; None means never."""
        return self._options.timeout

    def hold(self, pending: Pending) -> None:
        self._transport.hold(pending)

    def forget(self, task_id: str) -> None:
        self._transport.forget(task_id)

    def cancel(self, pending: Pending, terminate: bool, signal: str, timeout: float) -> Any:
        return self._transport.cancel(pending, terminate, signal, timeout)

    # ----- errors that name what is near

    def _no_such_service(self, queue: str) -> NoSuchService:
        catalog = self._fleet.peek()
        near = difflib.get_close_matches(queue, list(catalog.services), n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        online = ", ".join(list(catalog.services)[:20]) or "nothing"
        return NoSuchService(
            f"no worker listens on queue {queue!r} at {self._options.broker}{hint} "
            f"(online: {online})",
            service=queue,
            near=near,
            name=queue,
        )

    def _nowhere(self, name: str) -> NoSuchTask:
        catalog = self._fleet.peek()
        names = {task for service in catalog.services.values() for task in service.public}
        near = difflib.get_close_matches(name, sorted(names), n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        return NoSuchTask(
            f"no worker has a task {name!r}{hint} ({len(catalog.workers)} workers online)",
            service="",
            task=name,
            near=near,
            name=name,
        )

    # ----- the end

    @property
    def options(self) -> ClientOptions:
        """What this client works with."""
        return self._options

    def status(self) -> dict[str, Any]:
        """Say how it stands with the connection, the calls, and the replies that were dropped."""
        return self._transport.status()

    def close(self) -> None:
        """Disconnect. Calls that are pending fail with ClientClosed. May be called again."""
        self._transport.close()

    def __enter__(self) -> "BaseClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> "BaseClient":
        await self.discover()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._options.broker}>"


RESERVED = frozenset(name for name in vars(BaseClient) if not name.startswith("_"))


class Client(BaseClient):
    """A client whose attributes are the services that are online."""

    def __enter__(self) -> "Client":
        return self

    async def __aenter__(self) -> "Client":
        await self.discover()
        return self

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(
                f"{attribute}: queues that start with _ are reached by item, as in "
                f"client[{attribute!r}]"
            )
        if loops.in_loop() and attribute not in self._fleet.peek().services:
            return Unresolved(f"client.{attribute}", lambda: self._attribute(attribute))
        return self._attribute(attribute)

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


def connect(  # pyright: ignore[reportUnknownParameterType]
    broker: str | None = None,
    *,
    backend: str | None = None,
    timeout: float | Unset | None = UNSET,
    app: Any = None,
    errors: Sequence[type[Exception]] = (),
    transport_options: Mapping[str, Any] | None = None,
    **limits: Any,
) -> "Services":
    """Give a client of the services on a broker. Nothing is connected before the first use.

    Args:
        broker: URL; left out: $CELERY_RPC_BROKER, then $CELERY_BROKER_URL.
        backend: where workers send results: "rpc://", or the redis:// URL of their result_backend.
        timeout: seconds after which a blocking call ends (30); None: never.
        app: a Celery app to take broker, transport options and TLS settings from.
        errors: exception classes of the services that may be raised as themselves.
        transport_options: what Celery calls broker_transport_options.
        limits: further fields of ClientOptions, such as max_in_flight or catalog_ttl.

    Raises:
        ConfigurationError: the URL or an option is wrong; names it.
    """
    settings: dict[str, Any] = {**borrowed(app), "errors": tuple(errors)}
    if backend is not None:
        settings["backend"] = backend
    if timeout is not UNSET:
        settings["timeout"] = timeout
    if transport_options is not None:
        settings["transport_options"] = dict(transport_options)
    settings["broker"] = find_broker(broker or settings.get("broker"))
    settings.update(limits)
    try:
        options = ClientOptions(**settings)
    except TypeError as error:
        raise ConfigurationError(f"connect(): {error}") from error
    return Client(options)


def borrowed(app: Any) -> dict[str, Any]:
    """Give the settings of an existing Celery app."""
    if app is None:
        return {}
    conf = app.conf
    settings: dict[str, Any] = {
        "broker": conf.broker_url,
        "transport_options": dict(conf.broker_transport_options or {}),
        "use_ssl": conf.broker_use_ssl or None,
    }
    backend = conf.result_backend
    if isinstance(backend, str) and backend.startswith(("redis", "rpc")):
        settings["backend"] = "rpc://" if backend.startswith("rpc") else backend
    return settings


def find_broker(url: str | None) -> BrokerUrl:
    """Give the broker's URL, from the argument or the environment.

    Raises:
        ConfigurationError: there is none, or it is wrong.
    """
    if url is None:
        url = next((os.environ[name] for name in ENVIRONMENT if os.environ.get(name)), None)
    if not url:
        raise ConfigurationError(
            "no broker: call connect('redis://host:6379/0'), or set $CELERY_RPC_BROKER"
        )
    if not isinstance(url, str):
        raise ConfigurationError(f"the broker must be a URL, not a {type(url).__name__}")
    return BrokerUrl.parse(url)


def homes_of(catalog: Catalog, name: str) -> list[Service]:
    """Give the services that have a task."""
    return [service for service in catalog.services.values() if name in service.tasks]


def value_of(outcome: Outcome | None, pending: Pending) -> Any:
    """Give a call's value, or raise its error."""
    if outcome is None:
        raise exceeded(pending)
    if outcome.error is not None:
        raise outcome.error.with_traceback(None)
    return outcome.value


def split_arguments(
    task: TaskSpec, number: int, item: Any
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Read one item of a batch: positional arguments, or keywords."""
    if isinstance(item, Mapping):
        return (), item
    if isinstance(item, list | tuple):
        return item, {}
    raise ArgumentsError(
        f"{task.name}: item {number} of the batch must be a tuple of arguments or a dict of "
        f"keywords, not {type(item).__name__}"
    )


__all__ = ["BaseClient", "Client", "Services", "connect"]
