"""BrokerUrl: a broker's URL, checked early, and never shown with its password."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from celery_rpc.errors import ConfigurationError

#: What each scheme is spoken by; others reach kombu's own transports.
FAMILIES = {
    "redis": "redis",
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "redis+socket": "redis",
    "unix": "redis",
    "sentinel": "redis",
    "amqp": "amqp",
    "amqps": "amqp",
    "pyamqp": "amqp",
    "memory": "kombu",
    "filesystem": "kombu",
    "sqla": "kombu",
    "sqs": "kombu",
    "mongodb": "kombu",
    "zookeeper": "kombu",
    "consul": "kombu",
    "etcd": "kombu",
    "kafka": "kombu",
    "confluentkafka": "kombu",
    "gcpubsub": "kombu",
    "azureservicebus": "kombu",
    "azurestoragequeues": "kombu",
    "pyro": "kombu",
    "qpid": "kombu",
    "slmq": "kombu",
}

_SECRET = re.compile(r"(?P<before>[a-zA-Z][\w+.-]*://[^\s/:@]*):(?P<secret>[^\s@]*)@")
#: The rest of a password that has an @ of its own; another URL of a list is no such rest.
_SECRET_REST = re.compile(r":\*\*\*@(?:(?:(?!;[a-zA-Z][\w+.-]*://)[^\s@])*@)+")
_SECRET_OPTION = re.compile(r"(?P<name>(?:sentinel_|ssl_|key)?password=)[^&\s]+", re.IGNORECASE)

_LOCAL = re.compile(r"(localhost|127(\.\d+){3}|\[?::1\]?)?(:\d+)?(/|$)", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text in which no URL shows its password."""
    text = _SECRET.sub(r"\g<before>:***@", text)
    text = _SECRET_REST.sub(":***@", text)
    return _SECRET_OPTION.sub(r"\g<name>***", text)


@dataclass(frozen=True)
class BrokerUrl:
    """A broker's URL; ``repr`` and ``str`` mask its password, ``text`` has it."""

    text: str

    @classmethod
    def parse(cls, text: str) -> "BrokerUrl":
        """Check a URL.

        Raises:
            ConfigurationError: it is no URL, its port is no number, or its scheme is not known.
        """
        url = cls(text)
        scheme = url.scheme
        if not scheme:
            secret, at, host = text.rpartition("@")
            shown = f"{secret and '***'}{at}{host}"
            raise ConfigurationError(
                f"{shown!r} is no broker URL: it must look like "
                "redis://host:6379/0 or amqp://user:password@host:5672/vhost"
            )
        if scheme not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise ConfigurationError(
                f"unknown scheme {scheme!r} in {masked(text)!r}: known are {known}"
            )
        url.check_port()
        url.check_path()
        return url

    def check_port(self) -> None:
        """Refuse a port that is no number between 1 and 65535."""
        if self.scheme == "sentinel" or ";" in self.text:
            return  # several hosts, each with a port of its own
        try:
            self.split.port  # noqa: B018
        except ValueError as error:
            raise ConfigurationError(f"wrong port in {masked(self.text)!r}: {error}") from error

    def check_path(self) -> None:
        """Refuse a Redis database that is no number."""
        database = self.split.path.strip("/")
        numbered = self.scheme in {"redis", "rediss", "valkey", "valkeys"}
        if numbered and database and not database.isdigit():
            raise ConfigurationError(
                f"{database!r} is no Redis database in {masked(self.text)!r}: "
                "it must be a number, as in redis://host:6379/0"
            )

    @property
    def split(self) -> SplitResult:
        try:
            return urlsplit(self.text)
        except ValueError as error:
            raise ConfigurationError(f"{masked(self.text)!r} is no URL: {error}") from error

    @property
    def scheme(self) -> str:
        return self.text.partition("://")[0].lower() if "://" in self.text else ""

    @property
    def family(self) -> str:
        """redis, amqp or kombu: who speaks to this broker."""
        return FAMILIES[self.scheme]

    @property
    def database(self) -> int:
        """The number of the Redis database."""
        digits = self.split.path.strip("/")
        return int(digits) if digits.isdigit() else 0

    @property
    def vhost(self) -> str:
        """The AMQP virtual host; / when the URL names none."""
        return unquote(self.split.path[1:]) or "/"

    @property
    def encrypted(self) -> bool:
        """True where the scheme means TLS."""
        return self.scheme in {"rediss", "valkeys", "amqps"}

    @property
    def local(self) -> bool:
        """True where the broker is on this host, or in this process."""
        if self.family == "kombu" or self.scheme in {"unix", "redis+socket"}:
            return True
        hosts = [part.rpartition("@")[2] for part in self.text.partition("://")[2].split(";")]
        return all(_LOCAL.match(host.removeprefix(f"{self.scheme}://")) for host in hosts)

    @property
    def doubt(self) -> str:
        """What is unsafe about it, as a sentence; empty where nothing is."""
        if self.local or self.encrypted:
            return ""
        password = "" if "@" in self.text else " and without a password"
        tls = {"amqp": "amqps://", "pyamqp": "amqps://"}.get(self.scheme, "rediss://")
        return f"{self} is on another host, and is used without TLS{password}: see {tls}"

    def __str__(self) -> str:
        return masked(self.text)

    def __repr__(self) -> str:
        return f"BrokerUrl({masked(self.text)!r})"
