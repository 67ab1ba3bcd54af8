"""Tracing: the headers by which Sentry follows a call to its worker.

OpenTelemetry's instrumentation listens to Celery's publish signals, which fire here too. Sentry's
wraps Celery.send_task instead, through which no call goes; so its headers are added by us, in the
place where its own integration in the worker looks for them.
"""

import sys
from collections.abc import Mapping
from typing import Any


def sentry_headers() -> Mapping[str, str]:
    """Return Sentry's trace headers; empty where its Celery integration is not at work."""
    sdk: Any = sys.modules.get("sentry_sdk")
    if sdk is None:
        return {}
    integration = sdk.get_client().get_integration("celery")
    if integration is None or not integration.propagate_traces:
        return {}
    given = {"sentry-trace": sdk.get_traceparent(), "baggage": sdk.get_baggage()}
    return {name: value for name, value in given.items() if value}
