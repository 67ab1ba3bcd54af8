"""Which broker is meant, and what is said of one that cannot be used."""

import sys
from pathlib import Path

import pytest

from tests.acceptance.cli import run
from tests.servers import ValkeyBroker

CELERY = [sys.executable, "-m", "celery"]


@pytest.mark.parametrize(
    ("broker", "code", "message"),
    [
        ("redis://:s3cret@127.0.0.1:1/0", 4, "Connection refused"),
        ("redis://:s3cret@127.0.0.1:notaport/0", 2, "wrong port"),
        ("redis://:s3cret@127.0.0.1/x", 2, "is no Redis database"),
        ("rediss//:s3cret@h", 2, "is no broker URL"),
        ("gopher://:s3cret@127.0.0.1", 2, "unknown scheme 'gopher'"),
        ("amqp://u:s3cret@127.0.0.1:1//", 4, "Connection refused"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(
    broker: str, code: int, message: str
) -> None:
    for extra in ((), ("--debug",)):
        done = run("-b", broker, *extra, "ls")
        assert done.returncode == code, done.stderr
        assert message in done.stderr
        assert "s3cret" not in done.stdout + done.stderr


def test_a_wrong_password_is_4() -> None:
    with ValkeyBroker(password="right") as server:
        wrong = server.database_url(0, password="wr0ng@word")
        done = run("ls", CELERY_BROKER_URL=wrong)
        assert done.returncode == 4
        assert "refused the user name or password" in done.stderr
        assert "wr0ng" not in done.stderr
        assert "word@" not in done.stderr
        done = run("ls", "-b", server.url)
        assert done.returncode == 0
        assert "right" not in done.stdout + done.stderr


def test_no_broker_is_2() -> None:
    done = run("ls")
    assert done.returncode == 2
    assert done.stderr == "error: no broker: use --broker URL, or set $CELERY_RPC_BROKER\n"


def test_an_unreachable_backend_is_an_error(url: str) -> None:
    done = run("-b", url, "--backend", "redis://127.0.0.1:1/0", "call", "billing.add", "1", "1")
    assert done.returncode == 4
    assert done.stderr.startswith("error: ")


def test_it_is_a_command_of_celery(url: str) -> None:
    done = run("rpc", "ls", command=CELERY, CELERY_RPC_BROKER=url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("billing\t")


def test_celerys_broker_is_honoured(url: str) -> None:
    nowhere = "redis://localhost:1"
    args = ("-b", url, "rpc", "call", "billing.add", "1", "1")
    done = run(*args, command=CELERY, CELERY_RPC_BROKER=nowhere)
    assert done.stdout == "2\n", done.stderr


def test_the_broker_of_celerys_app_is_honoured(url: str, tmp_path: Path) -> None:
    (tmp_path / "shopfront.py").write_text(
        f"from celery import Celery\napp = Celery('shopfront', broker={url!r})\n"
    )
    args = ("-A", "shopfront", "--workdir", str(tmp_path), "rpc", "ls", "billing")
    done = run(*args, command=CELERY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("billing.add\t")


def test_exit_codes_are_ours(url: str) -> None:
    assert run("-b", url, "rpc", "ls", "nothing", command=CELERY).returncode == 3
