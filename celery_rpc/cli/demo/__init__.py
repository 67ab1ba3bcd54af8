"""The example shop, and the tour that `celery-rpc demo` gives."""
