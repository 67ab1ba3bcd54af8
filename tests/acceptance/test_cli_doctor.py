"""doctor: what is wrong with a fleet, and what it may throw away."""

import json

import redis

from tests.acceptance.cli import run
from tests.servers import ValkeyBroker


def test_a_healthy_fleet_is_0(url: str) -> None:
    # A reply that comes after its client has closed stays on Redis: other tests make some.
    run("-b", url, "doctor", "--clean")
    done = run("-b", url, "doctor")
    assert done.returncode == 0
    severities = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert severities == ["ok", "ok"]
    assert "5 services and 5 workers online" in done.stdout


def test_findings_are_1_each_with_its_remedy(valkey: ValkeyBroker) -> None:
    broker = valkey.fresh_url()
    with valkey.client(broker) as server:
        server.lpush("orphans", "message")
    done = run("-b", broker, "doctor", "orphans", "--json")
    assert done.returncode == 1
    found = {each["text"]: each["remedy"] for each in json.loads(done.stdout)}
    assert found["1 message in queue orphans, and no worker listens"].startswith("start a")
    assert all(found.values())


def test_clean_deletes_what_dead_clients_left_and_nothing_else(
    url: str, valkey: ValkeyBroker
) -> None:
    broker = valkey.fresh_url()
    dead = {"celery-rpc.reply.dead", "celery-rpc.reply.dead.taken", "old.reply.celery.pidbox"}
    live = {"celery-rpc.reply.live", "new.reply.celery.pidbox", "end.reply.celery.pidbox"}
    with valkey.client(broker) as server:
        for key in dead | live:
            server.lpush(key, "message")
        server.set("celery-rpc.reply.live.alive", "host")
        server.expire("end.reply.celery.pidbox", 600)
        make_idle(server, "old.reply.celery.pidbox", 600)
        make_idle(server, "end.reply.celery.pidbox", 600, expires=600)
        shown = run("-b", broker, "doctor").stdout
        assert "2 reply lists of dead clients" in shown
        assert "1 mailbox that Celery left: old.reply.celery.pidbox" in shown
        done = run("-b", broker, "doctor", "--clean")
        assert "3 keys deleted" in done.stderr
        left = {key.decode() for key in server.keys("*")}
    assert left == {*live, "celery-rpc.reply.live.alive"}


def test_a_broker_that_is_down_is_4() -> None:
    done = run("-b", "redis://127.0.0.1:1/0", "doctor")
    assert done.returncode == 4
    assert "Connection refused" in done.stderr


def make_idle(server: "redis.Redis", key: str, seconds: int, expires: int = 0) -> None:
    """Let a key look as if nobody had touched it for so long."""
    payload = server.dump(key)
    server.delete(key)
    server.execute_command("RESTORE", key, expires * 1000, payload, "IDLETIME", seconds)
