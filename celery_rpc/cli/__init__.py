"""The command line: ``celery-rpc``, ``python -m celery_rpc`` and ``celery rpc``."""

from celery_rpc.cli.root import main

__all__ = ["main"]
