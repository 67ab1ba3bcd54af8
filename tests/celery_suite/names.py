"""What Celery's tests import from their conftest."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.celery_suite.tasks import get_redis_connection

TEST_BROKER, TEST_BACKEND = os.environ["SUITE_BROKER"], "rpc"


def flaky(test: Callable[..., Any]) -> Callable[..., Any]:
    """Leave a test as it is: a failure is a failure."""
    return test


def check_for_logs(caplog: Any, message: str, max_wait: float = 1.0, interval: float = 0.1) -> bool:
    """Look for a pattern in the log of the worker, which here is a file."""
    log = Path(os.environ["SUITE_WORKER_LOG"])
    end = time.monotonic() + max_wait
    while not (found := re.search(message, log.read_text())) and time.monotonic() < end:
        time.sleep(interval)
    return found is not None


def get_active_redis_channels() -> Any:
    """Return the channels that somebody has subscribed to."""
    return get_redis_connection().execute_command("PUBSUB CHANNELS")
