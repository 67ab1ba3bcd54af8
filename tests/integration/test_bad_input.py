"""Bad input: a clear error that names what was wrong, in time, and nothing is lost."""

import asyncio
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from celery_rpc import (
    ConfigurationError,
    NoSuchService,
    PermissionRefused,
    RpcError,
    TaskProxy,
    TaskSpec,
    Unavailable,
    connect,
)
from celery_rpc.calls.call import Target
from celery_rpc.catalog.address import Address
from tests.limits import ends_within
from tests.servers import RabbitBroker, RedisBroker, ValkeyBroker, free_port


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost", "no broker URL"),
        ("http://localhost", "unknown scheme 'http'"),
        ("redis://localhost:port", "wrong port"),
        ("redis://localhost:99999", "wrong port"),
        ("redis://localhost/zero", "no Redis database"),
        ("sentinel://localhost", "master_name"),
    ],
)
def test_S17_wrong_urls(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message), connect(url) as client:
        client.catalog  # noqa: B018


@pytest.mark.parametrize(
    "options",
    [{"timeout": -1}, {"timeout": "3"}, {"backend": "mongodb://x"}, {"catalog_ttl": 0}, {"nope": 1},
     {"errors": [SystemExit]}, {"backend": 5}, {"app": 5}, {"transport_options": 5}],
    ids=repr,
)  # fmt: skip
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        connect("redis://localhost", **options)


def test_no_broker_at_all() -> None:
    program = "import celery_rpc; celery_rpc.connect()"
    named = ("CELERY_RPC_BROKER", "CELERY_BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in named}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 1
    assert "ConfigurationError: no broker" in done.stderr
    assert "$CELERY_RPC_BROKER" in done.stderr


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_R03_a_broker_that_is_down_is_unavailable_in_time(scheme: str) -> None:
    with (
        connect(f"{scheme}://127.0.0.1:{free_port()}/") as client,
        ends_within(3),
        pytest.raises(Unavailable, match="no connection"),
    ):
        client.calc.add(1, 1)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_port_where_something_else_listens_is_unavailable_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            connect(f"{scheme}://user:secret@{where}/") as client,
            ends_within(3),
            pytest.raises(Unavailable, match=where) as caught,
        ):
            client.calc.add(1, 1)
        assert "secret" not in str(caught.value)


def test_a_broker_whose_package_is_missing_is_said() -> None:
    with connect("sqs://") as client, pytest.raises(ConfigurationError, match="not installed"):
        client.catalog  # noqa: B018


def test_S09_a_wrong_redis_password_is_said_and_not_shown() -> None:
    with ValkeyBroker(password="right") as server:
        url = server.url.replace("right", "wrong-secret")
        with connect(url) as client, pytest.raises(PermissionRefused) as caught:
            client.catalog  # noqa: B018
        assert "wrong-secret" not in f"{caught.value!r} {client!r} {client.status()}"


def test_a_redis_user_that_may_not_read_replies_is_told_which_command() -> None:
    limited = "limited on >password ~* &* +@all -blmove"
    with ValkeyBroker(users=(limited,)) as server:
        url = server.database_url(0, user="limited", password="password")
        with connect(url) as client, pytest.raises(PermissionRefused, match="blmove"):
            client.catalog  # noqa: B018


def test_a_redis_database_that_is_not_there(valkey: RedisBroker) -> None:
    url = valkey.url.rpartition("/")[0] + "/9999"
    with connect(url) as client, pytest.raises(RpcError, match=r"out of range|DB index"):
        client.catalog  # noqa: B018


def test_S09_a_wrong_rabbitmq_password_or_vhost_is_said_and_not_shown(rabbitmq: Any) -> None:
    bad_password = rabbitmq.vhost_url("/", password="wrong-secret")
    with connect(bad_password) as client:
        with ends_within(8), pytest.raises(PermissionRefused) as caught:
            client.catalog  # noqa: B018
        assert "wrong-secret" not in f"{caught.value!r} {client!r} {client.status()}"
    refusal = pytest.raises((PermissionRefused, Unavailable), match="vhost")
    with connect(rabbitmq.vhost_url("nowhere")) as client, refusal:
        client.catalog  # noqa: B018


def test_a_queue_that_vanished_is_no_such_service_at_once(rabbitmq: RabbitBroker) -> None:
    """RabbitMQ returns what it cannot route; Redis has no notion of a queue that is not there."""
    with connect(rabbitmq.fresh_url()) as client:
        lost = TaskProxy(Target(TaskSpec("a.task"), Address("vanished")), client.caller)
        unheard = lost.options(ignore_result=True)
        sends = [lost, lost.delay, unheard.delay, awaited(lost), awaited(unheard)]
        for send in sends:
            with ends_within(0), pytest.raises(NoSuchService, match="no queue 'vanished'"):
                send(1, 1)


def awaited(task: TaskProxy) -> Any:
    return lambda *args: asyncio.run(task.aio(*args))


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "nope"},
        {"delivery_mode": "slow"},
        {"priority": 999},
        {"countdown": "soon"},
    ],
    ids=repr,
)
def test_wrong_call_options_are_refused_before_anything_is_sent(options: dict[str, Any]) -> None:
    with connect("redis://127.0.0.1:1") as client:
        task = TaskProxy(Target(TaskSpec("a.task"), Address("a")), client.caller)
        with pytest.raises(ConfigurationError):
            task.options(**options).delay()
