"""Structured logs on stderr: one line per action, with a stable dotted name (``applier.batch_committed``)."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from runtime.settings import Settings

# Invariant: no customer text and no secret in a log line, even if a caller passes it by mistake.
WITHHELD_FIELDS = frozenset({
    "title", "body", "display_name", "displayName", "primary_email", "primaryEmail", "primary_phone",
    "primaryPhone", "name", "data", "value", "payload", "password", "token", "authorization", "database_url",
})  # fmt: skip

# Libraries that log every request or plugin at level info.
TALKATIVE_LIBRARIES = ("aiokafka", "alembic", "faust", "httpcore2", "httpx2", "jgo", "mode")

# Without local variables: they contain user input and the headers of requests.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in WITHHELD_FIELDS.intersection(event):
        event[field] = "[withheld]"
    return event


def _name_library_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Move the text of a library's line to ``message``, because ``event`` is a machine-readable name."""
    event["message"] = event["event"]
    event["event"] = "library.log"
    return event


def log_to_stderr() -> None:
    """Keep log lines off stdout, which is a command's output, until :func:`configure_logging` is called."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))


def configure_logging(settings: Settings) -> None:
    """Log everything in this process, including libraries, to stderr as JSON or in console format."""
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
    # Hazard: psycopg's warnings repeat server messages, which contain values of rows.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    # Hazard: those of the MCP SDK repeat arguments and results of tools.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
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
    """Create a bound logger; its first argument is the action: ``log.info("relay.window_sent", rows=12)``."""
    return structlog.stdlib.get_logger(name)
