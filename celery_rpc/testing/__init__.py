"""Testing: real brokers and real tasks for the tests of those who use celery-rpc."""
