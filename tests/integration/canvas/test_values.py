"""Values that cannot be read here hurt those alone who ask for them."""

from collections.abc import Iterator
from typing import Any

import celery
import pytest

import celery_rpc
from celery_rpc import ResultError, connect
from tests.servers import Broker, Worker

WAIT = 60.0


@pytest.fixture(scope="module")
def strict(broker: Broker, service: Worker) -> Iterator[Any]:
    """A client that reads small replies alone."""
    with connect(broker.client_url, max_reply=2_000) as made:
        yield made


@pytest.fixture(scope="module")
def backend() -> str:
    return "rpc://"


@pytest.mark.parametrize("module", [celery_rpc, celery], ids=["ours", "celery"])
def test_a_chain_whose_middle_value_cannot_be_read_goes_on(strict: Any, module: Any) -> None:
    calc = strict.calc
    flow = module.chain(calc.add.s(1, 1), calc.mul.si("x", 5_000), calc.measure.s(), calc.add.s(1))
    result = flow.delay()
    assert result.get(timeout=WAIT) == 5_001
    assert result.parent.get(timeout=WAIT) == 5_000
    with pytest.raises(ResultError, match="more than the limit"):
        result.parent.parent.get(timeout=WAIT)
