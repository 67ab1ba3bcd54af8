"""Paths on the command line: what names a service or a task, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.cli.paths import Place, path_of, place_of, python_of


def service(queue: str, *tasks: str) -> Service:
    specs = {task: TaskSpec(task, backend="rpc") for task in tasks}
    return Service(queue, Address(queue), frozenset({"a@h"}), specs)


def catalog(*services: Service) -> Catalog:
    return Catalog({each.queue: each for each in services}, frozenset({"a@h"}))


SHOP = catalog(
    service("billing", "billing.add", "add", "billing.mul"),
    service("billing.eu", "billing.eu.add", "vat"),
    service("odd queue:1", "name with spaces", "odd queue:1.x"),
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("billing", Place("billing")),
        ("billing.mul", Place("billing", "mul")),
        ("billing.eu", Place("billing.eu")),
        ("billing.eu.vat", Place("billing.eu", "vat")),
        ("billing:billing.add", Place("billing", "billing.add", exact=True)),
        ("odd queue:1:name with spaces", Place("odd queue:1", "name with spaces", exact=True)),
        ("billings.add", None),
        ("mail.send", None),
        ("", None),
    ],
)
def test_the_longest_queue_that_fits_is_the_service(path: str, place: Place | None) -> None:
    assert place_of(SHOP, path) == place


def test_a_path_is_as_short_as_it_can_be() -> None:
    assert path_of(SHOP, SHOP["billing"], "billing.mul") == "billing.mul"
    assert path_of(SHOP, SHOP["billing.eu"], "vat") == "billing.eu.vat"
    assert path_of(SHOP, SHOP["odd queue:1"], "odd queue:1.x") == "odd queue:1.x"


def test_a_path_names_the_task_exactly_where_two_want_it() -> None:
    assert path_of(SHOP, SHOP["billing"], "add") == "billing:add"


names = st.text("ab.:", min_size=1, max_size=5)


@given(st.dictionaries(names, st.lists(names, min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_path_leads_back_to_its_queue(tasks: dict[str, list[str]]) -> None:
    fleet = catalog(*(service(queue, *each) for queue, each in tasks.items()))
    for each in fleet.services.values():
        for task in each.public:
            path = path_of(fleet, each, task)
            place = place_of(fleet, path)
            assert place is not None
            # A colon is the last resort, and can be taken only where no longer queue starts so.
            longer = [q for q in fleet if len(q) > len(each.queue) and path.startswith(q)]
            assert place.queue == each.queue or longer


@pytest.mark.parametrize(
    ("queue", "task", "python"),
    [
        ("billing", "billing.mul", "client.billing.mul"),
        ("billing", "add", "client.task('add', queue='billing')"),
        ("billing.eu", "vat", "client.task('vat', queue='billing.eu')"),
        ("odd queue:1", "odd queue:1.x", "client.task('odd queue:1.x', queue='odd queue:1')"),
    ],
)
def test_the_python_expression_names_the_same_task(queue: str, task: str, python: str) -> None:
    assert python_of(SHOP[queue], SHOP[queue].tasks[task]) == python


@pytest.mark.parametrize("task", ["mail.class", "mail.delay", "mail._hidden", "mail.two words"])
def test_what_is_no_attribute_is_reached_by_name(task: str) -> None:
    mail = service("mail", task)
    assert python_of(mail, mail.tasks[task]) == f"client.task({task!r}, queue='mail')"


def test_a_queue_called_like_a_method_of_the_client_is_reached_by_name() -> None:
    close = service("close", "close.now")
    assert python_of(close, close.tasks["close.now"]).startswith("client.task(")
