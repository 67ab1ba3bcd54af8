"""Inbound: what comes over one AMQP connection, replies and confirms read here, the rest elsewhere.

py-amqp reads on by itself while it handles some methods, or waits for the answer to one; it is lent
the bytes for that time, and what it reads is looked at here first.
"""

import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import ChannelError

from celery_rpc.transport.amqp import frames
from celery_rpc.transport.amqp.frames import Deliveries
from celery_rpc.transport.received import Frame

#: Classes of methods on which py-amqp may read on by itself: connection and channel.
_TALKATIVE = (b"\x00\x0a", b"\x00\x14")

RawFrame = tuple[int, int, bytes]


class Inbound:
    """Takes the bytes of a connection apart; used by one thread at a time."""

    def __init__(
        self,
        connection: Any,
        alone: Callable[..., Any],
        deliver: Callable[[Frame], object],
        confirm: Callable[[int, bool], object],
        broken: Callable[[int, Exception], object],
    ) -> None:
        self.connection = connection
        #: Acts while nobody writes: reads over TLS, and opens a channel again.
        self._alone = alone
        #: Counts the replies that have come, by their delivery tags.
        self.deliveries = Deliveries()
        #: The channels of replies and of confirms; none until they are open.
        self.replies = self.confirms = 0
        self._deliver = deliver
        self._confirm = confirm
        self._broken = broken
        self._buffer = b""
        #: True while the first frame in the buffer is one that only go_on() handles.
        self.backlog = False
        self._understand = connection.on_inbound_frame
        connection.on_inbound_frame = self._on_frame

    def take_in(self, *, may_block: bool) -> None:
        """Read what has come, and dispatch the frames that it completes.

        Args:
            may_block: False leaves to go_on() what is neither a reply nor a confirm, and all after
                it: py-amqp may wait for more.
        """
        sock = self.connection.transport.sock
        if isinstance(sock, ssl.SSLSocket):
            data = self._alone(sock.recv, 1 << 16)
        else:
            data = sock.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        self.connection.bytes_recv += 1
        self._dispatch(self._buffer + data if self._buffer else data, may_block)

    def go_on(self) -> None:
        """Dispatch what was left."""
        if self.backlog:
            self._dispatch(self._buffer, may_block=True)

    @contextmanager
    def lent(self) -> Generator[None]:
        """Let py-amqp read by itself in the block."""
        transport = self.connection._transport
        transport._read_buffer, self._buffer = self._buffer, b""
        try:
            yield
        finally:
            self._buffer = bytes(transport._read_buffer)
            transport._read_buffer = b""

    def _dispatch(self, data: bytes, may_block: bool) -> None:
        used, self.backlog = 0, False
        for kind, channel, payload, end in frames.split(data):
            if not self._take(kind, channel, payload):
                if not may_block:
                    self.backlog = True
                    break
                if kind == frames.METHOD and payload[:2] in _TALKATIVE:
                    self._buffer = data[end:]
                    self._let_read_on((kind, channel, payload))
                    return self._dispatch(self._buffer, may_block)
                self._understand((kind, channel, payload))
            used = end
        self._buffer = data[used:]
        return None

    def _take(self, kind: int, channel: int, payload: bytes) -> bool:
        """Accept what is a reply's frame, or a confirm; False leaves it to py-amqp."""
        if channel == self.replies:
            found = self.deliveries.take(kind, payload)
            if isinstance(found, Frame):
                self._deliver(found)
            return bool(found)
        if channel == self.confirms and kind == frames.METHOD and payload[:4] == frames.ACK:
            self._confirm(*frames.read_ack(payload))
            return True
        return False

    def _on_frame(self, frame: RawFrame) -> Any:
        """Look first at what py-amqp reads by itself."""
        return self._take(*frame) or self._understand(frame)

    def _let_read_on(self, frame: RawFrame) -> None:
        # Nobody writes meanwhile: for a message on a channel that is closed, and not open again,
        # the broker would end the connection.
        self._alone(self._let_understand, frame)

    def _let_understand(self, frame: RawFrame) -> None:
        with self.lent():
            try:
                self._understand(frame)
            except ChannelError as error:
                self._broken(frame[1], error)
