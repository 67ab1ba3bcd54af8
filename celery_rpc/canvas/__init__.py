"""Canvas: signatures of remote tasks, and what is made of them."""

from celery.canvas import chain, chord, group

__all__ = ["chain", "chord", "group"]
