"""``interactions backfill``: one command per kind of legacy rows, the parity check, and the rollback."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console

from cli.backfill.report_view import show_losses, show_parity
from cli.console import console
from cli.jobs.create import create_once
from cli.jobs.follow import follow_job
from runtime.settings import Settings, load_settings
from schemas.errors import Reject
from schemas.identity import derive_id

if TYPE_CHECKING:
    from sinks.jobs.store import Job

_EXAMPLES = """
[bold]Examples[/bold]

  interactions backfill all --dry-run                    what would be made of the rows; writes nothing

  interactions backfill all --tenant 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001

  interactions backfill all --status

  interactions backfill check                            compare all legacy rows with their interactions

  interactions backfill rollback 7c1f0a52-3f53-4a4f-9a43-50f6b2f2a001      take back what one job made
"""
_HELP: Final = {
    "activities": "Move the rows of customer_activities.",
    "todos": "Move the rows of customer_todo_links, with the todos behind them.",
    "interactions": "Move the imported interactions of another installation.",
    "all": "Move all legacy rows.",
}
_MORE: Final = (
    "\n\nThe work is a job of the jobs role, by commands with ids derived from the rows: repeating it changes"
    " nothing. Live commands go first. A parity check follows by itself.\n\n"
    "Exit status: 0 done, and the check passed; 1 failed, canceled, paused, or the check did not pass;"
    " 130 interrupted (the job goes on)."
)
_KIND: Final = "backfill"

Tenant = Annotated[UUID | None, typer.Option(help="Only this tenant; by default all.")]
Detach = Annotated[bool, typer.Option("--detach", help="Create the job and return.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add ``backfill``."""
    group = typer.Typer(
        name="backfill",
        help="Move the legacy rows into interactions, check the result, take it back.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    for what, text in _HELP.items():
        group.command(what, help=text + _MORE, epilog=_EXAMPLES)(_command(what))
    group.command("check", help="Compare all legacy rows with their interactions, and validate the tenants.")(
        check
    )
    group.command("rollback", help="Delete what one backfill created, except what was changed since.")(
        rollback
    )
    app.add_typer(group)


def _command(what: str) -> Callable[..., None]:
    def run(
        *,
        tenant: Tenant = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; write nothing.")] = False,
        integration: Annotated[
            list[str] | None,
            typer.Option(help="Id of an integration in the imported links, and its id here: old=new."),
        ] = None,
        pause: Annotated[bool, typer.Option("--pause", help="Pause the running job.")] = False,
        resume: Annotated[bool, typer.Option("--resume", help="Resume the paused or failed job.")] = False,
        status: Annotated[bool, typer.Option("--status", help="Show the latest job.")] = False,
        detach: Detach = False,
        as_json: AsJson = False,
    ) -> None:
        if pause + resume + status + dry_run > 1:
            raise typer.BadParameter("give at most one of --pause, --resume, --status and --dry-run")
        settings = load_settings()
        of_tenant = str(tenant) if tenant else None
        if pause or status:
            _show(_requested(settings, what, of_tenant, "pause" if pause else None), as_json=as_json)
            return
        if resume:
            job_id = _requested(settings, what, of_tenant, "resume").id
        else:
            wanted = {"what": what, "dryRun": dry_run, "integrations": _names(integration or [])}
            job_id = _create(settings, _KIND, of_tenant, wanted)
        _follow(settings, job_id, detach=detach, as_json=as_json, check=not dry_run)

    return run


def check(*, tenant: Tenant = None, detach: Detach = False, as_json: AsJson = False) -> None:
    """Start a parity check."""
    settings = load_settings()
    job_id = _create(settings, "parity", str(tenant) if tenant else None, {})
    _follow(settings, job_id, detach=detach, as_json=as_json)


def rollback(
    job: Annotated[UUID, typer.Argument(help="Id of the backfill, as `interactions jobs list` shows it.")],
    *,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Take back what one job made."""
    from runtime.postgres import connect
    from sinks.jobs.store import find_job

    settings = load_settings()
    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        found = find_job(connection, str(job))
    if found is None or found.kind != _KIND:
        raise Reject("not_found", f"There is no backfill {job}. List them with: interactions jobs list")
    if found.state in ("waiting", "running"):
        raise Reject("job_running", f"The backfill {job} is {found.state}. Pause or cancel it first.")
    job_id = _create(settings, "backfill_rollback", found.tenant_id, {"job": str(job)})
    _follow(settings, job_id, detach=detach, as_json=as_json)


def _names(pairs: list[str]) -> dict[str, str]:
    names = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(names) or not all(names.values()):
        raise typer.BadParameter("must be old=new", param_hint="--integration")
    return names


def _create(settings: Settings, kind: str, tenant_id: str | None, wanted: dict[str, Any]) -> str:
    """Create a job, unless an unfinished one does the same; returns its id."""
    job_id, state = create_once(settings, kind, tenant_id, wanted)
    if state is not None:
        notes = Console(stderr=True, highlight=False)
        notes.print(f"The job {job_id} does this already; it is {state}.")
    return job_id


def _requested(settings: Settings, what: str, tenant_id: str | None, request: str | None) -> Job:
    """Find the latest backfill of this kind, pause or resume it, and return it."""
    from runtime.postgres import connect
    from sinks.jobs.store import find_job, latest_job, request_job

    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        job = latest_job(connection, [_KIND], tenant_id, {"what": what})
        if job is None:
            raise Reject("not_found", f"There is no backfill of {what} for this tenant yet.")
        if request is not None and not request_job(connection, job.id, request):
            raise Reject("wrong_state", f"The job {job.id} is {job.state}; it cannot {request}.")
        return find_job(connection, job.id) or job


def _follow(settings: Settings, job_id: str, *, detach: bool, as_json: bool, check: bool = False) -> None:
    """Follow a job, and the parity check after it."""
    if detach:
        if as_json:
            sys.stdout.write(json.dumps({"jobId": job_id}) + "\n")
        else:
            console().print(f"Job {job_id}. Follow it with: interactions jobs show {job_id} --follow")
        return
    status = follow_job(settings, job_id, as_json)
    if not as_json:
        _show_reports(settings, job_id)
    if status == 0 and check:
        _follow(settings, derive_id("parity", job_id), detach=False, as_json=as_json)
    raise typer.Exit(status)


def _show(job: Job, *, as_json: bool) -> None:
    from cli.jobs.follow import read_batches
    from cli.jobs.job_view import detail_lines, job_json
    from runtime.postgres import connect

    settings = load_settings()
    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        batches = read_batches(connection, job.id)
    if as_json:
        sys.stdout.write(json.dumps(job_json(job, batches)) + "\n")
        return
    for line in detail_lines(job, batches):
        console().print(line, soft_wrap=True)
    _show_reports(settings, job.id)


def _show_reports(settings: Settings, job_id: str) -> None:
    from runtime.postgres import connect
    from sinks.jobs.store import find_job

    with connect(settings, application_name="interactions-cli", autocommit=True) as connection:
        job = find_job(connection, job_id)
    if job is not None and job.kind == _KIND:
        show_losses(console(), job.report)
    elif job is not None and job.kind == "parity":
        show_parity(console(), job.report)
