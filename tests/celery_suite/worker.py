"""A stock Celery app with the tasks of Celery's own integration tests, as they are."""

import os
from typing import Any

from celery import Celery
from celery.worker import state
from celery.worker.control import control_command

from tests.celery_suite import received

app = Celery("t.integration")
app.conf.update(
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    broker_heartbeat=0,
    broker_url=os.environ["SUITE_BROKER"],
    deprecated_settings=[],
    enable_utc=True,
    include=[],
    result_extended=True,
    task_create_missing_queues=False,
    timezone="UTC",
    worker_hijack_root_logger=False,
    worker_log_color=False,
)
app.set_default()

from t.integration import tasks  # type: ignore[import-not-found] # noqa: E402 # of the checkout

app.register_task(tasks.ClassBasedAutoRetryTask())


@control_command()  # type: ignore[untyped-decorator] # Celery has no types
def forget_revoked_stamps(_: Any) -> None:
    """Do what tests do to the state of a worker in their own process."""
    state.revoked_stamps.clear()


received.forward(os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]))
