"""Nested: the header that says until when a task's caller waits; whoever sent the call wrote it."""

from time import time
from typing import Any

import pytest

from celery_rpc.calls.inherited_deadline import to_deadline
from celery_rpc.support.deadline import NEVER


def test_a_time_is_a_deadline() -> None:
    left = to_deadline(f"{time() + 30:.3f}").remaining()
    assert left is not None
    assert 25 < left < 30.1  # of a rounded time
    assert to_deadline("0").passed


@pytest.mark.parametrize(
    "junk", [None, "", "soon", "nan", "inf", "1e300", "9" * 400, 1e308, 10**400, [], {"a": 1}],
    ids=lambda junk: repr(junk)[:20],
)  # fmt: skip
def test_R24_a_deadline_that_is_no_time_is_none(junk: Any) -> None:
    assert to_deadline(junk) is NEVER
