"""Retry: what is made again, how often, and never too late."""

import logging
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc import (
    ConfigurationError,
    DeadlineExceeded,
    NoConsumers,
    NoSuchService,
    OutcomeUnknown,
    PermissionRefused,
    RemoteError,
    Retry,
    RpcError,
    Unavailable,
    WorkerLost,
)
from celery_rpc.calls.call import DEFAULTS
from celery_rpc.calls.retry import Attempts
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.throttled_log import RateLimited
from tests.servers import wait_until


def attempts(policy: Retry | None = None, deadline: Deadline = NEVER, **given: bool) -> Attempts:
    settings = {"idempotent": False, "wait_for_ready": False, **given}
    return Attempts(policy or Retry(), deadline, **settings)


@pytest.mark.parametrize(
    ("error", "plain", "idempotent", "waiting"),
    [
        (Unavailable(), True, True, True),
        (PermissionRefused(), False, False, False),
        (OutcomeUnknown(), False, True, False),
        (DeadlineExceeded(), False, True, False),
        (WorkerLost(), False, True, False),
        (RemoteError("boom"), False, False, False),
        (NoConsumers(), False, False, True),
        (NoSuchService(), False, False, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_not_sent_is_made_again_and_the_rest_where_it_is_idempotent(
    error: RpcError, plain: bool, idempotent: bool, waiting: bool
) -> None:
    assert attempts().wants(error) is plain
    assert attempts(idempotent=True).wants(error) is idempotent
    assert attempts(wait_for_ready=True).wants(error) is waiting


def test_an_attempt_that_the_deadline_cut_short_tells_less_than_the_one_before() -> None:
    def ending(*errors: RpcError) -> RpcError:
        late = attempts(Retry(attempts=None), Deadline.after(0.3), wait_for_ready=True)
        for error in errors[:-1]:
            late.pause_after(error)
        wait_until(lambda: late.deadline.passed)
        with pytest.raises(RpcError) as caught:
            late.pause_after(errors[-1])
        return caught.value

    missing, silent, refused = NoConsumers("nobody"), Unavailable("no answer"), PermissionRefused()
    assert ending(missing, silent) is missing
    assert ending(missing, Unavailable("gone"), silent).args == ("gone",)
    assert ending(missing, refused) is refused
    assert ending(silent) is silent


def test_the_number_of_attempts_is_kept() -> None:
    counted = attempts(Retry(attempts=3))
    counted.pause_after(Unavailable())
    counted.pause_after(Unavailable())
    with pytest.raises(Unavailable):
        counted.pause_after(Unavailable())


@given(
    made=st.integers(1, 2_000),
    backoff=st.floats(0.001, 10),
    longest=st.floats(0.001, 10),
    left=st.floats(0, 10),
)
def test_no_pause_is_longer_than_its_limit_or_than_the_time_left(
    made: int, backoff: float, longest: float, left: float
) -> None:
    counted = attempts(Retry(None, backoff, longest), Deadline.after(left))
    counted.made = made - 1
    try:
        pause = counted.pause_after(Unavailable())
    except Unavailable:
        return
    assert 0 <= pause <= longest
    assert pause <= left


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": True}, {"backoff": -1}, {"longest": 0}, {"attempt_timeout": 0}],
    ids=repr,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Retry(**wrong)


def test_what_only_the_client_heeds_does_not_travel_in_signatures() -> None:
    options = DEFAULTS.merged(retry=Retry(), idempotent=True, wait_for_ready=True, priority=3)
    assert options.as_celery() == {"priority": 3}


def test_R37_of_what_repeats_itself_one_message_in_ten_seconds_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = RateLimited(logging.getLogger("celery_rpc.test"), every=0.5)
    for number in range(100):
        log.warning("bad %d", number)
    assert [each.getMessage() for each in caplog.records] == ["bad 0"]
    numbers = count(100)

    def logged_again() -> bool:
        log.warning("bad %d", next(numbers))
        return len(caplog.records) == 2

    wait_until(logged_again, what="the time to pass")
    last = next(numbers) - 1
    text = f"bad {last} ({last - 1} more since the last of this kind)"
    assert caplog.records[-1].getMessage() == text
