"""Retry: which failed calls are made again, how often, and after which pause."""

from dataclasses import dataclass
from random import random

from celery_rpc.errors import (
    ConfigurationError,
    NoConsumers,
    NoSuchService,
    OutcomeUnknown,
    PermissionRefused,
    Unavailable,
    WorkerLost,
)
from celery_rpc.settings.client_options import check_seconds
from celery_rpc.support.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Retry:
    """How a call is made again that was certainly not sent.

    With the option ``idempotent=True`` it is also made again when nobody knows whether it ran.
    The pause before each attempt is random, between nothing and a limit that doubles from attempt
    to attempt. No attempt is made after the call's deadline.

    Args:
        attempts: how often the call is made at most, the first time included; None: no limit.
        backoff: the limit of the first pause, in seconds.
        longest: the limit of every pause, in seconds.
        attempt_timeout: seconds after which one attempt is given up; None: the call's deadline.
            It takes effect on idempotent calls alone: the attempt may still run.
    """

    attempts: int | None = 3
    backoff: float = 0.1
    longest: float = 5.0
    attempt_timeout: float | None = None

    def __post_init__(self) -> None:
        good = isinstance(self.attempts, int) and not isinstance(self.attempts, bool)
        if self.attempts is not None and not (good and self.attempts > 0):
            raise ConfigurationError(f"attempts must be a number above 0, not {self.attempts!r}")
        check_seconds("backoff", self.backoff)
        check_seconds("longest", self.longest)
        check_seconds("attempt_timeout", self.attempt_timeout, none_is="the call's deadline")

    def limit(self, made: int) -> float:
        """Return the longest pause after so many attempts, in seconds."""
        return float(min(self.longest, self.backoff * 2.0 ** min(made - 1, 60)))


#: How a call with wait_for_ready is made until the service is there.
UNTIL_READY = Retry(attempts=None, backoff=0.05, longest=0.5)


class Tries:
    """Counts the attempts of one call, and decides whether there is another; it knows no clock.

    ``left`` is what is left of the call's time, in seconds; None: no limit.
    """

    def __init__(
        self, policy: Retry | None, *, idempotent: bool = False, wait_for_ready: bool = False
    ) -> None:
        self.policy = policy or UNTIL_READY
        #: Without a policy of its own a call that may have run is not made again.
        self.idempotent = idempotent and policy is not None
        self.wait_for_ready = wait_for_ready
        #: How many have failed.
        self.made = 0
        #: The error of the last one that was followed by another.
        self.before: Exception | None = None

    def wants(self, error: Exception | None) -> bool:
        """Whether a call that ended so should be made again."""
        if isinstance(error, PermissionRefused):
            return False
        if isinstance(error, NoSuchService | NoConsumers):
            return self.wait_for_ready
        if isinstance(error, Unavailable):
            return True
        return self.idempotent and isinstance(error, OutcomeUnknown | WorkerLost)

    def next_pause(
        self, error: Exception, left: float | None, luck: float | None = None
    ) -> float | None:
        """Count a failure, and return the seconds until the next attempt; None: there is none.

        Args:
            luck: the share of the longest pause, 0 to 1; None: any.
        """
        self.made += 1
        pause = self.policy.limit(self.made) * (random() if luck is None else luck)
        if (
            not self.wants(error)
            or self.made == self.policy.attempts
            or (left is not None and left <= pause)
        ):
            return None
        self.before = error.with_traceback(None)
        return pause

    def last_error(self, error: Exception, left: float | None) -> Exception:
        """Return the error to end with: an attempt cut short tells less than the one before it."""
        cut_short = left == 0 and type(error) is Unavailable
        return self.before if cut_short and self.before is not None else error


class Attempts(Tries):
    """The attempts of a call until its deadline."""

    def __init__(
        self, policy: Retry | None, deadline: Deadline, *, idempotent: bool, wait_for_ready: bool
    ) -> None:
        super().__init__(policy, idempotent=idempotent, wait_for_ready=wait_for_ready)
        self.deadline = deadline

    def pause_after(self, error: Exception) -> float:
        """Return the seconds until the next attempt.

        Raises:
            RpcError: the error itself, where there is no next attempt; or that of the attempt
                before, where the deadline cut this one short.
        """
        left = self.deadline.remaining()
        pause = self.next_pause(error, left)
        if pause is None:
            raise self.last_error(error, left)
        return pause

    def time_left(self) -> float | None:
        """Return the seconds that the next attempt may take; None: no limit."""
        left, most = self.deadline.remaining(), self.policy.attempt_timeout
        if most is None or not self.idempotent:
            return left
        return most if left is None else min(left, most)
