"""The root of the command line: a group that loads a command when it is asked for."""

import importlib
import sys
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from celery_rpc.cli.options import connection_options, is_given


class Entry(NamedTuple):
    """Where a command lives, and its line in --help: to show that, nothing is loaded."""

    module: str
    summary: str


COMMANDS = {
    "ls": Entry("inspect", "List the services, or the tasks of one."),
    "describe": Entry("inspect", "Show all that is known of a service or a task."),
    "call": Entry("call", "Call a task and print its value."),
    "catalog": Entry("catalog", "Save what is known of the services to a file, or show it."),
    "diff": Entry("diff", "Compare two catalogs: what breaks callers, what breaks messages."),
    "genstubs": Entry("genstubs", "Write the types of the services, for editors and checkers."),
    "ping": Entry("inspect", "List the workers that answer, and how fast."),
    "doctor": Entry("doctor", "Look for what is wrong, and name the remedy."),
    "shell": Entry("shell", "Open a Python shell with a client of the services."),
    "demo": Entry("demo.demo", "See it all work, on a broker and services of its own."),
    "up": Entry("demo.demo", "Keep that broker and those services running, to play with."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported at their first use, and whose errors end here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"celery_rpc.cli.{entry.module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from celery_rpc.support.near import did_you_mean, near

            hint = did_you_mean(near(args[0], COMMANDS, 1))
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.exceptions.Abort, click.ClickException):
            raise
        except KeyboardInterrupt:
            ctx.exit(130)  # what shells give for SIGINT
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads the output any more
        except Exception as error:
            # Only now, because it loads celery.
            from celery_rpc.cli.failure import report

            ctx.exit(report(error, debug=is_given(ctx, "debug")))


@click.group(
    "rpc",  # as a command of celery; alone it is called what it was started by
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 the task raised or something was found, 2 usage, 3 no such service "
    "or task, 4 unavailable, 5 deadline, 6 any other error.",
)
@connection_options
@click.version_option(package_name="celery-rpc", prog_name="celery-rpc")
def main() -> None:
    """Call services over Celery as if they were local, typed Python."""
    # A terminal that cannot show a character gets an escape in its place, not an exception.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
