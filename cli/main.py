"""The `interactions` command: registers the command groups and reports errors."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import typer

from runtime.logs import log_to_stderr
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry, Stop

#: Command → the module of this package that has it. Each module has ``register(app)``.
MODULES: Final = {
    "demo": "demo.command",
    "up": "stack.commands",
    "down": "stack.commands",
    "env": "stack.commands",
    "run": "run",
    "status": "stack.status",
    "publish": "publish.command",
    "next": "next_interactions",
    "tail": "topics.tail",
    "audit": "audit_command",
    "dead-letters": "dead_letters.commands",
    "topics": "topics.command",
    "token": "token",
    "open": "open_command",
    "mcp": "mcp",
    "flags": "flags",
    "connectors": "connectors.group",
    "new-connector": "connectors.new_connector",
    "legacy": "legacy.commands",
    "backfill": "backfill.commands",
    "erase": "erase.command",
    "jobs": "jobs.commands",
    "recompute": "recompute",
    "retention": "retention",
    "db": "db",
    "doctor": "doctor.command",
}

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


def make_app(command: str | None = None) -> typer.Typer:
    """Build the application.

    :param command: load only the module of this command; all modules by default, and for an unknown one.
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
    one = MODULES.get(command) if command is not None else None
    for module in [one] if one is not None else dict.fromkeys(MODULES.values()):
        importlib.import_module(f"cli.{module}").register(app)
    return app


def exit_code_of(error: InteractionsError) -> int:
    """The exit code for an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_FAILED)


def main() -> None:
    """Run the command line; ``INTERACTIONS_DEBUG=1`` shows tracebacks."""
    log_to_stderr()
    try:
        # Loading every module takes a second, which neither a person nor a killed role should wait for.
        make_app(sys.argv[1] if len(sys.argv) > 1 else None)()
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
