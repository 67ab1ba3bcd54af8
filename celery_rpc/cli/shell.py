"""``shell``: a Python prompt with a client."""

import code
import sys
from typing import Any

import click

from celery_rpc.cli.connection import Session, open_session, say_doubts
from celery_rpc.cli.options import connection_options
from celery_rpc.cli.output import escaped
from celery_rpc.cli.paths import is_attribute


@click.command()
@connection_options
@click.pass_context
def shell(ctx: click.Context) -> None:
    """Open a Python shell with a client of the services.

    ``client`` is the client, and every service is there by its name. IPython is used where it is
    installed; a script on the standard input is run by Python's own console.
    """
    with open_session(ctx) as session:
        names = namespace(session)
        say_doubts(session.client.catalog)
        if sys.stdin.isatty():
            converse(banner(session, names), names)
        else:
            exec(compile(sys.stdin.read(), "<stdin>", "exec"), names)


def namespace(session: Session) -> dict[str, Any]:
    """Return what the shell starts with; the client wins over a service of that name."""
    client = session.client
    services = {name: client[name] for name in client.catalog if is_attribute(name)}
    return {"__name__": "__main__", **services, "client": client}


def banner(session: Session, names: dict[str, Any]) -> str:
    """Print what is there."""
    catalog = session.client.catalog
    lines = [f"celery-rpc on {session.broker}: `client`, and its services"]
    for queue, service in catalog.services.items():
        reached = queue if queue in names and queue != "client" else f"client[{queue!r}]"
        lines.append(f"  {reached:<16} {len(service.public)} tasks, as in dir({reached})")
    if len(lines) == 1:
        lines.append("  none: no worker is online")
    return escaped("\n".join(lines))


def converse(greeting: str, names: dict[str, Any]) -> None:
    """Run IPython, or Python's own console."""
    try:
        from IPython import start_ipython
        from traitlets.config import Config
    except ImportError:
        code.interact(banner=greeting, local=names, exitmsg="")
        return
    config = Config()
    config.TerminalInteractiveShell.banner1 = greeting + "\n"
    config.TerminalInteractiveShell.enable_tip = False
    config.TerminalInteractiveShell.confirm_exit = False
    start_ipython(argv=[], user_ns=names, config=config)
