"""Results of canvases, as Celery gives them: replies with parents and children, and groups."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, cast

from typing_extensions import TypeVar

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import Decode
from celery_rpc.calls.pending import Outcome, Pending, all_of
from celery_rpc.calls.reply import Reply
from celery_rpc.canvas.celery_classes import GroupResult
from celery_rpc.canvas.client import RunClient
from celery_rpc.canvas.nodes import Gate, Join, Node, Step
from celery_rpc.errors import DeadlineExceeded
from celery_rpc.settings.client_options import UNSET, Unset
from celery_rpc.support.deadline import Deadline

#: The values of all members: a list; or for type checkers a tuple, where they are of several types.
Values = TypeVar("Values", default=list[Any])

if TYPE_CHECKING:  # celery ships no types

    class GroupBase:
        id: str
        parent: Any

        def completed_count(self) -> int: ...
        def ready(self) -> bool: ...
        def successful(self) -> bool: ...
        def failed(self) -> bool: ...
        def waiting(self) -> bool: ...
        def forget(self) -> None: ...
else:
    GroupBase = GroupResult


class Family(Protocol):
    """A canvas that was sent: it knows the result of each of its nodes."""

    @property
    def client(self) -> RunClient: ...
    def id_of(self, node: Node) -> str: ...
    def result(self, node: Node) -> Any: ...
    def pending(self, node: Node) -> Pending: ...


class StepReply(Reply[Any]):
    """The reply of one step; its parent is the result of what it comes after."""

    def __init__(self, family: Family, node: Node) -> None:
        self._family = family
        self._node = node
        super().__init__(family.pending(node), family.client)
        self.ignored = isinstance(node, Step) and bool(node.options.ignore_result)

    @property
    def parent(self) -> Any:
        source = self._node.source
        return None if source is None else self._family.result(source)

    @parent.setter
    def parent(self, parent: Any) -> None:
        """Leave it: the graph says what comes before (Reply's constructor sets one)."""

    @property
    def children(self) -> Sequence[Any]:
        """The results of the callbacks (``link``), and of what else the task itself started."""
        linked = [self._family.result(node) for node in self._node.callbacks]
        ids = {each.id for each in linked}
        return [*linked, *(each for each in super().children if each.id not in ids)]

    def _parents_pending(self) -> list[Pending]:
        return []  # whoever runs the graph fails what depends on a failure


class GroupReply(GroupBase, Generic[Values]):
    """The results of a group: a celery ``GroupResult`` that can also be awaited.

    As for a Reply, ``get()`` without a timeout ends after the client's default timeout.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        members: Callable[[], Sequence[Any]],
        client: RunClient | None,
        parent: Callable[[], Any] = lambda: None,
    ) -> None:
        # GroupResult's constructor is not called: it subscribes to each member.
        self.id = id
        self.client = client
        self._app = self._on_full = None
        self._members = members
        self._parent = parent
        self._results: list[Any] | None = None

    @property
    def results(self) -> list[Any]:
        """The members' results, in their order."""
        if self._results is None:
            self._results = list(self._members())
        return self._results

    @property
    def parent(self) -> Any:
        return self._parent()

    @parent.setter
    def parent(self, parent: Any) -> None:
        self._parent = lambda: parent

    @property
    def app(self) -> Any:
        return None if self.client is None else self.client.app

    def get(
        self,
        timeout: float | Unset | None = UNSET,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], object] | None = None,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: Callable[[], object] | None = None,
    ) -> Values:
        """Wait for the values of all members, as a list in their order.

        Args:
            timeout: seconds from now for all of them. Left out: the client's default.
            propagate: raise the error of the first member that fails, without waiting for the
                others; False waits for all, and puts errors into the list.
            callback: called with each id and value; the list is empty then.
            on_message: called with every state that is heard of a member meanwhile.

        Raises:
            DeadlineExceeded: not all were there in time, and none had failed.
            RemoteError: a member raised.
            RpcError: a member failed; the class says how.
        """
        deadline = self._deadline(timeout)
        with all_of(self._awaited(), or_failure=propagate) as together:
            if on_message is not None:
                self._tell(on_message, together, deadline)
            raise_failure(together.wait(deadline))
        values: list[Any] = []
        for result in self.results:
            value = result.get(timeout=deadline.remaining(), propagate=propagate)
            if callback is None:
                values.append(value)
            else:
                callback(result.id, value)
        return cast("Values", values)

    join = join_native = get

    def _awaited(self) -> list[Pending]:
        """Return the calls that have to end before all values are there."""
        return [reply.pending for reply in leaves(self) if not reply.ignored]

    def _tell(
        self,
        on_message: Callable[[dict[str, Any]], object],
        together: Pending,
        deadline: Deadline,
    ) -> None:
        """Call back with the members' states until the wait is over."""
        changed: SimpleQueue[Pending] = SimpleQueue()
        watchers = [(each, partial(changed.put, each)) for each in (*self._awaited(), together)]
        for pending, watcher in watchers:
            pending.watch(watcher)
        try:
            while (pending := changed.get(timeout=deadline.remaining())) is not together:
                for update in pending.take_updates():
                    on_message(
                        {"task_id": pending.id, "status": update.state, "result": update.meta}
                    )
        except Empty:  # the deadline has passed
            return
        finally:
            for pending, watcher in watchers:
                pending.forget(watcher)

    def _deadline(self, timeout: float | Unset | None) -> Deadline:
        if not isinstance(timeout, Unset):
            return Deadline.after(timeout)
        return Deadline.after(self.client.timeout if self.client is not None else None)

    def __await__(self) -> Generator[Any, None, Values]:
        return self._await().__await__()

    async def _await(self, deadline: Deadline | None = None) -> Values:
        deadline = deadline or self._deadline(UNSET)
        with all_of(self._awaited(), or_failure=True) as together:
            raise_failure(await event_loops.outcome_of(together, deadline))
        values = [await result._await(deadline) for result in self.results]
        return cast("Values", values)

    def iterate(self, timeout: float | Unset | None = UNSET) -> Iterator[tuple[str, Any]]:
        """Return (id, meta) of each member as it ends; of a group in the group, (id, its members).

        Args:
            timeout: seconds from now for all of them. Left out: the client's default.

        Raises:
            DeadlineExceeded: not all have ended in time.
        """
        return as_they_end(self.results, self._deadline(timeout))

    def iter_native(
        self,
        timeout: float | Unset | None = UNSET,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Callable[[dict[str, Any]], object] | None = None,
        on_interval: Callable[[], object] | None = None,
    ) -> Iterator[tuple[str, Any]]:
        """Return (id, meta) of each member as it ends (Celery's name for iterate)."""
        return self.iterate(timeout)

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Ask every worker to drop all of it."""
        open_ones = [member.id for member in leaves(self) if not member.done]
        if self.client is not None:  # None where there are no members
            self.client.revoke(open_ones, terminate, signal or "SIGTERM")

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        """Call ``callback(self)`` when all members have ended."""
        members = list(leaves(self))
        if not members:
            callback(self)
        left = iter(range(len(members))[::-1])  # they may end in several threads at once

        def one_less(_: Any) -> None:
            if next(left) == 0:
                callback(self)

        for member in members:
            member.add_done_callback(one_less)
        return self

    def as_tuple(self) -> tuple[Any, Any]:
        parent = self.parent
        return (self.id, parent and parent.as_tuple()), [r.as_tuple() for r in self.results]

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.results)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a GroupReply belongs to its process: pass the values when they are there")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GroupResult) and bool(getattr(other, "id", None) == self.id)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<GroupReply {self.id} of {len(self)}>"


def result_of(family: Family, node: Node) -> Any:
    """Return the result of a node: a reply, or for what is joined a group of results."""
    if isinstance(node, Gate):
        return family.result(node.after[0])
    if isinstance(node, Join):
        return GroupReply(
            family.id_of(node),
            lambda: [family.result(member) for member in node.after],
            family.client,
            lambda: None if node.source is None else family.result(node.source),
        )
    return StepReply(family, node)


def in_types(node: Node, value: Any, client: RunClient) -> Any:
    """Return the value of a node in the types that its tasks declare."""
    if isinstance(node, Join):
        return [in_types(*each, client) for each in zip(node.after, value, strict=True)]
    decode = decoder_of(node, client)
    return value if decode is None else decode(value)


def decoder_of(node: Node, client: RunClient) -> Decode | None:
    """Return what reads the value of a node, if its type is known."""
    return client.decoder(node.address, node.task) if isinstance(node, Step) else None


def as_they_end(results: Sequence[Any], deadline: Deadline) -> Iterator[tuple[str, Any]]:
    """Yield (id, meta) of each result as it ends; of a group (id, its members).

    Raises:
        DeadlineExceeded: not all have ended in time.
    """
    ended: SimpleQueue[Any] = SimpleQueue()
    for result in results:
        result.then(ended.put)
    for left in range(len(results), 0, -1):
        try:
            result = ended.get(timeout=deadline.remaining())
        except Empty:
            raise DeadlineExceeded(f"{left} of {len(results)} results were not there") from None
        group = isinstance(result, GroupResult)
        yield result.id, result.results if group else result._get_task_meta()


def raise_failure(outcome: Outcome | None) -> None:
    """Raise the error of a call that failed."""
    if outcome is not None and outcome.error is not None:
        raise outcome.error.with_traceback(None)


def leaves(result: Any) -> Iterator[Reply[Any]]:
    """Yield every reply of a group of groups."""
    if isinstance(result, GroupResult):
        for member in result.results:
            yield from leaves(member)
    else:
        yield result
