"""Strikes: exceptions that strike threads amid their calls, and processes forked amid all."""

import ctypes
import json
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.tally import Tally
from celery_rpc import NoSuchTask, OutcomeUnknown, RemoteError, RpcError, Unavailable

#: Threads that are struck each time, and seconds after their beginning within which they are.
THREADS, WITHIN = 20, 0.02
#: Seconds that each call has, and after which a thread, or a child, is one that never ends.
TIMEOUT, NEVER_ENDS = 5.0, 30

#: How a call may end when others struck the link, or its worker was killed right before.
HONEST = (Unavailable, OutcomeUnknown)

#: What strikes: threading says nothing of a thread that ends by it.
STRIKE = ctypes.py_object(SystemExit)


class Strikes:
    """Calls that are broken off, and calls in children, with the client of others."""

    def __init__(self, client: Any, ledger: Path, tally: Tally, seed: int) -> None:
        self._client = client
        self._early = client.task("ledger.early", queue="ledger").options(timeout=TIMEOUT)
        self._fail = client.task("ledger.fail", queue="ledger").options(timeout=TIMEOUT)
        self._ledger = str(ledger)
        self._tally = tally
        self._random = random.Random(seed)

    # ----- threads

    def interrupt(self) -> None:
        """Strike threads that call, each at any instant of its call."""
        for _ in range(THREADS):
            number = self._tally.begin()
            thread = Thread(target=self._call, args=(number,), daemon=True)
            thread.start()
            time.sleep(self._random.uniform(0, WITHIN))
            strike = ctypes.pythonapi.PyThreadState_SetAsyncExc
            strike(ctypes.c_ulong(thread.ident or 0), STRIKE)
            thread.join(NEVER_ENDS)
            if thread.is_alive():
                self._tally.blame(f"the thread of call {number} was struck and did not end")

    def _call(self, number: int) -> None:
        try:
            value = self._early(self._ledger, number)
        except Exception as error:
            self._tally.failed(number, error)
        else:
            self._tally.gave(number, value)

    # ----- processes

    def fork(self) -> None:
        """Call in a child, which has the client of its parent."""
        number = self._tally.begin()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            with suppress(BaseException):
                signal.alarm(NEVER_ENDS)
                os.write(writing, json.dumps(self._problems(number)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            text = answer.read()
        os.waitpid(pid, 0)
        for problem in json.loads(text) if text else ["it did not end"]:
            self._tally.blame(f"in the child of call {number}: {problem}")

    def _problems(self, number: int) -> list[str]:
        """Return what is wrong with calls that succeed, that fail, and that nobody knows."""
        wanted: dict[str, tuple[Callable[[], Any], str]] = {
            "value": (lambda: self._early(self._ledger, number), repr(2 * number)),
            "failure": (self._fail, RemoteError.__name__),
            "unknown": (lambda: self._client.ledger.nosuch(), NoSuchTask.__name__),
        }
        found = {name: ending_of(act, wish) for name, (act, wish) in wanted.items()}
        self._client.close()
        return [f"{name}: {end}" for name, end in found.items() if end != wanted[name][1]]


def ending_of(act: Callable[[], Any], wanted: str) -> str:
    """Return a value, or the name of an error; what is wanted where the link failed the call."""
    try:
        return repr(act())
    except (NoSuchTask, RemoteError) as error:
        kinds = {cls.__name__ for cls in type(error).__mro__}
        return wanted if wanted in kinds else repr(error)
    except HONEST:
        return wanted
    except RpcError as error:
        return repr(error)
