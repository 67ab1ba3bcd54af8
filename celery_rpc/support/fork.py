"""Fork: what a child process must make anew, found by one hook.

os.register_at_fork sees every fork; multiprocessing's own hooks, which Celery's backends use, do
not see os.fork (gunicorn --preload, uWSGI).
"""

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something with threads, sockets or locks of its own."""

    def after_fork(self) -> None:
        """Start anew in a child process, where no other thread is left and no lock is held."""


_known: WeakSet[Forked] = WeakSet()


def renew_after_fork(thing: Forked) -> None:
    """Call ``thing.after_fork()`` in every child process, for as long as it lives."""
    _known.add(thing)


def _after_fork() -> None:
    for thing in list(_known):
        thing.after_fork()


os.register_at_fork(after_in_child=_after_fork)
