"""Celery's own integration tests, run through a client of celery_rpc.

Their files are not here: whoever runs them names a checkout of Celery. They run as they are; what
they import from their ``conftest`` and ``tasks`` is made here.

    python -m tests.celery_suite CHECKOUT --broker redis --family ours --file test_canvas
"""
