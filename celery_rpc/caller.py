"""LiveCaller: what happens between a proxy and the transport."""

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from celery_rpc import loops
from celery_rpc.call import Call, CallOptions, Target
from celery_rpc.config import UNSET, ClientOptions
from celery_rpc.deadline import Deadline
from celery_rpc.discovery.source import Fleet
from celery_rpc.errors import ArgumentsError, BackendMismatch, NoSuchService
from celery_rpc.model import Service
from celery_rpc.pending import Outcome, Pending
from celery_rpc.reply import Cancellation, Reply, exceeded
from celery_rpc.transport.broker import BrokerTransport
from celery_rpc.url import masked


class LiveCaller:
    """Makes calls of what proxies ask for, and replies of what comes back.

    It is what proxies, replies and canvases know of a client.
    """

    def __init__(self, options: ClientOptions) -> None:
        self.options = options
        self.transport = BrokerTransport(options, self._known_elsewhere)
        self.fleet = Fleet(self.transport.broadcast, self.transport.unexpect, options)

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
        call = self._call(target, args, kwargs, blocking=True)
        ignored = bool(call.options.ignore_result)
        pending = self.transport.send(call, confirm=ignored)
        if ignored:
            return None
        try:
            outcome = pending.wait(pending.deadline)
        finally:
            if not pending.done:
                self.transport.forget(call.id)
        return value_of(outcome, pending)

    async def call_async(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call and await the value; the event loop is never blocked."""
        call = self._call(target, args, kwargs, blocking=True)
        if call.options.ignore_result:
            await asyncio.to_thread(self.transport.send, call)
            return None
        pending = self.transport.send_soon(call)
        try:
            outcome = await loops.outcome_of(pending, pending.deadline)
        finally:
            if not pending.done:
                self.transport.forget(call.id)
        return value_of(outcome, pending)

    def send(self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Reply[Any]:
        """Send a call."""
        call = self._call(target, args, kwargs, blocking=False)
        return self._reply(self.transport.send(call), target)

    def send_many(self, target: Target, arguments: Iterable[Any]) -> list[Reply[Any]]:
        """Send many calls at once."""
        calls: list[Call] = []
        for number, each in enumerate(arguments):
            args, kwargs = split_arguments(target, number, each)
            calls.append(self._call(target, args, kwargs, blocking=False))
        return [self._reply(pending, target) for pending in self.transport.send_many(calls)]

    def signature(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], immutable: bool
    ) -> Any:
        """Give a signature that carries its address."""
        from celery_rpc.canvas.signature import make_signature

        return make_signature(self.app, target, args, kwargs, immutable)

    def _call(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], *, blocking: bool
    ) -> Call:
        self._check_answer(target, blocking)
        options = target.options
        return Call(
            id=options.task_id or self.transport.new_id(),
            task=target.spec.name,
            address=target.address,
            args=args,
            kwargs=kwargs,
            options=options,
            expires_in=self._expires_in(options, blocking),
        )

    def _expires_in(self, options: CallOptions, blocking: bool) -> float | None:
        """Give the seconds after which nobody wants the call any more."""
        if options.timeout is not UNSET:
            return options.timeout
        return self.options.timeout if blocking else None

    def _check_answer(self, target: Target, blocking: bool) -> None:
        """Refuse to wait for a reply that cannot come.

        Raises:
            BackendMismatch: the workers send results elsewhere, or nowhere.
        """
        spec, ignored = target.spec, target.options.ignore_result
        if ignored or spec.backend is None:
            return
        if spec.ignore_result and ignored is None:
            if blocking:
                raise BackendMismatch(
                    f"{spec.name} ignores its result, so no reply would come: send it by .delay(), "
                    "or ask for the result by .options(ignore_result=False)"
                )
            return
        wanted = "rpc" if self.options.backend == "rpc://" else "redis"
        if spec.backend != wanted:
            raise BackendMismatch(
                f"the workers of {spec.name} keep results in {spec.backend!r}, this client listens "
                f"to {masked(self.options.backend)!r}: set their result_backend to 'rpc://', or "
                "connect(backend=...) to theirs; .options(ignore_result=True) sends without a reply"
            )

    def _known_elsewhere(self, call: Call) -> bool:
        """Tell whether another worker on the queue has the task that one refused."""
        if not self.fleet.is_partial(call.address.queue, call.task):
            self.fleet.catalog(fresh=True)  # it did not know of that worker
        return self.fleet.peek().find(call.address.queue, call.task) is not None

    def _reply(self, pending: Pending, target: Target) -> Reply[Any]:
        reply: Reply[Any] = Reply(pending, self)
        ignored = target.options.ignore_result
        reply.ignored = target.spec.ignore_result if ignored is None else ignored
        return reply

    def _no_such_service(self, queue: str) -> NoSuchService:
        catalog = self.fleet.peek()
        near = difflib.get_close_matches(queue, list(catalog.services), n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        online = ", ".join(list(catalog.services)[:20]) or "nothing"
        return NoSuchService(
            f"no worker listens on queue {queue!r} at {self.options.broker}{hint} "
            f"(online: {online})",
            service=queue,
            near=near,
            name=queue,
        )

    # ----- what canvases ask for

    @cached_property
    def app(self) -> Any:
        """A Celery app whose calls go this way."""
        from celery_rpc.canvas.app import RpcApp

        return RpcApp(self)

    def new_id(self) -> str:
        """Give the id of a call to come."""
        return self.transport.new_id()

    @property
    def reply_to(self) -> str:
        """The queue to which workers send replies."""
        return self.transport.link(Deadline.after(self.options.connect_timeout)).reply_queue

    def send_call(self, call: Call) -> Reply[Any]:
        """Send a call that a canvas made."""
        reply: Reply[Any] = Reply(self.transport.send(call), self)
        reply.ignored = bool(call.options.ignore_result)
        return reply

    def reply(self, task_id: str) -> Reply[Any]:
        """Give the reply of a call by its id."""
        return Reply(self.transport.pending(task_id), self)

    # ----- what replies ask for

    @property
    def timeout(self) -> float | None:
        """Seconds after which a blocking call ends; None means never."""
        return self.options.timeout

    def hold(self, pending: Pending) -> None:
        """Keep a call until it has ended."""
        self.transport.hold(pending)

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


def value_of(outcome: Outcome | None, pending: Pending) -> Any:
    """Give a call's value, or raise its error."""
    if outcome is None:
        raise exceeded(pending)
    if outcome.error is not None:
        raise outcome.error.with_traceback(None)
    return outcome.value


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
