"""The shell, and what it completes."""

from tests.acceptance.cli import SECONDS, run
from tests.servers import wait_until


def test_a_script_on_stdin_has_the_client_and_the_services(url: str) -> None:
    script = "print(billing.add(1, 1), client.mail)"
    assert run("-b", url, "shell", stdin=script).stdout == "2 <Namespace mail>\n"


def complete(*words: str, **variables: str) -> list[str]:
    line = " ".join(("celery-rpc", *words))
    done = run(
        COMP_WORDS=line,
        COMP_CWORD=str(len(words)),
        _CELERY_RPC_COMPLETE="bash_complete",
        **variables,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [item.partition(",")[2] for item in done.stdout.split()]


def await_offer(expected: list[str], *words: str, **variables: str) -> None:
    """Complete until this is offered: it takes a second at most, and busy workers answer later."""
    wait_until(
        lambda: complete(*words, **variables) == expected, timeout=SECONDS, what=f"{expected}"
    )


def test_live_tasks_are_offered(url: str) -> None:
    await_offer(["billing.mul"], "-b", url, "call", "billing.m")
    inventory = [f"inventory.{name}" for name in ("item", "release", "reserve", "search", "stock")]
    await_offer(inventory, "describe", "inv", CELERY_RPC_BROKER=url)


def test_live_services_are_offered(url: str) -> None:
    await_offer(["mail", "media"], "-b", url, "ls", "m")


def test_nothing_is_offered_and_nothing_said_without_a_broker() -> None:
    assert complete("call", "billing") == []
    assert complete("-b", "redis://127.0.0.1:1", "call", "billing") == []


def test_commands_are_offered() -> None:
    assert complete("d") == ["describe", "diff", "doctor", "demo"]
