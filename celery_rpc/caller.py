"""LiveCaller: what happens between a proxy and the transport."""

import asyncio
import difflib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery_rpc import loops
from celery_rpc.address import Address
from celery_rpc.call import Call, CallOptions, Decode, Target
from celery_rpc.clock import Clock
from celery_rpc.config import UNSET, ClientOptions
from celery_rpc.contracts import Contracts
from celery_rpc.deadline import NEVER, Deadline
from celery_rpc.declared import KnownErrors, ServiceErrors
from celery_rpc.delivery import Delivery
from celery_rpc.discovery.source import Fleet
from celery_rpc.encoding import owned_arguments
from celery_rpc.errors import (
    ArgumentsError,
    CanvasError,
    ConfigurationError,
    DeadlineExceeded,
    NoSuchService,
    RpcError,
)
from celery_rpc.model import BUILTIN_PREFIX, Catalog, Service, TaskSpec
from celery_rpc.nested import inherited_deadline
from celery_rpc.pending import Pending, exceeded
from celery_rpc.proxy import no_such_task
from celery_rpc.refused import known_elsewhere
from celery_rpc.reply import Cancellation, Reply
from celery_rpc.signature import DeclaredError, TaskSignature
from celery_rpc.transport.base import CallTransport
from celery_rpc.transport.broker import BrokerTransport
from celery_rpc.transport.cancel import revoke, revoke_stamped

if TYPE_CHECKING:
    from celery_rpc.canvas.graph import Graph
    from celery_rpc.canvas.nodes import Step

log = logging.getLogger("celery_rpc.caller")


