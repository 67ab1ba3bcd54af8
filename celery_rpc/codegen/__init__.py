"""Codegen: Catalog -> typed Python; knows no broker, no client and no Celery."""
