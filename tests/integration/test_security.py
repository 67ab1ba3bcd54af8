"""Least privilege and TLS: what docs/security.md says is enough, and what is refused."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from celery_rpc import (
    Cancellation,
    DeadlineExceeded,
    PermissionRefused,
    RpcError,
    Unavailable,
    connect,
    group,
)
from celery_rpc.catalog import saved
from tests.limits import ends_within
from tests.servers import (
    Certificates,
    RabbitBroker,
    RedisBroker,
    SentinelBroker,
    Worker,
    free_port,
    wait_until,
)
from tests.servers.rights import limited_url


def use(client: Any) -> None:
    """Do a bit of everything."""
    assert client.refresh().services["calc"].workers
    call(client)
    put_off = client.calc.add.apply_async((1, 1), countdown=60)
    assert put_off.cancel() in (Cancellation.FLAGGED, Cancellation.REVOKED)


def call(client: Any) -> None:
    """Call in every way."""
    calc = client.calc
    assert calc.add(1, 1) == 2
    assert calc.add.delay(2, 2).get(timeout=30) == 4
    assert [reply.get(timeout=30) for reply in calc.add.batch([(n, 1) for n in range(50)])] == [
        *range(1, 51)
    ]
    assert len(calc.echo("x" * 600_000)) == 600_000
    assert asyncio.run(calc.add.aio(1, 2)) == 3
    with pytest.raises(ValueError, match="as asked"):
        calc.fail()
    assert calc.progress.delay(2).get(timeout=30) == 2
    assert calc.add.options(check="consumers", wait_for_ready=True)(1, 1) == 2
    assert (calc.add.s(1, 1) | calc.mul.s(10)).delay().get(timeout=30) == 20
    assert (group(calc.add.s(n, 1) for n in range(3)) | calc.total.s()).delay().get(timeout=30) == 6
    with pytest.raises(DeadlineExceeded):
        calc.sleep.options(timeout=0.2, cancel_on_timeout=True)(0.5)


# ----- users with few rights


@pytest.fixture(scope="module")
def rabbit_place(rabbitmq: RabbitBroker) -> Iterator[str]:
    """A virtual host with a worker of calc."""
    vhost = rabbitmq.vhost()
    with Worker.start(
        "tests.workers.calc", rabbitmq.vhost_url(vhost), ["calc"], pool="threads"
    ) as worker:
        worker.wait_ready()
        yield vhost


def test_S10_a_rabbitmq_user_with_the_rights_to_call_and_discover(
    rabbitmq: RabbitBroker, rabbit_place: str
) -> None:
    with connect(limited_url(rabbitmq, rabbitmq.vhost_url(rabbit_place))) as client:
        use(client)


def test_S10_S11_a_rabbitmq_user_who_may_only_call_is_refused_the_rest(
    rabbitmq: RabbitBroker, rabbit_place: str, tmp_path: Path
) -> None:
    """He was given a catalog."""
    place, file = rabbitmq.vhost_url(rabbit_place), tmp_path / "services.json"
    with connect(place) as informed:
        saved.save(informed.catalog, file)
    with connect(limited_url(rabbitmq, place, "shop-caller"), catalog=file) as client:
        call(client)
        with pytest.raises(PermissionRefused, match=r"celery\.pidbox"):
            client.refresh()
        with pytest.raises(PermissionRefused, match=r"celery\.pidbox"):
            client.calc.add.apply_async((1, 1), countdown=60).cancel()
        with ThreadPoolExecutor(8) as pool:
            refused = [pool.submit(client.refresh) for _ in range(40)]
        assert {type(each.exception()) for each in refused} == {PermissionRefused}
        call(client)  # the refusals hurt nothing else
        assert client.status()["reconnects"] == 0


def test_S10_a_redis_user_with_few_commands_and_keys() -> None:
    with (
        RedisBroker() as server,
        Worker.start("tests.workers.calc", server.url, ["calc"], pool="threads") as worker,
    ):
        worker.wait_ready()
        url = limited_url(server, server.url)
        with connect(url) as client:
            use(client)
        with redis.Redis.from_url(url) as raw:
            for forbidden in (("KEYS", "*"), ("LRANGE", "calc", 0, -1), ("FLUSHALL",)):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    raw.execute_command(*forbidden)


# ----- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of another authority."""
    return Certificates.make(tmp_path_factory.mktemp("others"))


def check_refusal(url: str, **options: Any) -> None:
    with connect(url, **options) as client:
        said = r"(?i)certificate verify failed"
        with ends_within(3), pytest.raises(Unavailable, match=said):
            client.catalog  # noqa: B018


def test_S09_amqps_is_spoken_and_a_certificate_of_strangers_is_refused(
    rabbitmq: RabbitBroker, rabbit_place: str, certificates: Certificates, others: Certificates
) -> None:
    port = rabbitmq.listen_tls(certificates)
    url = f"amqps://guest:guest@localhost:{port}/{rabbit_place}"
    with connect(url, use_ssl={"ca_certs": str(certificates.authority)}) as client:
        use(client)
    check_refusal(url, use_ssl={"ca_certs": str(others.authority)})
    check_refusal(url)  # verified by the system's authorities, also when nothing is said


def test_S09_rediss_is_spoken_and_a_certificate_of_strangers_is_refused(
    certificates: Certificates, others: Certificates
) -> None:
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(certificates.certificate),
        "tls-key-file": str(certificates.key),
        "tls-ca-cert-file": str(certificates.authority),
        "tls-auth-clients": "no",
    }
    with (
        RedisBroker(options=options) as server,
        Worker.start("tests.workers.calc", server.url, ["calc"], pool="threads") as worker,
    ):
        worker.wait_ready()
        url = f"rediss://localhost:{port}/0"
        with connect(f"{url}?ssl_ca_certs={certificates.authority}") as client:
            use(client)
        check_refusal(f"{url}?ssl_ca_certs={others.authority}")
        check_refusal(url)


# ----- Sentinel


def test_R43_a_sentinel_names_the_master_also_after_a_failover() -> None:
    with (
        SentinelBroker() as broker,
        Worker.start("tests.workers.guarded", broker.url, ["calc"], pool="threads") as worker,
        connect(
            broker.url, transport_options={"master_name": broker.GROUP}, connect_timeout=1.0
        ) as client,
    ):
        wait_until(lambda: answers(client), timeout=30, what="the worker")
        # A stock worker that holds messages when its Redis dies may not survive it (kombu 5.7).
        broker.master.kill()
        wait_until(lambda: answers(client), timeout=60, what="a call over the new master")
        assert worker.running
        use(client)


def answers(client: Any) -> bool:
    try:
        return bool(client.calc.add.options(timeout=2)(1, 1) == 2)
    except RpcError:
        return False
