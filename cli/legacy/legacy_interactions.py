"""Conversion of another installation's ``customer_interactions`` to rows of ``legacy_interactions``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cli.legacy.legacy_tables import CODE, Convert, Converted, custom_fields, scope
from cli.legacy.values import Values
from sinks.legacy_import.targets import TARGETS

_HELD: Final = frozenset(TARGETS["customer_interactions"].columns) - {"dropped"}
#: Columns that say nothing to keep: they decide whether the row is brought, or are counted by name.
_NOT_DROPPED: Final = frozenset({"deleted_at", "custom_fields"})
_NO_VALUE: Final = frozenset({"", "false", "f", "[]", "{}", "null"})
_COLUMN: Final = re.compile("[a-z0-9_]{1,63}")
_PRIVATE: Final = "private"


def make_interaction(*, include_private: bool) -> Convert:
    """Conversion of a row of another installation's ``customer_interactions``.

    :param include_private: also rows that only their author may see.
    """

    def interaction(values: Values, row: Mapping[str, str | None], notes: list[str]) -> Converted:
        created, updated = values.created_and_updated("occurred_at", "scheduled_at")
        status = values.text("status") or "planned"
        kind = values.text("interaction_type")
        converted = {
            **scope(values),
            "id": values.identity("id"),
            "entity_id": values.identity("entity_id"),
            "deal_id": values.reference("deal_id"),
            "interaction_type": kind or "",
            "title": values.text("title"),
            "body": values.text("body"),
            "status": status,
            "scheduled_at": values.instant("scheduled_at"),
            "occurred_at": values.instant("occurred_at"),
            "priority": values.integer("priority"),
            "author_user_id": values.reference("author_user_id"),
            "owner_user_id": values.reference("owner_user_id"),
            "appearance_icon": values.text("appearance_icon"),
            "appearance_color": values.text("appearance_color"),
            "source": values.text("source"),
            "created_at": created,
            "updated_at": updated,
        }
        if row.get("deleted_at") is not None:
            return "deleted"
        if (row.get("visibility") or "").strip().lower() == _PRIVATE and not include_private:
            return "private"
        if kind is None:
            notes.append("interaction_type_missing")
        word = status.strip().lower()
        notes.append(f"status:{word if CODE.fullmatch(word) else 'other'}")
        dropped = [name for name, value in row.items() if name not in _HELD and _has_value(name, value)]
        dropped += custom_fields(row)
        notes.extend(f"dropped:{name}" for name in dropped)
        if "recurrence_rule" in dropped:
            notes.append("recurring_as_one")
        return {**converted, "dropped": "{" + ",".join(f'"{name}"' for name in dropped) + "}"}

    return interaction


def _has_value(name: str, value: str | None) -> bool:
    return (
        value is not None
        and name not in _NOT_DROPPED
        and value.strip().lower() not in _NO_VALUE
        and _COLUMN.fullmatch(name) is not None
    )
