"""Callers: threads and coroutines that call without a pause, and check what comes."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.tally import Fate, Tally

#: Seconds that calls have, and that their tasks take.
TIMEOUTS, WORK = (0.5, 1.0, 2.0, 5.0), (0.0, 0.0, 0.0, 0.01, 0.05)
#: Seconds that one waits for the reply of a call that was confirmed.
PATIENCE = 10.0
#: Seconds after which a caller whose call failed calls again.
PAUSE = 0.05
BATCH = 20

#: What delay() and batch() send has no expiry here, so whatever is confirmed must run.
SENT = Fate.MUST_RUN


class Callers:
    """So many callers of each kind: blocking, sending, sending batches, awaiting."""

    def __init__(self, client: Any, ledger: Path, tally: Tally, size: int, seed: int) -> None:
        self._early = client.task("ledger.early", queue="ledger")
        self._late = client.task("ledger.late", queue="ledger")
        self._sending: float = client.options.timeout
        self._ledger = str(ledger)
        self._tally = tally
        self._random = random.Random(seed)
        self._stop = Event()
        #: Calls that were confirmed lately: (id, number).
        self.recent: deque[tuple[str, int]] = deque(maxlen=20)
        loops = [self._repeat(self._block), self._repeat(self._send), self._repeat(self._send_many)]
        targets = [loops[number % len(loops)] for number in range(size)]
        targets.append(lambda: asyncio.run(self._await_all(size)))
        self._threads = [Thread(target=target, daemon=True) for target in targets]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Let each end the call that it is in."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)

    def _repeat(self, once: Callable[[], bool]) -> Callable[[], None]:
        def run() -> None:
            while not self._stop.is_set():
                if not once():
                    self._stop.wait(PAUSE)

        return run

    def _block(self) -> bool:
        number, timeout = self._tally.begin(), self._random.choice(TIMEOUTS)
        task = self._early.options(timeout=timeout)
        return self._get(number, timeout, lambda: task(*self._arguments(number)))

    def _send(self) -> bool:
        number = self._tally.begin(SENT)
        try:
            with self._tally.bounded(number, self._sending):
                reply = self._late.delay(*self._arguments(number))
        except Exception as error:
            self._tally.failed(number, error)
            return False
        return self._wait(number, reply)

    def _send_many(self) -> bool:
        numbers = [self._tally.begin(SENT) for _ in range(BATCH)]
        try:
            with self._tally.bounded(numbers[0], self._sending):
                replies = self._late.batch([self._arguments(number) for number in numbers])
        except Exception as error:
            for number in numbers:
                self._tally.failed(number, error)
            return False
        succeeded = [self._wait(*each) for each in zip(numbers, replies, strict=True)]
        return all(succeeded)

    def _wait(self, number: int, reply: Any) -> bool:
        if not reply.done or reply.successful():
            self._tally.mark(number, Fate.CONFIRMED)
        self.recent.append((reply.id, number))
        return self._get(number, PATIENCE, lambda: reply.get(timeout=PATIENCE))

    def _get(self, number: int, seconds: float, get: Callable[[], Any]) -> bool:
        try:
            with self._tally.bounded(number, seconds):
                value = get()
        except Exception as error:
            self._tally.failed(number, error)
            return False
        self._tally.gave(number, value)
        return True

    async def _await_all(self, size: int) -> None:
        await asyncio.gather(*(self._await_again() for _ in range(size)))

    async def _await_again(self) -> None:
        while not self._stop.is_set():
            if not await self._await_one():
                await asyncio.sleep(PAUSE)

    def _await_one(self) -> Coroutine[Any, Any, bool]:
        return self._await(self._tally.begin(), self._random.choice(TIMEOUTS))

    async def _await(self, number: int, timeout: float) -> bool:
        try:
            with self._tally.bounded(number, timeout):
                task = self._early.options(timeout=timeout)
                value = await task.aio(*self._arguments(number))
        except Exception as error:
            self._tally.failed(number, error)
            return False
        self._tally.gave(number, value)
        return True

    def _arguments(self, number: int) -> tuple[str, int, float]:
        return self._ledger, number, self._random.choice(WORK)
