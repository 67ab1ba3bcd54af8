"""The catalog of the example services, read from their source; ``python -m tests.shop`` writes
``stubs/``, which a test holds current.
"""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog
from tests.servers.process import ROOT

SERVICES = ("billing", "inventory", "legacy", "mail", "media")


def celery_rpc(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "celery_rpc", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@cache
def shop_catalog() -> Catalog:
    """Return the catalog of all services; each is read in a process of its own, as it runs."""
    catalog = Catalog()
    with TemporaryDirectory() as folder:
        for name in SERVICES:
            file = Path(folder, f"{name}.json")
            done = celery_rpc(
                "catalog", "save", str(file), "--app", name, cwd=ROOT / "examples" / "services"
            )
            assert done.returncode == 0, done.stderr
            services = saved.load(file).services
            catalog = replace(catalog, services={**catalog.services, **services})
    return catalog


def genstubs(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run genstubs for the example services."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "shop.json")
        saved.save(shop_catalog(), file)
        return celery_rpc("genstubs", "--from-catalog", str(file), *arguments, cwd=cwd)


if __name__ == "__main__":
    done = genstubs()
    print(done.stdout, done.stderr, sep="")
    sys.exit(done.returncode)
