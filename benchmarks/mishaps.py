"""Mishaps: what goes wrong during a soak, one thing at a time, each undone after a while."""

import random
import time
from collections import Counter, deque
from collections.abc import Callable

from benchmarks.strikes import Strikes
from benchmarks.tally import Fate, Tally
from tests.servers import FaultProxy, Forger, RabbitBroker, Supervisor, ValkeyBroker, Way
from tests.servers.forger import GARBAGE

#: Seconds that a mishap lasts, where it lasts.
LASTS = (0.5, 3.0)

#: Seconds without an answer after which a worker is taken for hung.
HANGS = 15.0

SYSTEM_EXIT = {"exc_module": "builtins", "exc_type": "SystemExit", "exc_message": [1]}


class Mishaps:
    """Brings about faults of the network, the worker, the broker, other programs and our own."""

    def __init__(
        self,
        broker: RabbitBroker | ValkeyBroker,
        link: FaultProxy,
        staff: Supervisor,
        tally: Tally,
        strikes: Strikes,
        seed: int,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._broker, self._link, self._staff, self._tally = broker, link, staff, tally
        self._random = random.Random(seed)
        self._instant: dict[str, Callable[[], object]] = {
            "cut": lambda: link.cut(reset=self._random.random() < 0.5),
            "worker killed": staff.kill,
            "interrupts": strikes.interrupt,
            "fork": strikes.fork,
        }
        self._lasting: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "refuse": (self._refuse, link.heal),
            "freeze": (link.freeze, link.heal),
            "freeze to broker": (lambda: link.freeze(Way.TO_SERVER), link.heal),
            "freeze to client": (lambda: link.freeze(Way.TO_CLIENT), link.heal),
            "cut in a frame": (self._cut_in_a_frame, link.heal),
            "latency": (lambda: link.slow(0.1), link.heal),
            "worker frozen": (self._freeze_worker, staff.thaw),
            "broker frozen": (broker.freeze, broker.thaw),
        }
        if isinstance(broker, RabbitBroker):
            self._lasting["broker restarted"] = (broker.stop_app, self._start_app)

    def cause(self, queue: str, recent: deque[tuple[str, int]]) -> str:
        """Bring about one, and undo it; return its name.

        Args:
            queue: the client's reply queue.
            recent: calls that were confirmed lately.
        """
        name = self._random.choice([*self._instant, *self._lasting, "forged replies"])
        self.counts[name] += 1
        if name == "forged replies":
            self._forge(queue, recent)
        elif name in self._instant:
            self._instant[name]()
        else:
            begin, end = self._lasting[name]
            begin()
            time.sleep(self._random.uniform(*LASTS))  # so long it lasts, whatever goes on
            end()
        return name

    def undo(self) -> None:
        """End all faults, and wait until a worker serves."""
        self._link.heal()
        self._serve()

    def _serve(self) -> None:
        """Wait until a worker serves; a Celery that hangs after its broker was away is replaced."""
        try:
            self._staff.wait_ready(HANGS)
        except AssertionError:
            self.counts["worker hung by itself"] += 1
            self._staff.kill()
            self._staff.wait_ready()

    def _refuse(self) -> None:
        self._link.refuse()
        self._link.cut()

    def _cut_in_a_frame(self) -> None:
        self._link.cut_after(self._random.randrange(5000), self._random.choice(list(Way)))

    def _freeze_worker(self) -> None:
        self._serve()
        self._staff.freeze()

    def _start_app(self) -> None:
        assert isinstance(self._broker, RabbitBroker)
        self._broker.start_app()
        self._serve()

    def _forge(self, queue: str, recent: deque[tuple[str, int]]) -> None:
        """Send garbage, a SystemExit for nobody, and right values before or after the worker."""
        forger = Forger(self._broker.url)
        for body, content_type in GARBAGE:
            forger.put(queue, body, content_type)
        forger.reply(queue, "no-such-id", SYSTEM_EXIT, "FAILURE")
        for task_id, number in list(recent):
            self._tally.mark(number, Fate.FED)
            forger.reply(queue, task_id, 2 * number)
        forger.close()
