"""``demo`` and ``up``: the example services on an embedded broker."""

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from textwrap import indent, wrap
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from rich.syntax import Syntax
from rich.text import Text

from celery_rpc.catalog.model import Catalog, Service
from celery_rpc.cli.demo.scenes import SCENES, Scene
from celery_rpc.cli.demo.shop import Shop, open_shop
from celery_rpc.cli.interrupts import Interrupts
from celery_rpc.cli.output import console, escaped, is_terminal
from celery_rpc.client.client import connect
from celery_rpc.testing.embedded import EmbeddedBroker

if TYPE_CHECKING:
    from rich.console import Console

#: A longer result is cut: the demo is to be read. Characters.
LONGEST = 400


@click.command()
@click.pass_context
def demo(ctx: click.Context) -> None:
    """See it all work: an embedded broker, five services, and calls to them.

    Takes a few seconds and leaves nothing behind. Exit code 1 when something is not as it should.
    """
    screen = console()
    started = perf_counter()
    with (
        opened(screen, pool="threads", concurrency=4) as (broker, _),
        connect(broker.url) as client,
    ):
        show_tree(screen, broker.url, client.catalog)
        failed = [scene.title for scene in SCENES if not show(screen, scene, client)]
        if not failed:
            screen.print(Text("Ending the services ...", style="dim"))
    if failed:
        screen.print(Text(f"Not as expected: {'; '.join(failed)}", style="bold red"))
        ctx.exit(1)
    seconds = perf_counter() - started
    screen.print(Text(f"All {len(SCENES)} as expected, in {seconds:.1f} s.", style="green"))
    screen.print(Text("Next: celery-rpc up keeps the services open for your own calls."))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Of the broker. Default: a free one.")
@click.option(
    "--pool",
    type=click.Choice(["prefork", "threads", "solo"]),
    default="prefork",
    show_default=True,
    help="How each worker runs its tasks.",
)
def up(port: int | None, pool: str) -> None:
    """Keep an embedded broker and the example services running, until Ctrl-C.

    In a pipe, the first line is the broker's URL, as soon as every service answers.
    """
    screen = console()
    try:
        with opened(screen, port, pool=pool) as (broker, shop):
            if is_terminal():
                show_hints(screen, broker.url, shop)
            else:
                click.echo(broker.url)
            shop.wait()
    except KeyboardInterrupt:
        if is_terminal():
            screen.print(Text("ended", style="dim"))


@contextmanager
def opened(
    screen: "Console", port: int | None = None, **settings: Any
) -> Generator[tuple[EmbeddedBroker, Shop], None, None]:
    """Run the broker and the services; both have ended afterwards, whatever happens."""
    with Interrupts() as interrupts, ExitStack() as stack:
        try:
            with interrupts.held():
                broker = stack.enter_context(EmbeddedBroker(port))
                shop = stack.enter_context(open_shop(broker.url, **settings))
            with waiting(screen, f"starting the services on {broker.url} ..."):
                shop.ready()
            yield broker, shop
        finally:
            interrupts.hold()  # the children end first, whatever is pressed


def waiting(screen: "Console", what: str) -> AbstractContextManager[object]:
    """Show on a terminal that something takes a while."""
    return screen.status(what) if is_terminal() else nullcontext()


def show_tree(screen: "Console", url: str, catalog: Catalog) -> None:
    """Print what the client found."""
    heading(screen, "Stock Celery workers are online; nobody told the client what they run")
    screen.print(prompt(f'client = connect("{url}")\nclient.catalog'))
    block(screen, repr(catalog), "green")
    widest = max((len(queue) for queue in catalog), default=0)
    for service in catalog.services.values():
        name = service.queue.ljust(widest)
        block(screen, f"{name}  {'  '.join(short_names(service))}", "cyan", r"^ *\S+", widest + 2)
    screen.print()


def heading(screen: "Console", title: str) -> None:
    screen.print(Text(title, style="bold"))


def block(screen: "Console", text: str, style: str = "", where: str = ".*", hang: int = 0) -> None:
    """Print text four columns in, with a style where a pattern fits."""
    lines = wrap(text, screen.width - 4, subsequent_indent=" " * hang, break_on_hyphens=False)
    written = Text(indent("\n".join(line.rstrip() for line in lines), " " * 4))
    written.highlight_regex(where, style)
    screen.print(written)


def short_names(service: Service) -> list[str]:
    return [name.removeprefix(f"{service.queue}.") for name in service.public]


def show(screen: "Console", scene: Scene, client: Any) -> bool:
    """Print a scene, run it, and print its result; False when that is not as expected."""
    heading(screen, scene.title)
    screen.print(prompt(scene.code))
    started = perf_counter()
    result = scene.run(client)
    took = (perf_counter() - started) * 1000
    good = scene.check(result)
    note = f"({took:.1f} ms)" if good else "NOT AS EXPECTED"
    colour = "red" if not good else "yellow" if is_error(result) else "green"
    block(screen, f"{shown(result)}  {note}", colour)
    screen.print()
    return good


def is_error(result: Any) -> bool:
    return isinstance(result, BaseException)


def shown(result: Any) -> str:
    """Write a result as a Python prompt would."""
    text = f"{type(result).__name__}: {result}" if is_error(result) else repr(result)
    return escaped(text if len(text) <= LONGEST else f"{text[:LONGEST]} ...", keep="")


def prompt(code: str) -> Text:
    """Write Python as it stands at a prompt."""
    lines = Syntax("", "python", background_color="default", theme="ansi_dark").highlight(code)
    text = Text()
    for line in lines.split():
        inside = line.plain.startswith((" ", ")", "except"))
        text.append("\n" if text else "").append("... " if inside else ">>> ", style="dim")
        text.append_text(line)
    return text


def show_hints(screen: "Console", url: str, shop: Shop) -> None:
    """Print where it runs, and what to try."""
    services = ", ".join(shop.processes)
    screen.print(Text(f"{services} on ") + Text(url, style="bold cyan"))
    screen.print(Text("\nTry, in another terminal:", style="dim"))
    for line in (
        f"export CELERY_RPC_BROKER={url}",
        "celery-rpc ls",
        "celery-rpc call billing.add 1 1",
        "celery-rpc shell",
    ):
        screen.print(Text(f"  {line}"))
    screen.print(Text("\nCtrl-C ends it.", style="dim"))
