"""The typed service after a careless deploy: the same name, another signature."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

from celery import Celery

from celery_rpc.worker import expose

app = Celery("typed")
app.conf.broker_connection_retry_on_startup = True
expose(app, version="3.0")


@app.task(name="typed.add")
def add(x: str, y: str = "") -> str:
    return x + y
