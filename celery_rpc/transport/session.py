"""Session: a transport's link, and what reads and writes on it; each process has its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.call_message import EnvelopeWriter
from celery_rpc.transport.link import Link
from celery_rpc.transport.reader import Reader
from celery_rpc.transport.received import Frame
from celery_rpc.transport.reply_table import ReplyTable

if TYPE_CHECKING:
    from celery_rpc.transport.redis.result_store import ResultStore


@dataclass(frozen=True, slots=True)
class Session:
    """All of it is made at once, and nothing is connected before somebody needs it."""

    link: Link
    #: Takes replies, or workers' answers alone where results are stored, to whoever waits.
    reader: Reader[Any]
    writer: EnvelopeWriter
    store: "ResultStore | None" = None
    store_reader: Reader[Any] | None = None

    @classmethod
    def begin(
        cls, options: ClientOptions, table: ReplyTable, lost: Callable[[], object]
    ) -> "Session":
        """Return a session with a broker, and with the store of results where there is one.

        Args:
            lost: called when all replies that were to come are lost.
        """

        def reader(source: Any, deliver: Any, id_of: Any, name: str, where: str) -> Reader[Any]:
            timeout = options.connect_timeout
            return Reader(source, deliver, id_of, lost, table.spare, timeout, name, where)

        link = open_link(options, table.refuse)
        replies = reader(link, table.deliver, id_of_frame, "replies", str(options.broker))
        store, results = None, None
        if options.backend != "rpc://":
            from celery_rpc.transport.redis.result_store import ResultStore

            store = ResultStore(options, table)
            where = masked(options.backend)
            results = reader(store, table.deliver_meta, id_of_meta, "results", where)
        # Where results are stored nobody reads replies: none are asked for.
        reply_to = "" if store else link.reply_queue
        writer = EnvelopeWriter(reply_to, options.max_payload, table.skew, options.skew_allowance)
        return cls(link, replies, writer, store, results)

    @property
    def readers(self) -> list[Reader[Any]]:
        """All that read: replies, or workers' answers and results."""
        return [self.reader] if self.store_reader is None else [self.reader, self.store_reader]

    @property
    def reply_reader(self) -> Reader[Any]:
        """The one that the end of a call comes by."""
        return self.store_reader or self.reader

    def require(self, deadline: Deadline) -> None:
        """Return when connected.

        Raises:
            Unavailable: it could not be done within the connect timeout, or by the deadline.
        """
        for reader in self.readers:
            reader.require(deadline)

    def want(self) -> None:
        """See to it that somebody reads: something is awaited."""
        for reader in self.readers:
            reader.want()

    def close(self, *, delete: bool) -> None:
        """Disconnect; ``delete`` the reply queue too, or else see to it that it ends by itself."""
        for reader in self.readers:
            reader.stop()
        self.link.close(delete=delete)
        if self.store is not None:
            self.store.close()

    def abandon(self) -> None:
        """Leave it to the parent process: drop the sockets without a word on them."""
        for reader in self.readers:
            reader.abandon()
        self.link.abandon()
        if self.store is not None:
            self.store.abandon()


def open_link(options: ClientOptions, refuse: Callable[[str, Exception], object]) -> Link:
    """Return the link that speaks to a broker; imports only what that one needs."""
    if options.broker.family == "redis":
        from celery_rpc.transport.redis.link import RedisLink

        return RedisLink(options)
    if options.broker.family == "amqp":
        from celery_rpc.transport.amqp.link import AmqpLink

        return AmqpLink(options, refuse)
    from celery_rpc.transport.kombu_link import KombuLink

    return KombuLink(options)


def id_of_frame(frame: Frame) -> str | None:
    """Return the call that a message of the reply queue belongs to, if it is a reply."""
    return frame.correlation_id if frame.ticket is None else None


def id_of_meta(meta: Mapping[str, Any]) -> str | None:
    """Return the call that a stored result belongs to."""
    return meta.get("task_id")
