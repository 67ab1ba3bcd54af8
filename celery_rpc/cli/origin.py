"""Origin: where a command's catalog comes from: live workers, a file, a revision, or an app."""

import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog
from celery_rpc.cli.connection import SHOWN_DOUBTS, Session, open_session, say_doubts
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import Command, given, option
from celery_rpc.client.client import Client, connect
from celery_rpc.errors import ConfigurationError, DiscoveryError, NoSuchService
from celery_rpc.settings.broker_url import masked

#: Seconds that workers have to answer: what is written down should be whole.
WINDOW = 5.0

#: Seconds that git may take to give a file.
GIT_TIMEOUT = 30.0

_APP = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*(?:@.+)?")
_REVISION = re.compile(r"(?P<revision>[^-:][^:]*):(?P<path>.+\.json)")

FORMS = "a file, REVISION:FILE.json, MODULE:APP or a broker's URL"

OPTIONS = (
    option("--from-catalog", metavar="FILE", help="Read a saved catalog, ask nobody."),
    option(
        "--app",
        metavar="MODULE:APP[@QUEUE]",
        help="Read a service's own source, ask nobody. After @, the queue of its workers.",
    ),
)


def origin_options(command: Command) -> Command:
    """Let a command read its catalog from elsewhere than live workers."""
    for each in reversed(OPTIONS):
        command = each(command)
    return command


def offline(ctx: click.Context) -> Catalog | None:
    """Return the catalog that the options name, or None where live workers are to be asked.

    Raises:
        ConfigurationError: it cannot be read; says why.
    """
    file, app = given(ctx, "from_catalog"), given(ctx, "app")
    said = [name for name in ("from_catalog", "app", "broker") if given(ctx, name)]
    if len(said) > 1 and said != ["broker"]:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in said)
        raise click.UsageError(f"{names} name two catalogs: say one")
    if file:
        return saved.load(file)
    return of_app(app) if app else None


def read_catalog(ctx: click.Context, queues: Iterable[str] = ()) -> Catalog:
    """Return the catalog that a command's options name, with all that can be known of it.

    Args:
        queues: those that are wanted; none: all.

    Raises:
        ConfigurationError: it cannot be read; says why.
        DiscoveryError: no worker is online, or none listens on a queue that is wanted.
    """
    found = offline(ctx)
    if found is None:
        with open_session(ctx, discovery_window=WINDOW) as session:
            found = of_workers(session.client, session.broker)
    return only(found, queues)


def only(catalog: Catalog, queues: Iterable[str]) -> Catalog:
    """Return the part of a catalog that is behind some queues.

    Raises:
        NoSuchService: nothing is behind one of them.
    """
    wanted = list(queues)
    for queue in wanted:
        if queue not in catalog.services:
            known = ", ".join(catalog) or "none"
            raise NoSuchService(f"there is no service {queue!r} (there are: {known})", name=queue)
    if not wanted:
        return catalog
    services = {queue: service for queue, service in catalog.services.items() if queue in wanted}
    return replace(catalog, services=services)


# ----- one word that names a catalog


class Place:
    """A catalog that one word names; where it is live, its broker can be asked until it is closed.

    Raises:
        ConfigurationError, DiscoveryError, Unavailable: it cannot be read; says why.
    """

    def __init__(self, text: str) -> None:
        self._stack = ExitStack()
        #: None where nobody was asked.
        self.session: Session | None = None
        if "://" in text:
            client: Client = connect(text, discovery_window=WINDOW)
            self.session = Session(self._stack.enter_context(client))
            self.catalog = of_workers(client, masked(text))
        else:
            self.catalog = of_word(text)

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()


def of_word(text: str) -> Catalog:
    """Read a file, a revision of one, or an app.

    Raises:
        ConfigurationError: it is none of these, or cannot be read.
    """
    if Path(text).exists():
        return saved.load(text)
    revision = _REVISION.fullmatch(text)
    if revision is not None:
        return of_revision(revision["revision"], revision["path"])
    if text.endswith(".json"):
        return saved.load(text)
    if _APP.fullmatch(text):
        return of_app_apart(text)
    raise ConfigurationError(f"{text!r} names no catalog: give {FORMS}")


def of_workers(client: Client, broker: str) -> Catalog:
    """Ask the live workers for all that they tell.

    Raises:
        DiscoveryError: none is online.
    """
    client.refresh()
    if owed(client):
        client.refresh()
    catalog = client.detailed()
    say_doubts(catalog)
    for name in owed(client)[:SHOWN_DOUBTS]:
        say(f"the signature of {name} was not told in time", kind="note")
    if not catalog.services:
        raise DiscoveryError(f"no worker is online at {broker}: start a service")
    return catalog


def owed(client: Client) -> list[str]:
    """Return the tasks whose signatures are published, and did not come."""
    settled = client.caller.fleet.signatures.settled
    return [
        name
        for service in client.catalog.services.values()
        for name, spec in service.public.items()
        if spec.signature is None and spec.digest is not None and not settled(spec.digest)
    ]


def of_app(text: str) -> Catalog:
    """Read a service's own source: MODULE:APP, and after @ the queue of its workers.

    Raises:
        ConfigurationError: it cannot be imported, or there is no Celery app.
    """
    from celery import Celery
    from celery.app.utils import find_app
    from celery.utils.imports import cwd_in_path

    from celery_rpc.worker import catalog_of_app

    name, _, queue = text.partition("@")
    try:
        with cwd_in_path():
            found: Any = find_app(name)  # as celery -A does
            catalog = (
                catalog_of_app(found, queue=queue or None) if isinstance(found, Celery) else None
            )
    except Exception as error:  # whatever the service's modules raise
        module, _, attribute = name.partition(":")
        if attribute and isinstance(error, ModuleNotFoundError) and error.name == name:
            raise ConfigurationError(f"module {module} has no app {attribute!r}") from error
        raise ConfigurationError(f"app {name}: {type(error).__name__}: {error}") from error
    if catalog is None:
        raise ConfigurationError(f"app {name} is a {type(found).__name__}, no Celery app")
    return catalog


def of_app_apart(text: str) -> Catalog:
    """Read an app in a process of its own: in one process, Celery's apps share their tasks.

    Raises:
        ConfigurationError: it cannot be imported, or there is no Celery app.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.json"
        command = [sys.executable, "-m", "celery_rpc", "catalog", "save", str(file), "--app", text]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("error: ")[2]
            raise ConfigurationError(said or f"app {text} cannot be read")
        return saved.load(file)


def of_revision(revision: str, path: str) -> Catalog:
    """Read a saved catalog as it was in a revision of the git repository around.

    Raises:
        ConfigurationError: git has no such file, or it is no saved catalog.
    """
    name = f"{revision}:{path}"
    try:
        done = subprocess.run(
            ["git", "cat-file", "blob", name],
            capture_output=True,
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ConfigurationError(f"git cannot give {name}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise ConfigurationError(f"git cannot give {name}: {said}")
    return saved.from_json(done.stdout, name)
