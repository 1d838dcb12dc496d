"""Conversion of source rows to rows of the legacy tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from cli.legacy.values import Values

#: A row as texts, by the target's columns.
LegacyRow = Mapping[str, str | None]
#: A row, or the reason to leave it out.
Converted = LegacyRow | str
Convert = Callable[[Values, Mapping[str, str | None], list[str]], Converted]

#: Value of ``todo_source`` for records of a module that does not name itself.
_TODO_SOURCE: Final = "example:todo"
#: Names that are codes, not text: statuses and custom fields.
CODE: Final = re.compile(r"[a-z0-9_-]{1,40}")
_SYNCED: Final = re.compile("activit|todo|interaction", re.IGNORECASE)


def activity(values: Values, row: Mapping[str, str | None], notes: list[str]) -> Converted:
    """A row of ``customer_activities``."""
    created, updated = values.created_and_updated("occurred_at")
    kind = values.text("activity_type")
    if kind is None:
        notes.append("activity_type_missing")
    notes.extend(f"dropped:{name}" for name in custom_fields(row))
    return {
        **scope(values),
        "id": values.identity("id"),
        "entity_id": values.identity("entity_id"),
        "deal_id": values.reference("deal_id"),
        "activity_type": kind or "",
        "subject": values.text("subject"),
        "body": values.text("body"),
        "occurred_at": values.instant("occurred_at"),
        "author_user_id": values.reference("author_user_id"),
        "appearance_icon": values.text("appearance_icon"),
        "appearance_color": values.text("appearance_color"),
        "created_at": created,
        "updated_at": updated,
    }


def todo_link(values: Values, row: Mapping[str, str | None], _: list[str]) -> Converted:
    """A row of ``customer_todo_links``."""
    created, _updated = values.created_and_updated()
    converted = {
        **scope(values),
        "id": values.identity("id"),
        "entity_id": values.identity("entity_id"),
        "todo_id": values.identity("todo_id"),
        "todo_source": values.text("todo_source") or _TODO_SOURCE,
        "created_at": created,
        "created_by_user_id": values.reference("created_by_user_id"),
    }
    return "todo_deleted" if row.get("todo_deleted") == "true" else converted


def todo(values: Values, row: Mapping[str, str | None], notes: list[str]) -> Converted:
    """A row of ``legacy_todos``. One without a tenant there, and without a link, is of no customer."""
    if row.get("tenant_id") is None and values.identity("id"):
        return "no_tenant"
    converted = {
        **scope(values),
        "id": values.identity("id"),
        "todo_source": values.text("todo_source") or _TODO_SOURCE,
        "title": values.text("title"),
        "description": values.text("description"),
        "is_done": values.flag("is_done"),
        "due_at": values.instant("due_at"),
        "done_at": values.instant("done_at"),
        "priority": values.text("priority"),
        "severity": values.text("severity"),
        "created_at": values.instant("created_at"),
        "updated_at": values.instant("updated_at"),
    }
    if row.get("deleted_at") is not None:
        return "deleted"
    notes.extend(f"dropped:{name}" for name in custom_fields(row))
    return converted


def external_link(values: Values, row: Mapping[str, str | None], _: list[str]) -> Converted:
    """A row of ``legacy_external_links``; mappings of other kinds of records are left out."""
    converted = {
        **scope(values),
        "integration_id": values.text("integration_id") or "",
        "legacy_id": values.identity("internal_entity_id"),
        "external_id": values.text("external_id") or "",
        "external_url": values.text("external_url"),
    }
    if row.get("deleted_at") is not None:
        return "deleted"
    if not _SYNCED.search(row.get("internal_entity_type") or ""):
        return "other_kind"
    return converted if converted["integration_id"] and converted["external_id"] else "no_external_id"


def custom_fields(row: Mapping[str, str | None]) -> list[str]:
    """Names of the custom fields that a row has, in the form ``cf:name``."""
    return [f"cf:{name}" for name in (row.get("custom_fields") or "").split(",") if CODE.fullmatch(name)]


def scope(values: Values) -> dict[str, str]:
    """Tenant and organization of a row."""
    return {name: values.identity(name) for name in ("tenant_id", "organization_id")}
