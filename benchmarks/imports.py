"""Imports: what a fresh process pays before it has its first value."""

import subprocess
import sys
from functools import partial

from benchmarks.rounds import alternate
from benchmarks.rows import Row
from benchmarks.servers import ARGS, QUEUE, TASK, VALUE, Servers

#: Each prints the seconds that its lines took.
TIMED = """
from time import perf_counter
begin = perf_counter()
{}
print(perf_counter() - begin)
"""

OURS_IMPORT = "import celery_rpc; celery_rpc.connect"
STOCK_IMPORT = "from celery import Celery"
OURS_CALL = """
import celery_rpc
client = celery_rpc.connect({url!r})
assert client.calc.add(*{args!r}) == {value!r}
"""
STOCK_CALL = """
from celery import Celery
app = Celery(broker={url!r}, backend="rpc://")
assert app.send_task({task!r}, {args!r}, queue={queue!r}).get(timeout=30) == {value!r}
"""


def measure(servers: Servers, rounds: int) -> list[Row]:
    """Compare the imports, and the first call of a process with its imports."""
    known = {"url": servers.url, "args": ARGS, "value": VALUE, "task": TASK, "queue": QUEUE}
    return [
        compare("import", OURS_IMPORT, STOCK_IMPORT, rounds),
        compare("first call", OURS_CALL.format(**known), STOCK_CALL.format(**known), rounds),
    ]


def compare(measured: str, ours: str, stock: str, rounds: int) -> Row:
    """Compare two programs."""
    for warm in (ours, stock):
        run(warm)
    mine, theirs = alternate(partial(run, ours), partial(run, stock), rounds * 2)
    return Row("imports", measured, "ms", mine, theirs)


def run(program: str) -> float:
    """Run a program in a fresh process; give the milliseconds that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(program)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return float(done.stdout) * 1e3
