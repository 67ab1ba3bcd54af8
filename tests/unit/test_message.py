"""The message is the one that Celery itself would send."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery, signals
from celery.utils.time import maybe_iso8601, maybe_make_aware
from celery.utils.time import timezone as zones
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kombu.asynchronous.timer import to_timestamp
from kombu.utils.json import loads

from celery_rpc import ConfigurationError, EncodeError, PayloadTooLarge
from celery_rpc.calls.call import DEFAULTS, Call
from celery_rpc.catalog.address import Address
from celery_rpc.transport.call_message import OWN_HEADERS, EnvelopeWriter
from celery_rpc.transport.clock_skew import Skew

APP = Celery("golden", set_as_current=False)
WRITER = EnvelopeWriter("reply-queue", max_payload=1000)


def call(*args: Any, **options: Any) -> Call:
    kwargs = options.pop("kwargs", {})
    return Call("an-id", "svc.task", Address("svc"), args, kwargs, DEFAULTS.merged(**options))


@pytest.mark.parametrize(
    ("args", "options", "theirs"),
    [
        ((), {}, {}),
        ((1, "two", [3]), {"kwargs": {"x": {"y": None}}}, {"kwargs": {"x": {"y": None}}}),
        ((1,), {"shadow": "s", "time_limit": 3, "soft_time_limit": 2}, None),
        ((1,), {"eta": datetime(2030, 1, 1, tzinfo=UTC)}, None),
        ((1,), {"root_id": "r", "parent_id": "p", "group_id": "g", "group_index": 3}, None),
        ((1,), {"ignore_result": True, "retries": 2, "replaced_task_nesting": 1}, None),
        ((1,), {"stamped_headers": ["who"], "who": "me"}, None),
    ],
)
def test_headers_and_body_equal_celerys(
    args: Any, options: dict[str, Any], theirs: dict[str, Any] | None
) -> None:
    envelope = WRITER.write(call(*args, **dict(options)))
    golden = APP.amqp.as_task_v2(
        "an-id",
        "svc.task",
        args,
        reply_to="" if options.get("ignore_result") else "reply-queue",
        origin=WRITER.origin,
        **{"ignore_result": None, **(options if theirs is None else theirs)},
    )
    assert envelope.headers.to_dict() == golden.headers
    assert json.loads(envelope.headers.to_json()) == json.loads(json.dumps(golden.headers))
    assert envelope.properties == golden.properties
    assert json.loads(envelope.body) == json.loads(json.dumps(golden.body))


def test_countdown_becomes_an_eta() -> None:
    eta = datetime.fromisoformat(WRITER.write(call(countdown=60)).headers.to_dict()["eta"])
    assert abs(eta - datetime.now(UTC) - timedelta(seconds=60)) < timedelta(seconds=5)


def test_expiry_is_given_to_the_worker_and_to_the_broker() -> None:
    envelope = WRITER.write(call(expires=30))
    left = datetime.fromisoformat(envelope.headers.to_dict()["expires"]) - datetime.now(UTC)
    assert timedelta(seconds=25) < left <= timedelta(seconds=30)
    assert 25_000 < (envelope.ttl or 0) <= 30_000


def test_only_the_worker_knows_the_zone_of_an_end_without_one() -> None:
    end = datetime(2030, 1, 1)
    envelope = WRITER.write(call(expires=end))
    assert (envelope.headers.to_dict()["expires"], envelope.ttl) == ("2030-01-01T00:00:00", None)


TIMES = st.datetimes(timezones=st.none() | st.timezones() | st.just(timezone(timedelta(hours=14))))


@settings(deadline=None)
@given(TIMES | st.floats(-1e12, 1e12), st.sampled_from(["expires", "eta", "countdown"]))
@example(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "expires")
@example(datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")), "eta")
def test_a_time_is_refused_or_one_that_workers_read(when: datetime | float, name: str) -> None:
    for value in (when, str(when)):
        try:
            made = call(**{name: value})
        except ConfigurationError:
            continue
        headers = WRITER.write(made).headers.to_dict()
        for said in (headers["expires"], headers["eta"]):
            moment = maybe_iso8601(said)  # as celery/worker/request.py reads it
            if moment is not None and isinstance(when, datetime) and when.tzinfo:
                assert moment - when == timedelta()  # in hours that come twice == is False
            if moment is not None:  # what a worker does with it, and with no other error
                to_timestamp(zones.to_system(maybe_make_aware(moment, UTC)))
                _ = maybe_make_aware(moment, UTC) < datetime.now(UTC)


STARTS_AFTER = """
from datetime import UTC, datetime, timedelta
from celery_rpc.calls.call import DEFAULTS
eta = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=60)
print(DEFAULTS.merged(eta=eta).starts_after)
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_start_without_a_zone_is_in_utc_wherever_the_caller_is(zone: str) -> None:
    environment = {**os.environ, "TZ": zone}
    done = subprocess.run(
        [sys.executable, "-c", STARTS_AFTER], env=environment, capture_output=True, check=True
    )
    assert 55 < float(done.stdout) <= 60


