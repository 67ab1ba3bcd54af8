"""Typed calls: arguments are held against the signature before they are sent, results after."""

import asyncio
import inspect
import pickle
import pydoc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from celery_rpc import (
    ArgumentsError,
    BaseClient,
    ConfigurationError,
    RemoteError,
    ResultError,
    connect,
    group,
)
from tests.servers import Broker, Worker
from tests.workers import typed


@pytest.fixture(scope="module")
def worker(broker: Broker) -> Iterator[Worker]:
    with Worker.start(
        "tests.workers.typed", broker.url, ["typed"], pool="threads", concurrency=4
    ) as started:
        yield started.wait_ready()


class Point(BaseModel):
    """As a generated module would have it."""

    x: int
    y: int = 0


@dataclass
class PointData:
    x: int
    y: int = 0


class ShopServices(BaseClient):
    """As a generated module would have it."""

    __rpc_models__ = {"typed": {"Point": Point}}  # noqa: RUF012


@pytest.fixture(scope="module")
def modelled(broker: Broker, worker: Worker) -> Iterator[Any]:
    with connect(broker.client_url, services=ShopServices) as made:
        yield made


def refused(call: Any) -> Any:
    with pytest.raises(ArgumentsError) as caught:
        call()
    return caught.value


class TestArguments:
    @pytest.mark.parametrize(
        ("args", "kwargs", "parameter", "reason"),
        [
            (("1",), {}, "x", "Input should be a valid integer, not '1'"),
            ((1, True), {}, "y", "Input should be a valid integer, not True"),
            ((1,), {"y": 1.0}, "y", "Input should be a valid integer"),
            ((), {}, "x", "missing a required argument: 'x'"),
            ((1, 2, 3), {}, None, "too many positional arguments"),
            ((1,), {"z": 1}, "z", "unexpected keyword argument 'z'"),
            ((1,), {"x": 1}, "x", "multiple values for argument 'x'"),
        ],
    )
    def test_what_does_not_fit_is_refused_however_it_is_called(
        self, client: Any, args: Any, kwargs: Any, parameter: str | None, reason: str
    ) -> None:
        add = client.typed.add
        sent = client.status()["pending"]
        ways = [
            lambda: add(*args, **kwargs),
            lambda: add.delay(*args, **kwargs),
            lambda: add.apply_async(args, kwargs),
            lambda: add.si(*args, **kwargs),
            lambda: asyncio.run(add.aio(*args, **kwargs)),
        ]
        for way in ways:
            error = refused(way)
            assert reason in str(error)
            assert str(error).startswith("typed.add")
            assert error.parameter == parameter
            assert isinstance(error, TypeError)
        assert client.status()["pending"] == sent

    def test_an_item_of_a_batch_is_refused_with_its_number_and_none_is_sent(
        self, client: Any
    ) -> None:
        error = refused(lambda: client.typed.add.batch([(1, 2), {"x": "3"}]))
        assert error.parameter == "x"
        assert error.__notes__ == ["This was item 1 of the batch."]

    def test_signatures_may_lack_arguments_but_have_no_wrong_ones(self, client: Any) -> None:
        add = client.typed.add
        assert (add.s(1) | add.s(5)).delay().get() == 6
        assert add.s().args == ()
        assert client.typed.logged.s("label").args == ("label",), "it may be the second one"
        for way in (lambda: add.s("5"), lambda: add.s(1, 2, 3), lambda: add.s(z=1)):
            assert "typed.add" in str(refused(way))
        assert refused(lambda: add.signature((1,), {"y": "2"})).parameter == "y"
        assert refused(lambda: add.si()).parameter == "x"

    def test_every_kind_of_parameter_is_bound(self, client: Any) -> None:
        kinds = client.typed.kinds
        assert kinds(1, "b", 2, 3.5, c=False, d=4) == [1, "b", [2, 3.5], False, {"d": 4}]
        assert refused(lambda: kinds(1, "b", "c")).parameter == "rest"
        assert refused(lambda: kinds(1, "b", d="x")).parameter == "d"
        assert refused(lambda: kinds(a=1, b="x")).parameter == "a"
        assert client.typed.square(3, negative=True) == -9

    def test_scalars_are_strict_and_containers_are_not(self, client: Any) -> None:
        assert client.typed.ratio(1) == 1.0
        assert client.typed.pair((3, 1, 2)) == (1, "min")
        assert client.typed.pair({3, 1}, mode="max") == (3, "max")
        assert refused(lambda: client.typed.pair([1, "2"])).parameter == "values"
        assert "should be 'min' or 'max'" in str(refused(lambda: client.typed.pair([1], "avg")))

    def test_what_json_has_no_type_for_is_the_object_or_its_text(self, client: Any) -> None:
        moment, day, key = datetime(2026, 1, 2, 3), date(2026, 1, 2), uuid4()
        objects = client.typed.seen(moment, day, Decimal("1.5"), key, b"x")
        assert objects == ["datetime", "date", "Decimal", "UUID", "bytes"], "as they were sent"
        texts = client.typed.seen(moment.isoformat(), day.isoformat(), "1.5", str(key), "x")
        assert texts == ["str"] * 5
        assert refused(lambda: client.typed.later("soon")).parameter == "when"
        assert refused(lambda: client.typed.later(5)).parameter == "when"

    def test_the_first_call_waits_for_the_signature(self, new_client: Any) -> None:
        for _ in range(5):
            assert refused(lambda: new_client().typed.add("1")).parameter == "x"
            assert refused(lambda: asyncio.run(new_client().typed.add.aio("1"))).parameter == "x"

    def test_it_can_be_turned_off(self, client: Any, new_client: Any) -> None:
        with pytest.raises(TypeError) as caught:
            client.typed.add.options(validate=False)("1", 2)
        assert isinstance(caught.value, RemoteError)
        assert client.typed.lies.options(validate=False)("text") == "text"
        lax = new_client(validate=False)
        assert lax.typed.lies("text") == "text"
        assert lax.typed.count_points([typed.Shape(name="a", points=[typed.Point(x=1)])]) == 1
        with pytest.raises(ConfigurationError):
            client.typed.add.options(validate="no")


