"""Tables of the watch role: violations, and its progress."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from sinks.tables import metadata


def _instant(name: str, *, nullable: bool = False, default: bool = False) -> Column[Any]:
    server_default = sa.text("now()") if default else None
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=server_default)


def _id(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[Any]:
    return Column(name, UUID(as_uuid=False), nullable=nullable, primary_key=primary_key)


violations: Final = sa.Table(
    "integrity_violations",
    metadata,
    # Derived from the check and its subject, so that a violation found twice is one row.
    _id("id", primary_key=True),
    # Tenant-isolation invariant: tenant and organization are on every row.
    _id("tenant_id"),
    _id("organization_id"),
    # As in the audit: A3, A11 and so on.
    Column("check_name", Text, nullable=False),
    _id("entity_id"),
    # Kind of the row that is wrong or missing: customer, interaction, signal, draft, outcome.
    Column("subject", Text, nullable=False),
    # No foreign keys: the row may be the one that is missing.
    _id("subject_id"),
    # One sentence without customer text.
    Column("what", Text, nullable=False),
    _instant("first_seen", default=True),
    _instant("last_seen", default=True),
    # Null until its event is acknowledged by Kafka.
    _instant("published_at", nullable=True),
    # Null while the violation holds.
    _instant("healed_at", nullable=True),
    Index("ix_integrity_violations_open", "check_name", postgresql_where=sa.text("healed_at IS NULL")),
)

watch_progress: Final = sa.Table(
    "watch_progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", Text, nullable=False),
    # Journal entries with a smaller transaction id are checked.
    Column("xid_floor", BigInteger, nullable=False),
    # Last time at which the watch was too far behind and left out entries of the journal.
    _instant("skipped_at", nullable=True),
    # Position of the sweep: the table, and the last id of the page before. Null: at the beginning.
    Column("sweep_table", Text),
    _id("sweep_after", nullable=True),
    _instant("sweep_began_at", default=True),
    # Begin and end of the last complete sweep.
    _instant("complete_began_at", nullable=True),
    _instant("complete_at", nullable=True),
    _instant("updated_at", default=True),
    postgresql_with={"fillfactor": 50},
)
