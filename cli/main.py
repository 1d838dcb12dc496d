"""The `interactions` command: it puts the command groups together and turns errors into words."""

from __future__ import annotations

import os
import sys

import typer

from cli import (
    audit_command,
    connectors,
    db,
    dead_letters,
    demo,
    doctor,
    flags,
    next_interactions,
    publish,
    stack_commands,
    status,
    tail,
    token,
    topics,
)
from runtime.logs import log_to_stderr
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry, Stop

# One file a group; each has `register(app)`.
GROUPS = (
    demo,
    stack_commands,
    status,
    publish,
    next_interactions,
    tail,
    audit_command,
    dead_letters,
    topics,
    token,
    flags,
    connectors,
    db,
    doctor,
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


def make_app() -> typer.Typer:
    """The application with all its groups."""
    app = typer.Typer(
        name="interactions",
        help="Run the pipeline of customer interactions, publish commands, see what came of them.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for group in GROUPS:
        group.register(app)
    return app


def exit_code_of(error: InteractionsError) -> int:
    """The exit code that stands for an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_FAILED)


def main() -> None:
    """Run the command line; ``INTERACTIONS_DEBUG=1`` shows tracebacks."""
    log_to_stderr()
    try:
        make_app()()
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
