"""The soak runs, and tells by its exit status what it found."""

import subprocess
import sys

from tests.servers.process import ROOT


def test_a_short_soak_loses_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.1", "--fault-every", "1"]
    done = subprocess.run(
        [*command, "--seed", "3"], cwd=ROOT, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost  0" in done.stdout
