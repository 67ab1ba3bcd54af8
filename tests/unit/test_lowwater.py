"""Low water: poll() overlooks a few bytes, and never the end of the stream."""

import select
import socket
from collections.abc import Iterator

import pytest

from celery_rpc.transport.amqp.low_water import can_be_raised, low_water

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            yield near, far


def readable(sock: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def test_fewer_bytes_than_the_mark_are_overlooked_until_it_is_lowered(pair: Pair) -> None:
    near, far = pair
    if not can_be_raised(near):
        pytest.skip("poll() does not heed the mark on this system")
    with low_water(near, 22):
        far.sendall(b"x" * 21)
        assert not readable(near, 0.05)
        far.sendall(b"x")
        assert readable(near, 5.0)
    assert near.recv(21) == b"x" * 21
    assert readable(near, 5.0)


def test_the_end_of_the_stream_is_seen_whatever_the_mark(pair: Pair) -> None:
    near, far = pair
    with low_water(near, 22):
        far.sendall(b"x")
        far.close()
        assert readable(near, 5.0)
    assert near.recv(10) == b"x"
    assert near.recv(10) == b""
