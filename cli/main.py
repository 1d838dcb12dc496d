"""The `interactions` command: registers the command groups and reports errors."""

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

  interactions up --detach          start Kafka, Postgres, the schema registry and the roles

  eval "$(interactions env)"        point this shell at the running stack

  interactions status               show processes and their lag

  interactions down                 stop everything; data is kept
"""


def make_app(groups: Iterable[str] = GROUPS) -> typer.Typer:
    """Build the application.

    :param groups: modules of this package to load; all by default.
    """
    app = typer.Typer(
        name="interactions",
        help="Run the customer interactions pipeline, publish commands and follow their outcomes.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # Without a callback, typer would drop the name of a single command.
    app.callback()(lambda: None)
    for group in groups:
        importlib.import_module(f"cli.{group}").register(app)
    return app


def exit_code_of(error: InteractionsError) -> int:
    """The exit code for an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_FAILED)


def main() -> None:
    """Run the command line; ``INTERACTIONS_DEBUG=1`` shows tracebacks."""
    log_to_stderr()
    try:
        # A killed role must restart fast; loading the other groups takes a second.
        make_app(("run",) if sys.argv[1:2] == ["run"] else GROUPS)()
    except InteractionsError as error:
        if os.environ.get("INTERACTIONS_DEBUG") == "1":
            raise
        sys.stderr.write(f"interactions: {error}\n")
        for field in error.errors if isinstance(error, Reject) else ():
            sys.stderr.write(f"  {field.pointer or field.attribute or '(message)'}: {field.detail}\n")
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        # The reader of our output (`head`, a pager) has exited, which is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
