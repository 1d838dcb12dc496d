"""Tables of the watch role: violations, and its progress."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Text

from sinks.columns import id_column, instant, scope
from sinks.tables import metadata

violations: Final = sa.Table(
    "integrity_violations",
    metadata,
    # Derived from the check and its subject, so that a violation found twice is one row.
    id_column("id", primary_key=True),
    *scope(),
    # As in the audit: A3, A11 and so on.
    Column("check_name", Text, nullable=False),
    id_column("entity_id"),
    # Kind of the row that is wrong or missing: customer, interaction, signal, draft, outcome.
    Column("subject", Text, nullable=False),
    # No foreign keys: the row may be the one that is missing.
    id_column("subject_id"),
    # One sentence without customer text.
    Column("what", Text, nullable=False),
    instant("first_seen", now=True),
    instant("last_seen", now=True),
    # Null until its event is acknowledged by Kafka.
    instant("published_at", nullable=True),
    # Null while the violation holds.
    instant("healed_at", nullable=True),
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
    instant("skipped_at", nullable=True),
    # Position of the sweep: the table, and the last id of the page before. Null: at the beginning.
    Column("sweep_table", Text),
    id_column("sweep_after", nullable=True),
    instant("sweep_began_at", now=True),
    # Begin and end of the last complete sweep.
    instant("complete_began_at", nullable=True),
    instant("complete_at", nullable=True),
    instant("updated_at", now=True),
    postgresql_with={"fillfactor": 50},
)
