"""Factories of Postgres connections (psycopg) and engines (SQLAlchemy Core); no other module creates them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from runtime.settings import Settings
from schemas.errors import Retry, Stop

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool
    from sqlalchemy import Engine

CONNECT_TIMEOUT_SECONDS = 5
#: Detect a peer that disappeared silently within about 10 s, whether idle or during a statement (libpq,
#: "Parameter Key Words"; tcp_user_timeout in milliseconds).
_PEER = {
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

#: Connection types for packages that pass a connection on without running SQL.
Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[Any]
#: Raised by psycopg when a connection is lost or the server temporarily refuses work.
Outage = psycopg.OperationalError


def is_unavailable(error: BaseException | None) -> bool:
    """Check for an unavailable server or one that refuses work for now (SQLSTATE class 08, 53, 57, 58)."""
    if not isinstance(error, psycopg.Error):
        return False
    return error.sqlstate is None or error.sqlstate[:2] in {"08", "53", "57", "58"}


def sqlstate_of(error: BaseException | None) -> str | None:
    """SQLSTATE of a database error; ``None`` for any other error and for one of the client itself."""
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def timed_out(error: BaseException | None) -> bool:
    """Check for a session or statement that the server ended for taking too long (25P03, 25P04, 57014)."""
    return sqlstate_of(error) in {"25P03", "25P04", "57014"}


def connection_parameters(settings: Settings) -> dict[str, Any]:
    """libpq parameters of the database: those of the URL, the time zone UTC, and timeouts for a silent peer.

    :raises Stop: the URL is missing or malformed.
    """
    if settings.database_url is None:
        raise Stop(
            "INTERACTIONS_DATABASE_URL is not set and no stack is running; start one with"
            " `interactions up --detach`."
        )
    try:
        given = conninfo_to_dict(settings.database_url.get_secret_value())
    except psycopg.ProgrammingError:
        # Hazard: libpq's message can repeat the URL, including the password.
        raise Stop(
            "INTERACTIONS_DATABASE_URL is not a valid libpq URL; expected the form"
            " postgresql://user:…@host:5432/name."
        ) from None
    options = f"{given.pop('options', '') or ''} -c TimeZone=UTC".strip()
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **_PEER, **given, "options": options}


def connect(settings: Settings, *, application_name: str, autocommit: bool = False) -> psycopg.Connection:
    """Open one connection, listed on the server as ``application_name``.

    :raises Retry: the server is unreachable or temporarily refuses connections.
    :raises Stop: the URL is missing or malformed.
    """
    parameters = connection_parameters(settings)
    try:
        return psycopg.connect(**{**parameters, "application_name": application_name}, autocommit=autocommit)
    except psycopg.OperationalError as error:
        where = f"{parameters.get('host', 'localhost')}:{parameters.get('port', 5432)}"
        raise Retry(f"Postgres at {where} is unreachable: {str(error).strip()}") from error


async def connect_async(settings: Settings, *, application_name: str) -> AsyncConnection:
    """Open one asyncio connection in autocommit mode.

    :raises psycopg.Error: the server is unreachable or temporarily refuses connections.
    :raises Stop: the URL is missing or malformed.
    """
    parameters = {**connection_parameters(settings), "application_name": application_name}
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


def make_async_pool(
    settings: Settings, *, application_name: str, server_options: str, **options: Any
) -> AsyncConnectionPool[AsyncConnection]:
    """Create a pool of asyncio connections in autocommit mode; the caller opens it.

    :param server_options: session settings in the form ``-c name=value``.
    :param options: further arguments of ``AsyncConnectionPool``; ``kwargs`` go to the connections.
    """
    from psycopg_pool import AsyncConnectionPool

    parameters = connection_parameters(settings)
    kwargs = {
        **parameters,
        "options": f"{parameters['options']} {server_options}",
        "application_name": application_name,
        "autocommit": True,
        **options.pop("kwargs", {}),
    }
    return AsyncConnectionPool(connection_class=psycopg.AsyncConnection, kwargs=kwargs, open=False, **options)


def server_settings(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """Configuration parameters of the server (``pg_settings``): name → value."""
    found = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
    return dict(found.fetchall())


def make_engine(
    settings: Settings, *, application_name: str = "customer-interactions", **options: Any
) -> Engine:
    """Create a SQLAlchemy Core engine whose connections come from :func:`connect`.

    :param options: further arguments of ``sqlalchemy.create_engine``.
    """
    from sqlalchemy import create_engine  # costs a second at start-up; only migrations and reads need it

    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(settings, application_name=application_name),
        **options,
    )
