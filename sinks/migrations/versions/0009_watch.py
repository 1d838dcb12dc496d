"""violations, and the progress of the watch

Revision ID: 0009_watch
Revises: 0008_signals
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_watch"
down_revision = "0008_signals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "integrity_violations",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("organization_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column(
            "first_seen", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "last_seen", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("healed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrity_violations")),
    )
    op.create_index(
        "ix_integrity_violations_open",
        "integrity_violations",
        ["check_name"],
        unique=False,
        postgresql_where=sa.text("healed_at IS NULL"),
    )
    op.create_table(
        "watch_progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("xid_floor", sa.BigInteger(), nullable=False),
        sa.Column("skipped_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sweep_table", sa.Text(), nullable=True),
        sa.Column("sweep_after", sa.UUID(as_uuid=False), nullable=True),
        sa.Column(
            "sweep_began_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("complete_began_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("complete_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watch_progress")),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    op.drop_table("watch_progress")
    op.drop_index(
        "ix_integrity_violations_open",
        table_name="integrity_violations",
        postgresql_where=sa.text("healed_at IS NULL"),
    )
    op.drop_table("integrity_violations")
