"""Shop: the example services, wherever this package is installed."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import celery_rpc
from celery_rpc.errors import ConfigurationError, Unavailable

PACKAGE = Path(celery_rpc.__file__).parent

#: In a wheel, and in a checkout.
PLACES = (PACKAGE / "examples" / "services", PACKAGE.parent / "examples" / "services")


class Shop(Protocol):
    """What is used of the class of that name in shop.py."""

    @property
    def processes(self) -> Mapping[str, Any]: ...
    def start(self) -> None: ...
    def ready(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...


def find_shop() -> Path:
    """Give the file that starts the example services.

    Raises:
        ConfigurationError: they are not here.
    """
    for place in PLACES:
        if (place / "shop.py").is_file():
            return place / "shop.py"
    raise ConfigurationError(f"the example services are missing: neither of {PLACES} is there")


def load_shop() -> ModuleType:
    """Import shop.py by its path: the folder is no package, and stays off sys.path."""
    spec = spec_from_file_location("celery_rpc_example_shop", find_shop())
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{find_shop()} cannot be imported")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def open_shop(broker: str, **settings: Any) -> Generator[Shop, None, None]:
    """Start the example services, each the process of a stock worker; ``ready()`` waits for them.

    Args:
        settings: further arguments of ``Shop``.

    Raises:
        Unavailable: one did not start, or has ended; shows what it wrote.
    """
    module = load_shop()
    shop: Shop = module.Shop(broker, backend="rpc://", **settings)
    try:
        shop.start()
        yield shop
    except module.ShopError as error:
        raise Unavailable(f"the example services: {error}") from error
    finally:
        shop.stop()