def test_S15_long_arguments_are_shown_short() -> None:
    shown = (
        EnvelopeWriter("q", max_payload=10_000_000)
        .write(call("x" * 5_000))
        .headers.to_dict()["argsrepr"]
    )
    assert len(shown) <= 200
    assert WRITER.write(call("secret", argsrepr="...")).headers.to_dict()["argsrepr"] == "..."


def test_the_callers_headers_are_added() -> None:
    assert WRITER.write(call(headers={"x-tenant": "acme"})).headers.to_dict()["x-tenant"] == "acme"


@pytest.mark.parametrize("name", ["id", "task", "expires", "rpc_deadline"])
def test_headers_that_are_the_messages_own_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        WRITER.write(call(headers={name: "another"}))


def test_every_header_of_a_message_is_its_own() -> None:
    written = WRITER.write(call(compression="gzip")).headers.to_dict()
    assert {*written} - {"origin"} <= OWN_HEADERS


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((object(),), {}, "args[0]"),
        ((1, [2, {"k": object()}]), {}, "args[1][1]['k']"),
        ((), {"user": {"tags": (1, object())}}, "user['tags'][1]"),
    ],
)
def test_what_is_no_json_is_named(args: Any, kwargs: dict[str, Any], path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        WRITER.write(call(*args, kwargs=kwargs))
    assert caught.value.path == path
    assert path in str(caught.value)


def test_endless_nesting_is_an_error_not_a_crash() -> None:
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(EncodeError):
        WRITER.write(call(knot))


def test_too_large_is_said_with_sizes() -> None:
    with pytest.raises(PayloadTooLarge, match="1,000") as caught:
        WRITER.write(call("x" * 2_000))
    assert caught.value.size > 2_000
    assert caught.value.limit == 1_000


def test_celerys_signal_can_add_headers() -> None:
    def trace(sender: Any = None, headers: Any = None, **_: Any) -> None:
        headers["traceparent"] = f"of {sender}"

    signals.before_task_publish.connect(trace)
    try:
        assert WRITER.write(call()).headers.to_dict()["traceparent"] == "of svc.task"
    finally:
        signals.before_task_publish.disconnect(trace)


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        (({"__type__": "decimal", "__value__": "1"},), {}, "args[0]"),
        (([{"deep": {"__type__": "x"}}],), {}, "args[0][0]['deep']"),
        ((), {"order": {"__type__": 1}}, "order"),
    ],
)
def test_R33_a_dict_that_would_arrive_as_something_else_is_refused(
    args: Any, kwargs: dict[str, Any], path: str
) -> None:
    with pytest.raises(EncodeError, match="__type__") as caught:
        WRITER.write(call(*args, kwargs=kwargs))
    assert caught.value.path == path


def test_R33_a_text_may_say_what_a_key_may_not() -> None:
    assert b"__type__" in WRITER.write(call('{"__type__": 1}', Decimal("1.5"))).body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_R33_what_is_sent_is_what_the_worker_reads(value: Any) -> None:
    try:
        body = EnvelopeWriter("q", max_payload=10_000_000).write(call(value)).body
    except EncodeError:
        assert "__type__" in json.dumps(value)
        return
    assert loads(body)[0] == [value]


def test_R24_the_header_allows_for_clocks_that_are_ahead_and_the_broker_counts_for_itself() -> None:
    skew = Skew()
    skew.note((datetime.now(UTC) + timedelta(seconds=60)).isoformat())
    assert 59 < skew.ahead < 61
    for writer, slack in (
        (EnvelopeWriter("q", 1000, skew), 60),
        (EnvelopeWriter("q", 1000, Skew(), allowance=20.0), 20),
        (EnvelopeWriter("q", 1000), 0),
    ):
        envelope = writer.write(call(expires=30))
        left = datetime.fromisoformat(envelope.headers.to_dict()["expires"]) - datetime.now(UTC)
        assert abs(left.total_seconds() - 30 - slack) < 2
        assert 25_000 < (envelope.ttl or 0) <= 30_000


NO_TIMES = [None, 5, "", "yesterday", "9" * 400, {"a": 1}, "2999-01-01T00:00:00",
            "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"]  # fmt: skip


@pytest.mark.parametrize("junk", NO_TIMES, ids=repr)
def test_R24_a_time_that_is_none_changes_nothing(junk: Any) -> None:
    skew = Skew()
    skew.note(junk)
    assert skew.ahead == 0
