"""Inventory: what is in stock, and what is reserved of it."""

from celery import Celery

from celery_rpc.worker import expose

app = Celery("inventory", include=["inventory.tasks"])
app.conf.update(
    broker_url="redis://localhost:6379/0",  # unless $CELERY_BROKER_URL says otherwise
    result_backend="rpc://",  # unless $CELERY_RESULT_BACKEND says otherwise
    broker_connection_retry_on_startup=True,
    task_default_queue="inventory",
    accept_content=["json"],
)
expose(app)  # callers see parameters, types and errors; costs nothing until one asks
