"""call: a task's value on stdout, and what it ended with as the exit code."""

import json
import os
import sys
import uuid
from pathlib import Path

from tests.acceptance.cli import run


def test_prints_the_value(url: str) -> None:
    done = run("call", "billing.add", "1", "1", CELERY_RPC_BROKER=url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_takes_well_under_two_seconds_start_up_included(url: str) -> None:
    """By the processor's clock, which other processes do not slow down."""
    before = os.times()
    assert run("-b", url, "call", "billing.add", "1", "1").stdout == "2\n"
    after = os.times()
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 1.5


def test_imports_no_transport_of_kombu(url: str) -> None:
    program = (
        "import sys; from celery_rpc.cli import main; main(standalone_mode=False); "
        "print('kombu.transport.base' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = run("-b", url, "call", "billing.add", "1", "1", command=command)
    assert done.stdout.splitlines() == ["2", "False"], done.stderr


def test_takes_negative_numbers(url: str) -> None:
    assert run("-b", url, "call", "billing.mul", "-3", "-4").stdout == "12\n"


def test_prints_text_as_text_and_with_json_as_json(url: str) -> None:
    assert run("-b", url, "call", "legacy.tasks.ping").stdout == "pong\n"
    assert run("-b", url, "call", "legacy.tasks.ping", "--json", "{}").stdout == '"pong"\n'


def test_prints_structures_as_json(url: str) -> None:
    done = run("-b", url, "call", "inventory.search", "--json", '{"tag": "wood", "limit": 1}')
    [chair] = json.loads(done.stdout)
    assert chair["sku"] == "chair"


def test_takes_text_where_it_is_no_json(url: str) -> None:
    assert run("-b", url, "call", "inventory.stock", "desk").stdout == "3\n"


def test_takes_a_name_with_the_queue_before_a_colon(url: str) -> None:
    assert run("-b", url, "call", "billing:billing.add", "2", "3").stdout == "5\n"


def test_reads_arguments_from_a_file_or_from_stdin(url: str, tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"x": 20, "y": 22}')
    assert run("-b", url, "call", "billing.add", "-d", f"@{file}").stdout == "42\n"
    assert run("-b", url, "call", "billing.add", "-d", "@-", stdin="[1, 2]").stdout == "3\n"


def test_never_writes_what_a_terminal_would_obey(url: str) -> None:
    done = run("-b", url, "call", "legacy.tasks.concat", '"\\u001b[31mred\\u009b"')
    assert done.stdout == "\\u001b[31mred\\u009b\n"
    done = run("-b", url, "call", "legacy.tasks.report", '"\\u001b[31mred\\u007f"')
    assert json.loads(done.stdout)["title"] == "\x1b[31mred\x7f"
    assert "\x1b" not in done.stdout
    assert "\x7f" not in done.stdout


def test_a_remote_exception_is_1_with_its_traceback_on_stderr(url: str) -> None:
    done = run("-b", url, "call", "billing.divide", "1", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "return x / y" in done.stderr
    assert done.stderr.endswith("error: ZeroDivisionError: division by zero\n")


def test_a_wrong_name_is_3_and_names_the_near_ones(url: str) -> None:
    done = run("-b", url, "call", "billing.ad", "1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "did you mean 'add'?" in done.stderr
    done = run("-b", url, "call", "biling.add", "1")
    assert done.returncode == 3
    assert "'billing.add'" in done.stderr


def test_a_service_is_no_task(url: str) -> None:
    done = run("-b", url, "call", "billing")
    assert done.returncode == 3
    assert "billing.add" in done.stderr


def test_a_deadline_is_5(url: str) -> None:
    done = run("-b", url, "call", "mail.slow", "0.5", "--timeout", "0.1")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: no reply to mail.slow")


def test_results_that_go_elsewhere_are_6_and_a_call_can_be_sent_without_waiting(url: str) -> None:
    elsewhere = ("-b", url, "--backend", url, "call", "mail.log", "hello")
    done = run(*elsewhere)
    assert (done.returncode, done.stdout) == (6, "")
    assert "leave connect(backend=...) out" in done.stderr
    done = run(*elsewhere, "--no-wait")
    assert done.returncode == 0
    assert uuid.UUID(done.stdout.strip())


def test_a_mistyped_option_is_2(url: str) -> None:
    done = run("-b", url, "call", "billing.add", "1", "--timout", "3")
    assert done.returncode == 2
    assert "No such option: --timout" in done.stderr


def test_an_argument_that_does_not_fit_is_2(url: str) -> None:
    done = run("-b", url, "call", "billing.add", "one", "1")
    assert done.returncode == 2
    assert "x: Input should be a valid integer" in done.stderr


def test_what_follows_two_dashes_is_an_argument(url: str) -> None:
    done = run("-b", url, "call", "legacy.tasks.concat", "--", "--timout", "-x")
    assert done.stdout == "--timout-x\n"


def test_an_option_after_the_command_wins(url: str) -> None:
    done = run("-b", "redis://localhost:1", "call", "billing.add", "1", "1", "-b", url)
    assert done.stdout == "2\n"
