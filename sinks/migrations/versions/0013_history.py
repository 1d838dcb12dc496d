"""indexes of histories and of a user's tasks

Revision ID: 0013_history
Revises: 0012_feedback
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_history"
down_revision = "0012_feedback"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Hazard: until the indexes are built, appliers of the previous version wait; nothing is lost.
    op.create_index(
        "ix_customer_interactions_owner_done",
        "customer_interactions",
        ["owner_user_id", "status_as_of"],
        unique=False,
        postgresql_where=sa.text("status = 'done' AND owner_user_id IS NOT NULL"),
    )
    op.create_index(
        "ix_customer_interactions_owner_planned",
        "customer_interactions",
        ["owner_user_id", "scheduled_at"],
        unique=False,
        postgresql_where=sa.text("status = 'planned' AND owner_user_id IS NOT NULL"),
    )
    op.create_index(
        "ix_journal_history",
        "journal",
        ["interaction_id", "position"],
        unique=False,
        postgresql_where=sa.text("outcome = 'applied' AND interaction_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_journal_history", table_name="journal")
    op.drop_index("ix_customer_interactions_owner_planned", table_name="customer_interactions")
    op.drop_index("ix_customer_interactions_owner_done", table_name="customer_interactions")
