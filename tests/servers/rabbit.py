"""A private RabbitMQ node."""

import itertools
import json
import os
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.servers.certificates import Certificates
from tests.servers.guard import GUARD
from tests.servers.missing import missing
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

# rabbitmqctl starts a virtual machine of its own for every call. This evaluates expressions
# inside the node instead, a few milliseconds each; only this user can open the socket.
CONTROL = r"""
spawn(fun() ->
    Evaluate = fun(Text) ->
        try
            {ok, Tokens, _} = erl_scan:string(Text),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            {value, Value, _} = erl_eval:exprs(Expressions, []),
            case Value of
                Binary when is_binary(Binary) -> [<<"ok ">>, Binary];
                _ -> [<<"ok ">>, unicode:characters_to_binary(io_lib:format("~0tp", [Value]))]
            end
        catch Class:Reason ->
            [<<"error ">>, unicode:characters_to_binary(io_lib:format("~0tp", [{Class, Reason}]))]
        end
    end,
    {ok, Listener} = gen_tcp:listen(
        0, [binary, {ifaddr, {local, "%s"}}, {packet, 4}, {active, false}]),
    Serve = fun Serve() ->
        {ok, Socket} = gen_tcp:accept(Listener),
        case gen_tcp:recv(Socket, 0) of
            {ok, Text} ->
                gen_tcp:send(Socket, Evaluate(unicode:characters_to_list(Text)));
            {error, _} ->
                gone
        end,
        gen_tcp:close(Socket),
        Serve()
    end,
    Serve()
end).
"""

