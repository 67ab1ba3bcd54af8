"""Shop: the example services, started and ended."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from celery_rpc.cli.demo.examples import example
from celery_rpc.errors import Unavailable


class Shop(Protocol):
    """What is used of the class of that name in shop.py."""

    @property
    def processes(self) -> Mapping[str, Any]: ...
    def start(self) -> None: ...
    def ready(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...


@contextmanager
def open_shop(broker: str, **settings: Any) -> Generator[Shop, None, None]:
    """Start the example services, each the process of a stock worker; ``ready()`` waits for them.

    Args:
        settings: further arguments of ``Shop``.

    Raises:
        Unavailable: one did not start, or has ended; shows what it wrote.
    """
    module = example("services/shop")
    shop: Shop = module.Shop(broker, backend="rpc://", **settings)
    try:
        shop.start()
        yield shop
    except module.ShopError as error:
        raise Unavailable(f"the example services: {error}") from error
    finally:
        shop.stop()
