"""What is said where results go to a place that this client does not hear."""

import pytest

from celery_rpc.catalog.backends import mismatch, remedies

SECOND = "celery -A APP --result-backend rpc:// worker -Q mail-rpc"
EXPOSED = "celery -A APP worker -Q mail --include celery_rpc.worker.auto"


@pytest.mark.parametrize(
    ("kind", "where", "lost"),
    [
        ("django-db", "in Django's database", "no TaskResult is written any more"),
        ("django-cache", "in Django's cache", "nothing is written to Django's cache"),
        ("db", "in a database", "nothing is written to its tables"),
        ("redis", "in Redis", "AsyncResult(id)"),
        ("filesystem", "in files", "AsyncResult(id)"),
        ("cache", "in a cache", "AsyncResult(id)"),
        ("disabled", "keep no results", "no chords, as before"),
        ("mongo", "in 'mongo'", "AsyncResult(id)"),
    ],
)
def test_each_kind_has_its_place_its_commands_and_what_it_would_lose(
    kind: str, where: str, lost: str
) -> None:
    text = mismatch("mail.send", "mail", kind, "rpc://")
    for part in (where, lost, SECOND, EXPOSED, "expose(app)", "ignore_result=True"):
        assert part in text
    assert ("connect(backend=...)" in text) == (kind == "redis")


def test_who_listens_elsewhere_is_told_to_listen_to_replies() -> None:
    text = mismatch("mail.send", "mail", "rpc", "redis://user:secret@host/1")
    assert "leave connect(backend=...) out" in text
    assert "secret" not in text
    assert "--result-backend" not in text
    assert remedies("mail", "db", "redis://host/1")[0].startswith("leave connect(backend=...) out")


def test_a_queue_is_quoted_for_the_shell() -> None:
    assert "-Q '$(id)-rpc'" in mismatch("t", "$(id)", "db", "rpc://")
