"""The two connections between which the fault proxy moves bytes, and what is wrong with them."""

import contextlib
import math
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

BUFFERED_BYTES = 256 * 1024
READ_BYTES = 64 * 1024


class Way(Enum):
    """One direction of a connection."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


BOTH = (Way.TO_SERVER, Way.TO_CLIENT)


@dataclass(slots=True)
class Trap:
    """What happens once this many more bytes have gone this way."""

    way: Way
    remaining: int
    action: Callable[[], None]


@dataclass(slots=True)
class Faults:
    """What is wrong with every link at the moment; read by the links, changed by the proxy."""

    frozen: set[Way] = field(default_factory=set)
    latency: dict[Way, float] = field(default_factory=lambda: dict.fromkeys(BOTH, 0.0))
    slice_bytes: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(BOTH, READ_BYTES))
    pause: dict[Way, float] = field(default_factory=lambda: dict.fromkeys(BOTH, 0.0))
    trap: Trap | None = None

    def clear(self) -> None:
        """Let everything work again."""
        self.frozen.clear()
        self.latency = dict.fromkeys(BOTH, 0.0)
        self.slice_bytes = dict.fromkeys(BOTH, READ_BYTES)
        self.pause = dict.fromkeys(BOTH, 0.0)
        self.trap = None


class Pipe:
    """One direction of one link: reads from `source`, writes to `sink` when it is time."""

    def __init__(
        self, way: Way, source: socket.socket, sink: socket.socket, faults: Faults
    ) -> None:
        self.way = way
        self.source = source
        self.sink = sink
        self.finished = False
        self.forwarded = 0
        self._faults = faults
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._buffered = 0
        self._resume = 0.0
        self._at_end = False

    @property
    def frozen(self) -> bool:
        """True while this direction is a black hole."""
        return self.way in self._faults.frozen

    @property
    def wants_to_read(self) -> bool:
        """True while there may be more to read and a place for it."""
        return not (self.frozen or self._at_end or self._buffered >= BUFFERED_BYTES)

    @property
    def next_write(self) -> float:
        """When there will be something to write, in the time of time.monotonic()."""
        if self.frozen or not self._chunks:
            return math.inf
        return max(self._chunks[0][0], self._resume)

    def pump(self, now: float) -> None:
        """Move what can be moved without waiting; OSError when a side is lost."""
        with contextlib.suppress(BlockingIOError):
            if self.wants_to_read:
                self._read(now)
        with contextlib.suppress(BlockingIOError):
            if self.next_write <= now:
                self._write(now)
        if self._at_end and not self._chunks and not self.finished and not self.frozen:
            self.finished = True
            self.sink.shutdown(socket.SHUT_WR)

    def _read(self, now: float) -> None:
        data = self.source.recv(READ_BYTES)
        if data:
            self._chunks.append((now + self._faults.latency[self.way], data))
            self._buffered += len(data)
        else:
            self._at_end = True

    def _write(self, now: float) -> None:
        due, data = self._chunks[0]
        trap = self._faults.trap
        if trap and trap.way is not self.way:
            trap = None
        if trap and trap.remaining == 0:
            self._spring(trap)
            return
        most = min(self._faults.slice_bytes[self.way], trap.remaining if trap else len(data))
        sent = self.sink.send(data[:most])
        self._chunks.popleft()
        if sent < len(data):
            self._chunks.appendleft((due, data[sent:]))
        self._buffered -= sent
        self.forwarded += sent
        self._resume = now + self._faults.pause[self.way]
        if trap:
            trap.remaining -= sent
            if trap.remaining == 0:
                self._spring(trap)

    def _spring(self, trap: Trap) -> None:
        self._faults.trap = None
        trap.action()


def abort(connection: socket.socket) -> None:
    """Close with RST: whoever is at the other end sees "connection reset by peer"."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Link:
    """A client's connection and the one to the server that was opened for it."""

    def __init__(self, client: socket.socket, server: socket.socket, faults: Faults) -> None:
        self.sockets = (client, server)
        self.pipes = (
            Pipe(Way.TO_SERVER, client, server, faults),
            Pipe(Way.TO_CLIENT, server, client, faults),
        )

    def pump(self, now: float) -> None:
        """Move what can be moved; end the link when both directions have, or one is lost."""
        if self.ended:
            return
        try:
            for pipe in self.pipes:
                pipe.pump(now)
        except OSError:
            self.end(reset=True)
        if all(pipe.finished for pipe in self.pipes):
            self.end(reset=False)

    @property
    def ended(self) -> bool:
        """True once both connections are closed."""
        return self.sockets[0].fileno() == -1

    def end(self, *, reset: bool) -> None:
        """Close both connections, with RST or with FIN."""
        if self.ended:
            return
        for connection in self.sockets:
            if reset:
                abort(connection)
            else:
                connection.close()

    def events(self, now: float) -> Iterator[tuple[socket.socket, int]]:
        """Return what to poll for; a socket without interest is left out, as it could hang up."""
        to_server, to_client = self.pipes
        for end, inward, outward in (
            (self.sockets[0], to_server, to_client),
            (self.sockets[1], to_client, to_server),
        ):
            wanted = select.POLLIN if inward.wants_to_read else 0
            wanted |= select.POLLOUT if outward.next_write <= now else 0
            if wanted:
                yield end, wanted
