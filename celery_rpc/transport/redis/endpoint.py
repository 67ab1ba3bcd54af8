"""Endpoint: where a Redis server is, and how to connect to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions

CERT_REQS = {"CERT_NONE": "none", "CERT_OPTIONAL": "optional", "CERT_REQUIRED": "required"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Redis or Valkey server; ``str`` names it without its password."""

    name: str
    parameters: Mapping[str, Any]
    connection_class: type[Any]
    #: Hosts and ports of sentinels, where they know the server.
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""

    @classmethod
    def of(cls, options: ClientOptions) -> "Endpoint":
        """Return the endpoint of a client's broker."""
        return cls.parse(options.broker.text, options.transport_options, options.use_ssl)

    @classmethod
    def parse(cls, url: str, options: Mapping[str, Any], use_ssl: Any = None) -> "Endpoint":
        """Read a URL as kombu would.

        Raises:
            ConfigurationError: it names no Redis server.
        """
        if url.startswith("sentinel"):
            return cls._sentinel(url, options)
        try:
            parameters = parse_url(to_redis_url(url))
        except ValueError as error:
            raise ConfigurationError(f"{masked(url)!r}: {error}") from error
        connection_class = parameters.pop("connection_class", redis.Connection)
        if isinstance(use_ssl, Mapping):
            parameters.update(use_ssl)
            connection_class = redis.SSLConnection
        elif use_ssl:
            connection_class = redis.SSLConnection
        if "ssl_cert_reqs" in parameters:
            reqs = parameters["ssl_cert_reqs"]
            parameters["ssl_cert_reqs"] = CERT_REQS.get(getattr(reqs, "name", reqs), reqs)
        return cls(masked(url), parameters, connection_class)

    @classmethod
    def _sentinel(cls, url: str, options: Mapping[str, Any]) -> "Endpoint":
        if "master_name" not in options:
            raise ConfigurationError(
                f"{masked(url)!r} needs transport_options={{'master_name': ...}}, "
                "the group's name in Sentinel's configuration"
            )
        hosts: list[tuple[str, int]] = []
        parameters: dict[str, Any] = {}
        for each in url.split(";"):
            split = urlsplit(each if "://" in each else f"sentinel://{each}")
            hosts.append((split.hostname or "127.0.0.1", split.port or 26379))
            if split.password:
                parameters["password"] = unquote(split.password)
            if split.username:
                parameters["username"] = unquote(split.username)
            if split.path.strip("/").isdigit():
                parameters["db"] = int(split.path.strip("/"))
        parameters["sentinel_kwargs"] = dict(options.get("sentinel_kwargs") or {})
        return cls(masked(url), parameters, redis.Connection, tuple(hosts), options["master_name"])

    @property
    def database(self) -> int:
        return int(self.parameters.get("db") or 0)

    def connection(self, timeout: float) -> Any:
        """Make a connection, not yet open, that tries once and never sends twice."""
        settings: dict[str, Any] = {
            "socket_connect_timeout": timeout,
            # For the answers to the login: a half-open link lets one connect, and says no more.
            "socket_timeout": timeout,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "health_check_interval": 0,
            "protocol": 2,
            **self.parameters,
        }
        if self.connection_class is redis.UnixDomainSocketConnection:
            for name in ("socket_connect_timeout", "socket_keepalive"):
                settings.pop(name)
        if self.sentinels:
            host, port = self._master(settings.pop("sentinel_kwargs"), timeout)
            settings.update(host=host, port=port)
        return self.connection_class(**settings)

    def _master(self, sentinel_kwargs: Mapping[str, Any], timeout: float) -> tuple[str, int]:
        from redis.sentinel import Sentinel

        settings = {"socket_timeout": timeout, "socket_connect_timeout": timeout, **sentinel_kwargs}
        sentinel = Sentinel(list(self.sentinels), sentinel_kwargs=settings)
        try:
            host, port = sentinel.discover_master(self.master)
        finally:
            for client in sentinel.sentinels:
                client.close()
        return host, port

    def __str__(self) -> str:
        return self.name


def to_redis_url(url: str) -> str:
    """Turn the forms that kombu takes into those that redis-py takes."""
    scheme, _, rest = url.partition("://")
    if scheme in ("valkey", "valkeys"):
        return f"redis{scheme[6:]}://{rest}"
    if scheme in ("redis+socket", "unix"):
        path, _, query = rest.partition("?")
        database = parse_qs(query).get("virtual_host", ["0"])[0]
        return f"unix://{path}?db={database}"
    return url
