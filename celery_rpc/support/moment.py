"""Moments: when a call may start and when it expires, as times that every worker can read; pure."""

from datetime import UTC, datetime, timedelta

#: The first and the last time that hosts in all zones can tell.
FIRST, LAST = datetime.min + timedelta(days=1), datetime.max - timedelta(days=1)


def to_moment(value: datetime | str) -> datetime:
    """Return a time in UTC; one without a zone stays without, as only the worker knows which.

    A worker reads no offsets of seconds, which zones had before they were standardised.

    Args:
        value: a datetime, or one in ISO 8601.

    Raises:
        ValueError, TypeError, OverflowError: it is no time, or there are zones without it.
    """
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    offset = time.utcoffset()
    moment = time.replace(tzinfo=None) - (offset or timedelta())
    if not FIRST <= moment <= LAST:
        raise OverflowError(f"{time} is no time in some zones")
    return moment if offset is None else moment.replace(tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return the time that many seconds from now; the last one where it would be later."""
    try:
        return to_moment(datetime.now(UTC) + timedelta(seconds=seconds))
    except OverflowError:
        return LAST.replace(tzinfo=UTC)


def seconds_until(moment: datetime) -> float:
    """Return the seconds from now to a time; one without a zone is in UTC, the workers' default."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
