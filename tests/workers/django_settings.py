"""The settings of a Django project whose results are kept by django-celery-results."""

import os
from pathlib import Path

_DIRECTORY = Path(os.environ["DJANGO_DIRECTORY"])

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["django_celery_results"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _DIRECTORY / "db.sqlite"},
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": _DIRECTORY / "cache",
    },
}
