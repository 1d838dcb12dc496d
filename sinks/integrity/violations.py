"""The table ``integrity_violations``: open, still held, published, healed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.postgres import Connection
from schemas.identity import derive_id

# A violation that had healed and holds now is a new one: it gets another event.
_OPEN_SQL: Final = """
INSERT INTO integrity_violations AS v
  (id, check_name, subject, subject_id, tenant_id, organization_id, entity_id, what)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[],
  %s::text[])
ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, what = excluded.what, healed_at = NULL,
  first_seen = CASE WHEN v.healed_at IS NULL THEN v.first_seen ELSE excluded.first_seen END,
  published_at = CASE WHEN v.healed_at IS NULL THEN v.published_at END
"""
_HELD_SQL: Final = """
SELECT check_name, subject, subject_id::text, tenant_id::text, organization_id::text, entity_id::text, what,
  first_seen, published_at IS NOT NULL
FROM integrity_violations WHERE healed_at IS NULL ORDER BY first_seen, id
"""
_SEEN_SQL: Final = "UPDATE integrity_violations SET last_seen = now() WHERE id = ANY(%s::uuid[])"
_HEALED_SQL: Final = "UPDATE integrity_violations SET healed_at = now() WHERE id = ANY(%s::uuid[])"
_PUBLISHED_SQL: Final = """
UPDATE integrity_violations SET published_at = now() WHERE id = %s AND first_seen = %s
"""


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant.

    :param check: invariant, as in the audit (``audit.findings``).
    :param subject: kind of the row; ``subject_id``: its id.
    :param what: one sentence without customer text.
    """

    check: str
    subject: str
    subject_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    what: str

    @property
    def id(self) -> str:
        """Id of the violation: the same whenever it is found."""
        return derive_id("violation", self.check, self.subject, self.subject_id)


@dataclass(frozen=True, slots=True)
class OpenViolation:
    """A violation that holds, as stored.

    :param first_seen: time at which it was found; identifies this occurrence.
    :param published: its event is acknowledged.
    """

    violation: Violation
    first_seen: datetime
    published: bool


def open_violations(connection: Connection, found: Collection[Violation]) -> None:
    """Store violations; one that is open already keeps the time at which it was first seen."""
    rows = {it.id: it for it in found}
    names = ("check", "subject", "subject_id", "tenant_id", "organization_id", "entity_id", "what")
    columns = [[getattr(it, name) for it in rows.values()] for name in names]
    connection.execute(_OPEN_SQL, (list(rows), *columns))


def held_violations(connection: Connection) -> list[OpenViolation]:
    """Return the open violations, the oldest first."""
    return [
        OpenViolation(Violation(*columns), first_seen, published)
        for *columns, first_seen, published in connection.execute(_HELD_SQL).fetchall()
    ]


def note_checked(connection: Connection, holding: Collection[str], healed: Collection[str]) -> None:
    """Note by id which violations still hold, and which no longer do."""
    connection.execute(_SEEN_SQL, (list(holding),))
    connection.execute(_HEALED_SQL, (list(healed),))


def note_published(connection: Connection, held: OpenViolation) -> None:
    """Note that the event of this occurrence is acknowledged."""
    connection.execute(_PUBLISHED_SQL, (held.violation.id, held.first_seen))
