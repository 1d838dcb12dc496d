"""Kafka's id of the topic beside each watermark.

Revision ID: 0004_topic_ids
Revises: 6329eef82ef7
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_topic_ids"
down_revision = "6329eef82ef7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consumed_offsets", sa.Column("topic_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("consumed_offsets", "topic_id")
