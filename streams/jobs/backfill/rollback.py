"""Rollback of a backfill: deletes what one job created and was not changed since."""

from __future__ import annotations

from typing import Final

from schemas.identity import derive_id
from schemas.payloads import DELETE
from sinks.backfill import forget_unsynced_mappings, list_created, mark_changed, next_created
from sinks.columns import LEAST_ID
from sinks.legacy_rows import ROLLBACK_ACTOR
from streams.jobs.backfill.report import count, sample
from streams.jobs.commands import JobCommand
from streams.jobs.context import JobContext
from streams.jobs.paced import PacedCommands

#: Rejections that mean that the interaction is gone, or was changed after the backfill.
_GONE: Final = "interaction_not_found"
_CHANGED: Final = "version_conflict"


def rollback(context: JobContext) -> None:
    """Delete the interactions that the job ``settings.job`` created, in the order of their ids.

    What was changed since is kept and reported. Placeholders of customers are kept. The legacy rows are
    shown, and can be moved, as before.
    """
    connection, of_job = context.connection, context.job.settings["job"]
    total, tenants = list_created(connection, of_job)
    if context.total is None:
        context.save(total=total)
        mark_changed(connection, tenants)
    paced = PacedCommands(context)
    after = (context.cursor or {}).get("after", LEAST_ID)
    report = context.report
    while rows := next_created(connection, after, paced.rows):
        context.proceed()
        commands = {derive_id("rollback", context.job.id, row.interaction_id): row for row in rows}
        outcomes = paced.run(
            [
                JobCommand(
                    type=DELETE,
                    command_id=identity,
                    tenant_id=row.tenant_id,
                    organization_id=row.organization_id,
                    entity_id=row.entity_id,
                    data={"id": row.interaction_id, "expectedVersion": row.version},
                )
                for identity, row in commands.items()
            ],
            actor=ROLLBACK_ACTOR,
        )
        removed = []
        for identity, outcome in outcomes.items():
            row_id = commands[identity].interaction_id
            if outcome.outcome == "applied":
                removed.append(row_id)
                count(report, "interactions", "removed")
            elif outcome.code == _GONE:
                count(report, "interactions", "gone")
            else:
                count(report, "interactions", "kept" if outcome.code == _CHANGED else "refused")
                sample(report, "interactions", outcome.code or outcome.outcome, row_id)
        after = rows[-1].interaction_id
        with connection.transaction():
            # Hazard: the sync would take the mapping of a missing interaction for a deletion by a user.
            forget_unsynced_mappings(connection, removed)
            context.save(cursor={"after": after}, done=context.done + len(rows), report=report)
        paced.pause()
