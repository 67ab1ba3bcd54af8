"""Refused: which workers have a task that one of them did not know."""

from time import time

from celery_rpc.calls.call import Call
from celery_rpc.catalog.model import Catalog
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import NoSuchTask
from celery_rpc.support.near import near
from celery_rpc.transport.again import Known

#: Seconds for which the catalog's word that only some workers have a task is taken.
FRESH = 5.0


def known_elsewhere(fleet: Fleet, call: Call, refusal: NoSuchTask, since: float) -> Known:
    """Return which workers have a task that one refused; complete the refusal.

    The workers are asked where what is known of them does not explain the refusal, or is not fresh.
    Refused calls share such a sweep, and the fleet bounds how many there are.

    Args:
        since: when the refusal came, on the monotonic clock.
    """
    queue, task = call.address.queue, call.task

    def some_have_it(catalog: Catalog) -> bool | None:
        service = catalog.services.get(queue)
        is_fresh = abs(time() - catalog.taken_at) < FRESH
        return (is_fresh and service is not None and task in service.partial) or None

    if fleet.find(some_have_it, since=since):
        return Known.BY_SOME
    service = fleet.peek().services.get(queue)
    if service is None:
        return Known.BY_NONE
    if task in service.tasks:
        refusal.args = (f"{refusal}, although all workers that answered know it",)
        return Known.BY_ALL
    refusal.known = tuple(service.public)
    refusal.near = near(task, refusal.known)
    refusal.args = (f"{refusal}; tasks of {queue!r}: {', '.join(refusal.known[:20])}",)
    return Known.BY_NONE
