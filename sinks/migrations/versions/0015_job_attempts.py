"""attempts and turns of a job

Revision ID: 0015_job_attempts
Revises: 0014_batch_seconds
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_job_attempts"
down_revision = "0014_batch_seconds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "jobs",
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute("UPDATE jobs SET queued_at = created_at")


def downgrade() -> None:
    op.drop_column("jobs", "queued_at")
    op.drop_column("jobs", "attempts")
