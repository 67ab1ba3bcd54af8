"""A client whose services run in this process."""

from collections.abc import Iterator
from typing import Any

import pytest

from celery_rpc.testing.memory import in_memory
from tests.workers.calc import app


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with in_memory({"calc": app}) as made:
        yield made
