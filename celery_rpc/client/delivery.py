"""Delivery: calls made until they have ended, or until there is no further attempt."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import sleep
from typing import Any

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending, exceeded
from celery_rpc.calls.retry import Attempts, Retry
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import NoConsumers, NoSuchService, RpcError
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.cancel import revoke
from celery_rpc.transport.link import CallTransport
from celery_rpc.transport.whereabouts import BEFORE, WORTH, Probe, Probes


class Delivery:
    """Makes calls, again where their options say so, and gives what they end with."""

    def __init__(self, transport: CallTransport, fleet: Fleet, options: ClientOptions) -> None:
        self.transport = transport
        self.fleet = fleet
        self.options = options
        self._probes = Probes(transport)

    # ----- calls that wait

    def call(self, call: Call) -> Any:
        """Make a call and wait for its value."""
        if not call.options.persistent:
            return self._call(call)
        attempts = self._attempts(call)
        while True:
            try:
                return self._call(next_attempt(call, attempts))
            except RpcError as error:
                sleep(attempts.pause_after(error))
            self.transport.forget(call.id)

    async def call_async(self, call: Call) -> Any:
        """Make a call and await its value; the event loop is never blocked."""
        if not call.options.persistent:
            return await self._call_async(call)
        attempts = self._attempts(call)
        while True:
            try:
                return await self._call_async(next_attempt(call, attempts))
            except RpcError as error:
                await asyncio.sleep(attempts.pause_after(error))
            self.transport.forget(call.id)

    def _call(self, call: Call) -> Any:
        call = self._checked(call)
        options = call.options
        pending = self.transport.send(call, confirm=bool(options.ignore_result))
        if options.ignore_result:
            return None
        try:
            outcome = self.transport.wait(pending, probing_at(call, pending))
            if outcome is None:
                outcome = self._wait_on(call, pending)
        finally:
            if not pending.done:
                self.transport.forget(call.id)
        return value_of(pending.read() or outcome)

    async def _call_async(self, call: Call) -> Any:
        options = call.options
        if options.check:
            call = await asyncio.to_thread(self._checked, call)
        if options.ignore_result:
            await asyncio.to_thread(self.transport.send, call)
            return None
        pending = self.transport.send_soon(call)
        try:
            outcome = await event_loops.outcome_of(pending, probing_at(call, pending))
            if outcome is None:
                outcome = await self._await_on(call, pending)
        finally:
            if not pending.done:
                self.transport.forget(call.id)
        return value_of(pending.read() or outcome)

    # ----- the end of patience

    def _wait_on(self, call: Call, pending: Pending) -> Outcome:
        """Ask who has the call, and wait until its deadline.

        Raises:
            DeadlineExceeded: it came.
        """
        probe = self._probe(call, pending)
        outcome = self.transport.wait(pending, pending.deadline)
        if outcome is None:
            self._revoke(call)
            raise exceeded(pending, probe.finding if probe else "")
        return outcome

    async def _await_on(self, call: Call, pending: Pending) -> Outcome:
        probe = self._probe(call, pending)
        outcome = await event_loops.outcome_of(pending, pending.deadline)
        if outcome is None:
            if call.options.cancel_on_timeout:
                await asyncio.to_thread(self._revoke, call)
            raise exceeded(pending, probe.finding if probe else "")
        return outcome

    def _probe(self, call: Call, pending: Pending) -> Probe | None:
        """Ask the workers of a service for a call; None where it is too late, or there are none."""
        service = self.fleet.peek().services.get(call.address.queue)
        if pending.deadline.passed or service is None or not service.workers:
            return None
        options = call.options
        put_off = pending.state == "RETRY" or bool(options.countdown or options.eta)
        probe = Probe(call.id, call.task, frozenset(service.workers), pending.deadline, put_off)
        self._probes.ask(probe)
        return probe

    def _revoke(self, call: Call) -> None:
        wanted = call.options.cancel_on_timeout
        if wanted:
            revoke(self.transport, [call.id], terminate=wanted == "terminate")

    # ----- calls that are only sent

    def send(self, call: Call) -> Pending:
        """Send a call."""
        if not (call.options.persistent or call.options.check):
            return self.transport.send(call)
        attempts = self._attempts(call)
        while True:
            try:
                return self.transport.send(self._checked(call))
            except RpcError as error:
                if not call.options.persistent:
                    raise
                sleep(attempts.pause_after(error))
            self.transport.forget(call.id)

    def send_many(self, calls: Sequence[Call]) -> list[Pending]:
        """Send calls by one pipelined publish; those that were not sent again, where that is asked.

        Each call ends by itself; an error is raised where none of them was sent.
        """
        if not calls:
            return []
        self._checked(calls[0])
        sent = self._send_many(calls)
        return [sent[call.id] for call in calls]

    def _send_many(self, calls: Sequence[Call]) -> dict[str, Pending]:
        attempts = self._attempts(calls[0])
        persistent = calls[0].options.persistent
        sent: dict[str, Pending] = {}
        unsent = list(calls)
        while unsent:
            error: Exception | None = None
            try:
                sent |= {each.id: each for each in self.transport.send_many(unsent)}
            except RpcError as failure:
                error = failure
                if not persistent and not sent:
                    raise
            else:
                unsent = [each for each in unsent if attempts.wants(error_of(sent[each.id]))]
                error = error_of(sent[unsent[0].id]) if unsent else None
            if error is None or not persistent:
                break
            try:
                pause = attempts.pause_after(error)
            except RpcError:
                if not sent:
                    raise
                break
            for each in unsent:
                self.transport.forget(each.id)
            sleep(pause)
        return sent

    def close(self) -> None:
        """End the thread that asks workers."""
        self._probes.close()

    # ----- before anything is sent

    def _attempts(self, call: Call) -> Attempts:
        options = call.options
        patience = self.options.timeout if call.expires_in is None else call.expires_in
        return Attempts(
            options.retry if isinstance(options.retry, Retry) else None,
            Deadline.after(patience),
            idempotent=options.idempotent,
            wait_for_ready=options.wait_for_ready,
        )

    def _checked(self, call: Call) -> Call:
        """Look for consumers where that is asked; return the call with what is left of its time."""
        if not call.options.check:
            return call
        deadline = Deadline.after(call.expires_in)
        self._look_for_consumers(call, deadline.earlier(Deadline.after(self.options.timeout)))
        return replace(call, expires_in=deadline.remaining())

    def _look_for_consumers(self, call: Call, deadline: Deadline) -> None:
        """Look for a worker that listens where the call goes.

        Raises:
            NoSuchService: there is no such queue.
            NoConsumers: it is there, and nobody listens.
        """
        queue = call.address.queue
        found = self.transport.depth(call.address, deadline)
        if found is None:
            raise NoSuchService(
                f"there is no queue {queue!r} at {self.options.broker}; nothing was sent",
                service=queue,
            )
        messages, consumers = found
        if consumers is None:  # the broker does not count them: those count who answer
            consumers = self.fleet.listeners(queue, deadline)
        if not consumers:
            raise NoConsumers(
                f"nobody listens on queue {queue!r} at {self.options.broker} ({messages:,} "
                "messages wait there); nothing was sent: start the service"
            )


def next_attempt(call: Call, attempts: Attempts) -> Call:
    """Return the call with what is left of its time."""
    left = attempts.time_left()
    return call if left is None else replace(call, expires_in=left)


def probing_at(call: Call, pending: Pending) -> Deadline:
    """Return when the call's workers are asked: at the deadline itself for short calls."""
    at = pending.deadline.at
    if at is None or call.expires_in is None or call.expires_in < WORTH:
        return pending.deadline
    return Deadline(at - BEFORE)


def error_of(pending: Pending) -> Exception | None:
    """Return the error that a call has ended with, if it has."""
    return pending.outcome.error if pending.outcome is not None else None


def value_of(outcome: Outcome) -> Any:
    """Return a call's value, or raise its error."""
    if outcome.error is not None:
        raise outcome.error.with_traceback(None)
    return outcome.value
