"""Virtual environments with the other releases of Celery that services run."""

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.servers.missing import missing
from tests.servers.process import ROOT

# With the kombu of their own time: Celery alone would also take the newest. pydantic is for
# celery_rpc.worker, which services import from this checkout.
REQUIREMENTS = {
    "5.4": ["celery[redis]==5.4.*", "kombu[redis]==5.4.*", "pydantic>=2.10,<3"],
    "5.5": ["celery[redis]==5.5.*", "kombu[redis]==5.5.*", "pydantic>=2.10,<3"],
    "5.6": ["celery[redis]==5.6.*", "kombu[redis]==5.6.*", "pydantic>=2.10,<3"],
}
PIP_OPTIONS = ["--quiet", "--no-input", "--disable-pip-version-check"]
INSTALL_SECONDS = 300.0


def celery_python(version: str) -> Path:
    """Return the Python of an environment with that Celery, made on first use.

    Skips the test where it cannot be installed. Concurrent test runs wait for one another.
    """
    home = ROOT / ".venvs" / f"celery-{version}"
    python = home / "bin" / "python"
    marker = home / ".ready"
    wanted = "\n".join([sys.version, *REQUIREMENTS[version]])
    home.parent.mkdir(exist_ok=True)
    with (home.parent / f"celery-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != wanted:
            _install(home, python, REQUIREMENTS[version])
            marker.write_text(wanted)
    return python


def _install(home: Path, python: Path, requirements: list[str]) -> None:
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [str(python), "-m", "pip", "install", *PIP_OPTIONS, *requirements],
    ):
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS
            )
        except subprocess.CalledProcessError as error:
            missing(f"{' '.join(command)}: {error.stderr.strip()[-2000:]}")
        except subprocess.TimeoutExpired as error:
            missing(str(error))
