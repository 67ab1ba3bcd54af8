"""How errors end the command line."""

import pytest

from celery_rpc import errors
from celery_rpc.cli.failure import exit_code, report, text_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RemoteError("no", type="ValueError"), 1),
        (errors.remote_error_class(ValueError)("no", type="ValueError"), 1),
        (errors.ConfigurationError(), 2),
        (errors.ArgumentsError(), 2),
        (errors.NoSuchService(), 3),
        (errors.NoSuchTask(), 3),
        (errors.AmbiguousTask(), 3),
        (errors.DiscoveryError(), 4),
        (errors.Unavailable(), 4),
        (errors.PermissionRefused(), 4),
        (errors.DeadlineExceeded(), 5),
        (errors.BackendMismatch(), 6),
        (errors.ReplyLost(), 6),
        (KeyError("a bug"), 6),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_the_remote_traceback_comes_before_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.RemoteError("boom", type="ValueError", remote_traceback="Traceback:\n  here\n")
    assert report(error) == 1
    assert capsys.readouterr() == ("", "Traceback:\n  here\nerror: ValueError: boom\n")


def test_no_password_and_no_escape_sequence_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report(errors.Unavailable("redis://:pa@ss@host/0 \x1b[31m broke"), debug=True)
    shown = capsys.readouterr().err
    assert "pa@ss" not in shown
    assert "ss@host" not in shown
    assert "\x1b" not in shown


def test_only_debug_shows_our_own_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    report(errors.Unavailable("gone"))
    assert capsys.readouterr().err == "error: gone\n"
    report(errors.Unavailable("gone"), debug=True)
    assert "celery_rpc.errors.Unavailable: gone\nerror: gone\n" in capsys.readouterr().err


def test_an_error_without_a_message_is_called_by_its_class() -> None:
    assert text_of(errors.RemoteError(type="app.Oops")) == "app.Oops"
    assert text_of(KeyError()) == "KeyError"
