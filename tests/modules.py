"""Modules that were generated a moment ago, imported from their files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any


@contextmanager
def imported(path: Path) -> Iterator[Any]:
    """Import a file as the module of its name, and forget it afterwards."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the types of fields
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[spec.name]
