"""Interruptions: an exception that strikes a thread between two of its steps."""

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType
from typing import Any

import celery_rpc

PACKAGE = os.path.dirname(celery_rpc.__file__)


class Struck(BaseException):
    """What strikes, as KeyboardInterrupt does."""


class Strike:
    """An exception before the step of that number, counted over all functions of the package.

    Attributes:
        hit: True when it has struck.
    """

    def __init__(self, number: int, step: str) -> None:
        self.hit = False
        self._left = number
        self._step = step

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = self._step == "opcode"
        if event == self._step and not self.hit:
            self._left -= 1
            if self._left < 0:
                self.hit = True
                raise Struck
        return self


@contextmanager
def striking(number: int, step: str = "opcode") -> Generator[Strike]:
    """Strike in the block, which goes on unless something in it lets the exception pass."""
    strike = Strike(number, step)
    before = sys.gettrace()
    # Python 3.12.1 traces bytecodes only where the frame that begins it does.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(strike)
    try:
        yield strike
    finally:
        sys.settrace(before)


def broken_off(act: Callable[[], object], step: str = "opcode") -> Iterator[int]:
    """Act again and again, broken off one step later each time, until it ends; yield after each.

    Args:
        step: "opcode", or "line" for what takes long.
    """
    for number in count():
        strike = None
        try:
            with striking(number, step) as strike:
                act()
        except Struck:
            pass
        if strike is None or not strike.hit:
            assert number, "nothing of the package was called"
            return
        yield number
