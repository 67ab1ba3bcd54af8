"""Runs that share a client: they wait for room, and end with it."""

import pytest

from celery_rpc import ClientClosed, chord, group
from celery_rpc.canvas import Graph
from celery_rpc.testing.memory import in_memory
from tests.workers.calc import app


def test_a_canvas_may_be_larger_than_what_may_be_in_flight() -> None:
    with in_memory({"calc": app}, max_in_flight=20) as client:
        parts = group(client.calc.add.s(n, n) for n in range(100))
        assert (parts | client.calc.total.s()).delay().get(timeout=30) == 9_900


def test_runs_at_once_share_the_room() -> None:
    with in_memory({"calc": app}, max_in_flight=20) as client:
        add, total = client.calc.add, client.calc.total
        sent = [chord([add.s(1, 1) for _ in range(30)], total.s()).delay() for _ in range(5)]
        assert [reply.get(timeout=30) for reply in sent] == [60] * 5


def test_a_run_without_a_call_under_way_finds_room_later() -> None:
    with in_memory({"calc": app}, max_in_flight=1) as client:
        expected = client.reply("somebody else's")  # takes the only place
        graph = Graph()
        graph.add(client.calc.add.s(1, 1))
        run = client.run(graph)
        assert run.status().waiting == 1
        client.caller.host.forget(expected.id)
        assert run.get(timeout=30) == 2


def test_a_run_that_waits_for_room_ends_with_the_client() -> None:
    client = in_memory({"calc": app}, max_in_flight=1)
    graph = Graph()
    with client:
        expected = client.reply("somebody else's")
        graph.add(client.calc.add.s(1, 1))
        run = client.run(graph)
    assert expected.done
    with pytest.raises(ClientClosed):
        run.get(timeout=30)
