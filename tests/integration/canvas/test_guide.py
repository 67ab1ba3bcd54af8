"""Every example of Celery's canvas guide (docs: userguide/canvas), on remote tasks."""

import asyncio
import json
from typing import Any

import celery
import pytest

from celery_rpc import DeadlineExceeded, chain, chord, group
from tests.servers import Gate, wait_until

WAIT = 60.0

# ----- signatures


def test_a_signature_is_called_and_sent(client: Any) -> None:
    add = client.calc.add
    assert add.signature((2, 2), countdown=0.01).delay().get(timeout=WAIT) == 4
    assert add.s(2, 2).apply_async(countdown=0.01).get(timeout=WAIT) == 4
    assert add.s(2, 2)() == 4
    assert (~add.s(2, 2)) == 4
    assert asyncio.run(add.s(2, 2).aio()) == 4


def test_a_signature_shows_its_parts(client: Any) -> None:
    made = client.calc.add.signature((2, 2), {"debug": True}, shadow="x")
    assert (made.args, made.kwargs, made.options["shadow"]) == ((2, 2), {"debug": True}, "x")
    assert repr(client.calc.add.s(2, 2)) == "calc.add(2, 2)"


def test_partials_take_what_comes_before(client: Any) -> None:
    partial = client.calc.add.s(2)
    assert partial.delay(4).get(timeout=WAIT) == 6
    assert partial.apply_async((4,)).get(timeout=WAIT) == 6
    assert partial.clone((4,)).delay().get(timeout=WAIT) == 6
    assert client.calc.echo.s().apply_async(kwargs={"value": 5}).get(timeout=WAIT) == 5
    assert client.calc.add.s(2, 2).set(countdown=0.01).set(expires=30).delay().get(WAIT) == 4


def test_an_immutable_signature_takes_nothing(client: Any) -> None:
    add = client.calc.add
    assert add.signature((2, 2), immutable=True).apply_async((9,)).get(timeout=WAIT) == 4
    assert (add.s(4, 4) | add.si(2, 2)).delay().get(timeout=WAIT) == 4


def test_callbacks_get_the_result_and_are_children(client: Any) -> None:
    add = client.calc.add
    result = add.apply_async((2, 2), link=add.s(8))
    assert result.get(timeout=WAIT) == 4
    assert [child.get(timeout=WAIT) for child in result.children] == [12]
    linked = add.s(2, 2)
    linked.link(add.s(4))
    assert [child.get(timeout=WAIT) for child in linked.delay().children] == [8]


def test_a_callback_may_be_a_canvas(client: Any) -> None:
    calc = client.calc
    result = calc.add.s(2, 2).apply_async(link=group(calc.add.s(1), calc.add.s(2)) | calc.total.s())
    assert result.get(timeout=WAIT) == 4
    assert [child.get(timeout=WAIT) for child in result.children] == [11]


# ----- chains


def test_a_chain(client: Any) -> None:
    add, mul = client.calc.add, client.other.calc.mul
    assert (add.s(2, 2) | mul.s(8) | mul.s(10)).apply_async().get(timeout=WAIT) == 320
    assert chain(add.s(4, 4), mul.s(8), mul.s(10))().get(timeout=WAIT) == 640
    assert celery.chain(add.s(4, 4), mul.s(8))().get(timeout=WAIT) == 64
    assert chain(add.s(4), mul.s(8))(4).get(timeout=WAIT) == 64


def test_a_chain_knows_its_steps(client: Any) -> None:
    add = client.calc.add
    result = (add.s(2, 2) | add.s(4) | add.s(8)).apply_async()
    assert result.get(timeout=WAIT) == 16
    assert result.parent.get(timeout=WAIT) == 8
    assert result.parent.parent.get(timeout=WAIT) == 4
    assert result.parent.parent.parent is None


def test_a_chain_longer_than_what_goes_whole(client: Any) -> None:
    add = client.calc.add
    result = chain(add.s(1, 1), *(add.s(1) for _ in range(40)))()
    assert result.get(timeout=WAIT) == 42
    assert result.parent.parent.get(timeout=WAIT) == 40


def test_a_chain_is_awaited(client: Any) -> None:
    add = client.calc.add
    assert asyncio.run((add.s(2, 2) | add.s(4)).aio()) == 8


# ----- groups


