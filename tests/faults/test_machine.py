"""Any mixture of calls and faults: each call ends once, in time and truthfully, and all is cleared.

Hypothesis chooses the mixture. A few that are always the same are tried in every run of the tests;
HYPOTHESIS_PROFILE=long tries many new and longer ones, and HYPOTHESIS_PROFILE=nightly also finds
the shortest that fails.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from celery_rpc import RpcError, connect
from tests.faults.trials import Trial, Trials
from tests.limits import ends_within
from tests.profiles import PROFILE
from tests.servers import Broker, FaultProxy, Forger, Supervisor, Way, Worker, wait_until
from tests.servers.forger import GARBAGE

COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "report_multiple_bugs": False,
}
FIND, SHORTEN = [Phase.generate], [Phase.generate, Phase.shrink]
PROFILES = {
    "quick": settings(
        **COMMON, phases=FIND, max_examples=5, stateful_step_count=15, derandomize=True
    ),
    "long": settings(**COMMON, phases=FIND, max_examples=20, stateful_step_count=40),
    "nightly": settings(**COMMON, phases=SHORTEN, max_examples=200, stateful_step_count=40),
}

#: Seconds that calls have, that tasks take, and that pass between steps.
TIMEOUTS = st.sampled_from([0.5, 1.0, 2.0])
WORK = st.sampled_from([0.0, 0.0, 0.2, 0.8])
TIMES = st.integers(1, 4)
#: Which of the open calls something is done to.
POSITIONS = st.integers(0, 19)
PAUSES = st.sampled_from([0.3, 1.0])

#: Seconds that every step takes at least: faults need time to be felt.
STEP = 0.08

#: Seconds after which the client must be of use again, when all faults are gone.
RECOVERY = 30.0

#: What a reply must never raise, and the state that it would come with.
SYSTEM_EXIT = ({"exc_module": "builtins", "exc_type": "SystemExit", "exc_message": [1]}, "FAILURE")

TASK, QUEUE = "ledger.early", "ledger"


class World:
    """A broker with its worker, which the examples of one test share."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.staff = Supervisor(self._start_worker)
        self._folder = folder
        self._numbers = count(1)

    def _start_worker(self) -> Worker:
        module = "tests.workers.ledger"
        return Worker.start(module, self.broker.url, [QUEUE], pool="threads", concurrency=8)

    def ledger(self) -> Path:
        """Return a file that does not exist yet."""
        return self._folder / f"ledger-{next(self._numbers)}"


@pytest.fixture
def world(broker: Broker, tmp_path: Path) -> Iterator[World]:
    made = World(broker, tmp_path)
    with made.staff:
        made.staff.wait_ready()
        yield made


def footprint() -> tuple[int, int]:
    """Count this process's threads and descriptors."""
    return threading.active_count(), psutil.Process().num_fds()


