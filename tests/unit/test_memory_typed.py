"""What services in memory expose binds their callers, as over a broker."""

import pytest

from celery_rpc import ArgumentsError, ResultError
from celery_rpc.testing.memory import in_memory
from tests.workers import typed


def test_exposed_services_are_typed_in_memory() -> None:
    with in_memory({"typed": typed.app}) as client:
        assert client.typed.add(1, 1) == 2
        with pytest.raises(ArgumentsError):
            client.typed.add("1")
        with pytest.raises(ResultError):
            client.typed.lies("text")
        with pytest.raises(client.typed.errors.Missing):
            client.typed.fail("Missing")
        assert client.typed.move({"x": 1}) == {"x": 2, "y": 1}