def test_a_group(client: Any) -> None:
    add = client.calc.add
    result = group(add.s(2, 2), add.s(4, 4)).delay()
    assert result.get(timeout=WAIT) == [4, 8]
    assert group(add.s(i, i) for i in range(10))().get(timeout=WAIT) == [*range(0, 20, 2)]
    assert celery.group([add.s(i, i) for i in range(3)])().get(timeout=WAIT) == [0, 2, 4]
    assert group(add.s(2), add.s(4))(10).get(timeout=WAIT) == [12, 14]


def test_a_group_result_tells_how_far_it_is(client: Any) -> None:
    add = client.calc.add
    result = group(add.s(2, 2), add.s(4, 4), add.s(8, 8)).apply_async()
    assert result.join(timeout=WAIT) == [4, 8, 16]
    assert result.ready()
    assert result.successful()
    assert not result.failed()
    assert not result.waiting()
    assert result.completed_count() == 3
    assert len(result) == 3
    assert [each.get() for each in result] == [4, 8, 16]
    assert {task_id: meta["result"] for task_id, meta in result.iterate()} == {
        each.id: each.get() for each in result
    }
    assert sorted(meta["result"] for _, meta in result.iter_native(timeout=WAIT)) == [4, 8, 16]


def test_members_of_a_group_are_given_as_they_end(client: Any, gate: Gate) -> None:
    calc = client.calc
    result = group(calc.hold.s(gate.path), calc.add.s(1, 1), calc.fail.s("KeyError")).delay()
    members = result.iterate(timeout=WAIT)
    first = [next(members), next(members)]
    assert {task_id for task_id, _ in first} == {result[1].id, result[2].id}
    assert {meta["status"] for _, meta in first} == {"SUCCESS", "FAILURE"}
    with pytest.raises(DeadlineExceeded, match="1 of 1 results"):
        next(group(calc.hold.s(gate.path)).delay().iterate(timeout=0.1))
    gate.open()
    assert [task_id for task_id, _ in members] == [result[0].id]


def test_a_group_shows_its_errors_beside_its_values(client: Any) -> None:
    calc = client.calc
    result = group(calc.add.s(1, 1), calc.fail.s("KeyError")).delay()
    one, error = result.get(timeout=WAIT, propagate=False)
    assert one == 2
    assert isinstance(error, KeyError)
    assert result.failed()
    with pytest.raises(KeyError):
        result.get(timeout=WAIT)


def test_a_group_is_awaited_and_calls_back(client: Any) -> None:
    add = client.calc.add
    assert asyncio.run(group(add.s(1, 1), add.s(2, 2)).aio()) == [2, 4]
    heard: list[Any] = []
    result = group(add.s(1, 1), add.s(2, 2)).delay()
    result.then(heard.append)
    wait_until(lambda: heard == [result], what="the callback", timeout=WAIT)


def test_a_group_in_a_chain(client: Any) -> None:
    add = client.calc.add
    flow = add.s(4, 4) | group(add.s(5), add.s(5))
    result = flow.delay()
    assert result.get(timeout=WAIT) == [13, 13]
    assert result.parent.get(timeout=WAIT) == 8


def test_an_empty_group_is_passed_over(client: Any) -> None:
    add = client.calc.add
    assert (add.s(1, 1) | group() | add.s(1)).delay().get(timeout=WAIT) == 3
    assert chain(group(), add.s(1, 1))().get(timeout=WAIT) == 2
    assert group([]).delay().get(timeout=WAIT) == []


# ----- chords


def test_a_chord(client: Any) -> None:
    add, total = client.calc.add, client.calc.total
    header = [add.s(i, i) for i in range(100)]
    assert chord(header)(total.s()).get(timeout=WAIT) == 9900
    assert chord((add.s(i, i) for i in range(10)), total.s())().get(timeout=WAIT) == 90
    assert celery.chord((add.s(i, i) for i in range(10)), total.s())().get(timeout=WAIT) == 90
    assert celery.chord(header)(total.s()).get(timeout=WAIT) == 9900


def test_a_group_followed_by_a_task_is_a_chord(client: Any) -> None:
    add, total = client.calc.add, client.calc.total
    assert (group(add.s(i, i) for i in range(10)) | total.s()).delay().get(timeout=WAIT) == 90
    made = celery.group(add.s(i, i) for i in range(10)) | total.s()
    assert made.delay().get(timeout=WAIT) == 90


def test_a_body_that_takes_nothing(client: Any) -> None:
    calc = client.calc
    flow = chord([calc.add.s(1, 1), calc.add.s(2, 2)], calc.add.si(40, 2))
    assert flow().get(timeout=WAIT) == 42


