"""A service that publishes what is not so: of these signatures none may be used but the last."""

# mypy: disable-error-code="untyped-decorator"
# Celery ships no types.

import os

from celery import Celery

from celery_rpc.catalog.signature_json import digest

app = Celery("rogue")
app.conf.broker_connection_retry_on_startup = True

NONSENSE = '{"parameters": [{"name": "a b"}]}'
GOOD = '{"doc": "As it is."}'


@app.task(name="rogue.forged", rpc_digest="0123456789abcdef", rpc_schema="{}")
def forged() -> None: ...


@app.task(name="rogue.nonsense", rpc_digest=digest(NONSENSE), rpc_schema=NONSENSE)
def nonsense() -> None: ...


@app.task(name="rogue.no_digest", rpc_digest="[evil]", rpc_schema="{}")
def no_digest() -> None: ...


@app.task(name="rogue.absent", rpc_digest="fedcba9876543210")
def absent(value: int = 1) -> int:
    return value


@app.task(name="rogue.good", rpc_digest=digest(GOOD), rpc_schema=GOOD)
def good() -> str:
    return os.name
