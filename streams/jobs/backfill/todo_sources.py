"""Look up todos that live in another module: by a query of its database, or over HTTP."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic.alias_generators import to_snake

from runtime.settings import Settings
from schemas.instants import parse_instant
from schemas.values import UUID_PATTERN
from sinks.todo_query import TodoQueryError, query_todos
from streams.bounded_exchange import BoundedExchange, ExchangeError
from streams.jobs.backfill.todo_settings import HttpTodos, SqlTodos

_MAX_BYTES: Final = 16 * 1024 * 1024
_TEXTS: Final = ("title", "description", "priority", "severity")
_INSTANTS: Final = ("due_at", "done_at", "created_at", "updated_at")


class TodoSourceError(Exception):
    """A source of todos is not available. The message is one sentence without data of the source."""


class TodoSources:
    """Sources by the name that links give them."""

    def __init__(self, settings: Settings, sources: Mapping[str, SqlTodos | HttpTodos]) -> None:
        self._settings = settings
        self._sources = sources

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def fetch(self, links: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
        """Look up the todos of links, and return those that exist, as rows of ``legacy_todos``.

        :param links: rows of ``sinks.legacy_rows`` whose source is one of these.
        :raises TodoSourceError: a source is not available, or its answer is not what it should be.
        """
        wanted: dict[tuple[str, str, str], set[str]] = {}
        for link in links:
            key = link["todo_source"], link["tenant_id"], link["organization_id"]
            wanted.setdefault(key, set()).add(link["todo_id"])
        found = []
        for (name, tenant_id, organization_id), ids in wanted.items():
            scope = {"tenant_id": tenant_id, "organization_id": organization_id, "todo_source": name}
            for todo in self._ask(name, tenant_id, organization_id, sorted(ids)):
                row = _row(name, todo)
                if row["id"] in ids:
                    found.append(row | scope)
        return found

    def _ask(self, name: str, tenant_id: str, organization_id: str, ids: list[str]) -> list[Any]:
        source = self._sources[name]
        if isinstance(source, HttpTodos):
            scope = {"tenantId": tenant_id, "organizationId": organization_id}
            return _post(source, {"source": name, **scope, "ids": ids})
        try:
            return query_todos(self._settings, source.url, source.query, tenant_id, organization_id, ids)
        except TodoQueryError as error:
            raise TodoSourceError(f"The database of the todo source {name} failed: {error}.") from None


def _post(source: HttpTodos, body: dict[str, Any]) -> list[Any]:
    """Send the ids to an HTTP service and return the items of its response."""
    name = body["source"]
    token = {"Authorization": f"Bearer {source.token.get_secret_value()}"} if source.token else {}
    headers = {"Content-Type": "application/json", **token}
    try:
        exchange = BoundedExchange(source.url, headers, max_bytes=_MAX_BYTES)
        response = exchange.post(orjson.dumps(body), source.seconds)
    except ExchangeError as error:
        raise TodoSourceError(
            f"The todo source {name} did not answer completely ({type(error).__name__})."
        ) from None
    if response.status != 200:
        raise TodoSourceError(f"The todo source {name} answered with status {response.status}.")
    try:
        items = orjson.loads(response.body)["items"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        items = None
    if not isinstance(items, list):
        raise TodoSourceError(f"The todo source {name} did not answer with a JSON object that has items.")
    return items


def _row(name: str, todo: Any) -> dict[str, Any]:
    """One record as a row of ``legacy_todos``; fields that it does not have are left out."""
    if not isinstance(todo, dict):
        raise TodoSourceError(f"An item of the todo source {name} is not an object.")
    given = {to_snake(str(field)): value for field, value in todo.items()}
    identity = str(given.get("id", "")).lower()
    if not re.fullmatch(UUID_PATTERN, identity):
        raise TodoSourceError(f"An item of the todo source {name} has no UUID as its id.")
    row: dict[str, Any] = {"id": identity}
    for field in _TEXTS:
        if given.get(field) is not None:
            row[field] = str(given[field]).replace("\x00", "")
    if isinstance(given.get("is_done"), bool):
        row["is_done"] = given["is_done"]
    for field in _INSTANTS:
        row[field] = _instant(given.get(field))
    return row


def _instant(value: Any) -> datetime | None:
    """A point in time; ``None`` for what is not one."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None
