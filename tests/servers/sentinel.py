"""A private Redis with a replica and a Sentinel that watches both."""

import contextlib
from typing import Any, Self

import redis

from tests.servers.guard import GUARD
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.redis import RedisBroker


class SentinelBroker:
    """A master, a replica, and one Sentinel that fails over within some seconds."""

    kind = "sentinel"
    GROUP = "tests"

    def __init__(self) -> None:
        self.master = RedisBroker()
        self.replica = RedisBroker(options={"replicaof": f"127.0.0.1 {self.master.port}"})
        self.port = free_port()
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.master.start()
            self.replica.start()
            self._start_sentinel()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The Sentinel's URL, as kombu reads it."""
        return f"sentinel://127.0.0.1:{self.port}/0"

    def _start_sentinel(self) -> None:
        directory = GUARD.directory(self.kind)
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor {self.GROUP} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {self.GROUP} 500\n"
            f"sentinel failover-timeout {self.GROUP} 2000\n"
        )
        self._process = ServerProcess(
            [str(RedisBroker.executable()), str(configuration), "--sentinel"],
            log=directory / "sentinel.log",
        )
        self._process.wait_until(self._knows_replica, timeout=20, what="it to find the replica")

    def _knows_replica(self) -> bool:
        with (
            contextlib.suppress(redis.RedisError),
            redis.Redis(port=self.port, socket_timeout=1) as client,
        ):
            replicas: list[dict[str, Any]] = client.sentinel_slaves(self.GROUP)
            return any(
                each["flags"] == "slave" and each["master-link-status"] == "ok" for each in replicas
            )
        return False

    def stop(self) -> None:
        """End all of them."""
        if self._process is not None:
            self._process.terminate(timeout=5)
        self.replica.stop()
        self.master.stop()
