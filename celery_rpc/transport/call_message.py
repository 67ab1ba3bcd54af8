"""Envelope: a call as the message that a stock Celery worker reads (task protocol 2).

The format is Celery's (docs: internals/protocol). It is built here because Celery's own builder
belongs to its publishing, which declares queues and cannot keep a deadline; a test holds the two
equal.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from reprlib import Repr
from time import time
from typing import Any

from celery import signals

from celery_rpc.calls.call import Call, CallOptions, Lineage
from celery_rpc.calls.encoding import encode
from celery_rpc.calls.inherited_deadline import HEADER as DEADLINE
from celery_rpc.calls.relay import relay
from celery_rpc.calls.unencodable import RESERVED, culprit, refuse_reserved, unencodable
from celery_rpc.catalog.address import Address
from celery_rpc.errors import ConfigurationError, DeadlineExceeded, EncodeError, PayloadTooLarge
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.moment import after, seconds_until, to_moment
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.headers import Headers, SharedHeaders
from celery_rpc.transport.sentry import sentry_headers

#: Shown in place of arguments that are longer, in events and logs; characters.
REPR_LENGTH = 200

#: AMQP's numbers, and Celery's names for them.
DELIVERY_MODES = {1: 1, 2: 2, "transient": 1, "persistent": 2}

#: What the worker reads of a call (Celery's task protocol 2): not the caller's to set.
OWN_HEADERS = frozenset(
    {"lang", "task", "id", "root_id", "parent_id", "group", "group_index", "shadow", "eta",
     "expires", "retries", "timelimit", "argsrepr", "kwargsrepr", "ignore_result", "stamps",
     "stamped_headers", "replaced_task_nesting", "compression", DEADLINE}
)  # fmt: skip

_NO_EMBED = '{"callbacks":null,"errbacks":null,"chain":null,"chord":null}'


@dataclass(slots=True)
class Envelope:
    """One message to a queue: all that a broker is told."""

    id: str
    task: str
    address: Address
    headers: Headers
    properties: dict[str, Any]
    body: bytes
    #: The task's arguments as objects: what the before_task_publish signal shows.
    content: tuple[Any, ...]
    #: Milliseconds after which the broker may drop the message; None: never.
    ttl: int | None = None
    #: Until when it makes sense to send it.
    deadline: Deadline = NEVER


class EnvelopeWriter:
    """Writes the envelopes of one client, which differ in little."""

    def __init__(
        self, reply_to: str, max_payload: int, skew: Skew | None = None, allowance: float = 0.0
    ) -> None:
        self.reply_to = reply_to
        self.max_payload = max_payload
        self.skew = skew or Skew()
        #: Seconds by which workers' clocks may be ahead without dropping a call too early.
        self.allowance = allowance
        self.origin = f"{os.getpid()}@{socket.gethostname()}"
        #: By task, and whether it has a lineage: the options that its headers were made for, and
        #: the headers.
        self._shared: dict[tuple[str, bool], tuple[CallOptions, SharedHeaders]] = {}
        self._repr = Repr()
        self._repr.maxstring = self._repr.maxother = REPR_LENGTH
        self._repr.maxlist = self._repr.maxtuple = self._repr.maxdict = 20

    def write(self, call: Call) -> Envelope:
        """Turn a call into its message.

        Raises:
            EncodeError: an argument is no JSON; names the first one.
            PayloadTooLarge: the body is larger than max_payload.
        """
        options = call.options
        ahead = self.skew.ahead
        slack = max(ahead, self.allowance)
        expires, ttl = expiry(call, slack)
        body = compressed(self.body(call, slack), options.compression)
        show = repr if len(body) < REPR_LENGTH else self.shown  # what is short as JSON is short
        own: dict[str, Any] = {
            "id": call.id,
            "root_id": options.root_id or call.id,
            "eta": eta(options),
            "expires": expires,
            "argsrepr": options.argsrepr or show(tuple(call.args)),
            "kwargsrepr": options.kwargsrepr or show(dict(call.kwargs)),
        }
        if call.lineage is not None:
            own.update(ancestry(call.lineage, call.id))
        if call.expires_in is not None:
            own[DEADLINE] = f"{time() + call.expires_in + ahead:.3f}"
        if options.idempotency_key or options.idempotent:
            own["idempotency_key"] = options.idempotency_key or call.id
        if "sentry_sdk" in sys.modules and (traced := sentry_headers()):
            own.update(traced)
            own["headers"] = dict(traced)
        properties: dict[str, Any] = {
            "correlation_id": call.id,
            "reply_to": options.reply_to or ("" if options.ignore_result else self.reply_to),
        }
        if options.priority is not None:
            properties["priority"] = options.priority
        if options.delivery_mode is not None:
            properties["delivery_mode"] = DELIVERY_MODES[options.delivery_mode]
        envelope = Envelope(
            call.id,
            call.task,
            call.address,
            Headers(own, self.shared(call)),
            properties,
            body,
            (call.args, call.kwargs),
            ttl,
        )
        if signals.before_task_publish.receivers:
            self.announce(envelope)
        return envelope

    def shared(self, call: Call) -> SharedHeaders:
        """Return the headers that only depend on the task and its options."""
        kind = call.task, call.lineage is None
        options, shared = self._shared.get(kind, (None, None))
        if shared is None or options is not call.options:
            shared = SharedHeaders(self.constants(call))
            self._shared[kind] = call.options, shared
        return shared

    def constants(self, call: Call) -> dict[str, Any]:
        """Return what shared() keeps."""
        options = call.options
        constants: dict[str, Any] = {
            "lang": "py",
            "task": call.task,
            "shadow": options.shadow,
            "retries": options.retries,
            "timelimit": [options.time_limit, options.soft_time_limit],
            "origin": self.origin,
            "ignore_result": options.ignore_result,
            "replaced_task_nesting": options.replaced_task_nesting,
            "stamped_headers": options.stamped_headers,
            "stamps": dict(options.stamps),
        }
        if call.lineage is None:
            constants["parent_id"] = options.parent_id
            constants["group"] = options.group_id
            constants["group_index"] = options.group_index
        if options.compression:
            constants["compression"] = compression_type(options.compression)
        if options.headers:
            constants.update(checked_headers(call))
        return constants

    def body(self, call: Call, slack: float = 0.0) -> bytes:
        """Serialise the arguments, and what runs after the task.

        Args:
            slack: as for expiry().
        """
        try:
            # The closing bracket makes room for what runs after the task.
            text = f"{encode((call.args, call.kwargs))[:-1]},{self.embed(call, slack)}]"
        except (TypeError, ValueError, RecursionError) as error:
            raise unencodable(call.task, call.args, call.kwargs, error) from error
        if RESERVED in text:
            refuse_reserved(call.task, call.args, call.kwargs)
        body = text.encode()
        if len(body) > self.max_payload:
            raise PayloadTooLarge(
                f"the arguments of {call.task} are {len(body):,} bytes, more than the limit of "
                f"{self.max_payload:,}: pass a reference to the data, or raise max_payload",
                size=len(body),
                limit=self.max_payload,
            )
        return body

    def embed(self, call: Call, slack: float) -> str:
        """Serialise what runs after the task: callbacks, errbacks, chain, chord.

        Callbacks and chain end with the call, if it has a deadline.
        """
        options = call.options
        chain = [*(options.chain or ())]
        if options.replaces:  # a worker takes the last item first
            chain.append(relay(call.id, call.address, options.reply_to or self.reply_to))
        if options.link is None and options.link_error is None and not (chain or options.chord):
            return _NO_EMBED
        deadline = replace(
            options, expires=None
        )  # an expiry of the caller's is for this call alone
        expires, _ = expiry(replace(call, options=deadline), slack)
        return str(
            encode(
                {
                    "callbacks": ending(as_list(options.link), expires),
                    "errbacks": as_list(options.link_error),
                    "chain": ending(chain, expires) or None,
                    "chord": options.chord,
                }
            )
        )

    def shown(self, value: Any) -> str:
        """Return a short repr, for logs and events."""
        if not value:
            return repr(value)
        text = self._repr.repr(value)
        return text if len(text) <= REPR_LENGTH else f"{text[: REPR_LENGTH - 3]}..."

    def announce(self, envelope: Envelope) -> None:
        """Let Celery's signal handlers (tracing, mostly) add their headers."""
        headers = envelope.headers.to_dict()
        envelope.headers = Headers(headers)
        signals.before_task_publish.send(
            sender=envelope.task,
            body=(*envelope.content, {}),
            exchange="",
            routing_key=envelope.address.queue,
            declare=[],
            headers=headers,
            properties=envelope.properties,
            retry_policy={},
        )


