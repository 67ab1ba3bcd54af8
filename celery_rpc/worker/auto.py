"""Auto: expose every task by being imported, as by ``celery worker --include``."""

from celery_rpc.worker.expose import expose

expose()
