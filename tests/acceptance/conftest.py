"""The example services, for the commands."""

from collections.abc import Iterator

import pytest

from celery_rpc.cli.demo.shop import open_shop
from celery_rpc.testing.embedded import EmbeddedBroker


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The example services on a broker of their own."""
    with EmbeddedBroker() as broker, open_shop(broker.url, pool="threads") as shop:
        shop.ready()
        yield broker.url
