"""ClientOptions: what a client can be told, and the sentinel for what it was not told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from threading import TIMEOUT_MAX
from typing import Any, Final

from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.broker_url import BrokerUrl


class Unset(Enum):
    """The type of UNSET: "use the client's default", because None must mean "none"."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What one client works with. Times are seconds, sizes are bytes."""

    broker: BrokerUrl
    backend: str = "rpc://"
    #: A blocking call ends after so long; None means that it may wait for ever.
    timeout: float | None = 30.0
    #: The broker must be reached within this time, or the call is Unavailable.
    connect_timeout: float = 2.0
    #: An unknown name is looked for during this time, unless all workers have answered before:
    #: those that have just started, or much to do, may take more than a second.
    discovery_window: float = 3.0
    #: A catalog older than this is asked for anew, in the background.
    catalog_ttl: float = 60.0
    #: The reply queue outlives a cut link for so long.
    reply_ttl: float = 300.0
    #: A silent AMQP link is taken for dead after twice this time.
    heartbeat: float = 10.0
    #: Calls without a reply; one more is Overloaded.
    max_in_flight: int = 10_000
    #: A larger message is PayloadTooLarge.
    max_payload: int = 16 * 1024 * 1024
    #: A larger reply is dropped unread, and its call fails with ResultError.
    max_reply: int = 64 * 1024 * 1024
    #: Workers whose clock is ahead of ours by less do not drop calls as expired too early; on the
    #: other hand they may start a call so much later than its deadline.
    skew_allowance: float = 0.0
    #: Exception classes of which a RemoteError may be an instance too, beside the builtin ones;
    #: their constructors are not run.
    errors: Sequence[type[Exception]] = ()
    #: False: arguments and results are not held against the tasks' signatures.
    validate: bool = True
    #: Classes of which results are made: queue -> name of the definition -> class. Generated
    #: modules have them.
    models: Mapping[str, Mapping[str, type]] = field(default_factory=dict[str, Mapping[str, type]])
    #: What kombu's transport takes: broker_transport_options in Celery's settings.
    transport_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: What the TLS layer takes: broker_use_ssl in Celery's settings.
    use_ssl: Any = None

    def __post_init__(self) -> None:
        for name in SECONDS:
            check_seconds(name, getattr(self, name))
        check_seconds("timeout", self.timeout, none_is="no deadline")
        for name in ("max_in_flight", "max_payload", "max_reply"):
            check_count(name, getattr(self, name))
        if self.skew_allowance:
            check_seconds("skew_allowance", self.skew_allowance)
        backend = str(self.backend)
        if backend != "rpc://" and not backend.startswith(("redis", "valkey")):
            raise ConfigurationError(
                f"backend {str(BrokerUrl(backend))!r} cannot be listened to: "
                "use 'rpc://' (the default) or the redis:// URL of the workers' result_backend"
            )
        if not isinstance(self.transport_options, Mapping):
            kind = type(self.transport_options).__name__
            raise ConfigurationError(f"transport_options must be a dict, not a {kind}")
        if not isinstance(self.validate, bool):
            raise ConfigurationError(f"validate must be True or False, not {self.validate!r}")
        for cls in self.errors:
            if not (isinstance(cls, type) and issubclass(cls, Exception)):
                raise ConfigurationError(f"errors= takes subclasses of Exception, not {cls!r}")


#: The options of a client that are positive numbers of seconds.
SECONDS = ("connect_timeout", "discovery_window", "catalog_ttl", "reply_ttl", "heartbeat")


def check_count(name: str, value: Any) -> None:
    """Refuse what is no positive whole number.

    Raises:
        ConfigurationError: names the option and what it would take.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number above 0, not {value!r}")


def check_seconds(name: str, value: Any, *, none_is: str | None = None) -> None:
    """Refuse what is no positive number of seconds.

    Raises:
        ConfigurationError: names the option and what it would take.
    """
    if value is None and none_is:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or not number or not 0 < value <= TIMEOUT_MAX:  # nor NaN, nor infinity
        meaning = f" (None: {none_is})" if none_is else ""
        raise ConfigurationError(
            f"{name} must be a positive number of seconds{meaning}, not {value!r}"
        )
