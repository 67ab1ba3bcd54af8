"""Settings: what connect() is told, by its arguments, an app or the environment."""

import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.broker_url import BrokerUrl
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.near import did_you_mean, near

log = logging.getLogger("celery_rpc.client.client")

_warned: set[str] = set()

#: Where the broker's URL is looked for when connect() is not told.
ENVIRONMENT = ("CELERY_RPC_BROKER", "CELERY_BROKER_URL")


def warn_of(options: ClientOptions) -> None:
    """Log, once for each broker, that others may read along or send along."""
    doubt = "" if options.use_ssl else options.broker.doubt
    if doubt and doubt not in _warned:
        _warned.add(doubt)
        log.warning("%s", doubt)


def check_limits(limits: Mapping[str, Any]) -> None:
    """Refuse what is no field of ClientOptions, and name what is near.

    Raises:
        ConfigurationError: there is no such option.
    """
    known = [field.name for field in fields(ClientOptions)]
    for name in limits:
        if name not in known:
            hint = did_you_mean(near(name, known, 1)) or f" (known: {', '.join(known)})"
            raise ConfigurationError(f"connect() has no option {name!r}{hint}")


def borrowed(app: Any) -> dict[str, Any]:
    """Return the settings of an existing Celery app.

    Raises:
        ConfigurationError: it is none.
    """
    if app is None:
        return {}
    conf = getattr(app, "conf", None)
    if conf is None:
        raise ConfigurationError(f"app= takes a Celery app, not a {type(app).__name__}")
    settings: dict[str, Any] = {
        "broker": conf.broker_url,
        "transport_options": dict(conf.broker_transport_options or {}),
        "use_ssl": conf.broker_use_ssl or None,
    }
    backend = conf.result_backend
    if isinstance(backend, str) and backend.startswith(("redis", "rpc")):
        settings["backend"] = "rpc://" if backend.startswith("rpc") else backend
    return settings


def find_broker(url: str | None) -> BrokerUrl:
    """Return the broker's URL, from the argument or the environment.

    Raises:
        ConfigurationError: there is none, or it is wrong.
    """
    if url is None:
        url = next((os.environ[name] for name in ENVIRONMENT if os.environ.get(name)), None)
    if not url:
        raise ConfigurationError(
            "no broker: call connect('redis://host:6379/0'), or set $CELERY_RPC_BROKER"
        )
    if not isinstance(url, str):
        raise ConfigurationError(f"the broker must be a URL, not a {type(url).__name__}")
    return BrokerUrl.parse(url)
