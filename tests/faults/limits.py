"""Limits: by when a call ends on a link or a broker that fails, and with what."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from celery_rpc import RpcError

#: Seconds by which a call may end after its deadline.
GRACE = 0.5
#: What a loaded machine may add.
SLACK = 1.5


def fails(call: Callable[[], Any], *kinds: type[RpcError], within: float) -> RpcError:
    """Give the error, of one of these kinds, that a call ends with; `within` so many seconds."""
    began = time.monotonic()
    with pytest.raises(kinds) as caught:
        call()
    seconds = time.monotonic() - began
    assert seconds < within + GRACE + SLACK, f"{seconds:.2f} s: {caught.value!r}"
    return caught.value
