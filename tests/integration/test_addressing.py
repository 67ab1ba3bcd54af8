"""The queue is the address: calls reach it however it was bound, and nothing else is made."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import chain as celery_chain

from celery_rpc import AmbiguousTask, NoSuchTask, connect
from tests.servers import Broker, RabbitBroker, Worker, wait_until


@pytest.fixture(scope="module")
def exotic(broker: Broker) -> Iterator[Worker]:
    amqp = {"EXOTIC_AMQP": "1"} if broker.kind == "rabbitmq" else {}
    queues = ["odd.name with-spaces", "by-topic", "by-other-topic", "on-default-exchange"]
    queues += ["quorum", "urgent"] if amqp else []
    # A global prefetch count is refused by quorum queues; Celery notices by itself.
    with Worker.start(
        "tests.workers.exotic", broker.url, queues, pool="threads", env=amqp
    ) as worker:
        yield worker.wait_ready()


@pytest.fixture(scope="module")
def client(broker: Broker, exotic: Worker) -> Iterator[Any]:
    with connect(broker.client_url) as made:
        yield made


def test_every_queue_is_reached(client: Any) -> None:
    for queue in client.catalog:
        assert client.task("where", queue=queue)(1) == 2, queue


def test_the_topic_exchange_does_not_run_a_call_twice(client: Any, broker: Broker) -> None:
    """img.# and img.* are bound to one exchange: published there, a call would run twice."""
    before = client.status()
    assert client.task("where", queue="by-topic")(1) == 2
    after = client.status()
    assert after["replies"] == before["replies"] + 1
    assert (after["unclaimed"], after["duplicate"]) == (before["unclaimed"], before["duplicate"])


def test_chains_cross_every_queue(client: Any) -> None:
    """Workers forward the steps: they find the queues by the address in the signatures."""
    queues = list(client.catalog)
    steps = [client.task("where", queue=queue).s() for queue in queues]
    flow = celery_chain(client.task("where", queue=queues[0]).s(0), *steps)
    assert flow.delay().get(timeout=20) == len(queues) + 1


def test_no_queue_is_made_but_the_reply_queue(client: Any, broker: Broker) -> None:
    before = queues_of(broker)
    with connect(broker.client_url) as other:
        name = next(iter(other.catalog))
        task = other.task("where", queue=name)
        assert task(1) == 2
        assert (task.s(1) | task.s()).delay().get(timeout=30) == 3

        def made() -> set[str]:
            new = queues_of(broker) - before
            return {name for name in new if not name.startswith("celery-rpc.reply.")}

        # A worker on Redis keeps there what it has just done, until it has acknowledged it.
        wait_until(lambda: made() == set(), what="what is unacknowledged to be gone")
    wait_until(lambda: queues_of(broker) <= before, what="the reply queue to be gone")


def queues_of(broker: Broker) -> set[str]:
    if isinstance(broker.server, RabbitBroker):
        vhost = broker.url.rpartition("/")[2]
        return set(broker.server.queues(vhost))
    keys = broker.server.client(broker.url).keys()
    # Which keys exist on Redis depends on what lies in a list right now; names never lie.
    return {key.decode() for key in keys}


@pytest.mark.usefixtures("exotic")
def test_odd_names_are_reached_by_item_or_escape(client: Any) -> None:
    service = client["on-default-exchange"]
    assert client["by-topic"]["delay"]() == "delay"
    assert client["by-topic"].delay() == "delay"
    assert service.class_() == "class"
    assert service["class"]() == "class"
    assert service["deep.er.task-with-dash"]() == "deep"
    assert service.deep.er["task-with-dash"]() == "deep"
    assert getattr(service.naïve, "ünïcode")() == "unicode"  # noqa: B009
    assert client.task("naïve.ünïcode", queue="by-topic")() == "unicode"


def test_two_tasks_that_want_one_attribute_are_an_error_that_names_both(client: Any) -> None:
    with pytest.raises(AmbiguousTask, match=r"'where' or 'by-topic.where'"):
        client["by-topic"].where  # noqa: B018
    assert client.task("by-topic.where", queue="by-topic")() == "clash"
    assert client.task("where", queue="by-topic")(1) == 2


def test_S03_a_name_with_control_characters_is_dropped_and_said(client: Any) -> None:
    assert any("control characters" in each for each in client.catalog.diagnostics)
    assert all(
        name.isprintable() for each in client.catalog.services.values() for name in each.tasks
    )
    with pytest.raises(NoSuchTask):
        client["by-topic"]["evil\x1b[31m\nname"]


def test_what_is_no_text_is_no_name(client: Any) -> None:
    for look_up in (client.__getitem__, client["by-topic"].__getitem__, client.task):
        with pytest.raises(TypeError, match="name is text, not int"):
            look_up(5)


def test_dir_offers_what_can_be_typed(client: Any) -> None:
    names = dir(client["on-default-exchange"])
    assert {"where", "delay", "class_", "deep"} <= set(names)
    assert "ünïcode" in dir(client["on-default-exchange"].naïve)
    assert list(client["by-topic"]) == sorted(client["by-topic"])