class Mixture(RuleBasedStateMachine):
    """Calls of one client whose way to the broker fails, as do the worker and other programs."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.story: list[str] = []
        self.began = time.monotonic()
        world.staff.wait_ready()
        self.loop = asyncio.new_event_loop()
        self.loop_thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.loop_thread.start()
        self.forger = Forger(world.broker.url)
        self.link = FaultProxy.before(world.broker.url)
        self.base = footprint()
        self.client: Any = connect(
            self.link.url(world.broker.url), connect_timeout=1.0, heartbeat=2.0
        )
        self.task = self.client.task(TASK, queue=QUEUE)
        self.trials = Trials(self.task, world.ledger(), self.loop)
        self.healthy = True
        self._warm_up()

    def _warm_up(self) -> None:
        """Make one call: the client knows the service by now, and works."""
        [trial] = self.trials.begin("call", RECOVERY, 0.0)
        wait_until(lambda: not trial.open, timeout=2 * RECOVERY, what="the first call's end")
        self._expect(trial.error is None, f"the first call ended with {trial.text}")

    def tell(self, text: str) -> None:
        """Add a line to the story that a failure is told with."""
        self.story.append(f"{time.monotonic() - self.began:6.2f} {text}")

    def _expect(self, condition: bool, text: str) -> None:
        if not condition:
            raise AssertionError("\n".join([text, *self.story, str(self.client.status())]))

    # ----- calls

    @rule(timeout=TIMEOUTS, seconds=WORK, times=TIMES)
    def call(self, timeout: float, seconds: float, times: int) -> None:
        self._begin("call", timeout, seconds, times)

    @rule(timeout=TIMEOUTS, seconds=WORK, times=TIMES)
    def delay(self, timeout: float, seconds: float, times: int) -> None:
        self._begin("delay", timeout, seconds, times)

    @rule(timeout=TIMEOUTS, seconds=WORK, times=TIMES)
    def aio(self, timeout: float, seconds: float, times: int) -> None:
        self._begin("aio", timeout, seconds, times)

    @rule(timeout=TIMEOUTS, seconds=WORK, size=st.integers(1, 20))
    def batch(self, timeout: float, seconds: float, size: int) -> None:
        self._begin("batch", timeout, seconds, 1, size)

    def _begin(self, way: str, timeout: float, seconds: float, times: int, size: int = 1) -> None:
        trials = [
            trial for _ in range(times) for trial in self.trials.begin(way, timeout, seconds, size)
        ]
        numbers = f"{trials[0].number}-{trials[-1].number}"
        self.tell(f"{way} {numbers} timeout={timeout} seconds={seconds}")

    @rule(position=POSITIONS)
    def cancel(self, position: int) -> None:
        trial, reply = self._choose(position)
        self.tell(f"cancel {trial.number}")
        trial.suffered.add("cancelled")
        with ends_within(0.3):
            try:
                found: object = reply.cancel(timeout=0.3)
            except RpcError as error:
                found = error
        self.tell(f"cancelled: {found!r}")

    @rule(seconds=PAUSES)
    def pause(self, seconds: float) -> None:
        self.tell(f"pause {seconds}")
        time.sleep(seconds)  # that is the step: what goes on meanwhile goes on

    def _choose(self, position: int) -> tuple[Trial, Any]:
        """Return an open call with its Reply.

        Which there are depends on the time, and what Hypothesis draws must not: so it draws a
        position, and where there is none, what is done is done to nobody.
        """
        replies = [(trial, trial.reply) for trial in self.trials.all]
        there = [(trial, reply) for trial, reply in replies if reply is not None]
        return there[position % len(there)] if there else (Trial(0, "none", 0.0), _NoReply())

    # ----- the network

    @rule(reset=st.booleans())
    def cut(self, reset: bool) -> None:
        self.tell(f"cut reset={reset}")
        self.link.cut(reset=reset)

    @rule()
    def refuse(self) -> None:
        self.tell("refuse")
        self.healthy = False
        self.link.refuse()
        self.link.cut()

    @rule(way=st.sampled_from([None, *Way]))
    def freeze(self, way: Way | None) -> None:
        self.tell(f"freeze {way}")
        self.healthy = False
        self.link.freeze(way)

    @rule(size=st.integers(0, 600), way=st.sampled_from(list(Way)))
    def cut_within(self, size: int, way: Way) -> None:
        self.tell(f"cut after {size} bytes {way}")
        self.link.cut_after(size, way)

    @rule(seconds=st.sampled_from([0.02, 0.2]), size=st.sampled_from([1, 7, 1 << 16]))
    def slow(self, seconds: float, size: int) -> None:
        self.tell(f"slow {seconds} by {size} bytes")
        self.link.slow(seconds)
        self.link.slice(size)

    @precondition(lambda self: not self.healthy)
    @rule()
    def heal(self) -> None:
        self.tell("heal")
        self.link.heal()
        self.healthy = True

    # ----- the worker

    @rule(what=st.sampled_from(["kill", "freeze", "thaw"]))
    def worker(self, what: str) -> None:
        # One that still starts is left alone: else none would ever serve.
        if what == "thaw" or self.world.staff.serves:
            self.tell(f"{what} the worker")
            getattr(self.world.staff, what)()

    # ----- other programs

    @rule(garbage=st.sampled_from(GARBAGE), task_id=st.sampled_from([None, "no-such-id"]))
    def garbage_for_nobody(self, garbage: tuple[bytes, str], task_id: str | None) -> None:
        self.tell(f"garbage {garbage[0][:40]!r} for {task_id}")
        self.forger.put(self._queue, *garbage, correlation_id=task_id)
        self.forger.reply(self._queue, "no-such-id", *SYSTEM_EXIT)

    @rule(
        position=POSITIONS,
        what=st.sampled_from(["garbled", "forged", "fed"]),
        garbage=st.sampled_from(GARBAGE),
    )
    def tamper(self, position: int, what: str, garbage: tuple[bytes, str]) -> None:
        """Reply in the worker's place, whose own reply then is one too many."""
        trial, reply = self._choose(position)
        self.tell(f"{what}: {trial.number}")
        trial.suffered.add(what)
        if what == "garbled":
            self.forger.put(self._queue, *garbage, correlation_id=reply.id)
        elif what == "forged":
            self.forger.reply(self._queue, reply.id, *SYSTEM_EXIT)
        else:
            for _ in range(3):
                self.forger.reply(self._queue, reply.id, 2 * trial.number)

    @property
    def _queue(self) -> str:
        return str(self.client.status()["reply_queue"])

    # ----- what holds

    @invariant()
    def time_passes(self) -> None:
        time.sleep(STEP)

    @invariant()
    def nothing_is_late(self) -> None:
        late = self.trials.late()
        self._expect(not late, f"these have not ended: {late}")

    @invariant()
    def what_ended_was_right(self) -> None:
        problems = self.trials.problems()
        self._expect(not problems, "; ".join(problems))

    def teardown(self) -> None:
        try:
            self._recover()
            self._end()
        finally:
            self.link.heal()
            self.client.close()
            self.forger.close()
            self.link.close()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.loop_thread.join(5)
            self.loop.close()

    def _recover(self) -> None:
        """End all faults: the client must be of use again, and every call must have ended well."""
        self.tell("end: heal all")
        self.link.heal()
        self.world.staff.wait_ready()
        wait_until(lambda: not self.trials.open or self.trials.late(), what="the end of all calls")
        self.nothing_is_late()
        [last] = self.trials.begin("call", RECOVERY, 0.0)
        wait_until(lambda: not last.open or last.is_late, timeout=2 * RECOVERY)
        self._expect(last.error is None, f"of no use after all faults: {last.text}")
        self.trials.join()
        self.what_ended_was_right()

    def _end(self) -> None:
        status = self.client.status()
        self._expect(status["pending"] == 0, "calls are left")
        self.client.close()
        self.forger.close()
        wait_until(lambda: self.link.connections == 0, what="the end of all connections")
        self._expect_base()

    def _is_base(self) -> bool:
        return all(now <= before for now, before in zip(footprint(), self.base, strict=True))

    def _expect_base(self) -> None:
        try:
            wait_until(self._is_base)
        except AssertionError:
            names = [thread.name for thread in threading.enumerate()]
            self._expect(False, f"left behind: {footprint()}, before {self.base}: {names}")


class _NoReply:
    """Stands for a call that ended in the moment in which it was chosen."""

    id = "ended"

    def cancel(self, timeout: float) -> str:
        return f"ended {timeout}"


def test_any_mixture_of_calls_and_faults_ends_well(world: World) -> None:
    def machine() -> Mixture:
        return Mixture(world)

    run_state_machine_as_test(machine, settings=PROFILES[PROFILE])  # type: ignore[arg-type]
