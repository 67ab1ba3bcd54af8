"""A TCP proxy that breaks the link between a client and its broker in chosen ways."""

import contextlib
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.servers.link import BOTH, READ_BYTES, Faults, Link, Trap, Way, abort
from tests.servers.ports import free_port

T = TypeVar("T")

DEFAULT_PORTS = {"redis": 6379, "amqp": 5672}


class FaultProxy:
    """Listens on a port of its own and forwards to a server, until told otherwise.

    One thread does all. A fault is in effect when the method that asks for it returns, for
    present and future connections alike, until heal().

    Args:
        port: The server's port.
        host: The server's address.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self._target = (host, port)
        self._faults = Faults()
        self._links: list[Link] = []
        self._ended = {Way.TO_SERVER: 0, Way.TO_CLIENT: 0}
        self._accepted = 0
        self._cuts = 0
        self._fillers: list[socket.socket] = []
        self._filler_addresses: set[tuple[str, int]] = set()
        self._listener: socket.socket | None = self._listen()
        self._commands: deque[Callable[[], None]] = deque()
        self._waker, self._wakened = socket.socketpair()
        self._wakened.setblocking(False)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    @classmethod
    def before(cls, url: str) -> Self:
        """Return a proxy to the server of a broker's URL."""
        parts = urlsplit(url)
        return cls(parts.port or DEFAULT_PORTS[parts.scheme], parts.hostname or "127.0.0.1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FaultProxy {self.port} -> {self._target[0]}:{self._target[1]}>"

    def url(self, original: str) -> str:
        """Return a broker's URL with host and port replaced by the proxy's."""
        parts = urlsplit(original)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    @property
    def accepted(self) -> int:
        """How many connections were ever accepted."""
        return self._accepted

    @property
    def cuts(self) -> int:
        """How often connections were cut, by cut() or by cut_after()."""
        return self._cuts

    def forwarded(self, way: Way) -> int:
        """Return how many bytes went that way so far, on all connections."""
        return self._do(lambda: self._ended[way] + sum(map(_forwarded(way), self._links)))

    def cut(self, *, reset: bool = True) -> None:
        """End all present connections with RST, or in order with FIN; new ones are welcome."""
        self._do(lambda: self._cut(reset))

    def refuse(self) -> None:
        """Refuse new connections; present ones live on."""
        self._do(self._stop_listening)

    def freeze(self, way: Way | None = None) -> None:
        """Forward nothing any more, in both directions or in one; nobody is told.

        When both are frozen, new connections hang too, as if every packet was lost.
        """
        self._do(lambda: self._freeze(way))

    def slow(self, seconds: float, way: Way | None = None) -> None:
        """Deliver whatever comes from now on `seconds` later."""
        self._do(lambda: _set(self._faults.latency, way, seconds))

    def slice(self, size: int = 1, *, pause: float = 0.0, way: Way | None = None) -> None:
        """Deliver in pieces of `size` bytes, `pause` seconds apart."""

        def apply() -> None:
            _set(self._faults.slice_bytes, way, size)
            _set(self._faults.pause, way, pause)

        self._do(apply)

    def cut_after(self, size: int, way: Way) -> None:
        """Reset all connections once `size` more bytes went that way: once, not again.

        With 0, when the next byte is due: it is not delivered.
        """
        self._set_trap(size, way, lambda: self._cut(reset=True))

    def freeze_after(self, size: int, way: Way) -> None:
        """Freeze both directions once `size` more bytes went that way; 0 as in cut_after()."""
        self._set_trap(size, way, lambda: self._freeze(None))

    def heal(self) -> None:
        """Forward again, and what was held back first; connections that were cut stay so."""

        def apply() -> None:
            self._faults.clear()
            self._open_backlog()
            if self._listener is None:
                self._listener = self._listen()

        self._do(apply)

    def close(self) -> None:
        """Reset all connections and end the thread."""
        if self._closing:
            return

        def apply() -> None:
            self._closing = True

        self._do(apply)
        self._thread.join(10)
        assert not self._thread.is_alive(), self

    # What follows runs in the proxy's thread.

    def _run(self) -> None:
        try:
            while not self._closing:
                now = time.monotonic()
                for link in self._links:
                    link.pump(now)
                self._forget_ended()
                self._wait()
                self._accept()
                self._run_commands()
        finally:
            self._end_links(reset=True)
            self._stop_listening()
            self._close_fillers()
            self._waker.close()
            self._wakened.close()

    def _run_commands(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakened.recv(READ_BYTES)
        while self._commands:
            self._commands.popleft()()

    def _wait(self) -> None:
        """Sleep until a socket is ready, a delayed chunk is due, or a command came."""
        poller = select.poll()
        poller.register(self._wakened, select.POLLIN)
        if self._listener is not None and not self._is_black_hole:
            poller.register(self._listener, select.POLLIN)
        now = time.monotonic()
        wake = math.inf
        for link in self._links:
            for end, wanted in link.events(now):
                poller.register(end, wanted)
            for pipe in link.pipes:
                if pipe.next_write > now:
                    wake = min(wake, pipe.next_write)
        poller.poll(None if wake == math.inf else math.ceil((wake - now) * 1000))

    @property
    def _is_black_hole(self) -> bool:
        return len(self._faults.frozen) == len(BOTH)

    def _accept(self) -> None:
        if self._listener is None or self._is_black_hole:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                client, address = self._listener.accept()
                if address in self._filler_addresses:
                    self._filler_addresses.discard(address)
                    client.close()
                else:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        self._accepted += 1
        try:
            server = socket.create_connection(self._target, timeout=1)
        except OSError:
            abort(client)
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(Link(client, server, self._faults))

    def _forget_ended(self) -> None:
        for link in self._links:
            if link.ended:
                for pipe in link.pipes:
                    self._ended[pipe.way] += pipe.forwarded
        self._links = [link for link in self._links if not link.ended]

    def _cut(self, reset: bool) -> None:
        self._cuts += 1
        self._end_links(reset)

    def _end_links(self, reset: bool) -> None:
        for link in self._links:
            link.end(reset=reset)
        self._forget_ended()

    def _freeze(self, way: Way | None) -> None:
        was_black_hole = self._is_black_hole
        self._faults.frozen |= {way} if way else set(BOTH)
        if self._is_black_hole and not was_black_hole:
            self._fill_backlog()

    def _fill_backlog(self) -> None:
        """Make connects hang: the kernel drops what asks for a place in a full queue."""
        if self._listener is None:
            return
        self._listener.listen(0)
        for _ in range(64):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            probe = select.poll()
            probe.register(filler, select.POLLOUT)
            if not probe.poll(20):
                filler.close()
                return
            self._fillers.append(filler)
            self._filler_addresses.add(filler.getsockname())

    def _open_backlog(self) -> None:
        self._close_fillers()
        if self._listener is not None:
            self._listener.listen()

    def _close_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.setblocking(False)
        listener.listen()
        return listener

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    # What follows runs in the caller's thread.

    def _set_trap(self, size: int, way: Way, action: Callable[[], None]) -> None:
        def apply() -> None:
            self._faults.trap = Trap(way, size, action)

        self._do(apply)

    def _do(self, command: Callable[[], T]) -> T:
        """Run a command in the proxy's thread and return its result."""
        if not self._thread.is_alive():
            return command()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(command())
            except BaseException as error:
                done.set_exception(error)

        self._commands.append(run)
        with contextlib.suppress(OSError):  # awake anyway, it may have run close() and be gone
            self._waker.send(b".")
        return done.result(10)


def _set(values: dict[Way, T], way: Way | None, value: T) -> None:
    for each in [way] if way else BOTH:
        values[each] = value


def _forwarded(way: Way) -> Callable[[Link], int]:
    return lambda link: sum(pipe.forwarded for pipe in link.pipes if pipe.way is way)
