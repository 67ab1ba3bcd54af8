"""RpcApp: the Celery app on which Celery's own chains, groups and chords run.

Three of Celery's seams lead them here: ``send_task`` gets every task, and with a chain's first the
rest of it; ``producer_or_acquire`` is held open while a group is sent; and ``apply_chord`` of the
result backend gets every chord's body before its header is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from threading import local
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery
from celery.backends.base import Backend

from celery_rpc.calls.pending import Pending
from celery_rpc.canvas.celery_classes import (
    AsyncResult,
    Chord,
    Group,
    GroupResult,
    Signature,
    listed,
)
from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.launch import check, launch, started
from celery_rpc.canvas.lowering import Lowering, errbacks_of_members, lower
from celery_rpc.canvas.nodes import Errback, Given, Node
from celery_rpc.canvas.results import GroupReply, as_they_end, leaves
from celery_rpc.canvas.run import Run
from celery_rpc.support.deadline import NEVER, Deadline


class RpcApp(Celery):  # type: ignore[misc]
    """An app without tasks, without a connection pool, and without queues of its own."""

    def __init__(self, client: LaunchClient) -> None:
        super().__init__("celery_rpc", set_as_current=False, autofinalize=True, fixups=[])
        self.client = client
        self.conf.update(broker_url="memory://", result_backend=None, task_serializer="json")
        self.reply_backend = ReplyBackend(self)

    @property
    def backend(self) -> Any:
        return self.reply_backend

    @property
    def control(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return Control(self.client)

    @property
    def AsyncResult(self) -> Any:  # noqa: N802 # pyright: ignore[reportIncompatibleVariableOverride]
        client = self.client

        def reply(id: str, backend: Any = None, parent: Any = None, **compat: Any) -> Any:  # noqa: A002
            made = client.reply(id)
            made.parent = parent
            return made

        return reply

    @property
    def GroupResult(self) -> Any:  # noqa: N802 # pyright: ignore[reportIncompatibleVariableOverride]
        client = self.client

        def group_reply(id: str, results: Any = (), parent: Any = None, **compat: Any) -> Any:  # noqa: A002
            members = list(results)
            return GroupReply(id, lambda: members, client, lambda: parent)

        return group_reply

    @property
    def thread_oid(self) -> str:
        return self.client.reply_to

    def send_task(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        producer: Any = None,
        **options: Any,
    ) -> Any:
        """Send a task, as Celery's canvases ask for it; with it what its chain has left."""
        for compat in ("route_name", "task_type", "connection", "router", "result_cls",
                       "add_to_parent", "publisher", "retries"):  # fmt: skip
            options.pop(compat, None)
        signature = Signature(name, args, kwargs, options)
        graph = Graph.from_canvas(signature)
        if isinstance(producer, Gathering):
            return producer.take(graph)
        launched = launch(graph, self.client)
        frozen = graph.nodes[0].id
        return launched if frozen in (None, launched.id) else self.client.reply(frozen)

    def producer_or_acquire(self, producer: Any = None) -> Any:
        if producer is not None:
            return nullcontext(producer)
        return Gathering(self.client, self.reply_backend.begun_here())

    def connection_or_acquire(self, connection: Any = None, *args: Any, **kwargs: Any) -> Any:
        return nullcontext(connection)


class Control:
    """Those of Celery's remote control commands that end calls."""

    def __init__(self, client: LaunchClient) -> None:
        self.client = client

    def revoke(
        self, task_id: Any, terminate: bool = False, signal: str | None = None, **compat: Any
    ) -> None:
        """Ask every worker to drop one call or several, without waiting for answers."""
        self.client.revoke(listed(task_id), terminate, signal or "SIGTERM")

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: str | None = None,
        reply: bool = False,
        timeout: float | None = None,
        **compat: Any,
    ) -> list[Any] | None:
        """Ask workers to drop all calls that have one of these stamps, whoever made them.

        Args:
            headers: what each stamp is called, and its value or several.
            destination: the names of the workers that are asked; None: all of them.
            terminate: stop them where they run (pools of processes can).
            signal: what a running one is sent.
            reply: wait for the workers' answers, and return them; None otherwise.
            timeout: seconds to wait for them, 1 unless it is said.

        Raises:
            ConfigurationError: these are no stamps.
            Unavailable: the broker could not be asked.
        """
        answers: list[Any] = self.client.revoke_stamped(
            headers,
            terminate=terminate,
            signal=signal or "SIGTERM",
            destination=destination,
            window=(timeout or 1.0) * reply,
        )
        return answers if reply else None


