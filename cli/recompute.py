"""``interactions recompute``: recompute the projections of one customer, a tenant or all."""

from __future__ import annotations

import json
import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from cli.console import console
from cli.jobs.create import create_once
from cli.jobs.follow import follow_job
from cli.publish.report_view import show_report
from cli.publish.single_command import publish_one
from runtime.settings import Settings, load_settings
from schemas.errors import Reject
from schemas.payloads import RECOMPUTE_NEXT

_HELP = (
    "Recompute next and last interaction and the counts of customers from their interactions.\n\n"
    "A projection that is right stays as it is: no version, no event. For a tenant or for all, the work is a "
    "job of the jobs role; live commands go first, and it resumes after a crash. While such a job runs, the "
    "command follows it and starts no second one.\n\n"
    "Exit status: 0 done; 1 rejected, failed, canceled or paused; 130 interrupted (the job goes on)."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions recompute --entity 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001

  interactions recompute --tenant 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001

  interactions recompute --all --detach --json
"""
_KIND = "recompute"


def register(app: typer.Typer) -> None:
    """Add ``recompute``."""
    app.command("recompute", help=_HELP, epilog=_EXAMPLES)(recompute)


def recompute(
    *,
    entity: Annotated[UUID | None, typer.Option(help="Only this customer, at once.")] = None,
    tenant: Annotated[UUID | None, typer.Option(help="All customers of this tenant.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All customers of all tenants.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Create the job and return.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="With --entity: seconds to wait for the outcome.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Recompute projections from the interactions."""
    if (entity is not None) + (tenant is not None) + everything != 1:
        raise typer.BadParameter("give exactly one of --entity, --tenant and --all")
    settings = load_settings()
    if entity is not None:
        raise typer.Exit(_recompute_one(settings, str(entity), timeout, as_json=as_json))
    job_id, state = create_once(settings, _KIND, str(tenant) if tenant else None, {})
    if state is not None:
        Console(stderr=True, highlight=False).print(f"The job {job_id} does this already.")
    if not detach:
        raise typer.Exit(follow_job(settings, job_id, as_json))
    if as_json:
        sys.stdout.write(json.dumps({"jobId": job_id, "created": state is None}) + "\n")
    else:
        console().print(f"Job {job_id}. Follow it with: interactions jobs show {job_id} --follow")


def _recompute_one(settings: Settings, entity_id: str, timeout: float, *, as_json: bool) -> int:
    """Publish one command and wait for its result; returns the exit status."""
    from runtime.postgres import connect
    from sinks.jobs.customers import find_customer

    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        customer = find_customer(connection, entity_id)
    if customer is None:
        raise Reject("entity_not_found", f"There is no customer {entity_id}. Nothing was sent.")
    scope = customer.tenant_id, customer.organization_id
    command_id, report = publish_one(settings, RECOMPUTE_NEXT, scope, customer.id, {}, timeout=timeout)
    if as_json:
        sys.stdout.write(json.dumps({"commandId": command_id, **report.to_json()}) + "\n")
    else:
        show_report(console(), report, timeout=timeout)
    return report.exit_code(allow_rejected=False)
