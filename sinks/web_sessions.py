"""Sessions of the pages in Postgres, with every limit measured by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from runtime.postgres import AsyncConnection

_CREATE: Final = """
WITH ticket AS (
  INSERT INTO used_sign_in_tickets (id, expires_at)
  SELECT %(ticket)s, now() + interval '1 hour' WHERE %(ticket)s::text IS NOT NULL
  ON CONFLICT DO NOTHING RETURNING id)
INSERT INTO web_sessions (id, tenant_id, organization_id, subject, features, display_name, csrf, expires_at)
SELECT %(id)s, %(tenant_id)s, %(organization_id)s, %(subject)s, %(features)s, %(display_name)s, %(csrf)s,
       least(now() + make_interval(secs => %(absolute)s), to_timestamp(%(ends_at)s::float8))
WHERE %(ticket)s::text IS NULL OR EXISTS (SELECT 1 FROM ticket)
"""
_FIND: Final = """
SELECT tenant_id::text, organization_id::text, subject, features, display_name, csrf,
       extract(epoch FROM least(expires_at, last_seen_at + make_interval(secs => %(idle)s)))::float8,
       last_seen_at <= now() - interval '1 minute'
FROM web_sessions
WHERE id = %(id)s AND expires_at > now() AND last_seen_at > now() - make_interval(secs => %(idle)s)
"""
_SEEN: Final = """
UPDATE web_sessions SET last_seen_at = now()
WHERE id = %(id)s AND last_seen_at <= now() - interval '1 minute'
  AND last_seen_at > now() - make_interval(secs => %(idle)s)
"""
_DELETE_EXPIRED: Final = (
    """
DELETE FROM web_sessions WHERE id IN (
  SELECT id FROM web_sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED)
""",
    """
DELETE FROM used_sign_in_tickets WHERE id IN (
  SELECT id FROM used_sign_in_tickets WHERE expires_at <= now() ORDER BY expires_at LIMIT %s
  FOR UPDATE SKIP LOCKED)
""",
)
_MOST_DELETED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session.

    :param ends_at: seconds since the epoch; the session ends then unless a request is made before.
    """

    tenant_id: str
    organization_id: str
    subject: str
    features: list[str]
    display_name: str | None
    csrf: str
    ends_at: float


async def create_session(
    connection: AsyncConnection,
    key: bytes,
    row: SessionRow,
    *,
    absolute_seconds: float,
    ticket: str | None = None,
) -> bool:
    """Insert a session, and delete some of those that have expired.

    :param key: SHA-256 of the cookie's value.
    :param row: ``ends_at`` is the end of the identity itself; infinite if it has none.
    :param ticket: id of a single-use link.
    :return: false if the link was used before; nothing is stored then.
    """
    made = await connection.execute(
        _CREATE,
        {
            "id": key,
            "tenant_id": row.tenant_id,
            "organization_id": row.organization_id,
            "subject": row.subject,
            "features": row.features,
            "display_name": row.display_name,
            "csrf": row.csrf,
            "absolute": absolute_seconds,
            "ends_at": row.ends_at,
            "ticket": ticket,
        },
    )
    for statement in _DELETE_EXPIRED:
        await connection.execute(statement, (_MOST_DELETED,))
    return made.rowcount == 1


async def find_session(
    connection: AsyncConnection, key: bytes, *, idle_seconds: float, use: bool = True
) -> SessionRow | None:
    """Return a session that has not ended.

    :param use: record that it was used.
    """
    names = {"id": key, "idle": idle_seconds}
    found = await connection.execute(_FIND, names)
    row: Any = await found.fetchone()
    if row is None:
        return None
    *values, unseen = row
    if unseen and use:
        await connection.execute(_SEEN, names)
    return SessionRow(
        tenant_id=values[0],
        organization_id=values[1],
        subject=values[2],
        features=values[3],
        display_name=values[4],
        csrf=values[5],
        ends_at=values[6],
    )


async def delete_session(connection: AsyncConnection, key: bytes) -> None:
    """Delete a session; none of its requests is authorized afterwards."""
    await connection.execute("DELETE FROM web_sessions WHERE id = %s", (key,))
