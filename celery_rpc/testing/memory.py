"""MemoryTransport: calls that run real tasks in this process, with no broker and no worker."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any
from uuid import uuid4

from celery import Celery
from celery.app.task import Context
from celery.canvas import Signature
from celery.exceptions import ChordError
from kombu.utils.json import dumps, loads

from celery_rpc.calls.call import DEFAULTS, Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.calls.reply import Cancellation
from celery_rpc.canvas.errbacks import CALLER
from celery_rpc.catalog.address import Address
from celery_rpc.client.assembly import assembled
from celery_rpc.client.client import Client
from celery_rpc.errors import ClientClosed, RpcError
from celery_rpc.settings.broker_url import BrokerUrl
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.call_message import Envelope, EnvelopeWriter
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.control import Command
from celery_rpc.transport.reply_message import parse_meta
from celery_rpc.transport.reply_table import ReplyTable, TableTransport

log = logging.getLogger("celery_rpc.testing")

#: How a stock worker shows a backend that answers over rpc.
RPC_BACKEND = "<celery.backends.rpc.RPCBackend object at 0x0>"


def in_memory(services: Mapping[str, Celery], **options: Any) -> Client:
    """Return a client whose services are Celery apps in this process: queue -> app.

    Arguments and results make the way through JSON as they would over a broker, and canvases run
    as they would; tasks run one after the other, in one thread. What a worker does beside that
    (retries, time limits, acks, priorities) it does not do.

    Args:
        options: fields of ClientOptions, such as ``timeout`` or ``max_in_flight``.
    """
    settings = ClientOptions(broker=BrokerUrl.parse("memory://"), **options)
    transport = MemoryTransport(services, settings)
    caller = assembled(settings, transport)
    transport.table.registry = caller.directory.errors
    return Client(caller)


class MemoryTransport(TableTransport):
    """One queue of messages, and one thread that runs them."""

    def __init__(self, services: Mapping[str, Celery], options: ClientOptions) -> None:
        self.services = services
        self.options = options
        self.table = ReplyTable({}, options.max_in_flight, options.max_reply, Skew())
        #: Messages that were sent, and their size in bytes.
        self.messages = self.bytes = 0
        self._writer = EnvelopeWriter(self.reply_to, options.max_payload)
        self._queue: SimpleQueue[Envelope | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="celery-rpc-memory", daemon=True)
        self._thread.start()
        self._closed = False

    @property
    def reply_to(self) -> str:
        return "memory"

    def new_id(self) -> str:
        return str(uuid4())

    def send(self, call: Call, *, confirm: bool = True) -> Pending:
        return self._send(call)

    def wait(self, pending: Pending, deadline: Deadline) -> Outcome | None:
        return pending.wait(deadline)

    def send_many(self, calls: Sequence[Call]) -> list[Pending]:
        return [self._send(call) for call in calls]

    def send_soon(self, call: Call, pending: Pending | None = None) -> Pending:
        sent = self._send(call, pending)
        self.table.hold(sent)
        return sent

    def _send(self, call: Call, given: Pending | None = None) -> Pending:
        if self._closed:
            raise ClientClosed("this client is closed")
        envelope = self._writer.write(call)
        pending = self.table.register(call.id, call.task, Deadline.after(call.expires_in), given)
        pending.decode = call.decode
        self._put(envelope)
        return pending

    def _put(self, envelope: Envelope) -> None:
        self.messages += 1
        self.bytes += len(envelope.body)
        self._queue.put(envelope)

    def pending(self, task_id: str) -> Pending:
        return self.table.register(task_id)

    def broadcast(
        self,
        commands: Mapping[str, Command],
        answer: Callable[[str, Any], object],
        deadline: Deadline,
    ) -> int | None:
        for ticket, command in commands.items():
            for queue, app in self.services.items():
                node = f"{queue}@memory"
                if command.destination is None or node in command.destination:
                    answer(ticket, {node: answer_of(command, queue, app)})
        return len(self.services)

    def unexpect(self, commands: Mapping[str, Command]) -> None:
        """Leave it: all answers have come."""

    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        return Cancellation.FINISHED if pending.done else Cancellation.UNANSWERED

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        return (self._queue.qsize(), 1) if address.queue in self.services else None

    def status(self) -> dict[str, Any]:
        return {"broker": "memory://", "messages": self.messages, "pending": len(self.table)}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join(timeout=2.0)
            self.table.fail_all(lambda pending: ClientClosed("the client was closed"))

    # ----- the worker

    def _run(self) -> None:
        while (envelope := self._queue.get()) is not None:
            args, kwargs, embed = loads(envelope.body)
            app = self.services.get(envelope.address.queue)
            try:
                self._work(envelope, app, args, kwargs, embed)
            except RpcError as error:  # what comes next cannot be sent: a worker fails the task
                meta = failure(type(error).__module__, type(error).__qualname__, error.args)
                self.table.deliver_meta({"task_id": envelope.id, **meta})

    def _work(
        self, envelope: Envelope, app: Any, args: Any, kwargs: Any, embed: dict[str, Any]
    ) -> None:
        meta: dict[str, Any] = {"task_id": envelope.id, "status": "SUCCESS", "children": []}
        if app is not None and envelope.task == CALLER:
            self._call_errbacks_of(kwargs["callback"], app)
            return
        if app is None or envelope.task not in app.tasks:
            meta.update(failure("celery.exceptions", "NotRegistered", [envelope.task]))
        else:
            result = app.tasks[envelope.task].apply(args, kwargs, task_id=envelope.id)
            meta.update(status=result.state, traceback=result.traceback)
            if result.state == "SUCCESS":
                meta["result"] = result.result
            else:
                error = type(result.result)
                meta.update(failure(error.__module__, error.__qualname__, result.result.args))
                request = Context(embed, id=envelope.id, task=envelope.task, args=args)
                self._call_errbacks(app, request, result.result, result.traceback)
        self._send_on(meta, embed)
        self.table.deliver_meta(
            parse_meta((json.dumps(meta) if plain(meta) else dumps(meta)).encode())
        )

    def _send_on(self, meta: dict[str, Any], embed: dict[str, Any]) -> None:
        """Send what comes after a task, as a worker does."""
        if meta["status"] != "SUCCESS":
            for step in embed["chain"] or ():
                self.table.deliver_meta({**meta, "task_id": step["options"].get("task_id")})
            return
        for callback in embed["callbacks"] or ():
            self._forward(callback, meta["result"])
        if embed["chain"]:
            *rest, following = embed["chain"]
            self._forward(following, meta["result"], rest)

    def _call_errbacks_of(self, callback: Mapping[str, Any], app: Celery) -> None:
        """Do as a worker that could not send the body of a chord."""
        options = callback["options"]
        request = Context(callback, id=options["task_id"], errbacks=options["link_error"])
        error = KeyError(*options["stamped_headers"])
        self._call_errbacks(app, request, ChordError(f"Callback error: {error!r}"), None)

    def _call_errbacks(self, app: Celery, request: Any, error: Any, traceback: Any) -> None:
        """Call the errbacks of a task that failed, as its worker does."""
        for errback in request.errbacks or ():
            signature = Signature(errback, app=app)
            if not takes_error(signature, app):
                self._forward(errback, request.id)
                continue
            try:
                signature(request, error, traceback)
            except Exception:
                log.exception("the errback %r raised", signature)

    def _forward(self, signature: dict[str, Any], value: Any, chain: Any = None) -> None:
        if signature["subtask_type"] == "group":
            for member in signature["kwargs"]["tasks"]:
                self._forward(member, value)
            return
        if signature["subtask_type"] == "chain":
            first, *following = signature["kwargs"]["tasks"]
            self._forward(first, value, following[::-1])
            return
        options = dict(signature["options"])
        address = Address.from_options(options) or Address("")
        for name in ("exchange", "routing_key", "exchange_type", "queue"):
            options.pop(name, None)
        task_id = options.pop("task_id", None) or self.new_id()
        args = signature["args"] if signature["immutable"] else [value, *signature["args"]]
        call = Call(
            id=task_id, task=signature["task"], address=address, args=args,
            kwargs=signature["kwargs"], options=DEFAULTS.merged(**options, chain=chain or None),
        )  # fmt: skip
        self._put(self._writer.write(call))


def takes_error(errback: Any, app: Any) -> bool:
    """Whether a worker of an app gives an errback the request, the error and the traceback."""
    task = app.tasks.get(errback.task)
    header = getattr(task, "__header__", None)
    if header is None or isinstance(header, partial):
        return False
    return bool(app.backend._errback_arity_greater(errback, 1))  # of celery.backends.base


def plain(meta: dict[str, Any]) -> bool:
    """Return whether the standard library's encoder, which is faster, writes the same."""
    return isinstance(meta.get("result"), int | float | str | bool | None)


