"""time of the last batch of each partition

Revision ID: 0014_batch_seconds
Revises: 0013_history
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_batch_seconds"
down_revision = "0013_history"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable and without a default: the previous version ignores it.
    op.add_column("consumed_offsets", sa.Column("batch_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("consumed_offsets", "batch_seconds")
