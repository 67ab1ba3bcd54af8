"""Worker: what a service may add, so that its tasks are typed for their callers."""

from celery_rpc.worker.apps import catalog_of_app, describe_app
from celery_rpc.worker.expose import expose

__all__ = ["catalog_of_app", "describe_app", "expose"]
