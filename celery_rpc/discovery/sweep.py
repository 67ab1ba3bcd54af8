"""Sweep: one round of questions to all workers, and to some of them what they publish."""

from collections.abc import Callable, Collection, Mapping
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any
from uuid import uuid4

from celery_rpc.discovery.published import Signatures, Wanted
from celery_rpc.discovery.worker_answers import TASK_ITEMS, ReportBook
from celery_rpc.errors import ClientClosed
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.control import Command

QUESTIONS = {
    "active_queues": Command("active_queues"),
    "registered": Command("registered", {"taskinfoitems": list(TASK_ITEMS)}),
}

#: Where the broker cannot count the workers, their answers are taken for complete after a silence
#: of so many times the slowest answer, at least and at most so many seconds.
QUIET = (5.0, 0.03, 0.5)

#: Answers that are read before anybody is shown what they say.
MOUTHFUL = 10_000

Answer = Callable[[str, Any], object]
Broadcast = Callable[[Mapping[str, Command], Answer, Deadline], int | None]


class Sweep:
    """One round of questions; it asks in a thread of its own.

    Args:
        not_before: the time at which it may begin, on the monotonic clock.
    """

    def __init__(self, signatures: Signatures, not_before: float = -inf) -> None:
        self.not_before = not_before
        #: When it was wanted; when it began to ask.
        self.wanted_at = monotonic()
        self.asked_at = inf
        self.thread: Thread | None = None
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
        self.ended = False
        #: True when its thread has done all that it does.
        self.over = False
        self.nobody = False
        self.error: BaseException | None = None
        self.slowest = 0.0
        self._stopped = False
        self._inbox: SimpleQueue[tuple[str, Any] | None] = SimpleQueue()

    def start(self, run: Callable[["Sweep"], object]) -> None:
        """Run something with this sweep, in a thread of its own."""
        self.thread = Thread(target=run, args=(self,), name="celery-rpc-discovery", daemon=True)
        self.thread.start()

    @property
    def closed(self) -> bool:
        """True when its thread does nothing more, whether it got to its end or was broken off."""
        return self.over or (self.thread is not None and not self.thread.is_alive())

    def stop(self) -> None:
        """Make the thread end soon; called by any other."""
        self._stopped = True
        self._inbox.put(None)

    def collect(
        self,
        broadcast: Broadcast,
        options: ClientOptions,
        known: Callable[[], Collection[str]],
        changed: Callable[..., object],
    ) -> None:
        """Ask, and take the answers until there can be no more.

        Args:
            known: gives the workers without whose answers a silence says nothing.
            changed: called whenever more is known; with ``settled`` or ``ended`` when the sweep
                is, which it sets together with what it shows, so that nobody sees one without
                the other.
        """
        budget = Deadline.after(options.connect_timeout + options.discovery_window)
        self.expected = broadcast(dict(self.commands), self._take, budget)
        began = monotonic()
        window = Deadline.after(options.discovery_window)
        while not (window.passed or self.nobody or self.answered or self._stopped):
            now = monotonic()
            silence = self.quiet if self._may_settle(known()) else None
            if self.read(window.capped(60.0 if silence is None else silence)):
                self.slowest = monotonic() - began
                question = self.ask_for_signatures()
                changed()
                if question:
                    broadcast(question, self._take, budget)
            elif silence is not None and monotonic() - now >= silence * 0.9:
                changed(settled=True)
        if self._stopped:
            raise ClientClosed
        changed(settled=True, ended=True)

    def _take(self, ticket: str, body: Any) -> None:
        self._inbox.put((ticket, body))

    def read(self, wait: float) -> bool:
        """Read what has come, waiting so long for the first; False when nothing came."""
        try:
            self._note(self._inbox.get(timeout=wait))
        except Empty:
            return False
        # A worker that never stops answering must not keep us here.
        for _ in range(min(MOUTHFUL, self._inbox.qsize())):
            self._note(self._inbox.get())
        return True

    def _note(self, item: tuple[str, Any] | None) -> None:
        if item is None:
            return
        ticket, body = item
        command = self.commands[ticket]
        if command.destination is not None:
            self._note_signatures(body)
        elif body is None:
            self.nobody = True
        else:
            self.book.note(command.method, body)

    # ----- what services publish

    def ask_for_signatures(self) -> dict[str, Command]:
        """Return the question for signatures that are not known yet, if there are any."""
        chosen = self.signatures.missing(self.book.reports.values(), self.asked)
        if not chosen:
            return {}
        self.owing.update(chosen)
        command = Command("registered", {"taskinfoitems": ["rpc_schema"]}, sorted(chosen))
        self.commands[ticket := uuid4().hex] = command
        return {ticket: command}

    def _note_signatures(self, body: Any) -> None:
        for node, answer in body.items() if isinstance(body, dict) else ():
            wanted = self.owing.pop(node, None)
            if wanted is not None:
                doubts = self.signatures.note(answer, wanted)
                self.book.doubt(*(f"{node}: {doubt}" for doubt in doubts))

    # ----- how it stands

    @property
    def answered(self) -> bool:
        """True when every worker that was counted has answered every question."""
        if self.owing or self.expected is None:
            return False
        return len(self.book.heard) - len(self.book.half_heard) >= self.expected

    def _may_settle(self, known: Collection[str]) -> bool:
        """Whether a silence would mean that all have answered."""
        if self.settled or self.expected is not None or self.owing or self.book.half_heard:
            return False
        return bool(self.book.heard) and self.book.heard.keys() >= set(known)

    @property
    def quiet(self) -> float:
        """The seconds of silence after which no more answers are expected."""
        times, shortest, longest = QUIET
        return min(longest, max(shortest, times * self.slowest))

    @property
    def unheard(self) -> int:
        """How many of the workers that were counted have not answered at all."""
        return max(0, (self.expected or 0) - len(self.book.heard))

    @property
    def doubts(self) -> list[str]:
        """What is not known, as sentences."""
        found = list(self.book.diagnostics)
        if self.ended:
            if self.unheard:
                found.append(f"{self.unheard} of {self.expected} mailboxes did not answer")
            found += [f"{n} answered only one of two questions" for n in self.book.half_heard]
        return found

    def is_complete(self, missing: Collection[str]) -> bool | None:
        """Whether every worker has answered; None where nobody knows, as nobody counts them.

        Args:
            missing: workers that did not answer this time.
        """
        if not self.ended:
            return None
        if missing or self.unheard or len(self.book.complete()) < len(self.book.heard):
            return False
        return None if self.expected is None else True