class Gathering:
    """The members of a group, sent by one publish when all of them are there.

    Args:
        run: what waits for them, if they are a chord's header.
    """

    def __init__(self, client: LaunchClient, run: Run | None = None) -> None:
        self.client = client
        self.run = run
        self.graphs: list[Graph] = []

    def take(self, graph: Graph) -> Any:
        """Keep a member; its reply is expected already."""
        self.graphs.append(graph)
        first = graph.nodes[0]
        first.id = first.id or self.client.new_id()
        return self.client.reply(first.id)

    def __enter__(self) -> "Gathering":
        return self

    def __exit__(self, kind: object, *details: object) -> None:
        try:
            if kind is None:
                self.send()
                self.run = None
        finally:
            if self.run is not None:  # the header was not sent
                self.run.cancel()

    def send(self) -> None:
        """Send the members."""
        plain = Graph()
        for graph in self.graphs:
            if len(graph) == 1:
                plain.put(graph.nodes[0])
            else:
                launch(graph, self.client)
        if plain.nodes:
            plain.end = plain.join(plain.nodes[:])
            launch(plain, self.client)


class ReplyBackend(Backend):  # type: ignore[misc]
    """What celery.result and celery.canvas ask of a backend, answered by the client's replies."""

    supports_native_join = True
    is_async = True
    persistent = False

    def __init__(self, app: RpcApp) -> None:
        super().__init__(app)
        self.client = app.client
        #: The errbacks that are called once should a call fail: those of the chords around it.
        self._guarding: WeakKeyDictionary[Pending, list[Any]] = WeakKeyDictionary()
        self._begun = local()

    def get_task_meta(self, task_id: str, cache: bool = True) -> Any:
        return self.client.reply(task_id)._get_task_meta()  # pyright: ignore[reportPrivateUsage]

    def iter_native(
        self, result: Any, timeout: float | None = None, **compat: Any
    ) -> Iterator[tuple[str, Any]]:
        return as_they_end(result.results, Deadline.after(timeout))

    def add_pending_result(self, result: Any, weak: bool = False) -> Any:
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result

    def forget(self, task_id: str) -> None:
        self.client.forget(task_id)

    def save_group(self, group_id: str, result: Any) -> Any:
        return result

    def ensure_chords_allowed(self) -> None:
        """Allow them: the client counts the parts."""

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Leave it: the client knows the parts."""

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        """Send the body when the header's results are there; they are expected from now on.

        Celery gives the errbacks of a chord to the chords in its header, too. Those of the chord
        around this one are left to it: it fails with this one, and calls them once.

        Raises:
            CanvasError: a step of the body cannot run.
        """
        results = list(header_result_args[1])
        awaited = self.client.expected(result_id(body))
        around: list[Any] = []
        if awaited is not None and not awaited.done:  # else an id is used again
            around = self._guarding.get(awaited, [])
        own = [each for each in listed(body.options.get("link_error")) if each not in around]
        body = body.clone()
        body.options.pop("link_error", None)
        if own:
            body.options["link_error"] = own
        graph, guard = Graph(), list[Errback]()
        header = graph.join([given(graph, result, [guard]) for result in results])
        graph.end = lower(graph, body, source=header)
        if isinstance(body, Group):
            guard += errbacks_of_members(graph.end)
        else:
            errbacks = Lowering(graph).errbacks({"link_error": own})
            guard += [Errback(each, graph.end) for each in errbacks]
        check(graph, self.client)
        for reply in (leaf for result in results for leaf in leaves(result)):
            self._guarding[reply.pending] = [*around, *own]
        self._begun.run = started(graph, self.client, NEVER)

    def begun_here(self) -> Run | None:
        """Claim the run whose header this thread is about to send, if there is one."""
        run: Run | None = self._begun.__dict__.pop("run", None)
        return run

    def on_task_call(self, producer: Any, task_id: str) -> dict[str, Any]:
        return {}


def result_id(signature: Any) -> str:
    """Return the id of the call that has the result of a frozen signature."""
    while isinstance(signature, Chord):
        signature = signature.body
    return str(signature.options.get("task_id"))


def given(graph: Graph, result: Any, guards: Sequence[Sequence[Errback]]) -> Node:
    """Add a result that is expected from elsewhere to a graph."""
    if isinstance(result, GroupResult):
        return graph.join([given(graph, each, guards) for each in result.results])
    first = result
    while isinstance(first.parent, AsyncResult):
        first = first.parent
    node: Node = graph.put(Given(id=result.id, guards=guards, root=first.id))
    return node
