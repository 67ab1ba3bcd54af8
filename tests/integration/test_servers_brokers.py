"""The brokers that the tests start: their life, and what they leave behind."""

import socket
from pathlib import Path

import psutil
import pytest
import redis
from kombu.connection import Connection

from tests.servers import QueueState, RabbitBroker, RedisBroker, ValkeyBroker, wait_until


def is_alive(pid: int) -> bool:
    """Return whether a process runs; zombies, which await their parent, do not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def refuses(port: int) -> bool:
    """Return whether nobody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(params=[ValkeyBroker, RedisBroker])
def keyvalue(request: pytest.FixtureRequest) -> RedisBroker:
    """Each implementation of Redis, not started."""
    broker: RedisBroker = request.param()
    return broker


def test_a_keyvalue_broker_answers_freezes_and_ends(keyvalue: RedisBroker) -> None:
    with keyvalue as broker, broker.client() as client:
        pid = broker.pid
        assert client.ping()

        broker.freeze()
        with broker.client(timeout=0.2) as impatient, pytest.raises(redis.TimeoutError):
            impatient.ping()
        broker.thaw()
        assert client.ping()

        broker.freeze()  # also a frozen one can be ended
    assert not is_alive(pid)
    assert refuses(broker.port)


def test_a_keyvalue_broker_restarts_on_its_port(keyvalue: RedisBroker) -> None:
    with keyvalue as broker:
        first, port = broker.pid, broker.port
        with broker.client() as client:
            client.set("key", "value")
        broker.kill()
        assert not is_alive(first)
        assert refuses(port)
        broker.restart()
        assert (broker.port, broker.pid) != (port, first)
        with broker.client() as client:
            assert client.get("key") is None
            assert not client.config_get("save")["save"]


def test_a_keyvalue_broker_takes_options() -> None:
    with ValkeyBroker(
        password="secret",
        options={"maxmemory": "5mb"},
        users=["guest on >guest ~allowed:* +@all"],
    ) as broker:
        with broker.client() as client:
            assert client.config_get("maxmemory") == {"maxmemory": "5242880"}
        wrong = broker.database_url(0, password="wrong")
        with broker.client(wrong) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with broker.client(broker.database_url(0, user="guest", password="guest")) as guest:
            guest.set("allowed:key", 1)
            with pytest.raises(redis.exceptions.NoPermissionError):
                guest.set("other", 1)


def test_a_fresh_database_is_empty(valkey: ValkeyBroker) -> None:
    first, second = valkey.fresh_url(), valkey.fresh_url()
    with valkey.client(first) as one, valkey.client(second) as two:
        one.set("key", "value")
        assert two.get("key") is None


def test_no_directory_is_left_behind(keyvalue: RedisBroker) -> None:
    with keyvalue as broker:
        directory = Path(psutil.Process(broker.pid).cwd())
        assert directory.name.startswith("redis-")
    assert not directory.exists()


def publish(url: str, queue: str) -> None:
    """Put one message into a queue, which is made if it is not there."""
    with Connection(url) as connection, connection.SimpleQueue(queue) as target:
        target.put({"some": "message"})


def test_a_vhost_is_empty_and_shows_its_queues(rabbitmq: RabbitBroker) -> None:
    name, other = rabbitmq.vhost(), rabbitmq.vhost()
    assert rabbitmq.queues(name) == {}
    publish(rabbitmq.vhost_url(name), "odd name: ünïcode")
    state = QueueState(messages=1, ready=1, unacknowledged=0, consumers=0, expires=-1)
    wait_until(lambda: rabbitmq.queues(name) == {"odd name: ünïcode": state})
    assert rabbitmq.queues(other) == {}
    rabbitmq.delete_queue(name, "odd name: ünïcode")
    assert rabbitmq.queues(name) == {}


def test_rabbitmqctl_reaches_the_node(rabbitmq: RabbitBroker) -> None:
    name = rabbitmq.vhost()
    assert name in rabbitmq.ctl("list_vhosts").split()
    with pytest.raises(RuntimeError, match="no_such_command"):
        rabbitmq.ctl("no_such_command")


def test_an_erlang_error_is_raised(rabbitmq: RabbitBroker) -> None:
    assert rabbitmq.evaluate("1 + 1") == "2"
    with pytest.raises(RuntimeError, match="badarith"):
        rabbitmq.evaluate("1 / 0")


def test_a_user_has_the_rights_that_were_given(rabbitmq: RabbitBroker) -> None:
    name = rabbitmq.vhost()
    rabbitmq.add_user("limited", "secret")
    rabbitmq.set_permissions(name, user="limited", configure="mine", write=".*", read="mine")
    url = rabbitmq.vhost_url(name, user="limited", password="secret")
    publish(url, "mine")
    with pytest.raises(Exception, match="ACCESS_REFUSED"):
        publish(url, "theirs")


def test_connections_can_be_closed_by_the_broker(rabbitmq: RabbitBroker) -> None:
    name = rabbitmq.vhost()
    with Connection(rabbitmq.vhost_url(name)) as connection:
        connection.connect()
        rabbitmq.close_connections(name)
        with pytest.raises(connection.recoverable_connection_errors, match="closed by the tests"):
            connection.drain_events(timeout=30)


def test_rabbitmq_freezes_stops_restarts_and_ends() -> None:
    def can_connect(timeout: float = 20) -> bool:
        with Connection(broker.url, connect_timeout=timeout) as connection:
            try:
                connection.connect()
            except OSError:
                return False
            return True

    with RabbitBroker() as broker:
        pids = [member.pid for member in broker.process.members()]
        publish(broker.url, "durable")

        broker.freeze()
        assert not can_connect(timeout=0.3)
        broker.thaw()
        assert can_connect()

        broker.stop_app()
        assert refuses(broker.port)
        broker.start_app()
        assert can_connect()

        broker.block_publishers()
        assert "memory" in broker.evaluate("rabbit_alarm:get_alarms()")
        broker.unblock_publishers()
        assert broker.evaluate("rabbit_alarm:get_alarms()") == "[]"

        broker.kill()
        assert refuses(broker.port)
        broker.restart()
        assert can_connect()
        assert "durable" in broker.queues("/")

        pids += [member.pid for member in broker.process.members()]
        epmd = int(broker._environment["ERL_EPMD_PORT"])
        assert not refuses(epmd)
    assert [pid for pid in pids if is_alive(pid)] == []
    assert refuses(epmd)
    assert not broker._directory.exists()
