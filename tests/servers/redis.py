"""A private Redis server."""

import contextlib
import itertools
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.guard import GUARD
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess


class RedisBroker:
    """A redis-server on 127.0.0.1 that keeps everything in memory.

    Args:
        password: What every client must present (`requirepass`), or "" for none.
        options: Any further lines of its configuration, such as
            `{"maxmemory": "5mb", "appendonly": "yes"}`.
        users: ACL lines, such as `"guest on >secret ~* &* +@all"`.
    """

    kind = "redis"
    DATABASES = 4096

    def __init__(
        self,
        *,
        password: str = "",
        options: dict[str, str] | None = None,
        users: Sequence[str] = (),
    ) -> None:
        self._executable = self.executable()
        self.port = free_port()
        self.password = password
        self._options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "databases": str(self.DATABASES),
            "requirepass": password,
            **(options or {}),
        }
        self._users = users
        self._databases = itertools.count(1)
        self._directory = GUARD.directory(self.kind)
        self._process: ServerProcess | None = None

    @classmethod
    def executable(cls) -> Path:
        """Return the server's binary; skip the test where there is none."""
        found = shutil.which("redis-server")
        return Path(found) if found else missing("redis-server is not installed")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} {self._process!r}>"

    @property
    def process(self) -> ServerProcess:
        """The running server, or the last one that ran."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What the server wrote."""
        return self.process.log

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return self.database_url(0)

    def database_url(self, number: int, *, user: str = "", password: str | None = None) -> str:
        """Return the URL of one database, for the default user or another one."""
        secret = self.password if password is None else password
        login = f"{user}:{secret}@" if user or secret else ""
        return f"redis://{login}127.0.0.1:{self.port}/{number}"

    def fresh_url(self) -> str:
        """Return the URL of a database that nobody was given before."""
        return self.database_url(next(self._databases))

    def client(self, url: str | None = None, *, timeout: float = 10.0) -> redis.Redis:
        """Return a new client, which tries nothing twice; use it in a `with` block."""
        return redis.Redis.from_url(
            url or self.url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )

    def start(self) -> Self:
        """Start the server on its port and wait until it answers."""
        args = [str(self._executable), "--dir", str(self._directory)]
        for name, value in self._options.items():
            args += [f"--{name}", value]
        for user in self._users:
            args += ["--user", *user.split()]
        self._directory.mkdir(exist_ok=True)
        self._process = ServerProcess(args, log=self._directory / "server.log")
        try:
            self._process.wait_until(self._answers, timeout=10, what="an answer to PING")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server and remove its directory."""
        if self._process is not None:
            self._process.terminate(timeout=5)
        shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL: connections are reset, what was not persisted is lost."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay, new ones are accepted by the kernel, nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.thaw()

    def restart(self) -> None:
        """End the server if it runs, and start it on the same port, empty unless it persists."""
        self.process.terminate(timeout=5)
        self.start()

    def _answers(self) -> bool:
        # By hand: a client that may be refused a login should not decide readiness.
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
        ):
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False
