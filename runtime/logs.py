"""Logs: one line an action, on stderr, named by a stable dotted action (``applier.batch_committed``)."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.settings import Settings

# Law: no customer text and no secret in a log line, whoever passes it by mistake.
WITHHELD_FIELDS = frozenset({
    "title", "body", "display_name", "displayName", "primary_email", "primaryEmail", "primary_phone",
    "primaryPhone", "name", "data", "value", "payload", "password", "token", "authorization", "database_url",
})  # fmt: skip

# Their "info" is a line for each request or plugin.
TALKATIVE_LIBRARIES = ("aiokafka", "alembic", "faust", "httpcore2", "httpx2", "jgo", "mode")

# A traceback's local variables hold whatever a person sent, and the headers of the request.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in WITHHELD_FIELDS.intersection(event):
        event[field] = "[withheld]"
    return event


def _name_library_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A line of a library keeps its text in ``message``: ``event`` is a machine name on every line."""
    event["message"] = event["event"]
    event["event"] = "library.log"
    return event


def log_to_stderr() -> None:
    """Keep log lines off stdout, a command's output, until :func:`configure_logging` is called."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))


def configure_logging(settings: Settings) -> None:
    """Send all lines of this process, the libraries' included, to stderr as JSON or for the console."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _withhold,
    ]
    renderer: list[Processor]
    if settings.log_format == "json":
        renderer = [_TRACEBACKS, structlog.processors.JSONRenderer(default=str)]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_library_line, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Hazard: its warnings repeat the server's words, and those name values of rows.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    if settings.log_level != "debug":
        for library in TALKATIVE_LIBRARIES:
            logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> Any:
    """A bound logger; call it with the action's name first: ``log.info("relay.window_sent", rows=12)``."""
    return structlog.stdlib.get_logger(name)
