"""Replies that no worker sent, or that nobody waits for: they hurt at most their own call."""

import asyncio
import gc
import tracemalloc
import weakref
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, Overloaded, RemoteError, ResultError, connect
from celery_rpc.support.timers import FEW
from tests.limits import ends_within
from tests.servers import Broker, Forger, Gate, RedisBroker, wait_until

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def client(broker: Broker) -> Iterator[Any]:
    with connect(broker.url) as made:
        assert made.calc.add(1, 1) == 2
        yield made


@pytest.fixture
def forger(broker: Broker, client: Any) -> Iterator[Forger]:
    made = Forger(broker.url)
    yield made
    made.close()


@pytest.fixture
def queue(client: Any) -> str:
    """The queue to which replies to the client go."""
    return str(client.status()["reply_queue"])


def test_R20_R21_the_first_reply_wins_and_others_are_counted(
    client: Any, queue: str, forger: Forger, gate: Gate
) -> None:
    reply = client.calc.hold.delay(gate.path)
    forger.reply(queue, reply.id, "first")
    forger.reply(queue, reply.id, "second")
    assert reply.get() == "first"
    gate.open()
    wait_until(lambda: client.status()["duplicate"] == 2, what="both others")
    forger.reply(queue, "somebody-elses", "x")
    wait_until(lambda: client.status()["unclaimed"] == 1, what="the unknown one")
    assert client.status()["pending"] == 0


def test_R22_deadlines_that_passed_leave_nothing_behind(client: Any) -> None:
    impatient = client.calc.sleep.options(timeout=0.05)

    async def crowd(size: int) -> None:
        calls = (impatient.aio(0.0 if n % 100 else 0.1) for n in range(size))
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(crowd(200))  # what is made once is made now
    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(crowd(2000))
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert client.status()["pending"] == 0
    assert grown < 2_000_000, f"{grown:,} bytes"


def test_R22_what_has_ended_is_not_kept_until_its_deadline(client: Any) -> None:
    add = client.calc.add.options(timeout=3600)
    kept, ended = [], Semaphore(0)
    for _ in range(5):
        for reply in add.batch([(number, 1) for number in range(100)]):
            kept.append(weakref.ref(reply.pending))
            reply.add_done_callback(lambda _: ended.release())
        for _ in range(100):
            assert ended.acquire(timeout=10)
    del reply
    assert gc.collect() >= 0
    assert not [each for each in kept if each() is not None]
    assert len(client.caller.host.clock) <= 2 * FEW


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "SystemExit"),
        ("builtins", "KeyboardInterrupt"),
        ("builtins", "GeneratorExit"),
        ("subprocess", "CalledProcessError"),
        ("os", "system"),
        ("celery.exceptions", "WorkerShutdown"),
    ],
)
def test_R36_S02_no_reply_raises_anything_but_an_rpc_error(
    client: Any, queue: str, forger: Forger, gate: Gate, module: str, name: str
) -> None:
    reply = client.calc.hold.delay(gate.path)
    forger.failure(queue, reply.id, module, name, 1, "x")
    with pytest.raises(RemoteError) as caught:
        reply.get()
    assert type(caught.value) is RemoteError
    assert caught.value.type.endswith(name)


BAD = [
    b"no json",
    b"[1]",
    b"{}",
    b'{"status": "SUCCESS"}',
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"__type__": "nonsense", "__value__": 1}',
]


