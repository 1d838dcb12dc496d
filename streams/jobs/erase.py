"""Complete the erasure of a customer: everything that its batch transaction leaves."""

from __future__ import annotations

from typing import Any, Final

from runtime import crash_points
from schemas.topics import COMMANDS
from sinks.consumed_offsets import watermarks
from sinks.erasure.erased import ErasedCustomer, find_erased, note_cleaned
from sinks.erasure.journal import entries_to_scrub, note_deleted_interactions, scrub
from sinks.erasure.legacy import remove_legacy_rows
from sinks.erasure.mirrors import are_leased, release_mirrors
from sinks.erasure.publication import are_answered, is_relayed
from sinks.erasure.violations import remove_violations
from streams.jobs.context import JobContext, JobFailedError

_PAGE: Final = 500
_POLL_SECONDS: Final = 0.2


def erase(context: JobContext) -> None:
    """Remove the texts in the journal, legacy rows, violations, and rows of integrations.

    Every step is idempotent, so a job that resumes begins with the first one.
    """
    connection, job = context.connection, context.job
    assert job.tenant_id is not None
    assert job.organization_id is not None
    customer = find_erased(connection, job.tenant_id, job.organization_id, job.settings["entityId"])
    if customer is None:
        raise JobFailedError("The customer is not erased: the database was restored to an earlier time.")
    _await_publication(context, customer)
    with connection.transaction():
        rows = remove_legacy_rows(connection, customer)
        violations = remove_violations(connection, customer)
        _add(context, legacyRows=rows, violations=violations)
    note_deleted_interactions(connection, customer)
    _scrub_journal(context, customer)
    _release_mirrors(context, customer)
    note_cleaned(connection, customer)


def _await_publication(context: JobContext, customer: ErasedCustomer) -> None:
    """Wait until nothing needs the texts of the journal: all events, states and results are published."""
    connection, settings = context.connection, context.settings
    source = settings.consumer_group, settings.topic(COMMANDS)
    if context.cursor is None:
        offsets = watermarks(connection, *source)
        context.save(cursor={"offsets": {str(number): offset for number, offset in offsets.items()}})
    assert context.cursor is not None
    offsets = {int(number): offset for number, offset in context.cursor["offsets"].items()}
    command = customer.tenant_id, customer.organization_id, context.job.settings["commandId"]
    while not (is_relayed(connection, *command) and are_answered(connection, *source, offsets)):
        context.proceed()
        context.wait(_POLL_SECONDS)


def _scrub_journal(context: JobContext, customer: ErasedCustomer) -> None:
    connection = context.connection
    ids = entries_to_scrub(connection, customer)
    context.save(total=context.done + len(ids))
    for start in range(0, len(ids), _PAGE):
        context.proceed()
        page = ids[start : start + _PAGE]
        with connection.transaction():
            _add(context, journalEntries=scrub(connection, customer, page))
            context.save(done=context.done + len(page))
        crash_points.reach("erase-after-page")


def _release_mirrors(context: JobContext, customer: ErasedCustomer) -> None:
    """Remove the rows of integrations, or reduce them until their objects are deleted.

    Workers delete the objects; an unreachable provider does not hold up the job.
    """
    busy, pending = True, 0
    while busy:
        context.proceed()
        # Before the rows are reduced: a worker that takes one later finds the interaction erased.
        busy = customer.mirrors == "delete" and are_leased(context.connection, customer)
        pending = release_mirrors(context.connection, customer)
        if busy:
            context.wait(_POLL_SECONDS)
    context.save(report={**context.report, "mirrors": customer.mirrors, "mirrorsPending": pending})


def _add(context: JobContext, **counts: int) -> None:
    """Add to the counts of the report; in the transaction of the work."""
    report: dict[str, Any] = dict(context.report)
    for name, count in counts.items():
        report[name] = report.get(name, 0) + count
    context.save(report=report)
