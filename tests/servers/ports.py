"""Free TCP ports on 127.0.0.1."""

import random
import socket

# Below the ephemeral ranges of Linux (from 32768) and macOS (from 49152). A client that keeps
# reconnecting to a closed ephemeral port can be given that same port as its source, and then
# is connected to itself: a server that is down would look alive, and could not start again.
LOWEST, HIGHEST = 15_000, 32_000

# Hypothesis seeds the random module, alike in every process: two runs would take the same ports.
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    for _ in range(1000):
        port = _random.randint(LOWEST, HIGHEST)
        with socket.socket() as probe:
            # As servers do: a port whose old connections linger in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {LOWEST} and {HIGHEST}")