class LiveCaller:
    """Makes calls of what proxies ask for, and replies of what comes back.

    It is what proxies, replies and canvases know of a client.
    """

    def __init__(
        self,
        options: ClientOptions,
        transport: CallTransport | None = None,
        *,
        first: Catalog | None = None,
    ) -> None:
        #: ``first`` is what is known of the services before any worker was asked.
        self.options = options
        self.errors = KnownErrors(options.errors, self._declared)
        self.transport = transport or BrokerTransport(
            options,
            self.errors,
            lambda call, refusal, since: known_elsewhere(self.fleet, call, refusal, since),
        )
        self.clock = Clock()
        self.fleet = Fleet(self.transport.broadcast, self.transport.unexpect, options, first)
        self.delivery = Delivery(self.transport, self.fleet, options)
        self.contracts = Contracts(options, self.fleet)
        #: The one whose calls go this way, once it is needed.
        self._apps: list[Any] = []
        #: Tasks whose annotations and docstring were asked for once.
        self._asked: set[tuple[str, str]] = set()

    # ----- what proxies ask for

    def service(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> Service:
        """Give what is known of a service, after it had time to show what is wanted of it.

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
        """Give what is known now; what is old is asked for anew in the background."""
        return self.fleet.known().services.get(queue)

    def knows(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> bool:
        """Tell whether service() would answer at once."""
        return _if(self.fleet.peek().services.get(queue), wanted) is not None

    def call(self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call and wait for the value."""
        args, kwargs = owned_arguments(args, kwargs)
        if target.options.linked:
            from celery_rpc.canvas.launch import launch

            seconds = self._expires_in(target.options, blocking=True)
            graph = self.signature(target, args, kwargs, immutable=False).graph()
            return launch(graph, self, Deadline.after(seconds)).get(timeout=seconds)
        return self.delivery.call(self._call(target, args, kwargs, blocking=True))

    async def call_async(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call and await the value; the event loop is never blocked. The arguments are its own."""
        await loops.turn()
        if not self.contracts.is_ready(target):
            await asyncio.to_thread(self.contracts.of, target)
        if target.options.linked:
            from celery_rpc.canvas.launch import launch_async

            graph = self.signature(target, args, kwargs, immutable=False).graph()
            return await launch_async(graph, self, self._expires_in(target.options, blocking=True))
        return await self.delivery.call_async(self._call(target, args, kwargs, blocking=True))

    def send(self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Reply[Any]:
        """Send a call."""
        if target.options.linked:
            return self.signature(target, args, kwargs, immutable=False).apply_async()  # type: ignore[no-any-return]
        args, kwargs = owned_arguments(args, kwargs)
        call = self._call(target, args, kwargs, blocking=False)
        return self._reply(self.delivery.send(call), target)

    def send_many(self, target: Target, arguments: Iterable[Any]) -> list[Reply[Any]]:
        """Send many calls at once."""
        if target.options.linked:
            items = [split_arguments(target, *item) for item in enumerate(arguments)]
            return [self.send(target, *item) for item in items]
        calls: list[Call] = []
        for number, each in enumerate(arguments):
            args, kwargs = owned_arguments(*split_arguments(target, number, each))
            try:
                calls.append(self._call(target, args, kwargs, blocking=False))
            except ArgumentsError as error:
                error.add_note(f"This was item {number} of the batch.")
                raise
        return [self._reply(pending, target) for pending in self.delivery.send_many(calls)]

    def signature(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], immutable: bool
    ) -> Any:
        """Give a signature that carries its address."""
        from celery_rpc.canvas.signature import make_signature

        args, kwargs = self.contracts.bind_some(target, args, kwargs, immutable)
        return make_signature(self.app, target, args, kwargs, immutable)

    def _call(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], *, blocking: bool
    ) -> Call:
        self.contracts.check_answer(target, blocking)
        args, kwargs, decode = self.contracts.bind(target, args, kwargs)
        options = target.options
        return Call(
            id=options.task_id or self.transport.new_id(),
            task=target.spec.name,
            address=target.address,
            args=args,
            kwargs=kwargs,
            options=options,
            expires_in=self._expires_in(options, blocking),
            decode=decode,
        )

    def describe(self, target: Target) -> TaskSignature | None:
        """Give a task's signature, or what can be guessed of it."""
        spec, queue = target.spec, target.address.queue
        signature = self.fleet.signature_of(spec)
        if signature is not None or spec.digest is not None or loops.in_loop():
            return signature
        if (queue, spec.name) not in self._asked:
            self._asked.add((queue, spec.name))
            self.fleet.detailed()
        found = self.fleet.peek().find(queue, spec.name)
        return found.signature if found else None

    def errors_of(self, queue: str) -> ServiceErrors:
        """Give the errors that the tasks of a service declare."""
        found: dict[DeclaredError, None] = {}
        for spec in self.service(queue).public.values():
            signature = self.fleet.signature_of(spec)
            found.update(dict.fromkeys(signature.errors if signature else ()))
        return ServiceErrors(queue, found, self.errors)

    def _declared(self, name: str) -> DeclaredError | None:
        return self.fleet.signatures.errors.get(name)

    def _expires_in(self, options: CallOptions, blocking: bool) -> float | None:
        """Return the seconds after which nobody wants the call any more.

        Raises:
            ConfigurationError: it could not start before that.
            DeadlineExceeded: this is a task, and whoever called it does not wait for so long.
        """
        own = self.options.timeout if blocking else None
        if options.timeout is not UNSET:
            own = options.timeout
        start = options.starts_after
        if own is not None and start >= own:
            raise ConfigurationError(
                f"the call ends after {own:g} s (timeout), and may not start before {start:g} s "
                "have passed (countdown or eta): allow a longer timeout, or none by timeout=None, "
                "or send it with delay()"
            )
        left = inherited_deadline().remaining() if blocking else None
        if left is None:
            return own
        if left <= start:
            raise DeadlineExceeded(
                "the deadline of the call that this task serves has passed, or passes before this "
                "one may start (countdown or eta); nothing was sent"
            )
        return left if own is None else min(own, left)

    def _reply(self, pending: Pending, target: Target) -> Reply[Any]:
        reply: Reply[Any] = Reply(pending, self)
        reply.ignored = self.contracts.ignores(target)
        return reply

    def _no_such_service(self, queue: str) -> NoSuchService:
        catalog = self.fleet.peek()
        near = difflib.get_close_matches(queue, list(catalog.services), n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        live = [each.queue for each in catalog.services.values() if each.workers]
        online = ", ".join(live[:20]) or "nothing"
        window = self.options.discovery_window
        doubt = f"; some workers did not answer within {window:g} s, perhaps the ones sought"
        return NoSuchService(
            f"no worker listens on queue {queue!r} at {self.options.broker}{hint} "
            f"(online: {online}{doubt if catalog.complete is False else ''})",
            service=queue,
            near=near,
            name=queue,
        )

    def moved(self, target: Target, address: Address) -> Target:
        """Return a task as it is on another queue.

        Raises:
            NoSuchService, NoSuchTask: it is not there; names what is near.
        """
        queue = address.queue or self.bound(address).queue
        name = target.spec.name
        service = self.service(queue, lambda found: found.tasks.get(name))
        if name not in service.tasks:
            raise no_such_task(service, name)
        return replace(target, spec=service.tasks[name], address=service.address)

    # ----- what canvases ask for

    @property
    def app(self) -> Any:
        """A Celery app whose calls go this way."""
        if not self._apps:
            from celery_rpc.canvas.app import RpcApp

            self._apps.append(RpcApp(self))  # another thread may have made the first
        return self._apps[0]

    def new_id(self) -> str:
        """Give the id of a call to come."""
        return self.transport.new_id()

    @property
    def reply_to(self) -> str:
        """The queue to which workers send replies."""
        return self.transport.reply_to

    @property
    def max_in_flight(self) -> int:
        """How many calls may wait for a reply at once."""
        return self.options.max_in_flight

    def send_calls(self, calls: Sequence[Call]) -> list[Pending]:
        """Send calls that a canvas made, and wait until the broker has them."""
        if len(calls) == 1:
            return [self.transport.send(calls[0])]
        return self.transport.send_many(calls)

    def send_step(self, call: Call, pending: Pending | None) -> Pending:
        """Send a call without blocking; its outcome goes to ``pending`` where there is one."""
        return self.transport.send_soon(call, pending)

    def decoder(self, address: Address, task: str) -> Decode | None:
        """Give what reads a task's results into its declared type, if that is known by now."""
        spec = self.fleet.peek().find(address.queue, task)
        target = None if spec is None else Target(spec, address)
        if target is None or not self.contracts.is_ready(target):
            return None
        return self.contracts.decoder(target)

    def reply(self, task_id: str) -> Reply[Any]:
        """Give the reply of a call by its id."""
        return Reply(self.transport.pending(task_id), self)

    def expected(self, task_id: str) -> Pending | None:
        """Return what somebody waits by for a call's reply, if anybody does."""
        return self.transport.expected(task_id)

    def located(self, step: "Step") -> Address:
        """Return the address of the queue that is bound by a step's exchange and routing key.

        Raises:
            CanvasError: none is, as far as is known.
        """
        try:
            return self.bound(step.address)
        except RpcError as error:
            raise CanvasError(f"{step.label} cannot run: {error}") from error

    def bound(self, address: Address) -> Address:
        """Return the address of the queue that is bound by an exchange and a routing key.

        Raises:
            NoSuchService: none is; names queues that are near.
        """

        def served(catalog: Catalog) -> Service | None:
            names = address.exchange, address.routing_key
            bound = (s for s in catalog.services.values() if names_of(s.address) == names)
            return next(bound, None)

        catalog = self.fleet.peek()
        service = served(catalog) if loops.in_loop() else self.fleet.find(served)
        if service is None:
            near = difflib.get_close_matches(address.routing_key, list(catalog.services), n=3)
            hint = f"; queues with names like that: {', '.join(near)}" if near else ""
            raise NoSuchService(
                f"no queue is bound to {address.label}{hint}; say queue= instead",
                near=near,
            )
        return Address(service.queue)

    def check_errback(self, step: "Step") -> Address:
        """Refuse an errback that no worker has, and return where it goes.

        Raises:
            CanvasError: it is on no queue, or on one whose service does not have it.
        """
        queue = step.address.queue
        if queue and loops.in_loop() and not self.knows(queue):
            return step.address
        try:
            address = step.address if queue else self.bound(step.address)
            self._spec(address.queue, step.task)
            return address
        except RpcError as error:
            raise CanvasError(
                f"the errback {step.task} on {step.address.label} cannot run: {error}"
            ) from error

    def check_step(self, step: "Step") -> bool:
        """Tell whether a step will answer.

        Raises:
            CanvasError: it cannot run, as far as is known.
        """
        queue, task = step.address.queue, step.task
        if loops.in_loop() and not self.knows(queue):
            return not step.options.ignore_result  # to find out would block the loop
        try:
            spec = self._spec(queue, task)
            if spec is None:
                return not step.options.ignore_result
            target = Target(spec, step.address, step.options)
            self.contracts.check_answer(target, blocking=False)
        except RpcError as error:
            raise CanvasError(f"{step.label} cannot run: {error}") from error
        return not self.contracts.ignores(target)

    def bind_step(self, step: "Step") -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Give the arguments of a step as they are sent, as far as its signature is known.

        Raises:
            ArgumentsError: they do not fit.
        """
        spec = self.fleet.peek().find(step.address.queue, step.task)
        target = None if spec is None else Target(spec, step.address, step.options)
        if target is None or not self.contracts.is_ready(target):
            return step.args, step.kwargs
        args, kwargs, _ = self.contracts.bind(target, step.args, step.kwargs)
        return args, kwargs

    def _spec(self, queue: str, task: str) -> TaskSpec | None:
        """Give what is known of a task; None for those of Celery itself, which no worker names."""
        if task.startswith(BUILTIN_PREFIX):
            self.service(queue)
            return None
        service = self.service(queue, lambda found: found.tasks.get(task))
        if task not in service.tasks:
            raise no_such_task(service, task)
        return service.tasks[task]

    def listeners(self, step: "Step") -> frozenset[str] | None:
        """Give the workers that would run a step, as far as is known."""
        service = self.fleet.peek().services.get(step.address.queue)
        if service is None or not service.workers:
            return None
        return service.partial.get(step.task, service.workers)

    def run_errback(self, errback: "Graph") -> None:
        """Run what calls an errback, without blocking."""
        from celery_rpc.canvas.launch import started

        try:
            started(errback, self, NEVER)
        except RpcError:
            log.exception("the errback %r could not be called", errback)

    def revoke(self, task_ids: Sequence[str], terminate: bool, signal: str) -> None:
        """Ask every worker to drop calls, without waiting for answers."""
        if task_ids:
            revoke(self.transport, task_ids, terminate=terminate, signal=signal)

    def revoke_stamped(self, stamps: Mapping[str, Any], **options: Any) -> list[Any]:
        """Ask workers to drop all calls that have one of these stamps, as of transport.cancel."""
        return revoke_stamped(self.transport, stamps, **options)

    def close(self) -> None:
        """Disconnect; what is pending fails."""
        with self.fleet.ending():
            self.transport.close()
        self.clock.close()

    # ----- what replies ask for

    @property
    def timeout(self) -> float | None:
        """Seconds after which a blocking call ends; None means never."""
        return self.options.timeout

    def hold(self, pending: Pending) -> None:
        """Keep a call until it has ended, by its deadline at the latest."""
        self.transport.hold(pending)
        left = pending.deadline.remaining()
        if left is not None and not pending.done:
            alarm = self.clock.after(left, lambda: pending.fail(exceeded(pending)))
            pending.on_done(alarm.cancel)

    def forget(self, task_id: str) -> None:
        """Let go of a call."""
        self.transport.forget(task_id)

    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        """Revoke a call."""
        return self.transport.cancel(pending, terminate, signal, timeout)


def _if(service: Service | None, wanted: Callable[[Service], Any] | None) -> Service | None:
    if service is None or wanted is None:
        return service
    return service if wanted(service) else None


def names_of(address: Address) -> tuple[str, str]:
    """Return the exchange and the routing key by which workers bound a queue."""
    return address.exchange, address.routing_key


def split_arguments(
    target: Target, number: int, item: Any
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Read one item of a batch: positional arguments, or keywords."""
    if isinstance(item, Mapping):
        return (), item
    if isinstance(item, list | tuple):
        return item, {}
    raise ArgumentsError(
        f"{target.spec.name}: item {number} of the batch must be a tuple of arguments or a dict of "
        f"keywords, not {type(item).__name__}"
    )
