"""Fleet: the live catalog, asked for when needed, in the background, and kept for a while."""

import copy
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from time import monotonic, time
from typing import TypeVar

from celery_rpc.catalog.model import Catalog, TaskSpec
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.discovery.guessed import ITEMS, ask, untold
from celery_rpc.discovery.merge import extended, merge
from celery_rpc.discovery.published import Signatures
from celery_rpc.discovery.roll import Roll
from celery_rpc.discovery.sweep import Broadcast, Sweep
from celery_rpc.errors import DiscoveryError, RpcError
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import Deadline
from celery_rpc.support.fork import renew_after_fork
from celery_rpc.support.mutex import Mutex
from celery_rpc.transport.control import Command

log = logging.getLogger("celery_rpc.discovery")

T = TypeVar("T")

#: Names that nobody knows begin so many sweeps at once, and then one more each second.
BURST = 5

#: Seconds for which a sweep waits for one that is under way, so that others may share it.
SHARING = 0.25

#: Seconds after which a catalog that is still old is asked for again.
PATIENCE = 1.0

#: Seconds that close() waits for a thread.
FAREWELL = 2.0


class Pace:
    """Allows so many at once, and one more each second."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._due = -inf

    def next(self) -> float:
        """Return the time of the next one, on the monotonic clock."""
        now = monotonic()
        at = max(now, self._due - self._burst + 1)
        self._due = max(self._due, now) + 1
        return at


class Fleet:
    """The catalog of the live workers, which any thread may ask.

    A sweep answers "no" only to questions that were asked before it began; a "yes" counts whichever
    sweep brought it. So sweeps may overlap; of what they say, that of the newest stays.
    """

    def __init__(
        self,
        broadcast: Broadcast,
        unexpect: Callable[[Mapping[str, Command]], object],
        options: ClientOptions,
        first: Catalog | None = None,
    ) -> None:
        self.options = options
        self._broadcast = broadcast
        self._unexpect = unexpect
        #: What was known before anybody was asked, or nothing.
        self._first = first
        self._catalog = first or Catalog()
        self.signatures = Signatures()
        for service in self._catalog.services.values():
            for spec in service.tasks.values():
                if spec.signature is not None:
                    self.signatures.learn(spec.signature)
        self._roll = Roll()
        self._pace = Pace(BURST)
        #: The newest sweep that has said anything.
        self._newest: Sweep | None = None
        self._swept_at: float | None = None
        self._asked_at = -inf
        self._closed = False
        self._start()
        renew_after_fork(self)

    def _start(self) -> None:
        """Make what belongs to this process alone."""
        self._mutex = Mutex()
        self._changed = Bell()
        #: The sweep that has not begun yet; those that have, and have not ended.
        self._next: Sweep | None = None
        self._running: list[Sweep] = []

    def after_fork(self) -> None:
        """In a child process: keep the catalog, forget the sweeps whose threads are gone."""
        self._start()

    # ----- asking

    def peek(self) -> Catalog:
        """Return what is known now, without asking anybody."""
        return self._catalog

    def known(self) -> Catalog:
        """Return what is known now; what is old is asked for anew in the background."""
        self._refresh_when_old()
        return self._catalog

    def catalog(self, *, fresh: bool = False) -> Catalog:
        """Return the catalog; after a sweep where nothing is known yet, or when asked to.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        if not fresh and (self._swept_at is not None or self._first is not None):
            self._refresh_when_old()
            return self._catalog
        sweep = self._ask() if fresh else self._under_way()
        self._wait(sweep, lambda: sweep.settled)
        self._check(sweep)
        return self._catalog

    def listeners(self, queue: str, deadline: Deadline) -> int:
        """Count the workers on a queue that answer now; by the deadline, or until one has.

        Raises:
            DiscoveryError: the workers could not be asked, or nobody had answered by then.
        """
        sweep = self._ask()

        def heard() -> int:
            reports = sweep.book.complete()
            return sum(any(each.name == queue for each in one.queues or ()) for one in reports)

        self._wait(sweep, lambda: sweep.settled or heard() > 0, deadline.remaining())
        if not heard():
            self._check(sweep)
        return heard()

    def detailed(self) -> Catalog:
        """Return the catalog with what can only be guessed: annotations and docstrings of tasks
        whose signatures nobody publishes, from workers of Celery 5.6 or older.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        self.catalog(fresh=self._swept_at is None)
        chosen = untold(self._roll.reports)
        if chosen:
            deadline = Deadline.after(self.options.discovery_window)
            for node, told in ask(self._broadcast, self._unexpect, chosen, deadline).items():
                self.signatures.guess(chosen[node], *(told.get(item) for item in ITEMS))
            self._sign()
        return self._catalog

    def find(self, seek: Callable[[Catalog], T | None], *, since: float | None = None) -> T | None:
        """Look for something in the catalog, and wait for workers to name it.

        Returns it as soon as one worker has; None when a sweep that began after the question has
        ended without it.

        Args:
            since: when the question came up, on the monotonic clock; None: now.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        found = seek(self._catalog)
        if found is not None:
            self._refresh_when_old()
            return found
        begun = self._begun_since(since) if since is not None else None
        sweep = begun or self._ask(paced=True)
        self._wait(sweep, lambda: seek(self._catalog) is not None)
        found = seek(self._catalog)
        if found is None:
            self._check(sweep)
        return found

    def signature_of(self, spec: TaskSpec, *, wait: bool = True) -> TaskSignature | None:
        """Return a task's signature; where it is only known that there is one, wait for it.

        None: nobody published it, or nobody told in time (discovery_window).
        """
        if spec.signature is not None or spec.digest is None:
            return spec.signature
        digest = spec.digest
        if wait and not self.signatures.settled(digest):
            sweep = self._under_way()
            limit = self.options.discovery_window
            self._wait(sweep, lambda: self.signatures.settled(digest), limit)
        return self.signatures.known.get(digest)

    def is_skewed(self, queue: str, task: str) -> bool:
        """Whether a queue's workers are known to differ on a task's signature."""
        service = self._catalog.services.get(queue)
        return service is not None and task in service.skewed

    def is_partial(self, queue: str, task: str) -> bool:
        """Whether only some of a queue's workers are known to have a task."""
        service = self._catalog.services.get(queue)
        return service is not None and task in service.partial

    def _refresh_when_old(self) -> None:
        if self._is_old and monotonic() - self._asked_at > PATIENCE:
            self._under_way()

    @property
    def _is_old(self) -> bool:
        if self._swept_at is None:
            return self._first is not None
        return monotonic() - self._swept_at > self.options.catalog_ttl

    def _wait(self, sweep: Sweep, reached: Callable[[], bool], limit: float | None = None) -> None:
        """Wait until a sweep has brought what is wanted, or has ended; at most so many seconds."""
        if limit is None:
            limit = SHARING + self.options.connect_timeout + self.options.discovery_window + 1.0
            limit += max(0.0, sweep.not_before - monotonic())
        self._changed.wait_for(lambda: sweep.closed or reached(), Deadline.after(limit))

    def _check(self, sweep: Sweep) -> None:
        error = sweep.error
        if isinstance(error, RpcError):
            raise copy.copy(error) from error.__cause__  # others may wait for the same sweep
        if error is not None:
            raise DiscoveryError(f"asking the workers failed: {error!r}") from error
        if not sweep.settled:
            raise DiscoveryError("the workers could not be asked in time")

    # ----- sweeping

    def _under_way(self) -> Sweep:
        """Return the newest sweep that has not ended, or a new one."""
        return self._mutex.run(self._under_way_now)

    def _under_way_now(self) -> Sweep:
        running = self._not_closed()
        return running[-1] if running else self._ask_now(paced=False)

    def _not_closed(self) -> list[Sweep]:
        return [sweep for sweep in self._running if not sweep.closed]

    def _begun_since(self, since: float) -> Sweep | None:
        """Return the newest sweep, if it began after a time and has not failed."""
        running = self._running
        newest = running[-1] if running else None
        return newest if newest and newest.asked_at >= since and not newest.error else None

    def _ask(self, *, paced: bool = False) -> Sweep:
        """Return a sweep that begins from now on; all who ask until it does share it.

        Args:
            paced: it may wait for its turn among those that were wanted before.
        """
        sweep = self._mutex.run(self._ask_now, paced=paced)
        self._changed.ring()
        return sweep

    def _ask_now(self, *, paced: bool) -> Sweep:
        sweep = self._next
        if sweep is None or sweep.closed:
            sweep = Sweep(self.signatures, self._pace.next() if paced else -inf)
            sweep.start(self._run)
            self._next = sweep
            self._asked_at = monotonic()
        elif not paced:
            sweep.not_before = -inf
        return sweep

    def _run(self, sweep: Sweep) -> None:
        try:
            self._begin(sweep)
            sweep.collect(self._broadcast, self.options, self._nodes, partial(self._show, sweep))
        except BaseException as error:  # whatever it is, whoever waits for the sweep is told
            sweep.error = error
            if not isinstance(error, RpcError):
                log.exception("asking the workers failed")
        finally:
            self._unexpect(sweep.commands)
            sweep.settled = sweep.over = True
            self._changed.ring()

    def _begin(self, sweep: Sweep) -> None:
        while (wait := self._wait_of(sweep)) > 0:
            self._changed.wait_for(lambda: self._wait_of(sweep) <= 0, Deadline.after(wait))
        self._mutex.run(self._begin_now, sweep)

    def _begin_now(self, sweep: Sweep) -> None:
        self._next = None
        self._running = [*self._not_closed(), sweep]
        sweep.asked_at = monotonic()

    def _wait_of(self, sweep: Sweep) -> float:
        """Return the seconds until a sweep may begin."""
        if self._closed:
            return 0.0
        if all(each.settled for each in self._not_closed()):
            return sweep.not_before - monotonic()
        return max(sweep.not_before, sweep.wanted_at + SHARING) - monotonic()

    def _nodes(self) -> frozenset[str]:
        return frozenset(report.node for report in self._roll.reports)

    def _show(self, sweep: Sweep, *, settled: bool = False, ended: bool = False) -> None:
        """Show what is known so far: names resolve before the sweep has ended."""
        self._mutex.run(self._show_now, sweep, settled=settled, ended=ended)
        self._changed.ring()

    def _show_now(self, sweep: Sweep, *, settled: bool, ended: bool) -> None:
        sweep.ended = sweep.ended or ended
        for report in sweep.book.complete():
            self._roll.note(report, sweep.asked_at)
        if sweep.ended:
            self._roll.end(sweep.asked_at, monotonic())
        if self._newest is None or self._newest.asked_at <= sweep.asked_at:
            self._newest = sweep
        self._catalog = self._merged(self._newest)
        if settled:  # only now: whoever waits for that looks at the catalog next
            self._swept_at = monotonic()
            sweep.settled = True

    def _merged(self, newest: Sweep) -> Catalog:
        missing = self._roll.missing
        live = merge(
            self._roll.reports,
            complete=newest.is_complete(missing),
            missing=missing,
            diagnostics=newest.doubts,
            taken_at=time(),
            signed=self.signatures.of,
        )
        return live if self._first is None else extended(live, self._first)

    def _sign(self) -> None:
        """Show what was learnt of signatures since the catalog was made."""
        self._mutex.run(self._sign_now)

    def _sign_now(self) -> None:
        services = {
            queue: replace(
                service,
                tasks={
                    name: self.signatures.of(queue, spec) for name, spec in service.tasks.items()
                },
            )
            for queue, service in self._catalog.services.items()
        }
        self._catalog = replace(self._catalog, services=services)

    # ----- the end

    @contextmanager
    def ending(self) -> Generator[None]:
        """End every sweep, for good; those that wait for the broker end as the block closes it."""
        self._closed = True
        sweeps = self._mutex.run(lambda: [*self._running, *([self._next] if self._next else [])])
        for sweep in sweeps:
            sweep.stop()
        self._changed.ring()
        try:
            yield
        finally:
            for sweep in sweeps:
                if sweep.thread is not None:
                    sweep.thread.join(timeout=FAREWELL)
