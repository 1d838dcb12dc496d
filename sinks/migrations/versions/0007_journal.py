"""one journal instead of command log and outbox

Revision ID: 0007_journal
Revises: a4c1d27b9e30
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schemas.errors import Stop

revision = "0007_journal"
down_revision = "a4c1d27b9e30"
branch_labels = None
depends_on = None

_WAITING = """
SELECT count(*) FROM outbox o LEFT JOIN relay_positions r ON r.shard = '0'
WHERE o.xid >= coalesce(r.xid_floor, 0) AND o.position > coalesce(r.position, 0)
"""
_PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'journal'::regclass
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.execute(sa.text("LOCK TABLE command_log, outbox IN ACCESS EXCLUSIVE MODE"))
    waiting = connection.execute(sa.text(_WAITING)).scalar_one()
    if waiting:
        raise Stop(
            f"{waiting} events of the outbox are not published, and this version does not read it; nothing was"
            " changed. Stop the appliers, let the relay of the previous version run until `interactions status`"
            " shows no lag, and upgrade then"
        )
    op.rename_table("command_log", "journal")
    op.execute("ALTER TABLE journal RENAME CONSTRAINT ck_command_log_outcome TO ck_journal_outcome")
    op.execute("ALTER INDEX ix_command_log_retired RENAME TO ix_journal_retired")
    for (name,) in connection.execute(sa.text(_PARTITIONS)).all():
        month = name.removeprefix("command_log_")
        op.rename_table(name, f"journal_{month}")
        op.execute(f"ALTER INDEX {name}_command RENAME TO journal_{month}_command")
    op.execute("CREATE SEQUENCE journal_positions AS bigint")
    op.alter_column("journal", "result", existing_type=postgresql.JSON(), nullable=True)
    op.add_column("journal", sa.Column("correlation_id", sa.Text()))
    op.add_column("journal", sa.Column("traceparent", sa.Text()))
    op.add_column("journal", sa.Column("facts", postgresql.JSON()))
    op.add_column("journal", sa.Column("events", sa.Integer(), server_default=sa.text("0"), nullable=False))
    # First the columns, then their defaults: the rows that are there keep null, and are not rewritten.
    op.add_column("journal", sa.Column("position", sa.BigInteger()))
    op.add_column("journal", sa.Column("xid", sa.BigInteger()))
    op.alter_column("journal", "position", server_default=sa.text("nextval('journal_positions')"))
    op.alter_column("journal", "xid", server_default=sa.text("(pg_current_xact_id()::text)::bigint"))
    op.create_index(
        "ix_journal_window", "journal", ["xid", "position"], postgresql_where=sa.text("events > 0")
    )
    op.drop_table("outbox")


def downgrade() -> None:
    raise NotImplementedError("the rows of the journal do not fit into the command log")
