from legacy.celery import app

__all__ = ("app",)
