"""Connection: the client that a command works with."""

import logging
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any
from uuid import uuid4

import click
from click.core import ParameterSource

from celery_rpc.catalog.model import Catalog
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import given, is_given
from celery_rpc.client.client import Client, connect
from celery_rpc.errors import ConfigurationError
from celery_rpc.settings.client_options import UNSET
from celery_rpc.settings.sources import ENVIRONMENT
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.broker import BrokerTransport
from celery_rpc.transport.control import Command

#: Doubts about the fleet that ls and describe show.
SHOWN_DOUBTS = 5


@dataclass(frozen=True, slots=True)
class Session:
    """A client, and what only tools ask of it."""

    client: Client

    @property
    def transport(self) -> BrokerTransport:
        transport = self.client.caller.transport
        assert isinstance(transport, BrokerTransport)
        return transport

    @property
    def broker(self) -> str:
        """The broker's URL without its password."""
        return str(self.client.options.broker)

    def ask(self, method: str, nodes: Sequence[str], window: float) -> "dict[str, Answer]":
        """Send a remote control command to workers, and collect their answers.

        Args:
            method: such as ``ping`` (celery/worker/control.py).
            nodes: names of the workers; it ends as soon as all of them have answered.
            window: seconds after which it ends in any case.
        """
        ticket = uuid4().hex
        commands = {ticket: Command(method, destination=list(nodes))}
        inbox: SimpleQueue[tuple[Any, float]] = SimpleQueue()
        started = monotonic()
        deadline = Deadline.after(window)
        answers: dict[str, Answer] = {}
        try:
            self.transport.broadcast(
                commands, lambda _, body: inbox.put((body, monotonic())), Deadline.after(window)
            )
            while len(answers) < len(nodes):
                body, at = inbox.get(timeout=deadline.remaining())
                if isinstance(body, Mapping):
                    fitting = [node for node in body if node in nodes]
                    answers |= {node: Answer(body[node], at - started) for node in fitting}
        except Empty:
            pass  # the window is over
        finally:
            self.transport.unexpect(commands)
        return answers


@dataclass(frozen=True, slots=True)
class Answer:
    """What one worker answered, and after how many seconds."""

    body: Any
    seconds: float


@contextmanager
def open_session(ctx: click.Context, **limits: Any) -> Generator[Session, None, None]:
    """Return the session that a command's options ask for, and close it in the end.

    Args:
        limits: fields of ClientOptions.
    """
    set_up_logging(debug=is_given(ctx, "debug"))
    client = make_client(ctx, **limits)
    try:
        yield Session(client)
    finally:
        client.close()


def make_client(ctx: click.Context, **limits: Any) -> Client:
    """Read the options of the command line, and those of ``celery`` before ``celery rpc``.

    Raises:
        ConfigurationError: there is no broker, or something is wrong.
    """
    outer = of_celery(ctx.find_root())
    broker = given(ctx, "broker") or outer.get("broker")
    app = outer.get("app")
    if not (broker or app or any(map(os.environ.get, ENVIRONMENT))):
        raise ConfigurationError("no broker: use --broker URL, or set $CELERY_RPC_BROKER")
    timeout = given(ctx, "timeout")
    client: Client = connect(
        broker,
        backend=given(ctx, "backend") or outer.get("backend"),
        app=app,
        timeout=UNSET if timeout is None else timeout,
        **limits,
    )
    return client


def of_celery(root: click.Context) -> dict[str, Any]:
    """Return what ``celery -A app -b URL --result-backend URL`` was told, if that is the root."""
    app = getattr(root.obj, "app", None)
    if app is None:
        return {}
    # What Celery took from the environment stays behind our own variable there.
    told = {
        ours: root.params.get(theirs)
        for ours, theirs in (("broker", "broker"), ("backend", "result_backend"))
        if root.get_parameter_source(theirs) is ParameterSource.COMMANDLINE
    }
    # Without -A, Celery passes an app all the same: its default one, on a broker nobody named.
    return {**told, "app": app if root.params.get("app") else None}


def set_up_logging(*, debug: bool) -> None:
    """Keep the log off the terminal, unless it is asked for: errors are told once, at the end."""
    if debug:
        logging.basicConfig(level=logging.INFO)
    else:
        logging.getLogger("celery_rpc").addHandler(logging.NullHandler())


def say_doubts(catalog: Catalog) -> None:
    """Print to stderr what is not known about the fleet."""
    doubts = list(catalog.diagnostics)
    doubts += [f"{node} was there before and did not answer" for node in sorted(catalog.missing)]
    for doubt in doubts[:SHOWN_DOUBTS]:
        say(doubt, kind="note")
    if len(doubts) > SHOWN_DOUBTS:
        say(f"and {len(doubts) - SHOWN_DOUBTS} more: see celery-rpc doctor", kind="note")
