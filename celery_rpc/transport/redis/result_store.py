"""ResultStore: replies from the Redis backend in which workers store results.

One subscription for all calls: the ids of a client share their first twelve characters, so that a
single pattern covers them (celery/backends/redis.py publishes each result under its task's key).
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any
from uuid import uuid4

from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.mutex import Mutex
from celery_rpc.transport.link import LinkDown
from celery_rpc.transport.received import Malformed
from celery_rpc.transport.redis.endpoint import Endpoint
from celery_rpc.transport.redis.wire import BROKEN, Wire, translated
from celery_rpc.transport.reply_message import parse_meta
from celery_rpc.transport.reply_table import ReplyTable

KEY = "celery-task-meta-"

#: Seconds without a word after which the link is tried, and after as many more taken for dead.
SILENCE = 5.0

#: Characters that all ids of one client share: 44 random bits, and the hyphen.
PREFIX = 12


class ResultStore:
    """The Redis in which workers keep results, listened to."""

    any_thread = True

    def __init__(self, options: ClientOptions, table: ReplyTable) -> None:
        self.endpoint = Endpoint.parse(options.backend, options.transport_options, options.use_ssl)
        self.table = table
        self._prefix = str(uuid4())[:PREFIX]
        self._listening = Wire(self.endpoint)
        self._asking = Wire(self.endpoint)
        #: Of those who write to the connection that is listened to.
        self._writing = Mutex()
        self._connect_timeout = options.connect_timeout
        self._ready = False
        #: True when results may have been stored before we listened to them.
        self._to_fetch = False
        #: When the link will have been silent for too long; whether it was asked already.
        self._silent_at, self._pinged = 0.0, False

    def new_id(self) -> str:
        """Return an id that the subscription covers."""
        return self._prefix + str(uuid4())[PREFIX:]

    def expect(self, task_id: str) -> None:
        """See to it that the result of a call in the table will be heard."""
        if self._listening.connected and not self._covers(task_id):
            try:
                self._writing.run(self._listening.send, [("SUBSCRIBE", KEY + task_id)])
            except OSError:
                return  # the reader finds the link down, and subscribes to all when it is up

    def _covers(self, task_id: str) -> bool:
        """Return whether the pattern does; it does not cover ids that callers gave."""
        return task_id.startswith(self._prefix)

    def connect(self, timeout: float) -> bool:
        self._listening.connect(timeout)
        commands: list[Sequence[Any]] = [("PSUBSCRIBE", f"{KEY}{self._prefix}*")]
        # Looked for after the link is up: who comes later subscribes to its own.
        foreign = [each.id for each in self.table.all() if not self._covers(each.id)]
        commands += [("SUBSCRIBE", KEY + each) for each in foreign]
        try:
            self._listening.send(commands)
        except BROKEN as error:
            raise translated(error, self.endpoint) from error
        self._silent_at, self._pinged = monotonic() + SILENCE, False
        return True

    def wait(self, timeout: float) -> bool:
        try:
            self._ready = self._listening.wait(0 if self._to_fetch else timeout)
        except BROKEN as error:
            raise self._down(error) from error
        return self._ready or self.busy

    @property
    def busy(self) -> bool:
        return self._to_fetch or monotonic() >= self._silent_at

    def receive(self, *, may_block: bool) -> Sequence[Mapping[str, Any]]:
        try:
            found = self._take_in() if self._ready else []
            if may_block:
                if monotonic() >= self._silent_at:
                    self._ping()
                found += self._fetch()
        except BROKEN as error:
            raise self._down(error) from error
        return found

    def _take_in(self) -> list[Mapping[str, Any]]:
        messages = self._listening.take_in()
        self._silent_at, self._pinged = monotonic() + SILENCE, False
        bodies: list[bytes] = []
        for message in messages:
            if not isinstance(message, list):
                continue
            kind, *_, data = message
            if kind in (b"message", b"pmessage"):
                bodies.append(data)
            elif kind in (b"subscribe", b"psubscribe"):
                self._to_fetch = True
        return self._parse(bodies)

    def _ping(self) -> None:
        """Find out whether a silent link is alive."""
        if self._pinged:
            raise ConnectionResetError("no answer in time")
        self._silent_at, self._pinged = monotonic() + SILENCE, True
        self._writing.run(self._listening.send, [("PING",)])

    def _down(self, error: Exception) -> LinkDown:
        return LinkDown(f"{self.endpoint}: {masked(str(error))}")

    def _fetch(self) -> list[Mapping[str, Any]]:
        """Ask once for what was stored before a subscription."""
        ids = [KEY + each.id for each in self.table.all()] if self._to_fetch else []
        found: Sequence[bytes | None] = ()
        if ids:
            if not self._asking.alive():
                self._asking.connect(self._connect_timeout)
            self._asking.send([("MGET", *ids)])
            found = self._asking.answer(self._connect_timeout)
        self._to_fetch = False
        return self._parse([each for each in found if each is not None])

    def _parse(self, bodies: Sequence[bytes]) -> list[Mapping[str, Any]]:
        metas: list[Mapping[str, Any]] = []
        for body in bodies:
            try:
                metas.append(parse_meta(body))
            except Malformed:
                self.table.counters["malformed"] += 1
        return metas

    def interrupt(self) -> None:
        self._listening.interrupt()

    def close(self) -> None:
        self._listening.disconnect()
        self._asking.disconnect()

    def abandon(self) -> None:
        self._listening.abandon()
        self._asking.abandon()

    def __str__(self) -> str:
        return str(self.endpoint)
