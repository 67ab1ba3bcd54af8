"""Celery apps that the tests run in real workers; only typed.py knows celery_rpc."""
