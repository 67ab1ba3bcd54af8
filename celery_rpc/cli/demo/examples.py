"""Examples: modules of ``examples/``, wherever this package is installed."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import celery_rpc
from celery_rpc.errors import ConfigurationError

PACKAGE = Path(celery_rpc.__file__).parent

#: In a wheel, and in a checkout.
PLACES = (PACKAGE / "examples", PACKAGE.parent / "examples")


def example(name: str) -> ModuleType:
    """Import an example by its path, such as ``services/shop``: the folder is no package.

    Raises:
        ConfigurationError: it is not here.
    """
    module_name = f"celery_rpc_example_{name.replace('/', '_')}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = spec_from_file_location(module_name, find(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"the example {name} cannot be imported")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def find(file: str) -> Path:
    """Return the path of an example.

    Raises:
        ConfigurationError: it is not here.
    """
    for place in PLACES:
        if (place / file).is_file():
            return place / file
    raise ConfigurationError(f"the example {file} is missing: it is in none of {PLACES}")
