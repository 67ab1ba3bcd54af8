"""Signatures come from live workers, whatever their pool, broker and Celery; or they do not."""

from pathlib import Path
from typing import Any

import psutil
import pytest

from celery_rpc.catalog.model import Level
from celery_rpc.catalog.signature_json import to_json
from celery_rpc.worker import describe_app
from tests.servers import Broker, Worker
from tests.servers.worker import Pool
from tests.workers import typed


def start(broker: Broker, module: str = "typed", **options: Any) -> Worker:
    options = {"pool": "threads", "concurrency": 1, **options}
    return Worker.start(f"tests.workers.{module}", broker.url, [module], **options)


def levels(service: Any) -> set[Level]:
    return {spec.level for spec in service.public.values()}


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_signatures_come_as_the_service_describes_them(
    broker: Broker, new_client: Any, pool: Pool
) -> None:
    with start(broker, pool=pool) as worker:
        worker.wait_ready()
        service = new_client().refresh()["typed"]
        described = describe_app(typed.app)
        found = {name: spec.signature for name, spec in service.public.items()}
        assert found == {name: described[name] for name in found}
        assert len(found) > 20
        assert found["typed.add"].version == "2.1"


def test_older_celery_publishes_signatures_too(
    broker: Broker, new_client: Any, other_celery: Path
) -> None:
    with start(broker, python=other_celery) as worker:
        worker.wait_ready()
        service = new_client().refresh()["typed"]
        assert levels(service) == {Level.SCHEMA}
        add = service.tasks["typed.add"].signature
        assert to_json(add) == to_json(describe_app(typed.app)["typed.add"])


def test_a_service_is_exposed_without_a_line_of_code_and_at_no_cost_until_asked(
    broker: Broker, new_client: Any
) -> None:
    include = ["--include", "celery_rpc.worker.auto"]
    with start(broker, "calc", args=include) as worker:
        worker.wait_ready()
        assert not has_pydantic(worker)
        service = new_client().refresh()["calc"]
        assert has_pydantic(worker)
        assert levels(service) == {Level.SCHEMA}
        assert service.tasks["calc.total"].signature.parameters[0].schema["type"] == "array"


def has_pydantic(worker: Worker) -> bool:
    maps = psutil.Process(worker.pid).memory_maps()
    return any("_pydantic_core" in each.path for each in maps)


def test_older_workers_that_publish_nothing_still_tell_annotations(
    broker: Broker, new_client: Any, other_celery: Path
) -> None:
    with start(broker, "calc", python=other_celery) as worker:
        worker.wait_ready()
        client = new_client()
        assert levels(client.refresh()["calc"]) == {Level.NAME}
        service = client.detailed()["calc"]
        assert levels(service) == {Level.ANNOTATIONS}
        signature = service.tasks["calc.progress"].signature
        assert [each.name for each in signature.parameters] == ["steps", "seconds"]
        assert signature.doc == "Report a state PROGRESS after each step."
        assert client.calc.add(1, 1) == 2


def test_newer_workers_that_publish_nothing_tell_names(broker: Broker, new_client: Any) -> None:
    with start(broker, "calc") as worker:
        worker.wait_ready()
        assert levels(new_client().detailed()["calc"]) == {Level.NAME}


def test_what_is_published_wrongly_is_dropped_and_said(broker: Broker, new_client: Any) -> None:
    with start(broker, "rogue") as worker:
        worker.wait_ready()
        client = new_client()
        catalog = client.refresh()
        tasks = catalog["rogue"].public
        known = {name for name, spec in tasks.items() if spec.signature is not None}
        assert known == {"rogue.good"}
        said = "\n".join(catalog.diagnostics)
        assert "the signature of rogue.forged is not used: its digest is" in said
        assert "the signature of rogue.nonsense is not used: a parameter is called" in said
        assert client.rogue.absent(7) == 7, "a call does not need what did not come"


def test_workers_of_one_queue_that_differ_are_skewed(broker: Broker, new_client: Any) -> None:
    with (
        start(broker) as one,
        start(broker, env={"TYPED_VERSION": "2.2"}) as same,
        Worker.start("tests.workers.skewed", broker.url, ["typed"], pool="solo") as other,
    ):
        for each in (one, same, other):
            each.wait_ready()
        service = new_client().refresh()["typed"]
        assert list(service.skewed) == ["typed.add"], "another version alone is no skew"
        nodes = sorted(map(sorted, service.skewed["typed.add"].values()))
        assert nodes == sorted([[one.hostname], [same.hostname], [other.hostname]])
        assert "typed.mul" not in service.partial
        assert service.partial["typed.kinds"] == {one.hostname, same.hostname}
