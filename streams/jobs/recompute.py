"""Recompute the projections of all customers: one ``recompute_next`` command each, page by page."""

from __future__ import annotations

from collections import Counter

from schemas.identity import derive_id
from schemas.payloads import RECOMPUTE_NEXT
from sinks.jobs.customers import Customer, count_customers, customers_after
from streams.jobs.commands import JobCommand
from streams.jobs.context import JobContext
from streams.jobs.paced import PacedCommands


def recompute(context: JobContext) -> None:
    """Publish the commands in the order of the customers' ids, and resume behind the last complete page.

    The command ids are derived from the job, so a page that is repeated after a crash changes nothing. The
    report counts the customers that were checked, corrected, right before, and rejected by error code.
    """
    connection, job = context.connection, context.job
    commands = PacedCommands(context)
    if context.total is None:
        context.save(total=count_customers(connection, job.tenant_id))
    counts = Counter({"checked": 0, "corrected": 0, "alreadyRight": 0} | context.report.get("customers", {}))
    rejected = Counter(context.report.get("rejected", {}))
    after = (context.cursor or {}).get("after")
    while True:
        context.proceed()
        customers = customers_after(connection, after, commands.rows, job.tenant_id)
        if not customers:
            return
        outcomes = commands.run([recompute_command(job.id, customer) for customer in customers])
        counts["checked"] += len(customers)
        for outcome in outcomes.values():
            if outcome.outcome == "rejected":
                rejected[outcome.code or "unknown"] += 1
            else:
                counts["corrected" if outcome.outcome == "applied" else "alreadyRight"] += 1
        after = customers[-1].id
        done = context.done + len(customers)
        context.save(
            cursor={"after": after},
            done=done,
            total=max(done, context.total or 0),  # customers may be new
            report={"customers": dict(counts), "rejected": dict(rejected)},
        )
        commands.pause()


def recompute_command(cause: str, customer: Customer) -> JobCommand:
    """Build the command that recomputes one customer.

    :param cause: id of the job, or of what made the command necessary; part of the command id.
    """
    return JobCommand(
        type=RECOMPUTE_NEXT,
        command_id=derive_id("recompute", cause, customer.id),
        tenant_id=customer.tenant_id,
        organization_id=customer.organization_id,
        entity_id=customer.id,
        data={},
    )
