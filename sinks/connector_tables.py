"""Tables of the connectors: integrations, mappings, sync ledger, warnings (spec "External Mapping")."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

from sinks.columns import id_column, instant, scope
from sinks.tables import metadata

ENTITY_TYPE: Final = "customers.interaction"


def _integration(*, primary_key: bool = False) -> Column[Any]:
    return Column(
        "integration_id", Text, ForeignKey("integrations.id"), nullable=False, primary_key=primary_key
    )


integrations: Final = sa.Table(
    "integrations",
    metadata,
    # Unique across tenants: it is part of webhook addresses and of `syncOrigin`.
    Column("id", Text, primary_key=True),
    *scope(),
    Column("provider", Text, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("policy", JSONB, nullable=False),
    # AES-GCM ciphertext, never plain text (see runtime.secret_box).
    Column("secrets", BYTEA, nullable=False),
    Column("secrets_key_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text),
    Column("healthy", Boolean),
    Column("health_detail", Text),
    instant("health_at", nullable=True),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    sa.CheckConstraint(
        "state IN ('active', 'paused', 'needs_auth', 'needs_confirmation', 'disabled')", name="state"
    ),
    Index("ix_integrations_scope", "tenant_id", "organization_id"),
)

mappings: Final = sa.Table(
    "sync_external_id_mappings",
    metadata,
    _integration(primary_key=True),
    Column("entity_type", Text, primary_key=True, server_default=ENTITY_TYPE),
    id_column("local_id", primary_key=True),
    *scope(),
    Column("external_id", Text, nullable=False),
    Column("external_url", Text),
    # Base of the three-way merge, per field: {"title": {"local": …, "remote": …}}.
    # Null until the object is imported.
    Column("base", JSONB),
    Column("external_version", Text),
    Column("extra", JSONB, nullable=False, server_default="{}"),
    # Archived at the provider by us, because the interaction was deleted.
    Column("archived", Boolean, nullable=False, server_default=sa.false()),
    # Permanently deleted at the provider: the interaction stays, without a mirror.
    Column("gone", Boolean, nullable=False, server_default=sa.false()),
    instant("last_synced_at", nullable=True),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    sa.UniqueConstraint("integration_id", "entity_type", "external_id"),
    Index("ix_sync_external_id_mappings_local", "tenant_id", "organization_id", "local_id"),
)

ledger: Final = sa.Table(
    "sync_ledger",
    metadata,
    _integration(primary_key=True),
    id_column("interaction_id", primary_key=True),
    *scope(),
    id_column("entity_id", nullable=True),
    # Level-triggered: work is due while wanted > done, or remote_mark > remote_done.
    Column("wanted_version", BigInteger, nullable=False, server_default="0"),
    Column("done_version", BigInteger, nullable=False, server_default="0"),
    Column("remote_mark", BigInteger, nullable=False, server_default="0"),
    Column("remote_done", BigInteger, nullable=False, server_default="0"),
    Column("remote_event_id", Text),
    instant("remote_changed_at", nullable=True),
    # Null: nothing to do.
    instant("next_attempt_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("parked", Boolean, nullable=False, server_default=sa.false()),
    Column("last_error", Text),
    Column("lease_owner", Text),
    instant("lease_until", nullable=True),
    # A create with an unknown outcome: search for the marker before creating again.
    Column("intent_marker", Text),
    # Commands that were sent and whose outcome is unknown: {"commands": […], "values": {…}}.
    Column("pending", JSONB),
    # Number of pulls; keeps command ids unique across pulls.
    Column("pulls", BigInteger, nullable=False, server_default="0"),
    instant("updated_at", now=True),
    Index(
        "ix_sync_ledger_due",
        "integration_id",
        "next_attempt_at",
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    ),
    Index("ix_sync_ledger_scope", "tenant_id", "organization_id", "interaction_id"),
    Index(
        "ix_sync_ledger_marker",
        "integration_id",
        "intent_marker",
        postgresql_where=sa.text("intent_marker IS NOT NULL"),
    ),
    # Rows are updated often: free space on the page keeps the updates heap-only.
    postgresql_with={"fillfactor": 70},
)

echo_log: Final = sa.Table(
    "sync_echo_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _integration(),
    *scope(),
    id_column("interaction_id"),
    # Unknown until a create returns.
    Column("external_id", Text),
    Column("content_hash", Text, nullable=False),
    # The fields that were written: {"title": {"local": …, "remote": …}}.
    Column("written", JSONB, nullable=False),
    instant("created_at", now=True),
    instant("expires_at"),
    instant("consumed_at", nullable=True),
    Index("ix_sync_echo_log_unit", "integration_id", "interaction_id"),
    Index("ix_sync_echo_log_expires", "expires_at"),
)

warnings: Final = sa.Table(
    "integration_warnings",
    metadata,
    id_column("id", primary_key=True),
    _integration(),
    *scope(),
    id_column("interaction_id", nullable=True),
    id_column("entity_id", nullable=True),
    Column("external_id", Text),
    Column("kind", Text, nullable=False),
    Column("field", Text),
    Column("detail", Text, nullable=False),
    Column("local_value", JSONB),
    Column("remote_value", JSONB),
    Column("state", Text, nullable=False, server_default="open"),
    Column("resolution", Text),
    Column("resolved_by", Text),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    instant("resolved_at", nullable=True),
    sa.CheckConstraint("state IN ('open', 'resolved')", name="state"),
    sa.CheckConstraint(
        "resolution IN ('take_local', 'take_remote', 'retry', 'settled', 'dismissed')", name="resolution"
    ),
    Index(
        "uq_integration_warnings_open",
        "integration_id",
        "kind",
        "interaction_id",
        "external_id",
        "field",
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_integration_warnings_scope", "tenant_id", "organization_id", "state", "created_at"),
)

webhook_receipts: Final = sa.Table(
    "webhook_receipts",
    metadata,
    _integration(primary_key=True),
    Column("event_id", Text, primary_key=True),
    *scope(),
    Column("external_id", Text, nullable=False),
    # Null until Kafka acknowledges its commands; only then is a redelivery a duplicate.
    instant("processed_at", nullable=True),
    Column("outcome", Text),
    instant("received_at", now=True),
    Index("ix_webhook_receipts_received", "received_at"),
)

job_checkpoints: Final = sa.Table(
    "job_checkpoints",
    metadata,
    Column("job", Text, primary_key=True),
    id_column("tenant_id", primary_key=True),
    id_column("organization_id", primary_key=True),
    Column("checkpoint", JSONB, nullable=False),
    instant("updated_at", now=True),
)
