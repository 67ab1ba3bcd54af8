from celery import Celery

app = Celery("legacy", include=["legacy.tasks"])

app.conf.update(
    BROKER_URL="redis://localhost:6379/0",
    BROKER_CONNECTION_RETRY_ON_STARTUP=True,
    CELERY_RESULT_BACKEND="rpc://",
    CELERY_DEFAULT_QUEUE="legacy",
    CELERY_TASK_SERIALIZER="json",
    CELERY_RESULT_SERIALIZER="json",
    CELERY_ACCEPT_CONTENT=["json"],
)
