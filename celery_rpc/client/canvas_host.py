"""CanvasHost: what canvases, and the replies of their steps, ask of their client."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import Call, Decode, Target
from celery_rpc.calls.pending import Pending
from celery_rpc.catalog.address import Address
from celery_rpc.client.contracts import Contracts
from celery_rpc.client.directory import Directory
from celery_rpc.client.reply_keeper import ReplyKeeper
from celery_rpc.errors import CanvasError, RpcError
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import NEVER
from celery_rpc.support.timers import Clock
from celery_rpc.transport.link import CallTransport

if TYPE_CHECKING:
    from celery_rpc.canvas.graph import Graph
    from celery_rpc.canvas.nodes import Step

log = logging.getLogger("celery_rpc.canvas")


class CanvasHost(ReplyKeeper):
    """Checks the steps of canvases, sends them, and reads what they answer."""

    def __init__(
        self,
        options: ClientOptions,
        transport: CallTransport,
        clock: Clock,
        directory: Directory,
        contracts: Contracts,
    ) -> None:
        super().__init__(transport, clock, options.timeout)
        #: How many calls may wait for a reply at once.
        self.max_in_flight = options.max_in_flight
        self.directory = directory
        self.contracts = contracts
        #: One, as soon as somebody has asked for it.
        self._apps: list[Any] = []

    @property
    def app(self) -> Any:
        """A Celery app whose calls go this way."""
        if not self._apps:
            from celery_rpc.canvas.celery_app import RpcApp

            self._apps.append(RpcApp(self))  # another thread may have made the first
        return self._apps[0]

    def new_id(self) -> str:
        """Return the id of a call to come."""
        return self.transport.new_id()

    @property
    def reply_to(self) -> str:
        """The queue to which workers send replies."""
        return self.transport.reply_to

    def send_calls(self, calls: Sequence[Call]) -> list[Pending]:
        """Send calls that a canvas made, and wait until the broker has them."""
        if len(calls) == 1:
            return [self.transport.send(calls[0])]
        return self.transport.send_many(calls)

    def send_step(self, call: Call, pending: Pending | None) -> Pending:
        """Send a call without blocking; its outcome goes to ``pending`` where there is one."""
        return self.transport.send_soon(call, pending)

    def decoder(self, address: Address, task: str) -> Decode | None:
        """Return what reads a task's results into its declared type, if that is known by now."""
        spec = self.directory.known_task(address.queue, task)
        target = None if spec is None else Target(spec, address)
        if target is None or not self.contracts.is_ready(target):
            return None
        return self.contracts.decoder(target)

    # ----- before a canvas is sent

    def knows(self, queue: str) -> bool:
        """Whether a queue's service is known by now."""
        return self.directory.knows(queue)

    def located(self, step: "Step") -> Address:
        """Return the address of the queue that is bound by a step's exchange and routing key.

        Raises:
            CanvasError: none is, as far as is known.
        """
        try:
            return self.directory.bound(step.address)
        except RpcError as error:
            raise CanvasError(f"{step.label} cannot run: {error}") from error

    def check_errback(self, step: "Step") -> Address:
        """Refuse an errback that no worker has, and return where it goes.

        Raises:
            CanvasError: it is on no queue, or on one whose service does not have it.
        """
        queue = step.address.queue
        if queue and event_loops.in_loop() and not self.knows(queue):
            return step.address
        try:
            address = step.address if queue else self.directory.bound(step.address)
            self.directory.task(address.queue, step.task)
            return address
        except RpcError as error:
            raise CanvasError(
                f"the errback {step.task} on {step.address.label} cannot run: {error}"
            ) from error

    def check_step(self, step: "Step") -> bool:
        """Whether a step will answer.

        Raises:
            CanvasError: it cannot run, as far as is known.
        """
        queue, task = step.address.queue, step.task
        if event_loops.in_loop() and not self.knows(queue):
            return not step.options.ignore_result  # to find out would block the loop
        try:
            spec = self.directory.task(queue, task)
            if spec is None:
                return not step.options.ignore_result
            target = Target(spec, step.address, step.options)
            self.contracts.check_answer(target, blocking=False)
        except RpcError as error:
            raise CanvasError(f"{step.label} cannot run: {error}") from error
        return not self.contracts.ignores(target)

    def bind_step(self, step: "Step") -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments of a step as they are sent, as far as its signature is known.

        Raises:
            ArgumentsError: they do not fit.
        """
        spec = self.directory.known_task(step.address.queue, step.task)
        target = None if spec is None else Target(spec, step.address, step.options)
        if target is None or not self.contracts.is_ready(target):
            return step.args, step.kwargs
        args, kwargs, _ = self.contracts.bind(target, step.args, step.kwargs)
        return args, kwargs

    def listeners(self, step: "Step") -> frozenset[str] | None:
        """Return the workers that would run a step, as far as is known."""
        return self.directory.workers(step.address.queue, step.task) or None

    def run_errback(self, errback: "Graph") -> None:
        """Run what calls an errback, without blocking."""
        from celery_rpc.canvas.launch import started

        try:
            started(errback, self, NEVER)
        except RpcError:
            log.exception("the errback %r could not be called", errback)
