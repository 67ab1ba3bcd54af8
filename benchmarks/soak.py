"""Call for minutes or hours while things break: python -m benchmarks.soak.

Exits with 1 if anything was lost, wrong or left behind. CONTRIBUTING.md says what counts as that.
"""

import logging
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from benchmarks.callers import Callers
from benchmarks.mishaps import Mishaps
from benchmarks.servers import BROKERS
from benchmarks.strikes import Strikes
from benchmarks.tally import SHOWN, Tally
from benchmarks.vitals import Vitals, look
from celery_rpc import connect
from tests.servers import FaultProxy, Supervisor, Worker, wait_until

#: Seconds after its deadline at which an open call counts as one that never ends.
NEVER_ENDS = 10.0
#: Seconds until another worker gets what a killed one had taken, on Redis; and for it to run it.
VISIBILITY, DRAIN = 15, 60.0
#: Seconds between two lines of the live report.
REPORT_EVERY = 10.0
#: Seconds between two looks at the vitals, and at calls that should have ended.
LOOK_EVERY = 0.5


class Soak:
    """One broker, one worker, replaced when it is killed, and one client behind a fault proxy."""

    def __init__(self, kind: str, size: int, seed: int) -> None:
        self.kind = kind
        self.tally, self.vitals = Tally(), Vitals()
        self.folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self.ledger = self.folder / "ledger"
        self.broker = BROKERS[kind]().start()
        self.staff = Supervisor(self._start_worker)
        self.staff.wait_ready()
        self.link = FaultProxy.before(self.broker.url)
        self.base = look()
        self.client = connect(
            self.link.url(self.broker.url), timeout=5.0, connect_timeout=1.0, heartbeat=4.0
        )
        self.callers = Callers(self.client, self.ledger, self.tally, size, seed)
        strikes = Strikes(self.client, self.ledger, self.tally, seed)
        self.mishaps = Mishaps(self.broker, self.link, self.staff, self.tally, strikes, seed)
        self.lost: list[str] = []
        #: Confirmed calls that a killed worker had in its hands, on Redis; and executions of what
        #: the broker gave out a second time.
        self.in_hand = self.again = 0

    def _start_worker(self) -> Worker:
        return Worker.start(
            "tests.workers.ledger", self.broker.url, ["ledger"], pool="prefork", concurrency=2,
            env={"LEDGER_VISIBILITY": str(VISIBILITY)},
        )  # fmt: skip

    def run(self, seconds: float, fault_every: float) -> None:
        """Call and break things for so long; then let all end."""
        self.callers.start()
        began = time.monotonic()
        fault_at, report_at = began + fault_every, began + REPORT_EVERY
        while (now := time.monotonic()) < began + seconds:
            self.vitals.sample()
            if now >= fault_at:
                self._break()
                fault_at = time.monotonic() + fault_every
            if now >= report_at:
                click.echo(f"{now - began:6.0f} s  {self.progress()}")
                report_at = now + REPORT_EVERY
            self._look_for_the_stuck()
            time.sleep(LOOK_EVERY)

    def _break(self) -> None:
        queue = self.client.status()["reply_queue"]
        self.mishaps.cause(queue, self.callers.recent)

    def _look_for_the_stuck(self) -> None:
        for number in self.tally.overdue(NEVER_ENDS):
            self.lost.append(f"call {number} did not end")
            self.tally.open.pop(number, None)

    def progress(self) -> str:
        """Return in one line how it goes."""
        last = self.vitals.samples[-1]
        return (
            f"{self.tally.calls:,} calls, {self.mishaps.counts.total()} faults, "
            f"{len(self.lost)} lost, {len(self.tally.wrong)} wrong, "
            f"latest +{self.tally.worst:.2f} s, {last.rss:.0f} MB, "
            f"{last.fds} fds, {last.threads} threads"
        )

    def finish(self) -> None:
        """End the faults and the calls, and compare with what the worker wrote down."""
        self.mishaps.undo()
        self.callers.stop(timeout=NEVER_ENDS + 15)
        self._look_for_the_stuck()
        try:
            wait_until(lambda: not self.tally.unrun(self.ledger), timeout=DRAIN)
        except AssertionError:
            self._miss(self.tally.unrun(self.ledger))
        self.again = self.tally.audit(self.ledger)
        self._end_client()

    def _miss(self, unrun: list[int]) -> None:
        """Count confirmed calls that were never run; CONTRIBUTING.md has the one excuse."""
        self.in_hand = min(len(unrun), self.staff.killed) if self.kind == "redis" else 0
        missed = unrun[self.in_hand :]
        self.lost += [f"call {number} was confirmed and never run" for number in missed]

    def _end_client(self) -> None:
        pending = self.client.status()["pending"]
        self.client.close()
        wait_until(lambda: self.link.connections == 0, what="the end of all connections")
        end = look()
        left = {"calls": pending, "fds": end.fds - self.base.fds,
                "threads": end.threads - self.base.threads}  # fmt: skip
        self.lost += [f"{count} {name} left behind" for name, count in left.items() if count > 0]

    def close(self) -> None:
        """End what was started."""
        self.client.close()
        self.link.close()
        self.staff.worker.discard()
        self.broker.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def report(self) -> str:
        """Return the figures."""
        vitals = self.vitals
        lines = {
            "calls": f"{self.tally.calls:,}",
            "ended": _counts(self.tally.endings),
            "faults": f"{self.mishaps.counts.total()}: {_counts(self.mishaps.counts)}",
            "lost": len(self.lost),
            "wrong": len(self.tally.wrong),
            "latest end": f"{self.tally.worst:.2f} s after the deadline",
            "given out again": f"{self.again} by the broker: its worker was killed or cut off",
            "in hand": f"{self.in_hand} taken by a worker in the moment of its death (Redis)",
            "memory": f"{vitals.slope_of('rss'):+.2f} MB/min, {vitals.samples[-1].rss:.0f} MB",
            "descriptors": f"{vitals.slope_of('fds'):+.2f} a min, {vitals.range_of('fds')}",
            "threads": vitals.range_of("threads"),
        }
        shown = [f"{name:>16}  {value}" for name, value in lines.items()]
        return "\n".join([*shown, *self.lost[:SHOWN], *self.tally.wrong[:SHOWN]])

    @property
    def passed(self) -> bool:
        """True when nothing was lost and nothing wrong."""
        return not self.lost and not self.tally.wrong


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


@click.command()
@click.option("--broker", type=click.Choice(list(BROKERS)), default="redis", show_default=True)
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--fault-every", type=float, default=5.0, show_default=True,
              help="Seconds between the end of a fault and the next.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(min=1), default=8, show_default=True,
              help="So many threads, and so many coroutines.")  # fmt: skip
@click.option("--seed", type=int, help="Of the faults and calls; by default a new one.")
def main(
    broker: str, minutes: float, fault_every: float, concurrency: int, seed: int | None
) -> None:
    """Call through faults, and count what is lost or wrong."""
    logging.getLogger("celery_rpc").addHandler(logging.NullHandler())
    seed = random.randrange(1 << 30) if seed is None else seed
    click.echo(f"{broker}, {minutes:g} minutes, seed {seed}")
    soak = Soak(broker, concurrency, seed)
    try:
        soak.run(minutes * 60, fault_every)
        soak.finish()
        click.echo(soak.report())
    finally:
        soak.close()
    raise SystemExit(0 if soak.passed else 1)


if __name__ == "__main__":
    main()