MODELS = [Point(x=1, y=2), {"x": 1, "y": 2}, typed.Point(x=1, y=2), PointData(1, 2)]


@pytest.mark.parametrize("point", MODELS, ids=["generated", "dict", "own class", "dataclass"])
class TestModels:
    @pytest.mark.parametrize("name", ["move", "plain_move"])
    def test_a_model_goes_in_and_comes_out(self, modelled: Any, point: Any, name: str) -> None:
        move = modelled.typed[name]
        assert move(point) == Point(x=2, y=3)
        assert move.delay(point, by=2).get() == Point(x=3, y=4)
        assert [reply.get() for reply in move.batch([(point,)])] == [Point(x=2, y=3)]
        assert asyncio.run(move.aio(point)) == Point(x=2, y=3)

    @pytest.mark.parametrize("name", ["move", "plain_move"])
    def test_a_model_goes_along_a_chain(self, modelled: Any, point: Any, name: str) -> None:
        move = modelled.typed[name]
        flow = move.s(point) | move.s(by=10)
        assert flow.delay().get() == Point(x=12, y=13)
        assert asyncio.run(flow.aio()) == Point(x=12, y=13)

    def test_models_come_together_in_a_chord(self, modelled: Any, point: Any) -> None:
        flow = group(modelled.typed.move.s(point), modelled.typed.plain_move.s(point))
        assert (flow | modelled.typed.centre.s()).delay().get() == Point(x=2, y=3)
        assert flow.delay().get() == [Point(x=2, y=3)] * 2

    def test_a_model_may_be_anywhere_in_a_value(self, modelled: Any, point: Any) -> None:
        shapes = [{"name": "a", "points": [point, Point(x=0)]}, typed.Shape(name="b")]
        assert modelled.typed.count_points(shapes) == 2
        assert modelled.typed.centre([point, point]) == Point(x=1, y=2)
        assert modelled.typed.name_of(point) == "dict", "also where anything is allowed"


def test_a_model_that_does_not_fit_is_refused_with_the_path(client: Any) -> None:
    error = refused(lambda: client.typed.count_points([{"name": "a", "points": [{"x": "1"}]}]))
    assert "shapes[0].points[0].x: Input should be a valid integer" in str(error)
    assert refused(lambda: client.typed.move(Point.model_construct(x="1"))).parameter == "point"


