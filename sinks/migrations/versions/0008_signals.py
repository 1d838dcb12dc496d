"""signals, drafts and outcomes

Revision ID: 0008_signals
Revises: 0007_journal
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_signals"
down_revision = "0007_journal"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signals",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("organization_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("interaction_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("entity_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("person_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detected_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("instruction", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("resolution", sa.BigInteger(), nullable=True),
        sa.Column("requested_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("draft_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("resolved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'resolved') = (draft_id IS NOT NULL)", name=op.f("ck_signals_draft")),
        sa.CheckConstraint(
            "status IN ('open', 'resolving', 'resolved', 'skipped')", name=op.f("ck_signals_status")
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["customer_entities.id"], name=op.f("fk_signals_entity_id_customer_entities")
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["customer_interactions.id"],
            name=op.f("fk_signals_interaction_id_customer_interactions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint("id", "tenant_id", "organization_id", "interaction_id", name="uq_signals_scope"),
    )
    op.create_index("ix_signals_entity", "signals", ["entity_id"], unique=False)
    op.create_index("ix_signals_interaction", "signals", ["interaction_id"], unique=False)
    op.create_index(
        "ix_signals_list",
        "signals",
        ["tenant_id", "organization_id", "status", "detected_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_signals_resolving",
        "signals",
        ["requested_at"],
        unique=False,
        postgresql_where=sa.text("status = 'resolving'"),
    )
    op.create_table(
        "generated_drafts",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("organization_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("signal_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("interaction_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("entity_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("person_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_hash", sa.Text(), nullable=True),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'sent', 'deleted')", name=op.f("ck_generated_drafts_status")),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["customer_entities.id"],
            name=op.f("fk_generated_drafts_entity_id_customer_entities"),
        ),
        sa.ForeignKeyConstraint(
            ["signal_id", "tenant_id", "organization_id", "interaction_id"],
            ["signals.id", "signals.tenant_id", "signals.organization_id", "signals.interaction_id"],
            name="fk_generated_drafts_signal",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generated_drafts")),
    )
    op.create_index("ix_generated_drafts_interaction", "generated_drafts", ["interaction_id"], unique=False)
    op.create_index(
        "ix_generated_drafts_list",
        "generated_drafts",
        ["tenant_id", "organization_id", "status", "created_at", "id"],
        unique=False,
    )
    op.create_index("ix_generated_drafts_signal", "generated_drafts", ["signal_id"], unique=False)
    op.create_table(
        "signal_outcomes",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("organization_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("signal_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("interaction_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("entity_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("draft_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('resolved', 'failed', 'skipped', 'reopened', 'reverted')",
            name=op.f("ck_signal_outcomes_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["customer_entities.id"],
            name=op.f("fk_signal_outcomes_entity_id_customer_entities"),
        ),
        sa.ForeignKeyConstraint(
            ["signal_id", "tenant_id", "organization_id", "interaction_id"],
            ["signals.id", "signals.tenant_id", "signals.organization_id", "signals.interaction_id"],
            name="fk_signal_outcomes_signal",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal_outcomes")),
    )
    op.create_index("ix_signal_outcomes_interaction", "signal_outcomes", ["interaction_id"], unique=False)
    op.create_index("ix_signal_outcomes_signal", "signal_outcomes", ["signal_id", "created_at"], unique=False)
    # Deferred, because the draft refers to the signal too.
    op.create_foreign_key(
        "fk_signals_draft",
        "signals",
        "generated_drafts",
        ["draft_id"],
        ["id"],
        deferrable=True,
        initially="DEFERRED",
    )
    # Autogenerate knows no triggers. A composite foreign key would need another index on all interactions.
    op.execute(
        """
        CREATE FUNCTION check_signal_scope() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NOT EXISTS (
            SELECT FROM customer_interactions i
            WHERE i.id = NEW.interaction_id AND i.tenant_id = NEW.tenant_id
              AND i.organization_id = NEW.organization_id AND i.entity_id = NEW.entity_id
          ) THEN
            RAISE foreign_key_violation USING
              MESSAGE = 'the interaction of a signal must exist in its tenant and organization',
              TABLE = 'signals', CONSTRAINT = 'signal_scope';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER scope BEFORE INSERT OR UPDATE OF interaction_id, tenant_id, organization_id, entity_id"
        " ON signals FOR EACH ROW EXECUTE FUNCTION check_signal_scope()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER scope ON signals")
    op.execute("DROP FUNCTION check_signal_scope()")
    op.drop_constraint("fk_signals_draft", "signals", type_="foreignkey")
    op.drop_index("ix_signal_outcomes_signal", table_name="signal_outcomes")
    op.drop_index("ix_signal_outcomes_interaction", table_name="signal_outcomes")
    op.drop_table("signal_outcomes")
    op.drop_index("ix_generated_drafts_signal", table_name="generated_drafts")
    op.drop_index("ix_generated_drafts_list", table_name="generated_drafts")
    op.drop_index("ix_generated_drafts_interaction", table_name="generated_drafts")
    op.drop_table("generated_drafts")
    op.drop_index(
        "ix_signals_resolving", table_name="signals", postgresql_where=sa.text("status = 'resolving'")
    )
    op.drop_index("ix_signals_list", table_name="signals")
    op.drop_index("ix_signals_interaction", table_name="signals")
    op.drop_index("ix_signals_entity", table_name="signals")
    op.drop_table("signals")
