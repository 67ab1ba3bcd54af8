"""The command line as a user types it, against the example services on an embedded broker."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis

from celery_rpc.cli.shop import open_shop
from celery_rpc.testing.embedded import EmbeddedBroker
from tests.servers import ValkeyBroker, wait_until

SECONDS = 45.0
MARK = "CELERY_RPC_TEST_MARK"
CLI = [sys.executable, "-m", "celery_rpc"]
CELERY = [sys.executable, "-m", "celery"]
SERVICES = ["billing", "inventory", "legacy", "mail", "media"]


def environment(**variables: str) -> dict[str, str]:
    """Give the tests' environment without what would tell the command line anything."""
    dropped = ("CELERY_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "TERM": "xterm", **variables}


@contextmanager
def started(*args: str, mark: str) -> Iterator["subprocess.Popen[str]"]:
    """Run it in a session of its own; whatever the test finds, nothing is left afterwards."""
    with subprocess.Popen(
        [*CLI, *args],
        env=environment(CELERY_RPC_TEST_MARK=mark),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            for left in [*children(process.pid), *marked(mark)]:
                with suppress(psutil.NoSuchProcess):
                    left.kill()


def children(pid: int) -> list[psutil.Process]:
    """Give the descendants of a process."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Give those that have not ended; nobody may have waited for one that has."""
    _, alive = psutil.wait_procs(processes, timeout=0)
    return [each for each in alive if each.is_running() and each.status() != "zombie"]


def run(
    *args: str, stdin: str = "", command: Sequence[str] = tuple(CLI), **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run it, with these environment variables."""
    return subprocess.run(
        [*command, *args],
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def marked(mark: str) -> list[psutil.Process]:
    """Give the processes that carry a mark in their environment."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def on_terminal(*args: str, **variables: str) -> str:
    """Run it on a terminal of 80 columns, and give what that would show."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [*CLI, *args],
        env=environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with open(ours, "rb", buffering=0) as screen:
        try:
            while piece := screen.read(4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
    process.wait(SECONDS)
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The example services on a broker of their own."""
    with EmbeddedBroker() as broker, open_shop(broker.url, pool="threads") as shop:
        shop.ready()
        yield broker.url


class TestCall:
    def test_prints_the_value(self, url: str) -> None:
        done = run("call", "billing.add", "1", "1", CELERY_RPC_BROKER=url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")

    def test_takes_negative_numbers(self, url: str) -> None:
        assert run("-b", url, "call", "billing.mul", "-3", "-4").stdout == "12\n"

    def test_prints_text_as_text_and_with_json_as_json(self, url: str) -> None:
        assert run("-b", url, "call", "legacy.tasks.ping").stdout == "pong\n"
        assert run("-b", url, "call", "legacy.tasks.ping", "--json", "{}").stdout == '"pong"\n'

    def test_prints_structures_as_json(self, url: str) -> None:
        done = run("-b", url, "call", "inventory.search", "--json", '{"tag": "wood", "limit": 1}')
        [chair] = json.loads(done.stdout)
        assert chair["sku"] == "chair"

    def test_takes_text_where_it_is_no_json(self, url: str) -> None:
        assert run("-b", url, "call", "inventory.stock", "desk").stdout == "3\n"

    def test_takes_a_name_with_the_queue_before_a_colon(self, url: str) -> None:
        assert run("-b", url, "call", "billing:billing.add", "2", "3").stdout == "5\n"

    def test_reads_arguments_from_a_file_or_from_stdin(self, url: str, tmp_path: Path) -> None:
        file = tmp_path / "arguments.json"
        file.write_text('{"x": 20, "y": 22}')
        assert run("-b", url, "call", "billing.add", "-d", f"@{file}").stdout == "42\n"
        assert run("-b", url, "call", "billing.add", "-d", "@-", stdin="[1, 2]").stdout == "3\n"

    def test_never_writes_what_a_terminal_would_obey(self, url: str) -> None:
        done = run("-b", url, "call", "legacy.tasks.concat", '"\\u001b[31mred\\u009b"')
        assert done.stdout == "\\u001b[31mred\\u009b\n"
        done = run("-b", url, "call", "legacy.tasks.report", '"\\u001b[31mred\\u007f"')
        assert json.loads(done.stdout)["title"] == "\x1b[31mred\x7f"
        assert "\x1b" not in done.stdout
        assert "\x7f" not in done.stdout

    def test_a_remote_exception_is_1_with_its_traceback_on_stderr(self, url: str) -> None:
        done = run("-b", url, "call", "billing.divide", "1", "0")
        assert (done.returncode, done.stdout) == (1, "")
        assert "return x / y" in done.stderr
        assert done.stderr.endswith("error: ZeroDivisionError: division by zero\n")

    def test_a_wrong_name_is_3_and_names_the_near_ones(self, url: str) -> None:
        done = run("-b", url, "call", "billing.ad", "1")
        assert (done.returncode, done.stdout) == (3, "")
        assert "did you mean 'add'?" in done.stderr
        done = run("-b", url, "call", "biling.add", "1")
        assert done.returncode == 3
        assert "'billing.add'" in done.stderr

    def test_a_service_is_no_task(self, url: str) -> None:
        done = run("-b", url, "call", "billing")
        assert done.returncode == 3
        assert "billing.add" in done.stderr

    def test_a_deadline_is_5(self, url: str) -> None:
        done = run("-b", url, "call", "mail.slow", "0.5", "--timeout", "0.1")
        assert (done.returncode, done.stdout) == (5, "")
        assert done.stderr.startswith("error: no reply to mail.slow")

    def test_a_task_without_a_result_is_6_and_can_be_sent_without_waiting(self, url: str) -> None:
        assert run("-b", url, "call", "mail.log", "hello").returncode == 6
        done = run("-b", url, "call", "mail.log", "hello", "--no-wait")
        assert done.returncode == 0
        assert uuid.UUID(done.stdout.strip())

    def test_a_mistyped_option_is_2(self, url: str) -> None:
        done = run("-b", url, "call", "billing.add", "1", "--timout", "3")
        assert done.returncode == 2
        assert "No such option: --timout" in done.stderr

    def test_what_follows_two_dashes_is_an_argument(self, url: str) -> None:
        done = run("-b", url, "call", "legacy.tasks.concat", "--", "--timout", "-x")
        assert done.stdout == "--timout-x\n"

    def test_an_option_after_the_command_wins(self, url: str) -> None:
        done = run("-b", "redis://localhost:1", "call", "billing.add", "1", "1", "-b", url)
        assert done.stdout == "2\n"


class TestListings:
    def test_ls_in_a_pipe_is_a_line_a_service(self, url: str) -> None:
        lines = run("-b", url, "ls").stdout.splitlines()
        assert [line.split("\t")[0] for line in lines] == SERVICES
        assert lines[0] == "billing\t10\t1\trpc\t"

    def test_ls_of_a_service_gives_paths_that_call_takes(self, url: str) -> None:
        lines = [line.split("\t") for line in run("-b", url, "ls", "mail").stdout.splitlines()]
        assert [line[0] for line in lines] == [
            f"mail.{name}" for name in ("deliver", "digest", "log", "send", "slow")
        ]
        assert lines[2] == ["mail.log", "1", "rpc", "schema", "no result"]

    def test_ls_as_json(self, url: str) -> None:
        shown = json.loads(run("-b", url, "ls", "--json").stdout)
        assert [service["queue"] for service in shown["services"]] == SERVICES
        assert shown["complete"] is True
        billing = json.loads(run("-b", url, "ls", "billing", "--json").stdout)
        assert "billing.add" in [task["name"] for task in billing["tasks"]]

    def test_ls_on_a_terminal_is_a_table(self, url: str) -> None:
        shown = on_terminal("-b", url, "ls")
        assert "5 services, 31 tasks, 5 workers" in shown
        assert "SERVICE" in shown
        assert "\x1b[" in shown

    def test_no_color_is_honoured(self, url: str) -> None:
        shown = on_terminal("-b", url, "call", "inventory.reserve", "desk", NO_COLOR="1")
        assert json.loads(re.sub(r"\x1b\[[01;]*m", "", shown))["left"] == 2
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)

    def test_ls_without_services_is_empty(self, valkey: ValkeyBroker) -> None:
        done = run("-b", valkey.fresh_url(), "ls")
        assert (done.returncode, done.stdout) == (0, "")
        assert "no worker is online" in done.stderr

    def test_an_unknown_queue_is_3(self, url: str) -> None:
        for command in ("ls", "describe", "ping"):
            done = run("-b", url, command, "bilings")
            assert (done.returncode, done.stdout) == (3, ""), command
            assert "'billing'" in done.stderr

    def test_describe_a_service(self, url: str) -> None:
        shown = run("-b", url, "describe", "billing").stdout
        assert shown.startswith("service\tbilling\n")
        assert "tasks\tbilling.add\n" in shown
        plain = json.loads(run("-b", url, "describe", "billing", "--json").stdout)
        assert plain["queue"] == "billing"

    def test_describe_a_task(self, url: str) -> None:
        shown = run("-b", url, "describe", "legacy.tasks.ping").stdout
        assert "python\tclient.legacy.tasks.ping" in shown
        plain = json.loads(run("-b", url, "describe", "mail.log", "--json").stdout)
        assert (plain["queue"], plain["ignore_result"]) == ("mail", True)
        assert (plain["level"], plain["skewed"]) == ("schema", {})
        assert plain["signature"]["parameters"][0]["name"] == "line"
        shown = run("-b", url, "describe", "billing.charge").stdout
        assert "signature\t(account: str, amount: Decimal) -> Receipt\n" in shown
        assert "errors\tInsufficientFunds: The account holds less" in shown

    def test_ping_gives_milliseconds(self, url: str) -> None:
        done = run("-b", url, "ping")
        assert done.returncode == 0
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        assert [node.partition("@")[0] for node, _, _ in rows] == SERVICES
        assert all(0 < float(ms) < 1000 for _, ms, _ in rows)
        [mail] = json.loads(run("-b", url, "ping", "mail", "--json").stdout)
        assert mail["worker"].startswith("mail@")


class TestDoctor:
    def test_a_healthy_fleet_is_0(self, url: str) -> None:
        # A reply that comes after its client has closed stays on Redis: other tests make some.
        run("-b", url, "doctor", "--clean")
        done = run("-b", url, "doctor")
        assert done.returncode == 0
        severities = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert severities == ["ok", "ok", "note"]
        assert "5 services and 5 workers online" in done.stdout

    def test_findings_are_1_each_with_its_remedy(self, valkey: ValkeyBroker) -> None:
        broker = valkey.fresh_url()
        with valkey.client(broker) as server:
            server.lpush("orphans", "message")
        done = run("-b", broker, "doctor", "orphans", "--json")
        assert done.returncode == 1
        found = {each["text"]: each["remedy"] for each in json.loads(done.stdout)}
        assert found["1 message in queue orphans, and no worker listens"].startswith("start a")
        assert all(found.values())

    def test_clean_deletes_what_dead_clients_left_and_nothing_else(
        self, url: str, valkey: ValkeyBroker
    ) -> None:
        broker = valkey.fresh_url()
        dead = {"celery-rpc.reply.dead", "celery-rpc.reply.dead.taken", "old.reply.celery.pidbox"}
        live = {"celery-rpc.reply.live", "new.reply.celery.pidbox", "end.reply.celery.pidbox"}
        with valkey.client(broker) as server:
            for key in dead | live:
                server.lpush(key, "message")
            server.set("celery-rpc.reply.live.alive", "host")
            server.expire("end.reply.celery.pidbox", 600)
            make_idle(server, "old.reply.celery.pidbox", 600)
            make_idle(server, "end.reply.celery.pidbox", 600, expires=600)
            shown = run("-b", broker, "doctor").stdout
            assert "2 reply lists of dead clients" in shown
            assert "1 mailbox that Celery left: old.reply.celery.pidbox" in shown
            done = run("-b", broker, "doctor", "--clean")
            assert "3 keys deleted" in done.stderr
            left = {key.decode() for key in server.keys("*")}
        assert left == {*live, "celery-rpc.reply.live.alive"}

    def test_a_broker_that_is_down_is_4(self) -> None:
        done = run("-b", "redis://127.0.0.1:1/0", "doctor")
        assert done.returncode == 4
        assert "Connection refused" in done.stderr


def make_idle(server: "redis.Redis", key: str, seconds: int, expires: int = 0) -> None:
    """Let a key look as if nobody had touched it for so long."""
    payload = server.dump(key)
    server.delete(key)
    server.execute_command("RESTORE", key, expires * 1000, payload, "IDLETIME", seconds)


class TestBrokers:
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
        self, broker: str, code: int, message: str
    ) -> None:
        for extra in ((), ("--debug",)):
            done = run("-b", broker, *extra, "ls")
            assert done.returncode == code, done.stderr
            assert message in done.stderr
            assert "s3cret" not in done.stdout + done.stderr

    def test_a_wrong_password_is_4(self) -> None:
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

    def test_no_broker_is_2(self) -> None:
        done = run("ls")
        assert done.returncode == 2
        assert done.stderr == "error: no broker: use --broker URL, or set $CELERY_RPC_BROKER\n"

    def test_an_unreachable_backend_is_an_error(self, url: str) -> None:
        done = run("-b", url, "--backend", "redis://127.0.0.1:1/0", "call", "billing.add", "1", "1")
        assert done.returncode == 4
        assert done.stderr.startswith("error: ")


class TestUnderCelery:
    def test_it_is_a_command_of_celery(self, url: str) -> None:
        done = run("rpc", "ls", command=CELERY, CELERY_RPC_BROKER=url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("billing\t")

    def test_celerys_broker_is_honoured(self, url: str) -> None:
        nowhere = "redis://localhost:1"
        args = ("-b", url, "rpc", "call", "billing.add", "1", "1")
        done = run(*args, command=CELERY, CELERY_RPC_BROKER=nowhere)
        assert done.stdout == "2\n", done.stderr

    def test_the_broker_of_celerys_app_is_honoured(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "shopfront.py").write_text(
            f"from celery import Celery\napp = Celery('shopfront', broker={url!r})\n"
        )
        args = ("-A", "shopfront", "--workdir", str(tmp_path), "rpc", "ls", "billing")
        done = run(*args, command=CELERY)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("billing.add\t")

    def test_exit_codes_are_ours(self, url: str) -> None:
        assert run("-b", url, "rpc", "ls", "nothing", command=CELERY).returncode == 3


class TestShell:
    def test_a_script_on_stdin_has_the_client_and_the_services(self, url: str) -> None:
        script = "print(billing.add(1, 1), client.mail)"
        assert run("-b", url, "shell", stdin=script).stdout == "2 <Namespace mail>\n"


class TestCompletion:
    def complete(self, *words: str, **variables: str) -> list[str]:
        line = " ".join(("celery-rpc", *words))
        done = run(
            COMP_WORDS=line,
            COMP_CWORD=str(len(words)),
            _CELERY_RPC_COMPLETE="bash_complete",
            **variables,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [item.partition(",")[2] for item in done.stdout.split()]

    def test_live_tasks_are_offered(self, url: str) -> None:
        assert self.complete("-b", url, "call", "billing.m") == ["billing.mul"]
        assert self.complete("describe", "inv", CELERY_RPC_BROKER=url) == [
            "inventory.item",
            "inventory.release",
            "inventory.reserve",
            "inventory.search",
            "inventory.stock",
        ]

    def test_live_services_are_offered(self, url: str) -> None:
        assert self.complete("-b", url, "ls", "m") == ["mail", "media"]

    def test_nothing_is_offered_and_nothing_said_without_a_broker(self) -> None:
        assert self.complete("call", "billing") == []
        assert self.complete("-b", "redis://127.0.0.1:1", "call", "billing") == []

    def test_commands_are_offered(self) -> None:
        assert self.complete("d") == ["describe", "diff", "doctor", "demo"]


class TestDemo:
    def test_it_ends_well_and_leaves_no_process(self) -> None:
        mark = uuid.uuid4().hex
        done = run("demo", CELERY_RPC_TEST_MARK=mark)
        assert done.returncode == 0, done.stdout + done.stderr
        assert marked(mark) == []
        assert "ZeroDivisionError: division by zero" in done.stdout
        assert "did you mean 'add'?" in done.stdout
        assert re.search(r"All \d+ as expected", done.stdout)
        assert done.stderr == ""
        assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]
        [broker] = set(re.findall(r"redis://127\.0\.0\.1:\d+/0", done.stdout))
        assert run("-b", broker, "ls").returncode == 4

    @pytest.mark.parametrize("descendants", [1, 2, 4, 6])
    def test_an_interrupt_ends_it_and_leaves_no_process(self, descendants: int) -> None:
        mark = uuid.uuid4().hex
        with started("demo", mark=mark) as process:
            wait_until(lambda: len(children(process.pid)) >= descendants, what="its children")
            family = children(process.pid)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SECONDS)
            assert process.returncode == 130
            assert running(family) == []
            assert marked(mark) == []


class TestUp:
    @pytest.mark.parametrize("whole_group", [False, True], ids=["kill", "ctrl-c"])
    def test_it_serves_until_sigint_and_leaves_no_process(self, whole_group: bool) -> None:
        mark = uuid.uuid4().hex
        with started("up", mark=mark) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert run("-b", url, "call", "billing.add", "1", "1").stdout == "2\n"
            family = children(process.pid)
            assert len(family) > 6
            if whole_group:  # as a terminal does, to the workers too
                os.killpg(process.pid, signal.SIGINT)
            else:
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)
            assert (process.returncode, errors) == (0, "")
            assert running(family) == []
            assert marked(mark) == []

    def test_a_port_that_is_taken_is_4(self, url: str) -> None:
        port = url.split(":")[2].partition("/")[0]
        done = run("up", "--port", port)
        assert done.returncode == 4
        assert "already in use" in done.stderr
