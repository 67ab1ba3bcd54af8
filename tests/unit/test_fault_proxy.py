"""The fault proxy in front of a plain echo server."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers import FaultProxy, Way, free_port, wait_until

HANGS = pytest.raises(TimeoutError)
SOON = 0.2


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes, until either side ends."""

    server: "EchoServer"

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.server.received += data
                self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.received = b""

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[FaultProxy]:
    with FaultProxy(echo.port) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        yield client


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A connection over which one echo has been seen."""
    with connected(proxy) as client:
        assert exchange(client, b"hello") == b"hello"
        yield client


def receive(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return receive(client, len(data))


def test_passes_bytes_both_ways(client: socket.socket, proxy: FaultProxy) -> None:
    sent = bytes(range(256)) * 8192  # 2 MiB, more than all buffers on the way
    sender = threading.Thread(target=client.sendall, args=(sent,))
    sender.start()
    assert receive(client, len(sent)) == sent
    sender.join()
    assert proxy.forwarded(Way.TO_SERVER) == proxy.forwarded(Way.TO_CLIENT) == len(sent) + 5


def test_passes_the_end_of_a_stream(client: socket.socket, proxy: FaultProxy) -> None:
    client.sendall(b"last")
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 100) == b"last"
    wait_until(lambda: proxy.connections == 0)


def test_cut_resets_present_connections_and_accepts_new_ones(
    client: socket.socket, proxy: FaultProxy
) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.connections == 0
    with connected(proxy) as another:
        assert exchange(another, b"again") == b"again"


def test_cut_can_end_connections_in_order(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.cut(reset=False)
    assert client.recv(1) == b""


def test_refuse_turns_new_connections_away(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError), connected(proxy):
        pass
    assert exchange(client, b"still here") == b"still here"
    proxy.heal()
    with connected(proxy) as another:
        assert exchange(another, b"again") == b"again"


def test_freeze_holds_back_everything_until_heal(
    client: socket.socket, proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.freeze()
    client.sendall(b"held")
    client.settimeout(SOON)
    with HANGS:
        client.recv(1)
    assert echo.received == b"hello"
    proxy.heal()
    client.settimeout(5)
    assert receive(client, 4) == b"held"


def test_freeze_lets_new_connections_hang(proxy: FaultProxy) -> None:
    proxy.freeze()
    for _ in range(3):
        with socket.socket() as late:
            late.settimeout(SOON)
            with HANGS:
                late.connect(("127.0.0.1", proxy.port))
    proxy.heal()
    with connected(proxy) as another:
        assert exchange(another, b"again") == b"again"
    assert proxy.accepted == 1


def test_a_connect_that_hangs_is_served_after_heal(proxy: FaultProxy) -> None:
    proxy.freeze()
    with socket.socket() as patient:
        patient.setblocking(False)
        patient.connect_ex(("127.0.0.1", proxy.port))
        proxy.heal()
        patient.settimeout(10)  # the kernel tries again after 1 s
        wait_until(lambda: proxy.accepted == 1)
        assert exchange(patient, b"at last") == b"at last"


def test_frozen_to_the_client_still_reaches_the_server(
    client: socket.socket, proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.freeze(Way.TO_CLIENT)
    client.sendall(b" there")
    wait_until(lambda: echo.received == b"hello there")
    client.settimeout(SOON)
    with HANGS:
        client.recv(1)


def test_frozen_to_the_server_still_reaches_the_client(
    client: socket.socket, proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.slow(0.1, Way.TO_CLIENT)
    client.sendall(b"1")
    wait_until(lambda: echo.received == b"hello1")
    proxy.freeze(Way.TO_SERVER)
    client.sendall(b"2")
    assert client.recv(1) == b"1"
    assert echo.received == b"hello1"


def test_slow_delivers_later(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.slow(0.1)
    begin = time.monotonic()
    assert exchange(client, b"slow") == b"slow"
    assert time.monotonic() - begin >= 0.2


def test_slice_delivers_byte_by_byte(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.slice(1, pause=0.01, way=Way.TO_CLIENT)
    client.sendall(b"bytes")
    assert [client.recv(100) for _ in b"bytes"] == [b"b", b"y", b"t", b"e", b"s"]


def test_slice_without_a_pause_keeps_all_bytes(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.slice(1)
    sent = bytes(range(256)) * 20
    assert exchange(client, sent) == sent


def test_cut_after_delivers_that_many_bytes(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.cut_after(3, Way.TO_CLIENT)
    client.sendall(b"abcdef")
    assert receive(client, 3) == b"abc"
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.cuts == 1
    with connected(proxy) as another:
        assert exchange(another, b"only once") == b"only once"


def test_cut_after_nothing_withholds_the_next_byte(
    client: socket.socket, proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.cut_after(0, Way.TO_CLIENT)
    assert exchange(client, b"") == b""
    client.sendall(b" there")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert echo.received == b"hello there"


def test_freeze_after_delivers_that_many_bytes(
    client: socket.socket, proxy: FaultProxy, echo: EchoServer
) -> None:
    proxy.freeze_after(3, Way.TO_SERVER)
    client.sendall(b"abcdef")
    wait_until(lambda: echo.received == b"helloabc")
    client.settimeout(SOON)
    with HANGS:
        receive(client, 4)
    proxy.heal()
    client.settimeout(5)
    assert receive(client, 6) == b"abcdef"


def test_a_server_that_is_down_resets_the_client() -> None:
    with (
        FaultProxy(free_port()) as proxy,
        pytest.raises(ConnectionResetError),
        connected(proxy) as client,
    ):
        client.recv(1)


def test_close_resets_connections_and_ends_the_thread(
    client: socket.socket, proxy: FaultProxy
) -> None:
    proxy.freeze()
    proxy.close()
    proxy.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.forwarded(Way.TO_CLIENT) == 5
    assert [t for t in threading.enumerate() if t.name == f"proxy-{proxy.port}"] == []


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("redis://localhost:6379/3", "redis://127.0.0.1:{}/3"),
        ("redis://:secret@localhost/0?ssl=x", "redis://:secret@127.0.0.1:{}/0?ssl=x"),
        ("amqp://guest:p%40ss@[::1]:5672/%2F", "amqp://guest:p%40ss@127.0.0.1:{}/%2F"),
    ],
)
def test_url_replaces_host_and_port(proxy: FaultProxy, original: str, expected: str) -> None:
    assert proxy.url(original) == expected.format(proxy.port)


def test_before_takes_the_server_from_a_url() -> None:
    with FaultProxy.before("amqp://guest@127.0.0.1//") as proxy:
        assert repr(proxy) == f"<FaultProxy {proxy.port} -> 127.0.0.1:5672>"
