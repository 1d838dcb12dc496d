"""The only makers of Postgres connections (psycopg) and engines (SQLAlchemy Core over psycopg)."""

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
#: A peer that disappeared without a word is noticed after ten seconds or so, idle or in the middle of a
#: statement (libpq, "Parameter Key Words"; tcp_user_timeout in milliseconds).
_PEER = {
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

#: A connection to Postgres: the type for packages that pass it on and run no SQL.
Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[Any]
#: What psycopg raises when a connection is lost or the server refuses for the moment.
Outage = psycopg.OperationalError


def refuses(error: BaseException | None) -> bool:
    """Whether an error means that the server is away or takes no work now (SQLSTATE 08, 53, 57, 58)."""
    if not isinstance(error, psycopg.Error):
        return False
    return error.sqlstate is None or error.sqlstate[:2] in {"08", "53", "57", "58"}


def sqlstate_of(error: BaseException | None) -> str | None:
    """SQLSTATE of a database error; ``None`` for any other error and for one of the client itself."""
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def timed_out(error: BaseException | None) -> bool:
    """Whether the server ended a session or statement because it took too long (25P03, 25P04, 57014)."""
    return isinstance(error, psycopg.Error) and error.sqlstate in {"25P03", "25P04", "57014"}


def connection_parameters(settings: Settings) -> dict[str, Any]:
    """libpq parameters of the database: the URL's, with UTC as time zone and limits for a silent peer.

    :raises Stop: the URL is missing or libpq cannot read it.
    """
    if settings.database_url is None:
        raise Stop("INTERACTIONS_DATABASE_URL is not set and no stack runs: `interactions up --detach`.")
    try:
        given = conninfo_to_dict(settings.database_url.get_secret_value())
    except psycopg.ProgrammingError:
        # libpq's message may repeat the URL, and with it the password.
        raise Stop(
            "INTERACTIONS_DATABASE_URL is not a libpq URL; it should look like postgresql://user:…@host:5432/name."
        ) from None
    options = f"{given.pop('options', '') or ''} -c TimeZone=UTC".strip()
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **_PEER, **given, "options": options}


def connect(settings: Settings, *, application_name: str, autocommit: bool = False) -> psycopg.Connection:
    """Open one connection; the server shows it under ``application_name``.

    :raises Retry: the server cannot be reached or refuses at this moment.
    :raises Stop: the URL is missing or malformed.
    """
    parameters = connection_parameters(settings)
    try:
        return psycopg.connect(**{**parameters, "application_name": application_name}, autocommit=autocommit)
    except psycopg.OperationalError as error:
        where = f"{parameters.get('host', 'localhost')}:{parameters.get('port', 5432)}"
        raise Retry(f"Postgres at {where} cannot be reached: {str(error).strip()}") from error


async def connect_async(settings: Settings, *, application_name: str) -> AsyncConnection:
    """Open one asyncio connection in autocommit mode.

    :raises psycopg.Error: the server cannot be reached or refuses at this moment.
    :raises Stop: the URL is missing or malformed.
    """
    parameters = {**connection_parameters(settings), "application_name": application_name}
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


def make_async_pool(
    settings: Settings, *, application_name: str, server_options: str, **options: Any
) -> AsyncConnectionPool[AsyncConnection]:
    """A pool of asyncio connections in autocommit mode, not opened yet.

    :param server_options: ``-c name=value`` settings of each session.
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
    """Values of the server's configuration parameters (``pg_settings``) by name."""
    found = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
    return dict(found.fetchall())


def make_engine(
    settings: Settings, *, application_name: str = "customer-interactions", **options: Any
) -> Engine:
    """A SQLAlchemy Core engine whose connections come from :func:`connect`.

    :param options: further arguments of ``sqlalchemy.create_engine``.
    """
    from sqlalchemy import create_engine  # a second of start-up that only migrations and reads need

    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(settings, application_name=application_name),
        **options,
    )