def test_R37_a_bad_reply_fails_its_own_call_and_no_other(
    client: Any, queue: str, forger: Forger, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    innocent = client.calc.hold.delay(gate.path, 7)
    for body in BAD:
        victim = client.calc.hold.delay(gate.path)
        forger.put(queue, body, correlation_id=victim.id)
        forger.put(queue, body)
        with pytest.raises(ResultError, match="cannot be read"):
            victim.get()
    gate.open()
    assert innocent.get() == 7
    assert client.calc.add(1, 1) == 2
    wait_until(lambda: client.status()["malformed"] == 2 * len(BAD), what="all of them")
    logged = [each for each in caplog.records if "malformed" in each.getMessage()]
    assert len(logged) == 1  # of a kind, one in ten seconds
    assert len(logged[0].getMessage()) < 300


def test_R37_what_floods_one_client_does_not_silence_another(
    client: Any, queue: str, forger: Forger, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(broker.url) as other:
        assert other.calc.add(1, 1) == 2
        for _ in range(3):
            forger.put(queue, b"no json")
        wait_until(lambda: client.status()["malformed"] == 3, what="those of the first")
        forger.put(str(other.status()["reply_queue"]), b"no json")
        wait_until(lambda: other.status()["malformed"] == 1, what="that of the other")
    logged = [each for each in caplog.records if "malformed" in each.getMessage()]
    assert len(logged) == 2


TABLES = {
    "a time after all times": b"\x01aT" + b"\xff" * 8,
    "an octet string": b"\x01ax\x00\x00\x00\x01\xff",
    "lists in lists": b"\x01a"
    + b"".join(b"A" + n.to_bytes(4, "big") for n in range(99_995, -1, -5)),
}


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
@pytest.mark.parametrize("name", TABLES)
def test_R37_headers_that_cannot_be_read_are_as_none(
    client: Any, queue: str, forger: Forger, gate: Gate, name: str
) -> None:
    """On Redis, headers are a part of the JSON, and cannot be read only where that cannot."""
    innocent, reply = client.calc.hold.delay(gate.path, 1), client.calc.hold.delay(gate.path)
    body = f'{{"task_id": "{reply.id}", "status": "SUCCESS", "result": 7}}'
    forger.put_table(queue, body.encode(), reply.id, TABLES[name])
    assert reply.get() == 7
    gate.open()
    assert innocent.get() == 1
    assert client.status()["reconnects"] == 0


#: What may stand where a text should, and what that does to an item of a Redis list.
NO_TEXT: list[Any] = [["x"], {"x": 1}, 7, True]
ODD_FIELDS = [
    *({"properties": {"correlation_id": each}} for each in NO_TEXT),
    *({"headers": {"ticket": each}} for each in NO_TEXT),
    *({"headers": {"compression": each}} for each in NO_TEXT),
    *({"content-type": each} for each in NO_TEXT),
    *({"body": each} for each in NO_TEXT),
    {"properties": ["x"]},
    {"headers": ["x"]},
    {"properties": {"body_encoding": "base64"}, "body": "\u00e9"},
]


def ends_well(client: Any, malformed: int) -> None:
    """Wait until so many messages were counted, and see that calls go on over the same link."""
    wait_until(lambda: client.status()["malformed"] == malformed, what="all of them")
    assert client.calc.add(1, 1) == 2
    assert client.calc.add.delay(1, 1).get() == 2
    assert client.status()["reconnects"] == 0


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_R37_a_field_of_a_wrong_type_is_put_aside_and_not_read_again(
    client: Any, queue: str, forger: Forger, broker: Broker, gate: Gate
) -> None:
    innocent = client.calc.hold.delay(gate.path, 7)
    for fields in ODD_FIELDS:
        forger.put_fields(queue, **fields)
    ends_well(client, len(ODD_FIELDS))
    gate.open()
    assert innocent.get() == 7
    assert isinstance(broker.server, RedisBroker)
    with broker.server.client(broker.url) as server:
        wait_until(lambda: server.llen(f"{queue}.taken") == 1, what="them to be gone")


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_R37_a_header_of_a_wrong_type_is_put_aside(
    client: Any, queue: str, forger: Forger, gate: Gate
) -> None:
    innocent, tickets = client.calc.hold.delay(gate.path, 7), (["x"], {"x": 1}, 7, True)
    for each in tickets:
        forger.put(queue, b"{}", ticket=each)
        victim = client.calc.hold.delay(gate.path)
        forger.put(queue, b"{}", correlation_id=victim.id, compression=each)
        with pytest.raises(ResultError, match="compressed"):
            victim.get()
    gate.open()
    ends_well(client, 2 * len(tickets))
    assert innocent.get() == 7


DATES = ["9999-12-31T23:59:59.999999", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00",
         "2999-01-01T00:00:00Z", "2999-01-01", 1e300, {"__type__": "datetime",
         "__value__": "9999-12-31T23:59:59+00:00"}]  # fmt: skip


def test_R24_R36_no_time_that_a_reply_says_hurts_another_call(
    client: Any, queue: str, forger: Forger, tmp_path: Path
) -> None:
    for number, date in enumerate(DATES):
        gate = Gate(tmp_path / str(number))
        reply = client.calc.hold.delay(gate.path)
        forger.reply(queue, reply.id, number, date_done=date)
        assert reply.get() == number
        gate.open()
        client.caller.transport.skew.note(date)  # as the next reply would, a second later
        assert client.status()["clock_skew"] == 0
        assert client.calc.add.options(expires=10)(1, 1) == 2
        assert asyncio.run(client.calc.add.aio(1, 1)) == 2


def test_R38_an_innocent_call_is_not_lost_behind_thousands_of_strangers(
    client: Any, queue: str, forger: Forger
) -> None:
    for number in range(3_000):
        forger.reply(queue, f"stranger-{number}", "x" * 100)
    with ends_within(3):
        assert client.calc.add(1, 1) == 2
    wait_until(lambda: client.status()["unclaimed"] >= 3_000, what="all to be dropped")
    assert client.status()["pending"] == 0


def test_R39_a_client_with_too_many_calls_in_flight_refuses_more(
    broker: Broker, gate: Gate
) -> None:
    with connect(broker.url, max_in_flight=3) as client:
        kept = client.calc.hold.batch([(gate.path, 7)] * 3)
        with pytest.raises(Overloaded, match="max_in_flight"):
            client.calc.add.delay(1, 1)
        gate.open()
        assert [each.get() for each in kept] == [7] * 3
        del kept
        assert client.calc.add.delay(1, 1).get() == 2


class Bomb:
    """What pickle runs when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self.path), "w")


def test_S01_pickle_is_never_read(
    client: Any, queue: str, forger: Forger, gate: Gate, tmp_path: Path
) -> None:
    import pickle

    reply = client.calc.hold.delay(gate.path)
    proof = tmp_path / "executed"
    forger.put(queue, pickle.dumps(Bomb(proof)), "application/x-python-serialize", reply.id)
    with pytest.raises(ResultError, match="content type"):
        reply.get()
    assert not proof.exists()


def test_S16_what_is_compressed_or_too_large_is_not_even_unpacked(
    broker: Broker, forger: Forger, gate: Gate
) -> None:
    with connect(broker.url, max_reply=100_000) as client:
        reply = client.calc.hold.delay(gate.path)
        queue = client.status()["reply_queue"]
        bomb = zlib.compress(b"0" * 10_000_000)
        forger.put(queue, bomb, correlation_id=reply.id, compression="application/x-gzip")
        with pytest.raises(ResultError, match="compressed"):
            reply.get()
        large = client.calc.hold.delay(gate.path)
        forger.put(queue, b"[" * 200_000, correlation_id=large.id)
        with pytest.raises(ResultError, match="more than the limit of 100,000"):
            large.get()
        assert client.calc.add(1, 1) == 2


def test_S08_a_reply_to_another_clients_call_is_not_taken(
    client: Any, queue: str, forger: Forger, gate: Gate
) -> None:
    """The id is the secret: whoever can publish, but has not seen the call, cannot answer it."""
    forger.reply(queue, "guessed-id", "forged")
    with pytest.raises(DeadlineExceeded):
        client.calc.hold.options(timeout=0.2)(gate.path)
    gate.open()
    assert client.calc.add(1, 1) == 2
