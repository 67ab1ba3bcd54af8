"""The calc service before its last deploy: it does not know calc.mul yet."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

from celery import Celery

app = Celery("calc")
app.conf.broker_connection_retry_on_startup = True


@app.task(name="calc.add")
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y