def failure(module: str, name: str, args: Sequence[Any]) -> dict[str, Any]:
    """Return the reply of a task that failed, as a worker's result backend writes it."""
    shown = [arg if isinstance(arg, str | int | float | bool | None) else repr(arg) for arg in args]
    return {
        "status": "FAILURE",
        "result": {"exc_type": name, "exc_message": shown, "exc_module": module},
    }


def answer_of(command: Command, queue: str, app: Celery) -> Any:
    """Answer a control command as a stock worker does."""
    if command.method == "active_queues":
        return [{"name": queue, "exchange": {"name": "", "type": "direct"}, "routing_key": queue}]
    if command.method == "registered":
        items = command.arguments["taskinfoitems"]
        return [
            entry(name, task, items)
            for name, task in sorted(app.tasks.items())
            if not name.startswith("celery.")
        ]
    return {"error": f"the memory transport knows no {command.method!r}"}


def entry(name: str, task: Any, items: Sequence[str]) -> str:
    """Return a task with some of its attributes, as the registered command shows it."""
    shown = {"backend": RPC_BACKEND, "ignore_result": bool(task.ignore_result)}
    fields = {item: shown.get(item, getattr(task, item, None)) for item in items}
    told = [f"{item}={value}" for item, value in fields.items() if value is not None]
    return f"{name} [{' '.join(told)}]" if told else name
