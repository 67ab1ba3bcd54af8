"""ls, describe and ping: for people on a terminal, for programs in a pipe."""

import json
import re

from tests.acceptance.cli import on_terminal, run
from tests.servers import ValkeyBroker

SERVICES = ["billing", "inventory", "legacy", "mail", "media"]


def test_ls_in_a_pipe_is_a_line_a_service(url: str) -> None:
    lines = run("-b", url, "ls").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == SERVICES
    assert lines[0] == "billing\t10\t1\trpc\t"


def test_ls_of_a_service_gives_paths_that_call_takes(url: str) -> None:
    lines = [line.split("\t") for line in run("-b", url, "ls", "mail").stdout.splitlines()]
    assert [line[0] for line in lines] == [
        f"mail.{name}" for name in ("deliver", "digest", "log", "send", "slow")
    ]
    assert lines[2] == ["mail.log", "1", "rpc", "schema", ""], "it is answered"


def test_ls_as_json(url: str) -> None:
    shown = json.loads(run("-b", url, "ls", "--json").stdout)
    assert [service["queue"] for service in shown["services"]] == SERVICES
    assert shown["complete"] is True
    billing = json.loads(run("-b", url, "ls", "billing", "--json").stdout)
    assert "billing.add" in [task["name"] for task in billing["tasks"]]


def test_ls_on_a_terminal_is_a_table(url: str) -> None:
    shown = on_terminal("-b", url, "ls")
    assert "5 services, 31 tasks, 5 workers" in shown
    assert "SERVICE" in shown
    assert "\x1b[" in shown


def test_no_color_is_honoured(url: str) -> None:
    shown = on_terminal("-b", url, "call", "inventory.reserve", "desk", NO_COLOR="1")
    assert json.loads(re.sub(r"\x1b\[[01;]*m", "", shown))["left"] == 2
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_ls_without_services_is_empty(valkey: ValkeyBroker) -> None:
    done = run("-b", valkey.fresh_url(), "ls")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no worker is online" in done.stderr


def test_an_unknown_queue_is_3(url: str) -> None:
    for command in ("ls", "describe", "ping"):
        done = run("-b", url, command, "bilings")
        assert (done.returncode, done.stdout) == (3, ""), command
        assert "'billing'" in done.stderr


def test_describe_a_service(url: str) -> None:
    shown = run("-b", url, "describe", "billing").stdout
    assert shown.startswith("service\tbilling\n")
    assert "tasks\tbilling.add\n" in shown
    plain = json.loads(run("-b", url, "describe", "billing", "--json").stdout)
    assert plain["queue"] == "billing"


def test_describe_a_task(url: str) -> None:
    shown = run("-b", url, "describe", "legacy.tasks.ping").stdout
    assert "python\tclient.legacy.tasks.ping" in shown
    plain = json.loads(run("-b", url, "describe", "mail.log", "--json").stdout)
    assert (plain["queue"], plain["ignore_result"]) == ("mail", True)
    assert (plain["level"], plain["skewed"]) == ("schema", {})
    assert plain["signature"]["parameters"][0]["name"] == "line"
    shown = run("-b", url, "describe", "billing.charge").stdout
    assert "signature\t(account: str, amount: Decimal) -> Receipt\n" in shown
    assert "errors\tInsufficientFunds: The account holds less" in shown


def test_ping_gives_milliseconds(url: str) -> None:
    done = run("-b", url, "ping")
    assert done.returncode == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [node.partition("@")[0] for node, _, _ in rows] == SERVICES
    assert all(float(ms) > 0 for _, ms, _ in rows)
    [mail] = json.loads(run("-b", url, "ping", "mail", "--json").stdout)
    assert mail["worker"].startswith("mail@")
