"""The `interactions` command: it puts the command groups together and turns errors into words."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable

import typer

from runtime.logs import log_to_stderr
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry, Stop

# One module per command group; each has `register(app)`.
GROUPS = (
    "demo.command",
    "stack.commands",
    "run",
    "stack.status",
    "publish.command",
    "next_interactions",
    "topics.tail",
    "audit_command",
    "dead_letters.commands",
    "topics.command",
    "token",
    "flags",
    "connectors.group",
    "connectors.new_connector",
    "db",
    "doctor.command",
)

EXIT_FAILED = 1
EXIT_STOP = 2
EXIT_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
EXIT_NO_PERMISSION = 77  # EX_NOPERM
_EXIT_CODES: tuple[tuple[type[InteractionsError], int], ...] = (
    (Stop, EXIT_STOP),
    (Retry, EXIT_TRY_AGAIN),
    (NeedsAuth, EXIT_NO_PERMISSION),
)

EPILOG = """
[bold]Examples[/bold]

  interactions up --detach          start Kafka, Postgres, the registry and the roles

  eval "$(interactions env)"        lead this shell's programs to them

  interactions status               what runs, and how far behind it is

  interactions down                 stop all of it; the data stay
"""


def make_app(groups: Iterable[str] = GROUPS) -> typer.Typer:
    """The application.

    :param groups: files of this package; all unless named.
    """
    app = typer.Typer(
        name="interactions",
        help="Run the pipeline of customer interactions, publish commands, see what came of them.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # A command in an application of its own would lose its name: typer then takes it for the only one.
    app.callback()(lambda: None)
    for group in groups:
        importlib.import_module(f"cli.{group}").register(app)
    return app


def exit_code_of(error: InteractionsError) -> int:
    """The exit code that stands for an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_FAILED)


def main() -> None:
    """Run the command line; ``INTERACTIONS_DEBUG=1`` shows tracebacks."""
    log_to_stderr()
    try:
        # A role that was killed must be back soon, and the other groups cost it a second.
        make_app(("run",) if sys.argv[1:2] == ["run"] else GROUPS)()
    except InteractionsError as error:
        if os.environ.get("INTERACTIONS_DEBUG") == "1":
            raise
        sys.stderr.write(f"interactions: {error}\n")
        for field in error.errors if isinstance(error, Reject) else ():
            sys.stderr.write(f"  {field.pointer or field.attribute or '(message)'}: {field.detail}\n")
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        # The reader of our output (`head`, a pager) has gone: that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
