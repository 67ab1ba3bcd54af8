"""Ours and stock Celery side by side, in one run, on one worker."""
