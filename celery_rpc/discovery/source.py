"""Fleet: the live catalog, asked for when needed, in the background, and kept for a while."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from time import monotonic, time
from typing import Any, TypeVar
from uuid import uuid4

from celery_rpc.config import ClientOptions
from celery_rpc.deadline import Deadline
from celery_rpc.discovery.detail import ITEMS, ask, untold
from celery_rpc.discovery.introspect import TASK_ITEMS, ReportBook
from celery_rpc.discovery.merge import extended, merge
from celery_rpc.discovery.signatures import Signatures, Wanted
from celery_rpc.errors import DiscoveryError
from celery_rpc.fork import renew_after_fork
from celery_rpc.model import Catalog, TaskSpec, WorkerReport
from celery_rpc.signature import TaskSignature
from celery_rpc.transport.control import Command

log = logging.getLogger("celery_rpc.discovery")

T = TypeVar("T")

QUESTIONS = {
    "active_queues": Command("active_queues"),
    "registered": Command("registered", {"taskinfoitems": list(TASK_ITEMS)}),
}

#: Where the broker cannot count the workers, their answers are taken for complete after a silence
#: of so many times the slowest answer, at least and at most so many seconds.
QUIET = (5.0, 0.03, 0.5)

#: A worker that was silent in so many sweeps one after the other is gone.
GONE_AFTER = 2

#: Seconds in which a name that was not found is not looked for again.
PATIENCE = 1.0

Answer = Callable[[str, Any], object]
Broadcast = Callable[[Mapping[str, Command], Answer, Deadline], int | None]


class Sweep:
    """One round of questions to all workers, and to some of them what they publish."""

    def __init__(self, signatures: Signatures) -> None:
        self.commands = {uuid4().hex: command for command in QUESTIONS.values()}
        self.book = ReportBook()
        self.signatures = signatures
        #: Digests that somebody was asked for, and who has not answered yet.
        self.asked: set[str] = set()
        self.owing: dict[str, Wanted] = {}
        self.expected: int | None = None
        #: True when all answers that can be expected are there, or the window is over.
        self.settled = False
        #: True when the window is over, or all workers have been counted.
        self.closed = False
        self.nobody = False
        self.error: Exception | None = None
        self.inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.slowest = 0.0

    def ask_for_signatures(self) -> dict[str, Command]:
        """Give the question for signatures that are not known yet, if there are any."""
        chosen = self.signatures.missing(self.book.reports.values(), self.asked)
        if not chosen:
            return {}
        self.owing.update(chosen)
        command = Command("registered", {"taskinfoitems": ["rpc_schema"]}, sorted(chosen))
        self.commands[ticket := uuid4().hex] = command
        return {ticket: command}

    def take(self, wait: float) -> bool:
        """Read what has come, waiting so long for the first; False when nothing came."""
        try:
            self._note(*self.inbox.get(timeout=wait))
        except Empty:
            return False
        while not self.inbox.empty():
            self._note(*self.inbox.get())
        return True

    def _note(self, ticket: str, body: Any) -> None:
        command = self.commands[ticket]
        if command.destination is not None:
            self._note_signatures(body)
        elif body is None:
            self.nobody = True
        else:
            self.book.note(command.method, body)

    def _note_signatures(self, body: Any) -> None:
        for node, answer in body.items() if isinstance(body, dict) else ():
            wanted = self.owing.pop(node, None)
            if wanted is not None:
                doubts = self.signatures.note(answer, wanted)
                self.book.diagnostics += [f"{node}: {doubt}" for doubt in doubts]

    @property
    def answered(self) -> bool:
        """True when every worker that was counted has answered every question."""
        if self.owing or self.expected is None:
            return False
        return len(self.book.complete()) >= self.expected

    @property
    def even(self) -> bool:
        """True when whoever answered one question has answered all."""
        reports = self.book.reports
        return bool(reports) and not self.owing and all(each.complete for each in reports.values())

    def heard(self, nodes: Iterable[str]) -> bool:
        """Tell whether all of these workers have answered."""
        return all(node in self.book.reports for node in nodes)


class Fleet:
    """The catalog of the live workers. Any thread may ask; the newest sweep has the last word."""

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
        self._changed = Condition()
        #: What was known before anybody was asked, or nothing.
        self._first = first
        self._catalog = first or Catalog()
        self.signatures = Signatures()
        for service in self._catalog.services.values():
            for spec in service.tasks.values():
                if spec.signature is not None:
                    self.signatures.learn(spec.signature)
        self._reports: dict[str, WorkerReport] = {}
        self._silent: dict[str, int] = {}
        self._sweep: Sweep | None = None
        self._swept_at: float | None = None
        self._closed_at = self._asked_at = float("-inf")
        renew_after_fork(self)

    # ----- asking

    def peek(self) -> Catalog:
        """Give what is known now, without asking anybody."""
        return self._catalog

    def known(self) -> Catalog:
        """Give what is known now; what is old is asked for anew in the background."""
        self._refresh_when_old()
        return self._catalog

    def catalog(self, *, fresh: bool = False) -> Catalog:
        """Give the catalog; after a sweep where nothing is known yet, or when asked to.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        if not fresh and (self._swept_at is not None or self._first is not None):
            self._refresh_when_old()
            return self._catalog
        sweep = self._ask(new=fresh)
        self._wait(lambda: sweep.settled)
        self._check(sweep)
        return self._catalog

    def detailed(self) -> Catalog:
        """Give the catalog with what can only be guessed: annotations and docstrings of tasks
        whose signatures nobody publishes, from workers of Celery 5.6 or older.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        self.catalog(fresh=self._swept_at is None)
        chosen = untold(self._reports.values())
        if chosen:
            deadline = Deadline.after(self.options.discovery_window)
            for node, told in ask(self._broadcast, self._unexpect, chosen, deadline).items():
                self.signatures.guess(chosen[node], *(told.get(item) for item in ITEMS))
            self._sign()
        return self._catalog

    def find(self, seek: Callable[[Catalog], T | None]) -> T | None:
        """Look for something in the catalog, and wait for workers to name it.

        Gives it as soon as one worker has; None when the window has ended without it.

        Raises:
            DiscoveryError: the workers could not be asked.
        """
        found = seek(self._catalog)
        if found is not None:
            self._refresh_when_old()
            return found
        if self._asked_lately():
            return None
        sweep = self._ask()
        self._wait(lambda: sweep.closed or seek(self._catalog) is not None)
        found = seek(self._catalog)
        if found is None:
            self._check(sweep)
        return found

    def signature_of(self, spec: TaskSpec, *, wait: bool = True) -> TaskSignature | None:
        """Give a task's signature; where it is only known that there is one, wait for it a while.

        None: nobody published it, or nobody told in time (discovery_window).
        """
        if spec.signature is not None or spec.digest is None:
            return spec.signature
        digest = spec.digest
        if wait and not self.signatures.settled(digest) and not self._asked_lately():
            sweep = self._ask()
            limit = self.options.discovery_window
            self._wait(lambda: self.signatures.settled(digest) or sweep.closed, limit)
        return self.signatures.known.get(digest)

    def is_skewed(self, queue: str, task: str) -> bool:
        """Tell whether a queue's workers are known to differ on a task's signature."""
        service = self._catalog.services.get(queue)
        return service is not None and task in service.skewed

    def is_partial(self, queue: str, task: str) -> bool:
        """Tell whether only some of a queue's workers are known to have a task."""
        service = self._catalog.services.get(queue)
        return service is not None and task in service.partial

    def after_fork(self) -> None:
        """In a child process: keep the catalog, forget the sweep whose thread is gone."""
        self._changed = Condition()
        self._sweep = None

    def _refresh_when_old(self) -> None:
        if self._is_old and monotonic() - self._asked_at > PATIENCE:
            self._ask()

    @property
    def _is_old(self) -> bool:
        if self._swept_at is None:
            return self._first is not None
        return monotonic() - self._swept_at > self.options.catalog_ttl

    def _asked_lately(self) -> bool:
        return monotonic() - self._closed_at < PATIENCE

    def _wait(self, reached: Callable[[], bool], limit: float | None = None) -> None:
        if limit is None:
            limit = self.options.discovery_window + self.options.connect_timeout + 1.0
        with self._changed:
            self._changed.wait_for(reached, timeout=limit)

    def _check(self, sweep: Sweep) -> None:
        if sweep.error is not None:
            raise sweep.error
        if not sweep.settled:
            raise DiscoveryError("the workers could not be asked in time")

    # ----- sweeping

    def _ask(self, *, new: bool = False) -> Sweep:
        with self._changed:
            running = self._sweep
            if running is not None and not running.closed and not new:
                return running
            sweep = self._sweep = Sweep(self.signatures)
            self._asked_at = monotonic()
        Thread(target=self._run, args=(sweep,), name="celery-rpc-discovery", daemon=True).start()
        return sweep

    def _run(self, sweep: Sweep) -> None:
        try:
            self._collect(sweep)
            self._finish(sweep)
        except Exception as error:  # whoever waits for the sweep is told
            sweep.error = error
        finally:
            self._unexpect(sweep.commands)
            with self._changed:
                sweep.settled = sweep.closed = True
                self._changed.notify_all()

    def _collect(self, sweep: Sweep) -> None:
        budget = Deadline.after(self.options.connect_timeout + self.options.discovery_window)
        answer = self._answer_to(sweep)
        sweep.expected = self._broadcast(dict(sweep.commands), answer, budget)
        asked_at = monotonic()
        window = Deadline.after(self.options.discovery_window)
        while not (window.passed or sweep.nobody or sweep.answered):
            now = monotonic()
            may_settle = sweep.expected is None and sweep.even and sweep.heard(self._reports)
            silence = quiet(sweep) if may_settle else None
            wait = window.capped(60.0 if silence is None or sweep.settled else silence)
            if sweep.take(wait):
                sweep.slowest = monotonic() - asked_at
                question = sweep.ask_for_signatures()
                self._publish(sweep)
                if question:
                    self._broadcast(question, answer, budget)
            elif silence is not None and monotonic() - now >= silence * 0.9:
                self._settle(sweep)

    def _answer_to(self, sweep: Sweep) -> Answer:
        inbox = sweep.inbox
        return lambda ticket, body: inbox.put((ticket, body))

    def _publish(self, sweep: Sweep) -> None:
        """Show what is known so far: names resolve before the sweep has ended."""
        with self._changed:
            reports = {**self._reports, **sweep.book.reports}
            live = merge(
                reports.values(),
                diagnostics=sweep.book.diagnostics,
                taken_at=time(),
                signed=self.signatures.of,
            )
            self._catalog = self._extended(live)
            self._changed.notify_all()

    def _extended(self, live: Catalog) -> Catalog:
        return live if self._first is None else extended(live, self._first)

    def _sign(self) -> None:
        """Show what was learnt of signatures since the catalog was made."""
        with self._changed:
            services = {
                queue: replace(
                    service,
                    tasks={
                        name: self.signatures.of(queue, spec)
                        for name, spec in service.tasks.items()
                    },
                )
                for queue, service in self._catalog.services.items()
            }
            self._catalog = replace(self._catalog, services=services)

    def _settle(self, sweep: Sweep) -> None:
        if not sweep.settled:
            with self._changed:
                sweep.settled = True
                # A new dict: other threads may be looking through the one so far.
                heard = {each.node: each for each in sweep.book.complete()}
                self._reports = {**self._reports, **heard}
                self._swept_at = monotonic()
                self._changed.notify_all()

    def _finish(self, sweep: Sweep) -> None:
        """Take the sweep's result for the truth, but for workers that were silent only once."""
        seen = {each.node: each for each in sweep.book.complete()}
        with self._changed:
            if sweep is not self._sweep:
                return  # a newer one has begun, and will say more
            self._silent = {
                node: self._silent.get(node, 0) + 1 for node in self._reports if node not in seen
            }
            missing = frozenset(n for n, times in self._silent.items() if times < GONE_AFTER)
            kept = {node: self._reports[node] for node in missing}
            self._reports = {**kept, **seen}
            self._silent = {node: self._silent[node] for node in missing}
            unheard = None if sweep.expected is None else max(0, sweep.expected - len(seen))
            doubts = list(sweep.book.diagnostics)
            if unheard:
                doubts.append(f"{unheard} of {sweep.expected} mailboxes did not answer")
            uneven = [n for n, each in sweep.book.reports.items() if not each.complete]
            doubts += [f"{node} answered only one of two questions" for node in uneven]
            live = merge(
                self._reports.values(),
                complete=(False if missing or uneven else None) if unheard is None
                else not (unheard or missing),
                missing=missing,
                diagnostics=doubts,
                taken_at=time(),
                signed=self.signatures.of,
            )  # fmt: skip
            self._catalog = self._extended(live)
            self._swept_at = self._closed_at = monotonic()


def quiet(sweep: Sweep) -> float:
    """Give the silence after which no more answers are expected."""
    times, shortest, longest = QUIET
    return min(longest, max(shortest, times * sweep.slowest))
