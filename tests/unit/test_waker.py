"""Waker: wakes whoever polls, and touches nothing of others once it is closed."""

import os
import select
from pathlib import Path

from celery_rpc.transport.waker import Waker


def test_poll_returns_until_it_is_cleared() -> None:
    waker = Waker()
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    for _ in range(100_000):  # more than a pipe holds
        waker.wake()
    assert poll.poll(0)
    while poll.poll(0):
        waker.clear()
    waker.wake()
    assert poll.poll(0)
    waker.close()


def test_a_descriptor_that_is_used_again_is_left_alone(tmp_path: Path) -> None:
    waker = Waker()
    numbers = {waker.fileno(), waker._in}
    waker.close()
    path = tmp_path / "theirs"
    path.write_text("their own words")
    theirs: list[int] = []
    while not numbers <= {*theirs} and len(theirs) < 100:  # the lowest ones are given out first
        theirs.append(os.open(path, os.O_RDWR))
    assert numbers <= {*theirs}
    waker.wake()
    waker.clear()
    waker.close()
    assert path.read_text() == "their own words"
    assert {os.lseek(each, 0, os.SEEK_CUR) for each in theirs} == {0}
    for each in theirs:
        os.close(each)
