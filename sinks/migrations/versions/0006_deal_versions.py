"""deal versions

Revision ID: a4c1d27b9e30
Revises: 0005_crash_marks
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a4c1d27b9e30"
down_revision = "0005_crash_marks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default: no rewrite of the table (PostgreSQL documentation, ALTER TABLE).
    op.add_column(
        "customer_deals",
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("customer_deals", "version")
