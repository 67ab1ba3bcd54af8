"""Signatures that carry their address, so that any worker forwards them rightly."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from celery.canvas import Signature

from celery_rpc.call import DEFAULTS, CallOptions, Target
from celery_rpc.config import UNSET


def make_signature(
    app: Any, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], immutable: bool
) -> Any:
    """Give a celery Signature of a remote task."""
    return Signature(
        target.spec.name,
        args=tuple(args),
        kwargs=dict(kwargs),
        options={**changed(target.options), **target.address.options},
        app=app,
        immutable=immutable,
    )


def changed(options: CallOptions) -> dict[str, Any]:
    """Give the options that differ from the defaults, as Celery names them."""
    found: dict[str, Any] = {}
    for field in fields(CallOptions):
        value = getattr(options, field.name)
        if value != getattr(DEFAULTS, field.name) and value is not UNSET:
            found[field.name] = value
    timeout = found.pop("timeout", None)
    if timeout is not None:
        found.setdefault("expires", timeout)
    return found