def ancestry(lineage: Lineage, task_id: str) -> dict[str, Any]:
    """Return the headers that tell where a call is in its canvas."""
    return {
        "root_id": lineage.root_id or task_id,
        "parent_id": lineage.parent_id,
        "group": lineage.group_id,
        "group_index": lineage.group_index,
    }


def due(
    envelopes: Sequence[Envelope], refuse: Callable[[str, Exception], object]
) -> list[Envelope]:
    """Return the messages that still make sense, right before they are written.

    Args:
        refuse: takes the id of each of the others, whose deadline has passed, and its error.
    """
    found: list[Envelope] = []
    for each in envelopes:
        if each.deadline.passed:
            refuse(each.id, unsent(each))
        else:
            found.append(each)
    return found


def unsent(envelope: Envelope) -> DeadlineExceeded:
    """Return the error of a call whose deadline passed before its message was sent."""
    return DeadlineExceeded(
        f"the deadline of {envelope.task} ({envelope.id}) passed before it could be sent; nothing "
        "was sent",
        task_id=envelope.id,
        state="UNSENT",
    )


def announce_sent(envelope: Envelope) -> None:
    """Notify Celery's signal handlers that the broker has the message."""
    if signals.after_task_publish.receivers:
        signals.after_task_publish.send(
            sender=envelope.task,
            body=(*envelope.content, {}),
            headers=envelope.headers.to_dict(),
            exchange="",
            routing_key=envelope.address.queue,
        )


