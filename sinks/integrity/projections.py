"""Comparison of stored projections with the interactions: for the watch, and for the reconciler.

It is written apart from the rules and the write path, like the auditor's. One statement is one snapshot, so a
projection that changes meanwhile is compared with its own rows.
"""

from __future__ import annotations

from typing import Final

#: Column of the projection → its derived value. Names, icons and colours are left out: after a change of the
#: dictionary they follow command by command (``sinks.reconcile``).
DERIVED: Final = {
    "next_interaction_ref_id": "n.id",
    "next_interaction_at": "n.scheduled_at",
    "last_interaction_ref_id": "l.id",
    "last_interaction_at": "l.occurred_at",
    "open_count": "c.planned",
    "overdue_count": "c.overdue",
    "done_count": "c.done",
}
_WRONG: Final = ",\n    ".join(
    f"CASE WHEN e.{name} IS DISTINCT FROM {value} THEN '{name}' END" for name, value in DERIVED.items()
)
#: Customers among ``%s::uuid[]`` whose projection is wrong: ``e`` is the row, ``w.columns`` names its wrong
#: columns; ``n``, ``l`` and ``c`` have the derived values.
WRONG_PROJECTIONS: Final = f"""
FROM customer_entities e
LEFT JOIN LATERAL (
  SELECT i.id, i.scheduled_at FROM customer_interactions i
  WHERE i.entity_id = e.id AND i.status = 'planned' AND i.scheduled_at IS NOT NULL
  ORDER BY i.scheduled_at, i.priority DESC NULLS LAST, i.created_at, i.id LIMIT 1
) n ON true
LEFT JOIN LATERAL (
  SELECT i.id, i.occurred_at FROM customer_interactions i
  WHERE i.entity_id = e.id AND i.status = 'done' AND i.occurred_at IS NOT NULL
  ORDER BY i.occurred_at DESC, i.created_at DESC, i.id DESC LIMIT 1
) l ON true
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE i.status = 'planned') AS planned,
    count(*) FILTER (WHERE i.status = 'planned' AND i.due_phase = 2) AS overdue,
    count(*) FILTER (WHERE i.status = 'done') AS done
  FROM customer_interactions i WHERE i.entity_id = e.id
) c
CROSS JOIN LATERAL (
  SELECT concat_ws(', ',
    {_WRONG}) AS columns
) w
WHERE e.id = ANY(%s::uuid[]) AND w.columns <> ''
"""  # noqa: S608 - our own constants