def test_a_body_that_is_a_chain_or_a_group(client: Any) -> None:
    calc = client.calc
    header = [calc.add.s(1, 1), calc.add.s(2, 2)]
    assert chord(header, calc.total.s() | calc.mul.s(7))().get(timeout=WAIT) == 42
    assert chord(header, group(calc.total.s(), calc.echo.s()))().get(timeout=WAIT) == [6, [2, 4]]


def test_a_chord_in_a_chord(client: Any) -> None:
    calc = client.calc
    inner = chord([calc.add.s(1, 1), calc.add.s(2, 2)], calc.total.s())
    assert chord([inner, calc.add.s(4, 4)], calc.total.s())().get(timeout=WAIT) == 14
    stock = celery.chord([inner.clone(), calc.add.s(4, 4)], calc.total.s())
    assert stock().get(timeout=WAIT) == 14


def test_a_chord_knows_its_header(client: Any) -> None:
    calc = client.calc
    result = chord([calc.add.s(1, 1), calc.add.s(2, 2)], calc.total.s())()
    assert result.get(timeout=WAIT) == 6
    assert result.parent.get(timeout=WAIT) == [2, 4]


def test_an_empty_header_gives_an_empty_list(client: Any) -> None:
    assert chord([], client.calc.total.s())().get(timeout=WAIT) == 0


def test_the_guides_long_chain(client: Any) -> None:
    calc = client.calc
    flow = (
        (calc.add.s(4, 16) | calc.mul.s(2))
        | group(calc.add.s(1), calc.add.s(2), calc.add.s(3))
        | calc.total.s()
        | group(calc.echo.s(), calc.mul.s(10))
    )
    assert flow().get(timeout=WAIT) == [126, 1260]


# ----- map, starmap, chunks


def test_map_starmap_and_chunks(client: Any) -> None:
    calc = client.calc
    assert ~calc.total.map([list(range(10)), list(range(100))]) == [45, 4950]
    assert ~calc.add.starmap(zip(range(10), range(10), strict=True)) == [*range(0, 20, 2)]
    parts = calc.add.chunks(zip(range(100), range(100), strict=True), 10)()
    assert parts.get(timeout=WAIT) == [[*range(n, n + 20, 2)] for n in range(0, 200, 20)]
    assert parts.id
    grouped = calc.add.chunks([(n, n) for n in range(6)], 3).group() | calc.echo.s()
    assert grouped.delay().get(timeout=WAIT) == [[0, 2, 4], [6, 8, 10]]


def test_celerys_own_map_and_chunks(client: Any) -> None:
    add, app = client.calc.add, client.app
    total = client.calc.total
    assert celery.canvas.xmap(total.s(), [[1, 2], [3]], app=app).delay().get(WAIT) == [3, 3]
    assert celery.canvas.xstarmap(add.s(), [(1, 1), (2, 2)], app=app).delay().get(WAIT) == [2, 4]
    assert celery.chunks(add.s(), [(1, 1), (2, 2)], 1, app=app)().get(WAIT) == [[2], [4]]


# ----- ids, JSON, stamps


def test_a_canvas_survives_json(client: Any) -> None:
    calc = client.calc
    flow = group(calc.add.s(1, 1), calc.add.s(2, 2)) | calc.total.s() | calc.mul.s(7)
    wire = json.loads(json.dumps(flow))
    assert client.signature(wire).delay().get(timeout=WAIT) == 42
    one = json.loads(json.dumps(calc.add.s(1, 1)))
    assert client.signature(one)() == 2


def test_a_frozen_signature_has_its_id_before_it_is_sent(client: Any) -> None:
    made = client.calc.add.s(1, 1)
    reply = made.freeze()
    assert made.delay().id == reply.id
    assert reply.get(timeout=WAIT) == 2


def test_the_last_task_has_the_id_of_the_chain(client: Any) -> None:
    add = client.calc.add
    wanted = client.app.client.new_id()
    result = (add.s(1, 1) | group(add.s(1), add.s(2)) | client.calc.total.s()).apply_async(
        task_id=wanted
    )
    assert result.id == wanted
    assert result.get(timeout=WAIT) == 7


def test_stamps_reach_the_workers(client: Any) -> None:
    made = client.calc.echo.s("stamped")
    made.stamp(order="A-1")
    assert made.options["stamped_headers"] == ["order"]
    assert made.delay().get(timeout=WAIT) == "stamped"


def test_options_are_for_all_members_of_a_group(client: Any) -> None:
    add = client.calc.add
    result = group(add.s(1, 1), add.s(2, 2)).apply_async(countdown=0.05, headers={"x": "y"})
    assert result.get(timeout=WAIT) == [2, 4]
