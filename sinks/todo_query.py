"""Query of another database for the todos behind legacy links."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from pydantic import SecretStr

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_SECONDS: Final = 10


class TodoQueryError(Exception):
    """The other database did not answer the query. The message names the reason, without data."""


def query_todos(
    settings: Settings,
    url: SecretStr,
    query: str,
    tenant_id: str,
    organization_id: str,
    ids: Collection[str],
) -> list[dict[str, Any]]:
    """Run the operator's query in a read-only transaction and return its rows by column name.

    :raises TodoQueryError: the database is unreachable, or refuses the query.
    """
    values = {"ids": list(ids), "tenant": tenant_id, "organization": organization_id}
    other = settings.model_copy(update={"database_url": url})
    try:
        with (
            connect(other, application_name="interactions-jobs") as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            connection.read_only = True
            cursor.execute(f"SET statement_timeout = '{_SECONDS}s'")
            return cursor.execute(query.encode(), values).fetchall()
    except (Retry, Stop):
        raise TodoQueryError("it is unreachable, or its URL is invalid") from None
    except psycopg.Error as error:
        # Hazard: the message may hold data of the other database.
        raise TodoQueryError(f"{type(error).__name__} {error.sqlstate or ''}".strip()) from None
