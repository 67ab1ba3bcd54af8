"""Interleaving: what another thread might do between two steps of the interpreter, done at each."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def between_steps(act: Callable[[], object]) -> Generator[None]:
    """Act before every bytecode of every Python function that is called in the block.

    The interpreter may let another thread run there, so a race that threads meet once in millions
    of times is met each time.
    """
    acted = False

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal acted
        frame.f_trace_opcodes = True
        if event == "opcode":
            acted = True
            act()
        return trace

    before = sys.gettrace()
    # Python 3.12.1 traces bytecodes only where the frame that begins it does.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
    assert acted
