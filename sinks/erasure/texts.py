"""Texts and ids of a customer, read before it is erased, so that a search can show that nothing remains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from runtime.postgres import Connection

#: Members that hold a customer's texts, in journal facts and mirrored values.
_MEMBERS: Final = frozenset(
    {
        *("title", "body", "subject", "instruction", "detail", "failure_detail", "failureDetail"),
        *("display_name", "displayName", "primary_email", "primaryEmail", "primary_phone", "primaryPhone"),
        *("local", "remote"),
    }
)
_OWNED: Final = (
    "{0}.entity_id = %(entity)s AND {0}.tenant_id = %(tenant)s AND {0}.organization_id = %(organization)s"
)
_COLUMNS: Final = {
    "customer_interactions": "r.title, r.body, r.feedback",
    "customer_deals": "r.title",
    "signals": "r.title, r.body, r.instruction, r.failure_detail",
    "generated_drafts": "r.subject, r.body",
    "signal_outcomes": "r.detail",
    "customer_activities": "r.subject, r.body",
    "legacy_interactions": "r.title, r.body",
}
_CUSTOMER_SQL: Final = """
SELECT r.display_name, r.primary_email, r.primary_phone FROM customer_entities r
WHERE r.id = %(entity)s AND r.tenant_id = %(tenant)s AND r.organization_id = %(organization)s
"""
_TODOS_SQL: Final = f"""
SELECT t.title, t.description FROM legacy_todos t JOIN customer_todo_links l
  ON (t.tenant_id, t.organization_id, t.todo_source, t.id)
   = (l.tenant_id, l.organization_id, l.todo_source, l.todo_id)
WHERE {_OWNED.format("l")}
"""  # noqa: S608 - constant text
_TEXTS_SQL: Final = (
    _CUSTOMER_SQL,
    *(
        f"SELECT {columns} FROM {table} r WHERE {_OWNED.format('r')}"  # noqa: S608 - constant text
        for table, columns in _COLUMNS.items()
    ),
    _TODOS_SQL,
)
# It looks through the whole journal, which has no index by customer.
_JOURNAL_SQL: Final = f"""
SELECT j.facts FROM journal j WHERE {_OWNED.format("j")} AND j.outcome <> 'rejected'
"""  # noqa: S608 - constant text
_MIRRORED_SQL: Final = f"""
SELECT m.base FROM sync_external_id_mappings m JOIN customer_interactions i ON i.id = m.local_id
WHERE {_OWNED.format("i")}
"""  # noqa: S608 - constant text
_IDS_SQL: Final = " UNION ALL ".join(
    f"SELECT r.id::text FROM {table} r WHERE {_OWNED.format('r')}"  # noqa: S608 - constant text
    for table in ("customer_interactions", "customer_deals", "signals", "generated_drafts")
)


def texts_of(connection: Connection, tenant_id: str, organization_id: str, entity_id: str) -> set[str]:
    """Read every text of the customer: from its rows, legacy rows, mirrors, and earlier versions.

    Hazard: they are for a search in memory, and must not be logged, stored or shown.
    """
    scope = {"entity": entity_id, "tenant": tenant_id, "organization": organization_id}
    found: set[str] = set()
    for statement in _TEXTS_SQL:
        for row in connection.execute(statement, scope):
            found.update(text for text in row if text)
    for statement in (_JOURNAL_SQL, _MIRRORED_SQL):
        for (value,) in connection.execute(statement, scope):
            found.update(_texts_in(value))
    return found


def ids_of(connection: Connection, tenant_id: str, organization_id: str, entity_id: str) -> set[str]:
    """Read the ids of the customer's rows; they tell its records from those of others."""
    scope = {"entity": entity_id, "tenant": tenant_id, "organization": organization_id}
    return {entity_id, *(row[0] for row in connection.execute(_IDS_SQL, scope))}


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, str):
                if name in _MEMBERS and member:
                    yield member
            else:
                yield from _texts_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts_in(member)
