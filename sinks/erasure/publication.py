"""Progress of the publications that still need the journal of an erased customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.log_identity import logged_id
from runtime.postgres import Connection

# Only the floor: the end of the window in which the position counts is not stored.
_RELAYED_SQL: Final = """
SELECT EXISTS (
  SELECT FROM journal j JOIN relay_positions r ON r.xid_floor > j.xid
  WHERE j.tenant_id = %s AND j.organization_id = %s AND j.command_id = %s)
"""
_BEHIND_SQL: Final = """
SELECT EXISTS (
  SELECT FROM consumed_offsets c JOIN unnest(%s::int[], %s::bigint[]) AS w (partition, next_offset)
    ON w.partition = c.partition
  WHERE c.consumer_group = %s AND c.topic = %s
    -- Offsets of a topic that was replaced meanwhile mean nothing.
    AND c.next_offset >= w.next_offset AND c.results_offset < w.next_offset)
"""


def is_relayed(connection: Connection, tenant_id: str, organization_id: str, command_id: str) -> bool:
    """Report whether the events and states of a command, and of all before it, are published."""
    row = connection.execute(_RELAYED_SQL, (tenant_id, organization_id, logged_id(command_id))).fetchone()
    return row is not None and bool(row[0])


def are_answered(connection: Connection, consumer_group: str, topic: str, offsets: Mapping[int, int]) -> bool:
    """Report whether the results of all commands below the offsets are published.

    Until then an applier that restarts derives them from the journal.
    """
    row = connection.execute(
        _BEHIND_SQL, (list(offsets), list(offsets.values()), consumer_group, topic)
    ).fetchone()
    return row is not None and not row[0]
