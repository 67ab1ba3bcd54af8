"""Models of a generated module: given as arguments, and made of results, by live workers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import connect, group
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.stubs import module_of
from tests.modules import imported
from tests.servers import Broker, Worker


@pytest.fixture(scope="module")
def typed_worker(broker: Broker) -> Iterator[Worker]:
    with Worker.start("tests.workers.typed", broker.url, ["typed"], pool="solo") as started:
        yield started.wait_ready()


@pytest.mark.parametrize("models", ["pydantic", "dataclass"])
def test_generated_models_go_in_and_come_out(
    typed_worker: Worker, broker: Broker, tmp_path: Path, models: Kind
) -> None:
    with connect(broker.client_url, discovery_window=10.0) as plain:
        plain.service("typed")
        catalog = plain.detailed()
    file = tmp_path / f"generated_{models}.py"
    file.write_text(module_of(catalog, name="Acme", models=models).text)
    with (
        imported(file) as module,
        connect(broker.client_url, services=module.Acme, discovery_window=10.0) as typed,
    ):
        client: Any = typed
        moved = client.typed.plain_move(module.Point(x=1, y=2))
        assert moved == module.Point(x=2, y=3)
        assert client.typed.plain_move({"x": 1, "y": 0}) == module.Point(x=2, y=1)
        assert client.typed.move(module.Point(x=1)) == module.Point(x=2, y=1)
        points = group(client.typed.plain_move.s(module.Point(x=n)) for n in (1, 3))
        assert (points | client.typed.centre.s()).delay().get(timeout=20) == module.Point(x=3, y=1)
