"""Call and CallOptions: one request as a value."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from celery_rpc.calls.option_checks import check
from celery_rpc.calls.retry import Retry
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import TaskSpec
from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.client_options import UNSET, Unset
from celery_rpc.support.moment import seconds_until, to_moment
from celery_rpc.support.near import did_you_mean, near


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one call is made, beside its arguments. The names are Celery's where Celery has one."""

    #: Seconds until the call ends; None means never. The message expires with it.
    timeout: float | Unset | None = UNSET
    countdown: float | None = None
    eta: datetime | str | None = None
    expires: float | datetime | str | None = None
    #: On RabbitMQ 0 to 255, higher goes first, and the queue needs x-max-priority; on Redis 0 to
    #: 9, and 0 goes first (kombu's priority_steps).
    priority: int | None = None
    headers: Mapping[str, Any] | None = None
    task_id: str | None = None
    link: Any = None
    link_error: Any = None
    #: None: what the task itself says.
    ignore_result: bool | None = None
    shadow: str | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None
    #: How a call that was not sent is made again; True: by waiting for the connection alone;
    #: False: not at all.
    retry: Retry | bool = True
    #: Running twice does no harm: a retry is made also where nobody knows whether it ran.
    idempotent: bool = False
    #: The task may replace itself (``Task.replace``): its value comes by one more message.
    replaces: bool = False
    #: What the service may tell repeated calls by; the call's id, unless said otherwise.
    idempotency_key: str | None = None
    #: Wait until the deadline for the broker and the service, where they are not there.
    wait_for_ready: bool = False
    #: "consumers": look for a worker that listens on the queue before anything is sent.
    check: str | None = None
    #: Revoke a blocking call that nobody waits for any more; "terminate": also where it runs.
    cancel_on_timeout: bool | str = False
    #: False: neither the arguments nor the result are held against the task's signature.
    validate: bool | Unset = UNSET
    compression: str | None = None
    delivery_mode: int | str | None = None
    #: What shows in events and in the worker's log in place of the arguments.
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    # What canvases pass on.
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None
    chord: Any = None
    chain: Any = None
    retries: int = 0
    replaced_task_nesting: int = 0
    stamped_headers: Sequence[str] | None = None
    stamps: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reply_to: str | None = None

    def merged(self, **changes: Any) -> "CallOptions":
        """Return these options with some replaced, each checked.

        Raises:
            ConfigurationError: there is no such option, or its value cannot be used.
        """
        if not changes:
            return self
        stamped = changes.get("stamped_headers") or ()
        stamps = {name: changes.pop(name) for name in stamped if name in changes}
        for name in changes.keys() & IGNORED:
            del changes[name]
        for name in changes:
            if name not in KNOWN:
                raise ConfigurationError(_unknown(name))
        if stamps:
            changes["stamps"] = {**self.stamps, **stamps}
        if changes.pop("serializer", None) not in (None, "json"):
            raise ConfigurationError("serializer: only 'json' is spoken here; pickle runs code")
        for name, value in changes.items():
            check(name, value)
        for name in changes.keys() & COPIED:
            changes[name] = as_it_is_now(changes[name])
        return replace(self, **changes)

    @property
    def linked(self) -> bool:
        """Whether other tasks follow the call: it is a canvas then."""
        return bool(self.link or self.link_error)

    @property
    def persistent(self) -> bool:
        """True where a call that was not sent is made again."""
        return self.wait_for_ready or isinstance(self.retry, Retry)

    def as_celery(self, keep: Collection[str] = ()) -> dict[str, Any]:
        """Return what differs from the defaults, as the options of a Celery signature.

        Args:
            keep: options that Celery does not know, but who reads the signature does.
        """
        found: dict[str, Any] = {}
        if self is DEFAULTS:  # those of most signatures, and canvases have thousands of them
            return found
        for each in fields(self):
            if each.name in LOCAL and each.name not in keep:
                continue
            value = getattr(self, each.name)
            if value != each.default and value is not UNSET:
                found[each.name] = value
        for name in found.keys() & COPIED:
            found[name] = as_it_is_now(found[name])
        found.update(found.pop("stamps", {}))
        found.pop("validate", None)  # that was done, or not, when the signature was made
        timeout = found.pop("timeout", None)
        if timeout is not None:
            found.setdefault("expires", timeout)
        return found

    @property
    def starts_after(self) -> float:
        """The seconds by which countdown or eta puts the call off."""
        if self.countdown:
            return max(0.0, self.countdown)
        return 0.0 if self.eta is None else max(0.0, seconds_until(to_moment(self.eta)))


#: What Celery's apply_async takes and means nothing here: there is one connection, and one app.
IGNORED = frozenset(
    {"producer", "publisher", "connection", "router", "route_name", "retry_policy", "add_to_parent",
     "task_type", "result_cls", "exchange_type", "mandatory", "immediate", "timestamp"}
)  # fmt: skip

#: What only this client heeds: it does not travel in signatures.
LOCAL = frozenset(
    {
        "retry",
        "idempotent",
        "idempotency_key",
        "wait_for_ready",
        "check",
        "cancel_on_timeout",
        "replaces",
    }
)

#: What may be changed by whoever said it.
COPIED = frozenset({"headers", "stamps"})

KNOWN = frozenset(each.name for each in fields(CallOptions)) | {"serializer"}

DEFAULTS = CallOptions()


def as_it_is_now(value: Any) -> Any:
    """Return a copy; what makes it is loaded for the few options that need it."""
    from celery_rpc.calls.encoding import owned

    return owned(value)


def _unknown(name: str) -> str:
    hint = did_you_mean(near(name, KNOWN, 1))
    return f"there is no option {name!r}{hint} (a task's own keywords go in kwargs)"


@dataclass(frozen=True, slots=True)
class Target:
    """What a proxy stands for: a task, where it is, and how it is called."""

    spec: TaskSpec
    address: Address
    options: CallOptions = DEFAULTS


#: Reads a result into the declared type; raises ResultError where it does not fit.
Decode = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a call is in its canvas, by the names that Celery's requests have for it."""

    #: The first task of all that led to the call.
    root_id: str | None = None
    #: The task whose end led to it.
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None


NO_LINEAGE = Lineage()


@dataclass(frozen=True, slots=True)
class Call:
    """One request: which task, where, with what."""

    id: str
    task: str
    address: Address
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: CallOptions = DEFAULTS
    #: Seconds until the call ends, from when it is sent; None: there is no hurry.
    expires_in: float | None = None
    decode: Decode | None = None
    #: Of a call that a canvas makes; None: as its options say.
    lineage: Lineage | None = None
