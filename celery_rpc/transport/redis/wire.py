"""Wire: one connection to a Redis server, with a deadline for each answer."""

import logging
import select
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import redis
from redis import exceptions

from celery_rpc.errors import (
    ConfigurationError,
    Overloaded,
    PermissionRefused,
    RpcError,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.redis.endpoint import Endpoint
from celery_rpc.transport.redis.resp import MORE, Answers, BadAnswer, pack

log = logging.getLogger("celery_rpc.redis")

#: Seconds that one write may take, and bytes that one read asks for.
WRITE_TIMEOUT, RECEIVE = 10.0, 1 << 16

#: What a link that broke, or that leads to no Redis, raises.
BROKEN = (redis.RedisError, OSError, BadAnswer)


class Wire:
    """One connection, used by one thread at a time, with a deadline for each answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: Any = None
        self._sock: Any = None
        self._poll: Any = None
        self._answers = Answers()
        self._timeout: float | None = None
        self._unanswered = 0

    def connect(self, timeout: float) -> None:
        """Connect anew.

        Raises:
            Unavailable: the server cannot be reached, or does not let us in.
        """
        self.disconnect()
        try:
            connection = self.endpoint.connection(timeout)
            connection.connect()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise translated(error, self.endpoint) from error
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"no connection to {self.endpoint}: {masked(str(error))}") from error
        # redis-py has connected and logged in; from here on the socket is ours.
        self._connection, sock = connection, connection._sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._answers, self._unanswered = Answers(), 0
        self._timeout = sock.gettimeout()
        self._sock = sock  # only now: this says that all is there

    @property
    def connected(self) -> bool:
        return self._sock is not None

    def alive(self) -> bool:
        """Return whether the connection can be used: open, and nothing unread on it."""
        if self._sock is None or self._unanswered or not self._answers.empty:
            return False
        return not self._poll.poll(0)

    def send(self, commands: Sequence[Sequence[Any]], timeout: float = WRITE_TIMEOUT) -> None:
        """Write commands, each of which will have an answer.

        Raises:
            OSError: the link broke, or took not all of them in time.
        """
        if self._sock is None:
            raise ConnectionResetError("not connected")
        self._unanswered += len(commands)
        self._set_timeout(timeout)
        self._sock.sendall(pack(commands))

    def wait(self, timeout: float) -> bool:
        """Wait so long for anything to come."""
        if self._sock is None:
            raise ConnectionResetError("not connected")
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        return bool(self._poll.poll(1000 * timeout))

    def take_in(self) -> list[Any]:
        """Read what has come, after wait(); gives the answers that it completes.

        Raises:
            OSError: the link broke.
            BadAnswer: the server does not speak RESP.
        """
        self._receive(Deadline.after(WRITE_TIMEOUT))
        answers = list(iter(self._answers.next, MORE))
        self._unanswered -= len(answers)
        return answers

    def answer(self, timeout: float | None) -> Any:
        """Read one answer; a ResponseError is given, not raised.

        Raises:
            TimeoutError: none came in time.
            OSError: the link broke.
            BadAnswer: the server does not speak RESP.
        """
        until = Deadline.after(timeout)
        while (answer := self._answers.next()) is MORE:
            if self._sock is None:
                raise ConnectionResetError("not connected")
            self._receive(until)
        self._unanswered -= 1
        return answer

    def _receive(self, until: Deadline) -> None:
        self._set_timeout(until.capped(WRITE_TIMEOUT))
        try:
            data = self._sock.recv(RECEIVE)
        except TimeoutError:
            if until.passed:
                raise
            return
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._answers.feed(data)

    def _set_timeout(self, seconds: float) -> None:
        """Set the socket's timeout where it differs: it costs a system call or two."""
        seconds = max(seconds, 0.001)  # zero would mean not to block
        if seconds != self._timeout:
            self._timeout = seconds
            self._sock.settimeout(seconds)

    def disconnect(self) -> None:
        connection, self._connection, self._sock = self._connection, None, None
        if connection is not None:
            connection.disconnect()

    def interrupt(self) -> None:
        """Make a waiting answer() fail."""
        sock = self._sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the socket was closed already")

    def abandon(self) -> None:
        """Drop the socket without a word on it: a parent process uses it."""
        sock, self._connection, self._sock = self._sock, None, None
        if sock is not None:
            sock.close()


def translated(error: Exception, endpoint: Endpoint) -> RpcError:
    """Return our error for one of redis-py's, for what was not executed."""
    text = masked(str(error))
    if isinstance(error, redis.AuthenticationError) or text.startswith(("WRONGPASS", "NOAUTH")):
        return PermissionRefused(f"{endpoint} refused the user name or password: {text}")
    if isinstance(error, exceptions.NoPermissionError) or text.startswith("NOPERM"):
        return PermissionRefused(f"{endpoint} refused: {text}")
    if isinstance(error, exceptions.OutOfMemoryError) or text.startswith("OOM"):
        return Overloaded(f"{endpoint} is out of memory: {text}")
    if "invalid DB index" in text or "DB index is out of range" in text:
        return ConfigurationError(f"{endpoint}: {text}")
    return Unavailable(f"{endpoint}: {text}")
