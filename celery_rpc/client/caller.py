"""Caller: calls what proxies ask for, and makes replies of what comes back."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import Call, CallOptions, Target
from celery_rpc.calls.encoding import owned_arguments
from celery_rpc.calls.inherited_deadline import inherited_deadline
from celery_rpc.calls.pending import Pending
from celery_rpc.calls.reply import Reply
from celery_rpc.client.canvas_host import CanvasHost
from celery_rpc.client.contracts import Contracts
from celery_rpc.client.delivery import Delivery
from celery_rpc.client.directory import Directory
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import ArgumentsError, ConfigurationError, DeadlineExceeded
from celery_rpc.settings.client_options import UNSET, ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.link import CallTransport


class Caller:
    """The way of a call from a proxy to the transport, and back."""

    def __init__(
        self,
        options: ClientOptions,
        transport: CallTransport,
        fleet: Fleet,
        directory: Directory,
        contracts: Contracts,
        host: CanvasHost,
    ) -> None:
        self.options = options
        self.transport = transport
        self.fleet = fleet
        self.directory = directory
        self.contracts = contracts
        #: What owns the replies, and runs canvases.
        self.host = host
        self.delivery = Delivery(transport, fleet, options)

    @property
    def app(self) -> Any:
        """A Celery app whose calls go this way."""
        return self.host.app

    def call(self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call and wait for the value."""
        args, kwargs = owned_arguments(args, kwargs)
        if target.options.linked:
            from celery_rpc.canvas.launch import launch

            seconds = self._expires_in(target.options, blocking=True)
            graph = self.signature(target, args, kwargs, immutable=False).graph()
            return launch(graph, self.host, Deadline.after(seconds)).get(timeout=seconds)
        return self.delivery.call(self._call(target, args, kwargs, blocking=True))

    async def call_async(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call and await the value; the event loop is never blocked. The arguments are its own."""
        await event_loops.turn()
        if not self.contracts.is_ready(target):
            await asyncio.to_thread(self.contracts.of, target)
        if target.options.linked:
            from celery_rpc.canvas.launch import launch_async

            graph = self.signature(target, args, kwargs, immutable=False).graph()
            return await launch_async(
                graph, self.host, self._expires_in(target.options, blocking=True)
            )
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
        """Return a signature that carries its address."""
        from celery_rpc.canvas.signature import make_signature

        args, kwargs = self.contracts.bind_some(target, args, kwargs, immutable)
        return make_signature(self.app, target, args, kwargs, immutable)

    def close(self) -> None:
        """Disconnect; what is pending fails."""
        with self.fleet.ending():
            self.transport.close()
        self.delivery.close()
        self.host.clock.close()

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
        reply: Reply[Any] = Reply(pending, self.host)
        reply.ignored = self.contracts.ignores(target)
        return reply


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
