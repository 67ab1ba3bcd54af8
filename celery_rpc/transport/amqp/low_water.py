"""Low water: how many bytes must have come before poll() calls a socket readable."""

import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager
from socket import SO_RCVLOWAT, SOL_SOCKET
from typing import Any


def can_be_raised(sock: Any) -> bool:
    """Return whether poll() heeds the mark here (tcp(7)), and bytes are those of the messages."""
    return sys.platform == "linux" and not isinstance(sock, ssl.SSLSocket)


@contextmanager
def low_water(sock: Any, mark: int) -> Generator[None]:
    """Let poll() overlook fewer bytes than these, in the block; the end of the stream it sees.

    Only poll() may be called there: to read less than that would block.
    """
    sock.setsockopt(SOL_SOCKET, SO_RCVLOWAT, mark)
    try:
        yield
    finally:
        sock.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 1)
