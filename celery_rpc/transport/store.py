"""ResultStore: replies from the Redis backend in which workers store results.

One subscription for all calls: the ids of a client share their first twelve characters, so that a
single pattern covers them (celery/backends/redis.py publishes each result under its task's key).
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

from celery_rpc.config import ClientOptions
from celery_rpc.deadline import Deadline
from celery_rpc.transport.base import LinkDown
from celery_rpc.transport.endpoint import Endpoint
from celery_rpc.transport.outcome import Malformed, parse_meta
from celery_rpc.transport.replies import ReplyTable
from celery_rpc.transport.wire import BROKEN, Wire, translated
from celery_rpc.url import masked

KEY = "celery-task-meta-"

#: Characters that all ids of one client share: 44 random bits, and the hyphen.
PREFIX = 12


class ResultStore:
    """The Redis in which workers keep results, listened to."""

    def __init__(self, options: ClientOptions, table: ReplyTable) -> None:
        self.endpoint = Endpoint.parse(options.backend, options.transport_options, options.use_ssl)
        self.table = table
        self._prefix = str(uuid4())[:PREFIX]
        self._listening = Wire(self.endpoint)
        self._asking = Wire(self.endpoint)
        self._lock = Lock()
        self._connect_timeout = options.connect_timeout
        #: Ids that the pattern does not cover: the caller's own.
        self._foreign: set[str] = set()

    def new_id(self) -> str:
        """Give an id that the subscription covers."""
        return self._prefix + str(uuid4())[PREFIX:]

    def expect(self, task_id: str) -> None:
        """See to it that a call's result will be heard."""
        if task_id.startswith(self._prefix) or task_id in self._foreign:
            return
        self._foreign.add(task_id)
        if self._listening.connected:
            try:
                self._listening.send([("SUBSCRIBE", KEY + task_id)])
            except OSError:
                return  # the reader finds the link down, and subscribes to all when it is up

    def connect(self, timeout: float) -> bool:
        self._listening.connect(timeout)
        self._foreign = {each.id for each in self.table.all() if each.id in self._foreign}
        commands: list[Sequence[Any]] = [("PSUBSCRIBE", f"{KEY}{self._prefix}*")]
        commands += [("SUBSCRIBE", KEY + each) for each in self._foreign]
        try:
            self._listening.send(commands)
        except BROKEN as error:
            raise translated(error, self.endpoint) from error
        return True

    def receive(self, timeout: float) -> Sequence[Mapping[str, Any]]:
        try:
            message = self._listening.answer(timeout)
        except TimeoutError:
            return self._ping()
        except BROKEN as error:
            raise LinkDown(f"{self.endpoint}: {masked(str(error))}") from error
        if not isinstance(message, list):
            return ()
        kind, *_, data = message
        if kind in (b"subscribe", b"psubscribe"):
            # What was stored before this subscription is asked for once.
            return self._fetch([each.id for each in self.table.all()])
        if kind in (b"message", b"pmessage"):
            return list(self._parse([data]))
        return ()

    def _ping(self) -> Sequence[Mapping[str, Any]]:
        """Find out whether a silent link is alive."""
        try:
            self._listening.send([("PING",)])
            self._listening.answer(5.0)
        except BROKEN as error:
            raise LinkDown(f"{self.endpoint}: {masked(str(error))}") from error
        return ()

    def _fetch(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        if not ids:
            return []
        with self._lock:
            try:
                if not self._asking.alive():
                    self._asking.connect(self._connect_timeout)
                self._asking.send([("MGET", *(KEY + each for each in ids))])
                found = self._asking.answer(self._connect_timeout)
            except BROKEN as error:
                raise LinkDown(f"{self.endpoint}: {masked(str(error))}") from error
        return list(self._parse([each for each in found if each is not None]))

    def _parse(self, bodies: Sequence[bytes]) -> list[Mapping[str, Any]]:
        metas: list[Mapping[str, Any]] = []
        for body in bodies:
            try:
                metas.append(parse_meta(body))
            except Malformed:
                self.table.counters["malformed"] += 1
        return metas

    def fetch(self, task_id: str, deadline: Deadline) -> None:
        """Ask for a result that may have been stored earlier."""
        for meta in self._fetch([task_id]):
            self.table.deliver_meta(dict(meta))

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
