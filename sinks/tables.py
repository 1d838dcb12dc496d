"""Tables as SQLAlchemy Core metadata, from which Alembic generates the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, get_args, get_type_hints

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import BYTEA, JSON

from domain.model import Interaction
from schemas.interaction_fields import EDITABLE
from sinks.columns import id_column, instant, scope

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _editable() -> Iterator[Column[Any]]:
    """Columns of the fields of an interaction that people edit, by their types."""
    hints = get_type_hints(Interaction)
    for name in EDITABLE:
        kinds = set(get_args(hints[name]))
        if name == "deal_id":
            yield id_column(name, ForeignKey("customer_deals.id"), nullable=True)
        elif datetime in kinds:
            yield instant(name, nullable=True)
        elif int in kinds:
            yield Column(name, Integer)
        elif name.endswith("_id"):
            yield id_column(name, nullable=True)
        else:
            yield Column(name, Text)


entities: Final = sa.Table(
    "customer_entities",
    metadata,
    id_column("id", primary_key=True),
    *scope(),
    Column("kind", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("primary_email", Text),
    Column("primary_phone", Text),
    id_column("owner_user_id", nullable=True),
    Column("entity_version", BigInteger, nullable=False),
    # Derived and written by the applier only (spec "Projection table/columns").
    instant("next_interaction_at", nullable=True),
    Column("next_interaction_name", Text),
    id_column("next_interaction_ref_id", nullable=True),
    Column("next_interaction_icon", Text),
    Column("next_interaction_color", Text),
    instant("last_interaction_at", nullable=True),
    Column("last_interaction_name", Text),
    id_column("last_interaction_ref_id", nullable=True),
    Column("open_count", Integer, nullable=False),
    Column("overdue_count", Integer, nullable=False),
    Column("done_count", Integer, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    sa.CheckConstraint("kind IN ('person', 'company')", name="kind"),
    Index(
        "ix_customer_entities_next_interaction", "tenant_id", "organization_id", "next_interaction_at", "id"
    ),
    # The projection is updated often: free space on the page keeps those updates heap-only.
    postgresql_with={"fillfactor": 80},
)

deals: Final = sa.Table(
    "customer_deals",
    metadata,
    id_column("id", primary_key=True),
    *scope(),
    id_column("entity_id", ForeignKey("customer_entities.id")),
    Column("title", Text, nullable=False),
    Column("status", Text),
    # The default is for an applier of the previous version, which does not know the column.
    Column("version", BigInteger, nullable=False, server_default=sa.text("1")),
    instant("created_at"),
    instant("updated_at"),
    Index("ix_customer_deals_entity", "entity_id"),
)

interactions: Final = sa.Table(
    "customer_interactions",
    metadata,
    id_column("id", primary_key=True),
    id_column("organization_id"),
    id_column("tenant_id"),
    id_column("entity_id", ForeignKey("customer_entities.id")),
    Column("interaction_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    *_editable(),
    Column("source", Text),
    Column("version", BigInteger, nullable=False),
    Column("schedule_version", BigInteger, nullable=False),
    Column("due_phase", SmallInteger, nullable=False),
    instant("status_as_of"),
    instant("scheduled_as_of"),
    instant("occurred_as_of"),
    instant("created_at"),
    instant("updated_at"),
    sa.CheckConstraint("status IN ('planned', 'done', 'canceled')", name="status"),
    Index("ix_customer_interactions_entity", "entity_id", "status", "scheduled_at", "created_at"),
    # Ends with the id: the sort order of the default list's pages (api.queries.interaction_list).
    Index(
        "ix_customer_interactions_schedule",
        "organization_id",
        "tenant_id",
        "status",
        "scheduled_at",
        "id",
    ),
    # For the deletion of a deal, and thus only where there is one.
    Index("ix_customer_interactions_deal", "deal_id", postgresql_where=sa.text("deal_id IS NOT NULL")),
    Index("ix_customer_interactions_type", "tenant_id", "organization_id", "interaction_type"),
    # For the last interaction of an entity; the next index is the timers' queue.
    Index(
        "ix_customer_interactions_done",
        "entity_id",
        "occurred_at",
        postgresql_where=sa.text("status = 'done'"),
    ),
    Index(
        "ix_customer_interactions_due",
        "due_phase",
        "scheduled_at",
        postgresql_where=sa.text("status = 'planned' AND due_phase < 2"),
    ),
    # For the count of a user's tasks on every page, and of those done today. A row is in one of them at most.
    Index(
        "ix_customer_interactions_owner_planned",
        "owner_user_id",
        "scheduled_at",
        postgresql_where=sa.text("status = 'planned' AND owner_user_id IS NOT NULL"),
    ),
    Index(
        "ix_customer_interactions_owner_done",
        "owner_user_id",
        "status_as_of",
        postgresql_where=sa.text("status = 'done' AND owner_user_id IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 90},
)

signals: Final = sa.Table(
    "signals",
    metadata,
    id_column("id", primary_key=True),
    *scope(),
    # Of the same tenant and organization: a trigger of the migration checks it.
    id_column("interaction_id", ForeignKey("customer_interactions.id")),
    id_column("entity_id", ForeignKey("customer_entities.id")),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text),
    id_column("person_id", nullable=True),
    Column("confidence", Integer),
    Column("status", Text, nullable=False),
    instant("detected_at"),
    Column("channel", Text),
    Column("instruction", Text),
    Column("language", Text),
    Column("resolution", BigInteger),
    instant("requested_at", nullable=True),
    Column("resolved_by", Text),
    # Deferred, because the draft refers to the signal too.
    id_column(
        "draft_id",
        ForeignKey(
            "generated_drafts.id",
            name="fk_signals_draft",
            use_alter=True,
            deferrable=True,
            initially="DEFERRED",
        ),
        nullable=True,
    ),
    instant("resolved_at", nullable=True),
    Column("failure", Text),
    Column("failure_detail", Text),
    Column("version", BigInteger, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    sa.CheckConstraint("status IN ('open', 'resolving', 'resolved', 'skipped')", name="status"),
    # Every resolved signal has a draft.
    sa.CheckConstraint("(status = 'resolved') = (draft_id IS NOT NULL)", name="draft"),
    sa.UniqueConstraint("id", "tenant_id", "organization_id", "interaction_id", name="uq_signals_scope"),
    Index("ix_signals_interaction", "interaction_id"),
    Index("ix_signals_list", "tenant_id", "organization_id", "status", "detected_at", "id"),
    Index("ix_signals_entity", "entity_id"),
    Index("ix_signals_resolving", "requested_at", postgresql_where=sa.text("status = 'resolving'")),
)

_SIGNAL_SCOPE: Final = ("signal_id", "tenant_id", "organization_id", "interaction_id")


def _of_a_signal(table: str) -> sa.ForeignKeyConstraint:
    """Foreign key to a signal of the same tenant, organization and interaction."""
    columns = ("id", *_SIGNAL_SCOPE[1:])
    return sa.ForeignKeyConstraint(
        _SIGNAL_SCOPE, [f"signals.{name}" for name in columns], name=f"fk_{table}_signal"
    )


drafts: Final = sa.Table(
    "generated_drafts",
    metadata,
    id_column("id", primary_key=True),
    *scope(),
    id_column("signal_id"),
    id_column("interaction_id"),
    id_column("entity_id", ForeignKey("customer_entities.id")),
    id_column("person_id"),
    Column("user_id", Text),
    Column("channel", Text, nullable=False),
    Column("subject", Text),
    Column("body", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("writer", Text, nullable=False),
    Column("template_id", Text),
    Column("model", Text),
    Column("prompt_hash", Text),
    instant("sent_at", nullable=True),
    Column("version", BigInteger, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    _of_a_signal("generated_drafts"),
    sa.CheckConstraint("status IN ('draft', 'sent', 'deleted')", name="status"),
    Index("ix_generated_drafts_signal", "signal_id"),
    Index("ix_generated_drafts_interaction", "interaction_id"),
    Index("ix_generated_drafts_entity", "entity_id"),
    Index("ix_generated_drafts_list", "tenant_id", "organization_id", "status", "created_at", "id"),
)

signal_outcomes: Final = sa.Table(
    "signal_outcomes",
    metadata,
    id_column("id", primary_key=True),
    *scope(),
    id_column("signal_id"),
    id_column("interaction_id"),
    id_column("entity_id", ForeignKey("customer_entities.id")),
    Column("outcome", Text, nullable=False),
    Column("detail", Text),
    id_column("draft_id", nullable=True),
    Column("actor_id", Text),
    Column("command_id", Text, nullable=False),
    instant("created_at"),
    _of_a_signal("signal_outcomes"),
    sa.CheckConstraint(
        "outcome IN ('resolved', 'failed', 'skipped', 'reopened', 'reverted')", name="outcome"
    ),
    Index("ix_signal_outcomes_signal", "signal_id", "created_at"),
    Index("ix_signal_outcomes_interaction", "interaction_id"),
    Index("ix_signal_outcomes_entity", "entity_id"),
)

interaction_types: Final = sa.Table(
    "interaction_types",
    metadata,
    id_column("tenant_id", primary_key=True),
    id_column("organization_id", primary_key=True),
    Column("code", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("icon", Text),
    Column("color", Text),
    Column("actionable", Boolean, nullable=False),
)

interaction_dictionaries: Final = sa.Table(
    "interaction_dictionaries",
    metadata,
    id_column("tenant_id", primary_key=True),
    id_column("organization_id", primary_key=True),
    Column("strict", Boolean, nullable=False),
)

feature_flags: Final = sa.Table(
    "feature_flags",
    metadata,
    id_column("tenant_id", primary_key=True),
    Column("flag", Text, primary_key=True),
    # The organization that set it last; the flag applies to the whole tenant.
    id_column("organization_id"),
    Column("enabled", Boolean, nullable=False),
    instant("updated_at"),
)

journal_positions: Final = sa.Sequence("journal_positions", metadata=metadata, data_type=BigInteger)

journal: Final = sa.Table(
    "journal",
    metadata,
    # No primary key: across partitions it would have to include `logged_at`, which makes it useless. A
    # command id is unique within a month by the partition's own index (sinks.monthly_partitions), and across
    # months by the applier's look-up.
    *scope(),
    Column("command_id", Text, nullable=False),
    # The partition key.
    instant("logged_at", now=True),
    Column("command_type", Text, nullable=False),
    id_column("entity_id", nullable=True),
    id_column("interaction_id", nullable=True),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("fingerprint", BYTEA, nullable=False),
    Column("outcome", Text, nullable=False),
    # Rows from before the journal have a result and an undo image instead of facts, and end with their month.
    Column("result", JSON),
    Column("undo", JSON),
    Column("entity_version", BigInteger),
    # The last version of an interaction that the command removed: versions continue from it.
    Column("retired_version", BigInteger),
    Column("actor_id", Text),
    Column("sync_origin", Text),
    instant("source_timestamp", nullable=True),
    instant("appended_at"),
    Column("correlation_id", Text),
    Column("traceparent", Text),
    Column("facts", JSON),
    # Number of records that the relay publishes for it, state records not counted.
    Column("events", Integer, nullable=False, server_default=sa.text("0")),
    Column("position", BigInteger, server_default=journal_positions.next_value()),
    # The 64-bit transaction id (it never wraps): the relay reads only below the oldest running transaction.
    Column("xid", BigInteger, server_default=sa.text("(pg_current_xact_id()::text)::bigint")),
    sa.CheckConstraint("outcome IN ('applied', 'rejected', 'no_op')", name="outcome"),
    Index(
        "ix_journal_retired",
        "interaction_id",
        postgresql_where=sa.text("retired_version IS NOT NULL"),
    ),
    Index("ix_journal_window", "xid", "position", postgresql_where=sa.text("events > 0")),
    # For the history of an interaction.
    Index(
        "ix_journal_history",
        "interaction_id",
        "position",
        postgresql_where=sa.text("outcome = 'applied' AND interaction_id IS NOT NULL"),
    ),
    postgresql_partition_by="RANGE (logged_at)",
)

consumed_offsets: Final = sa.Table(
    "consumed_offsets",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    # Watermark: everything below is applied. It is authoritative; Kafka's committed offset is a hint.
    Column("next_offset", BigInteger, nullable=False),
    # The result of everything below is published; a lower bound.
    Column("results_offset", BigInteger, nullable=False),
    # Kafka's topic id: offsets mean nothing in another topic of the same name.
    Column("topic_id", Text),
    instant("updated_at", now=True),
    # Duration of the last batch's transaction, until just before its commit.
    Column("batch_seconds", Double),
    postgresql_with={"fillfactor": 50},
)

applier_attempts: Final = sa.Table(
    "applier_attempts",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    # Where the latest owner started, and how many consecutive owners started there with records pending.
    Column("start_offset", BigInteger, nullable=False),
    Column("starts", Integer, nullable=False),
    # The group in flight of an owner that reads carefully, and how many owners ended with it.
    Column("first_offset", BigInteger),
    Column("last_offset", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("isolated", Integer, nullable=False),
    instant("updated_at", now=True),
)

relay_positions: Final = sa.Table(
    "relay_positions",
    metadata,
    Column("shard", Text, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("xid_floor", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    instant("updated_at", now=True),
    postgresql_with={"fillfactor": 50},
)
