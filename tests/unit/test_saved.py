"""Catalogs as files: equal contracts give equal text, and what is read may come from an enemy."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.catalog import foreign, saved
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.errors import ConfigurationError
from celery_rpc.worker import catalog_of_app
from tests.unit.edits import edited
from tests.unit.signatures import signatures
from tests.unit.test_schema import json_values
from tests.workers import typed

names = st.text("abc.-é ", min_size=1, max_size=6)
specs = st.builds(
    TaskSpec,
    name=names,
    backend=st.sampled_from([None, "rpc", "redis"]),
    ignore_result=st.booleans(),
    answers=st.booleans(),
    digest=st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    signature=st.none() | signatures(),
)


def service_of(queue: str, tasks: list[TaskSpec], arguments: Any) -> Service:
    by_name = {each.name: each for each in sorted(tasks, key=lambda each: each.name)}
    address = Address(queue, f"{queue} exchange", f"{queue} key")
    return Service(queue, address, frozenset(), by_name, arguments=arguments)


services = st.builds(
    service_of, names, st.lists(specs, max_size=3), st.sampled_from([None, {"x-max-priority": 9}])
)
catalogs = st.lists(services, max_size=3).map(
    lambda found: Catalog({each.queue: each for each in sorted(found, key=lambda s: s.queue)})
)


def plain(**task: Any) -> dict[str, Any]:
    """Return the least that is a saved catalog, with one task."""
    return {
        "celery_rpc_catalog": 1,
        "services": {"q": {"exchange": "", "routing_key": "q", "tasks": {"q.t": task}}},
    }


def refusal(value: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        saved.from_json(value if isinstance(value, bytes | str) else json.dumps(value), "s.json")
    return str(caught.value)


@given(catalogs)
def test_what_is_written_is_read(catalog: Catalog) -> None:
    text = saved.to_json(catalog)
    assert saved.from_json(text) == catalog
    assert saved.to_json(saved.from_json(text)) == text


def test_a_real_service_is_written_and_read() -> None:
    catalog = catalog_of_app(typed.app)
    found = saved.from_json(saved.to_json(catalog))
    assert found.services == catalog.services


def test_what_changes_from_one_moment_to_the_next_is_left_out() -> None:
    catalog = catalog_of_app(typed.app)
    service = replace(
        catalog["typed"],
        workers=frozenset({"celery@secret-host"}),
        tasks={**dict(reversed(list(catalog["typed"].tasks.items()))), "celery.map": TaskSpec("x")},
    )
    other = Catalog({"typed": service}, frozenset({"w"}), False, frozenset({"x"}), ["doubt"], 99.0)
    text = saved.to_json(other)
    assert text == saved.to_json(catalog)
    assert text.endswith("}\n")
    assert not any(word in text for word in ("secret-host", "doubt", "celery.map"))


def test_a_file_is_written_whole_and_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    catalog = catalog_of_app(typed.app)
    assert saved.save(catalog, path)
    written = path.stat().st_mtime_ns
    assert not saved.save(catalog, path)
    assert path.stat().st_mtime_ns == written
    assert saved.load(path).services == catalog.services
    assert [each.name for each in tmp_path.iterdir()] == ["services.json"]


def test_a_file_behind_a_link_is_replaced_not_the_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    saved.save(Catalog(), link)
    assert link.is_symlink()
    assert saved.load(real) == Catalog()


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json cannot be read: No such file"):
        saved.load(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        saved.save(Catalog(), tmp_path / "nowhere" / "services.json")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        saved.load(tmp_path)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "s.json is no JSON"),
        (b"\xff\xfe\xff", "s.json is no JSON"),
        ("[" * 100_000, "s.json is no JSON"),
        ([], "it has no 'celery_rpc_catalog'"),
        ({"services": {}}, "celery-rpc catalog save writes one"),
        ({"celery_rpc_catalog": 2}, "is 2; this celery-rpc reads 1"),
        ({"celery_rpc_catalog": True}, "is True; this celery-rpc reads 1"),
        ({"celery_rpc_catalog": 1}, "services: is missing"),
        ({"celery_rpc_catalog": 1, "services": []}, "services: is a list"),
        ({**plain(), "service": 1}, "'service' is unknown; did you mean 'services'?"),
        ({"celery_rpc_catalog": 1, "services": {"a\x1b": {}}}, "control characters"),
        (plain(ignore_result="no"), "services['q'].tasks['q.t'].ignore_result: must be true"),
        (plain(answers=1), "services['q'].tasks['q.t'].answers: must be true"),
        (plain(digest="evil"), "is no digest"),
        (plain(backend=7), "must be a text"),
        (plain(level="schema"), "is 'schema', but what stands there is name"),
        (plain(signature={"parameters": [{"name": "not valid"}]}), "a parameter is called"),
        (plain(signature=7), "services['q'].tasks['q.t'].signature:"),
        ('{"celery_rpc_catalog": 1, "services": {"q": 1, "q": 2}}', "'q' stands twice"),
        ('{"celery_rpc_catalog": NaN}', "NaN is no JSON"),
        ('{"celery_rpc_catalog": 1e999}', "1e999 is too large a number"),
    ],
)
def test_what_is_no_saved_catalog_is_refused_by_name(value: Any, said: str) -> None:
    assert said in refusal(value)


def test_limits_are_limits() -> None:
    deep: Any = {}
    for _ in range(foreign.MAX_LEVELS + 1):
        deep = {"more": deep}
    service = {"tasks": {}, "arguments": deep}
    assert "levels" in refusal({"celery_rpc_catalog": 1, "services": {"q": service}})
    many: Any = {str(number): {"tasks": {}} for number in range(saved.MAX_SERVICES + 1)}
    assert "10,001 entries" in refusal({"celery_rpc_catalog": 1, "services": many})
    assert "larger than 64 MiB" in refusal(b" " * (saved.MAX_SIZE + 1))


def has_signatures(catalog: Catalog) -> bool:
    return any(task.signature for queue in catalog for task in catalog[queue].tasks.values())


nearly_saved: st.SearchStrategy[Any] = edited(
    catalogs.filter(has_signatures).map(lambda catalog: json.loads(saved.to_json(catalog)))
)


@given(
    nearly_saved
    | json_values
    | json_values.map(lambda value: plain(signature=value))
    | json_values.map(lambda value: {"celery_rpc_catalog": 1, "services": value})
)
def test_any_json_is_a_catalog_or_is_refused(value: Any) -> None:
    try:
        read = saved.from_json(json.dumps(value))
    except ConfigurationError:
        return
    assert saved.from_json(saved.to_json(read)) == read


def test_what_is_nearly_a_saved_catalog_is_often_one_with_signatures() -> None:
    """The property above touches its subject: it is measured how often."""
    met = Counter[str]()

    @given(nearly_saved)
    def measure(value: Any) -> None:
        try:
            read = saved.from_json(json.dumps(value))
        except ConfigurationError:
            met["refused"] += 1
        else:
            met["signatures" if has_signatures(read) else "poor"] += 1

    measure()
    assert met["signatures"] > met.total() / 4, met
    assert met["refused"] > met.total() / 5, met


def test_uneven_services_are_seen_in_the_repr() -> None:
    uneven = Service(
        "q",
        Address("q"),
        frozenset({"a", "b"}),
        {"t": TaskSpec("t")},
        partial={"t": frozenset({"a"})},
        skewed={"t": {"1": frozenset({"a"}), "2": frozenset({"b"})}},
    )
    assert repr(uneven) == "<Service q: 1 task (1 partial, 1 skewed), 2 workers>"
    assert "1 task (1 partial, 1 skewed), 0 workers" in repr(Catalog({"q": uneven}))