def checked_headers(call: Call) -> Mapping[str, Any]:
    """Return the caller's own headers, which every broker must be able to carry.

    Raises:
        EncodeError: a value is no JSON; names it.
        ConfigurationError: a name is one that the message itself goes by.
    """
    headers = call.options.headers or {}
    for name, value in headers.items():
        if name in OWN_HEADERS:
            raise ConfigurationError(
                f"headers: {name!r} is what the worker knows the call by; choose another name"
            )
        found = culprit(f"headers[{name!r}]", value)
        if found is not None or not isinstance(name, str):
            where = found[0] if found else f"headers[{name!r}]"
            raise EncodeError(f"{call.task}: {where} cannot be sent as JSON", path=where)
    return headers


def compression_type(method: str) -> str:
    """Return the content type that tells a worker how a body was compressed.

    Raises:
        ConfigurationError: kombu knows no such compression.
    """
    from kombu.compression import encoders, get_encoder

    try:
        return str(get_encoder(method)[1])
    except KeyError as error:
        known = ", ".join(encoders())
        raise ConfigurationError(
            f"compression {method!r} is not known here: use one of {known}"
        ) from error


def compressed(body: bytes, method: str | None) -> bytes:
    """Compress a body, where that is asked for."""
    if method is None:
        return body
    from kombu.compression import compress

    compression_type(method)
    packed, _ = compress(body, method)
    return bytes(packed)


def ending(signatures: Any, expires: str | None) -> Any:
    """Return signatures that end with the call that they follow, unless they say when they do."""
    if not signatures or expires is None:
        return signatures
    return [ended(each, expires) for each in signatures]


def ended(signature: Mapping[str, Any], expires: str) -> dict[str, Any]:
    """Return a signature that ends at a time; of a chain or a group each of its tasks."""
    if signature.get("subtask_type") in ("chain", "group"):
        kwargs = {**signature["kwargs"], "tasks": ending(signature["kwargs"]["tasks"], expires)}
        return {**signature, "kwargs": kwargs}
    return {**signature, "options": {"expires": expires, **signature["options"]}}


def as_list(value: Any) -> list[Any] | None:
    """Return one signature or several as a list."""
    if value is None:
        return None
    return list(value) if isinstance(value, list | tuple) else [value]


def eta(options: CallOptions) -> str | None:
    """Return the time at which the task may start, in ISO 8601."""
    if options.countdown:
        return after(options.countdown).isoformat()
    return None if options.eta is None else to_moment(options.eta).isoformat()


def expiry(call: Call, slack: float = 0.0) -> tuple[str | None, int | None]:
    """Return the message's end: the header that the worker reads, the TTL that the broker reads.

    Args:
        slack: seconds by which the header is later; the worker's clock may be ahead of ours, while
            the broker counts from when it got the message.
    """
    expires = call.expires_in if call.options.expires is None else call.options.expires
    if expires is None:
        return None, None
    if not isinstance(expires, datetime | str):
        return after(expires + slack).isoformat(), max(0, int(expires * 1000))
    moment = to_moment(expires)
    if moment.tzinfo is None:  # in the worker's zone, which only the worker knows
        return moment.isoformat(), None
    return moment.isoformat(), max(0, int(seconds_until(moment) * 1000))
