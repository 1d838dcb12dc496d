"""feedback of completed interactions

Revision ID: 0012_feedback
Revises: 0011_web_sessions
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_feedback"
down_revision = "0011_web_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a default: no rewrite of the table, and the previous version ignores the column.
    op.add_column("customer_interactions", sa.Column("feedback", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("customer_interactions", "feedback")