class TestResults:
    def test_results_are_read_into_the_declared_types(self, client: Any) -> None:
        parcel = typed.Parcel(weight=3)
        assert client.typed.send(parcel) == {"number": 3, "valid": date(2026, 1, 2)}
        assert client.typed.price("1.50") == Decimal("1.50")
        assert client.typed.later(datetime(2026, 1, 1)) == datetime(2026, 1, 2)
        assert client.typed.page(1) == {"items": [{"x": 0, "y": 0}], "more": True}
        assert client.typed.pair.delay([1]).get() == (1, "min")

    def test_what_does_not_fit_is_an_error_and_says_where(self, client: Any) -> None:
        reply = client.typed.lies.delay("text")
        with pytest.raises(ResultError, match=r"result of typed.lies .* valid integer, not 'text'"):
            reply.get()
        assert reply.successful()
        assert isinstance(reply.result, ResultError)
        with pytest.raises(ResultError):
            client.typed.lies(None)

    def test_models_that_were_given_are_made(self, modelled: Any) -> None:
        page = modelled.typed.page(2)
        assert page["items"] == [Point(x=0, y=0), Point(x=1, y=1)]

    def test_services_is_a_generated_class(self) -> None:
        with pytest.raises(ConfigurationError, match="genstubs"):
            connect("redis://localhost/0", services=dict)  # type: ignore[type-var]


class TestErrors:
    def test_declared_errors_are_caught_by_name(self, client: Any) -> None:
        errors = client.typed.errors
        with pytest.raises(errors.TypedError) as caught:
            client.typed.fail("TypedError")
        assert isinstance(caught.value, RemoteError)
        assert caught.value.args == ("as asked", 42)
        assert caught.value.type == "tests.workers.typed.TypedError"
        assert dir(errors) == ["Missing", "TypedError"]
        with pytest.raises(LookupError):
            client.typed.fail("Missing")
        with pytest.raises(AttributeError, match="did you mean 'Missing'"):
            errors.Mising  # noqa: B018

    def test_they_survive_pickle(self, client: Any) -> None:
        with pytest.raises(client.typed.errors.Missing) as caught:
            client.typed.fail("Missing")
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is type(caught.value)
        assert again.args == caught.value.args

    def test_classes_that_were_given_win(self, new_client: Any) -> None:
        client = new_client(errors=[typed.TypedError])
        assert issubclass(client.typed.errors.TypedError, typed.TypedError)
        with pytest.raises(typed.TypedError):
            client.typed.fail("TypedError")

    def test_they_are_known_without_a_call_before(self, new_client: Any) -> None:
        client = new_client()
        with pytest.raises(RemoteError) as caught:
            client.typed.fail("TypedError")
        assert isinstance(caught.value, client.typed.errors.TypedError)


class TestLooks:
    def test_a_task_shows_its_own_signature(self, client: Any) -> None:
        signature = inspect.signature(client.typed.add)
        assert str(signature) == "(x: int, y: int = 0) -> int"
        assert str(inspect.signature(client.typed.kinds)) == (
            "(a: int, /, b: str, *rest: float, c: bool = True, **others: int) -> list[Any]"
        )
        assert signature.parameters["y"].default == "0"

    def test_help_tells_all_that_is_known(self, client: Any) -> None:
        text = pydoc.render_doc(client.typed.add)
        assert "add(x: int, y: int = 0) -> int" in text
        assert "Add two numbers." in text
        assert "Version of the service: 2.1" in text
        text = pydoc.render_doc(client.typed.fail)
        assert "Missing: It is not there: its name." in text
        assert "Deprecated: use typed.add" in pydoc.render_doc(client.typed.old_add)
        assert "Ghost" in pydoc.render_doc(client.typed.ghost)

    def test_a_deprecated_task_warns_once(self, new_client: Any) -> None:
        client = new_client()
        with pytest.warns(DeprecationWarning, match=r"typed.old_add is deprecated: use") as caught:
            assert client.typed.old_add(1, 1) == 2
        assert [each.filename for each in caught] == [__file__]
        assert client.typed.old_add.delay(1, 1).get() == 2, "filterwarnings would make it an error"

    def test_bound_tasks_have_no_self(self, client: Any) -> None:
        assert client.typed.bound(1) == "typed.bound 1"
        assert str(inspect.signature(client.typed.bound)) == "(x: int) -> str"


def test_skewed_workers_refuse_nothing_that_either_takes(broker: Broker, new_client: Any) -> None:
    with (
        Worker.start("tests.workers.skewed", broker.url, ["typed"], pool="solo") as other,
    ):
        other.wait_ready()
        client = new_client()
        assert client.refresh()["typed"].skewed
        replies = [client.typed.add.delay(1, 1), client.typed.add.delay("a", "b")]
        assert len([reply.get(propagate=False) for reply in replies]) == 2
