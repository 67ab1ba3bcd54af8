"""Stock Celery apps that the tests run in real workers; none of them knows celery_rpc."""