CONFIGURATION = """
listeners.tcp.default = 127.0.0.1:{port}
log.console = false
log.file.level = info
disk_free_limit.absolute = 1MB
"""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the broker says of one queue."""

    messages: int
    ready: int
    unacknowledged: int
    consumers: int
    #: Milliseconds without a consumer after which it is deleted (x-expires); -1 for never.
    expires: int


class RabbitBroker:
    """A RabbitMQ node with an epmd of its own, both listening on 127.0.0.1 alone."""

    kind = "rabbitmq"

    def __init__(self) -> None:
        self._scripts = self.scripts()
        self._epmd_program = shutil.which("epmd") or missing("epmd, a part of Erlang, is missing")
        self.port = free_port()
        self._vhosts = itertools.count(1)
        # Short: the path of a local socket may have no more than some 100 characters.
        self._directory = GUARD.directory(self.kind)
        self._control = self._directory / "control"
        self._epmd: ServerProcess | None = None
        self._node: ServerProcess | None = None
        epmd_port = free_port()
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._directory),  # where the node and rabbitmqctl share a cookie
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_INETRC": str(self._directory / "inetrc"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the node, whose pid is then ours
            "RABBITMQ_CONF_ENV_FILE": str(self._directory / "no-such-file"),
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(self._directory / "log"),
            "RABBITMQ_MNESIA_BASE": str(self._directory / "mnesia"),
            "RABBITMQ_NODENAME": f"tests-{epmd_port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    @classmethod
    def scripts(cls) -> Path:
        """Return the directory of RabbitMQ's own scripts; skip the test where there is none.

        Debian's rabbitmq-server on PATH is a wrapper that only root and rabbitmq may run.
        """
        installed = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
        on_path = shutil.which("rabbitmq-server")
        if on_path:
            installed.append(Path(on_path).resolve().parent)
        usable = [directory for directory in installed if (directory / "rabbitmq-env").exists()]
        return usable[-1] if usable else missing("rabbitmq-server is not installed")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<RabbitBroker {self.url} {self._node!r}>"

    @property
    def process(self) -> ServerProcess:
        """The running node, or the last one that ran."""
        assert self._node is not None, "not started"
        return self._node

    @property
    def pid(self) -> int:
        """The node's process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What the node printed and logged."""
        logs = sorted((self._directory / "log").glob("*.log"))
        return "\n".join([self.process.log, *(path.read_text(errors="replace") for path in logs)])

    @property
    def url(self) -> str:
        """The URL of the default virtual host."""
        return self.vhost_url("/")

    def vhost_url(self, vhost: str, *, user: str = "guest", password: str = "guest") -> str:
        """Return the URL of one virtual host."""
        path = "%2F" if vhost == "/" else vhost
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{path}"

    def start(self) -> Self:
        """Start epmd and the node, and wait for the end of its boot: it accepts clients."""
        (self._directory / "rabbitmq.conf").write_text(CONFIGURATION.format(port=self.port))
        (self._directory / "enabled_plugins").write_text("[].\n")
        # Names from /etc/hosts: no name server is asked, and no helper process is needed.
        (self._directory / "inetrc").write_text("{lookup, [file]}.\n")
        self._epmd = ServerProcess(
            [self._epmd_program, "-port", self._environment["ERL_EPMD_PORT"]],
            log=self._directory / "epmd.log",
            env=self._environment,
        )
        self._start_node()
        return self

    def _start_node(self) -> None:
        self._control.unlink(missing_ok=True)
        self._node = ServerProcess(
            [str(self._scripts / "rabbitmq-server"), "-noinput", "-eval", CONTROL % self._control],
            log=self._directory / "node.log",
            env=self._environment,
        )
        try:
            self._node.wait_until(self._control.exists, timeout=60, what="the end of its boot")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the node and its epmd, and remove their directory."""
        for process in (self._node, self._epmd):
            if process is not None:
                process.terminate(timeout=10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL the node; its epmd lives on for restart()."""
        self.process.kill()

    def restart(self) -> None:
        """End the node if it runs and start it on the same port; durable state is kept."""
        self.process.terminate(timeout=10)
        self._start_node()

    def freeze(self) -> None:
        """SIGSTOP: connections stay, new ones are accepted by the kernel, nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.thaw()

    def stop_app(self) -> None:
        """Stop the broker inside the node, as `rabbitmqctl stop_app`: its port closes."""
        self.evaluate("rabbit:stop()")

    def start_app(self) -> None:
        """Start what stop_app() stopped; durable state is kept."""
        self.evaluate("rabbit:start()")

    def ctl(self, *args: str, timeout: float = 30.0) -> str:
        """Run rabbitmqctl against this node and return its output."""
        done = subprocess.run(
            [str(self._scripts / "rabbitmqctl"), *args],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {args}: {done.stdout}{done.stderr}")
        return done.stdout

    def evaluate(self, expression: str, *, timeout: float = 30.0) -> str:
        """Evaluate an Erlang expression in the node; return the value as text, binaries raw."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._control))
            text = f"{expression}.".encode()
            connection.sendall(struct.pack(">I", len(text)) + text)
            with connection.makefile("rb") as answers:
                (length,) = struct.unpack(">I", answers.read(4))
                status, _, value = answers.read(length).decode().partition(" ")
        if status != "ok":
            raise RuntimeError(f"{expression}: {value}")
        return str(value)

    def fresh_url(self) -> str:
        """Return the URL of a virtual host that nobody was given before."""
        return self.vhost_url(self.vhost())

    def vhost(self) -> str:
        """Create a virtual host with full rights for guest, and return its name."""
        name = f"v{next(self._vhosts)}"
        self.evaluate(f'rabbit_vhost:add({_binary(name)}, <<"tests">>)')
        self.set_permissions(name)
        return name

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all its queues; its clients are disconnected."""
        self.evaluate(f'rabbit_vhost:delete({_binary(name)}, <<"tests">>)')

    def add_user(self, name: str, password: str) -> None:
        """Create a user who has no rights yet, unless there is one of this name."""
        self.evaluate(
            f"case rabbit_auth_backend_internal:lookup_user({_binary(name)}) of "
            "  {ok, _} -> ok; {error, not_found} -> rabbit_auth_backend_internal:add_user("
            f'    {_binary(name)}, {_binary(password)}, <<"tests">>) end'
        )

    def listen_tls(self, certificates: Certificates) -> int:
        """Listen with TLS too, until the node ends; return the port."""
        port = free_port()
        options = ", ".join(
            f'{{{name}, "{path}"}}'
            for name, path in (
                ("cacertfile", certificates.authority),
                ("certfile", certificates.certificate),
                ("keyfile", certificates.key),
            )
        )
        self.evaluate(
            "application:ensure_all_started(ssl), rabbit_networking:start_ssl_listener("
            f'{{"127.0.0.1", {port}, auto}}, [{options}, {{verify, verify_none}}], 2)'
        )
        return port

    def set_permissions(
        self,
        vhost: str,
        *,
        user: str = "guest",
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
    ) -> None:
        """Give a user rights on a virtual host: three regular expressions of names."""
        rights = ", ".join(map(_binary, (user, vhost, configure, write, read)))
        self.evaluate(f'rabbit_auth_backend_internal:set_permissions({rights}, <<"tests">>)')

    def queues(self, vhost: str) -> dict[str, QueueState]:
        """Return every queue of a virtual host by its name."""
        listed = self.evaluate(
            "unicode:characters_to_binary(lists:join($\\n, ["
            '  io_lib:format("~b ~b ~b ~b ~b ~ts", [M, R, U, C, element(3,'
            '    lists:keyfind(<<"x-expires">>, 1, A ++ [{<<"x-expires">>, none, -1}])), Name])'
            "  || [{name, {resource, _, queue, Name}}, {messages, M}, {messages_ready, R},"
            "      {messages_unacknowledged, U}, {consumers, C}, {arguments, A}]"
            "    <- rabbit_amqqueue:info_all("
            f"        {_binary(vhost)}, [name, messages, messages_ready,"
            "         messages_unacknowledged, consumers, arguments])]))"
        )
        found = {}
        for line in listed.splitlines():
            *counts, name = line.split(" ", 5)
            found[name] = QueueState(*map(int, counts))
        return found

    def delete_queue(self, vhost: str, name: str) -> None:
        """Delete a queue with its messages, also one that is exclusive to a connection."""
        self.evaluate(
            f"{{ok, Queue}} = rabbit_amqqueue:lookup("
            f"rabbit_misc:r({_binary(vhost)}, queue, {_binary(name)})),"
            f'rabbit_amqqueue:delete(Queue, false, false, <<"tests">>)'
        )

    def close_connections(self, vhost: str, reason: str = "closed by the tests") -> None:
        """Close every connection to a virtual host, as an operator would."""
        self.evaluate(
            "[rabbit_networking:close_connection(Pid, "
            f"{json.dumps(reason)}) || Pid <- rabbit_networking:connections(),"
            f"  [{{vhost, {_binary(vhost)}}}] =:= rabbit_networking:connection_info(Pid, [vhost])]"
        )

    def block_publishers(self) -> None:
        """Raise the memory alarm: the broker stops reading from connections that publish."""
        self.evaluate("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []})")

    def unblock_publishers(self) -> None:
        """Clear the memory alarm."""
        self.evaluate("rabbit_alarm:clear_alarm({resource_limit, memory, node()})")


def _binary(text: str) -> str:
    """Write a Python string as an Erlang binary."""
    return f"<<{', '.join(map(str, text.encode()))}>>"
