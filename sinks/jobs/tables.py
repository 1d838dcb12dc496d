"""Tables of the jobs role: jobs, their batches, and the schedule of recurring jobs."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB

from sinks.columns import id_column, instant, scope
from sinks.tables import metadata

jobs: Final = sa.Table(
    "jobs",
    metadata,
    id_column("id", primary_key=True),
    Column("kind", Text, nullable=False),
    # Null: all tenants, or all organizations of the tenant.
    id_column("tenant_id", nullable=True),
    id_column("organization_id", nullable=True),
    Column("settings", JSONB, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False, server_default="waiting"),
    # One sentence without customer text: why the job is paused, or failed.
    Column("reason", Text),
    Column("requested_by", Text),
    # Source rows; null while unknown.
    Column("total", BigInteger),
    Column("done", BigInteger, nullable=False, server_default="0"),
    # Where the job resumes.
    Column("cursor", JSONB),
    Column("report", JSONB, nullable=False, server_default="{}"),
    # Seconds that the job ran, pauses and restarts left out: the base of the estimate of the remaining time.
    Column("active_seconds", sa.Double, nullable=False, server_default="0"),
    # Times that the job was started since it last made progress.
    Column("attempts", Integer, nullable=False, server_default="0"),
    instant("created_at", now=True),
    # Its place among the jobs that wait: its creation, or the end of its last turn.
    instant("queued_at", now=True),
    instant("started_at", nullable=True),
    instant("finished_at", nullable=True),
    instant("updated_at", now=True),
    sa.CheckConstraint(
        "state IN ('waiting', 'running', 'paused', 'completed', 'failed', 'canceled')", name="state"
    ),
    Index("ix_jobs_open", "created_at", postgresql_where=sa.text("state IN ('waiting', 'running')")),
    Index("ix_jobs_tenant", "tenant_id", "created_at"),
    Index("ix_jobs_finished", "finished_at"),
)

job_batches: Final = sa.Table(
    "job_batches",
    metadata,
    id_column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    # The source, and the range of its keys: the first key is exclusive, the last one inclusive.
    Column("source", Text, nullable=False),
    id_column("after_key", nullable=True),
    id_column("last_key"),
    Column("rows", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    # One sentence without customer text.
    Column("error", Text),
    # Counts of this batch; the report of the job is their sum.
    Column("report", JSONB, nullable=False, server_default="{}"),
    Column("seconds", sa.Double),
    instant("updated_at", now=True),
    sa.CheckConstraint("state IN ('done', 'failed')", name="state"),
    Index("ix_job_batches_failed", "job_id", postgresql_where=sa.text("state = 'failed'")),
)

job_schedules: Final = sa.Table(
    "job_schedules",
    metadata,
    Column("name", Text, primary_key=True),
    instant("due_at"),
    instant("started_at", nullable=True),
    instant("finished_at", nullable=True),
    # Null while it runs.
    Column("outcome", Text),
    Column("result", JSONB),
    instant("updated_at", now=True),
)

#: State of a tenant's move from the legacy tables; guards the feature flags.
tenant_migrations: Final = sa.Table(
    "tenant_migrations",
    metadata,
    id_column("tenant_id", primary_key=True),
    # Last change of the legacy rows, or of what was made of them.
    instant("changed_at", now=True),
    # The parity check passed, and nothing changed since. Null: not validated.
    instant("validated_at", nullable=True),
    id_column("validated_by", nullable=True),
)

erased_entities: Final = sa.Table(
    "erased_entities",
    metadata,
    id_column("entity_id", primary_key=True),
    *scope(),
    # Last version of the entity: kept, so that its version is never assigned twice.
    Column("entity_version", BigInteger, nullable=False),
    Column("command_id", Text, nullable=False),
    # Policy for the mirrors at providers: delete or leave.
    Column("mirrors", Text, nullable=False),
    instant("erased_at"),
    # Null until the job has removed what the batch transaction leaves: texts in the journal, other rows.
    instant("cleaned_at", nullable=True),
    sa.CheckConstraint("mirrors IN ('delete', 'leave')", name="mirrors"),
)

erased_interactions: Final = sa.Table(
    "erased_interactions",
    metadata,
    id_column("interaction_id", primary_key=True),
    *scope(),
    id_column("entity_id"),
    # Versions continue from it if another customer uses the id.
    Column("version", BigInteger, nullable=False),
    Index("ix_erased_interactions_entity", "entity_id"),
)

dropped_deletions: Final = sa.Table(
    "dropped_deletions",
    metadata,
    # Interactions that were deleted in a month of the journal which retention has dropped, and next steps
    # that were deleted by the undo of a completion, whose journal entry names the completed interaction.
    id_column("interaction_id", primary_key=True),
    *scope(),
    # Versions continue from it if the id is used once more.
    Column("retired_version", BigInteger, nullable=False),
    # Only deletions that took back a backfill: a legacy row with this id is shown.
    Column("rolled_back", sa.Boolean, nullable=False),
)
