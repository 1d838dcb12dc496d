"""``interactions jobs``: list, show, pause, resume and cancel long-running work, or run it now."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from cli.console import console, table
from cli.jobs.follow import follow_job, read_batches, require_job
from cli.jobs.job_view import detail_lines, job_json, progress_text, schedule_json, state_text
from cli.relative_times import relative
from runtime.settings import load_settings
from schemas.errors import Conflict
from schemas.instants import format_instant

if TYPE_CHECKING:
    from runtime.postgres import Connection

_EXAMPLES = """
[bold]Examples[/bold]

  interactions jobs list

  interactions jobs show 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001 --follow

  interactions jobs pause 0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001

  interactions jobs list --state failed --json

  interactions jobs run reconcile

  interactions jobs schedules
"""
_STATES: Final = ("waiting", "running", "paused", "completed", "failed", "canceled")
_DONE: Final = {"pause": "paused", "resume": "resumed", "cancel": "canceled"}

JobId = Annotated[UUID, typer.Argument(metavar="ID", help="Id of the job, as listed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per job.")]


def register(app: typer.Typer) -> None:
    """Add ``jobs``."""
    group = typer.Typer(
        name="jobs",
        help="List, show and control long-running work of the jobs role.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
    )
    group.command("list")(list_all)
    group.command("show")(show)
    group.command("pause")(pause)
    group.command("resume")(resume)
    group.command("cancel")(cancel)
    group.command("run")(run)
    group.command("schedules")(schedules)
    app.add_typer(group)


@contextmanager
def database() -> Iterator[Connection]:
    """A connection in autocommit mode, for the length of a block."""
    from runtime.postgres import connect

    with connect(load_settings(), application_name="interactions-cli", autocommit=True) as connection:
        yield connection


def list_all(
    *,
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only jobs in this state: {', '.join(_STATES)}. Repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also completed runs of recurring jobs.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of jobs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from sinks.jobs.store import list_jobs

    if unknown := sorted(set(state or ()) - set(_STATES)):
        raise typer.BadParameter(f"{unknown[0]} is not one of {', '.join(_STATES)}", param_hint="--state")
    with database() as connection:
        jobs = list_jobs(connection, limit, state or None, runs=everything or bool(state))
        found = [(job, read_batches(connection, job.id)) for job in jobs]
    if as_json:
        for job, batches in found:
            sys.stdout.write(json.dumps(job_json(job, batches)) + "\n")
        return
    if not found:
        console().print("There are no such jobs." if state else "There are no jobs yet.")
        return
    rows, now = table("Jobs"), datetime.now(UTC)
    for name in ("id", "kind", "state", "progress", "tenant", "created"):
        rows.add_column(name, no_wrap=name == "id", overflow="fold")
    for job, _ in found:
        created = relative(job.created_at, now)
        rows.add_row(
            job.id, job.kind, state_text(job), progress_text(job), (job.tenant_id or "all")[:8], created
        )
    console().print(rows)


def show(
    identity: JobId,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show its progress until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one job: state, progress, failed batches and report.

    With --follow, the exit status is 0 if the job completes, and 1 if it fails, is canceled or is paused.
    """
    if follow:
        raise typer.Exit(follow_job(load_settings(), str(identity), as_json))
    with database() as connection:
        job = require_job(connection, str(identity))
        batches = read_batches(connection, job.id)
    if as_json:
        sys.stdout.write(json.dumps(job_json(job, batches)) + "\n")
        return
    for line in detail_lines(job, batches):
        console().print(line, soft_wrap=True)


def pause(identity: JobId, *, as_json: AsJson = False) -> None:
    """Pause a job after its current batch. It resumes where it stopped."""
    _request(str(identity), "pause", as_json=as_json)


def resume(identity: JobId, *, as_json: AsJson = False) -> None:
    """Resume a paused or failed job where it stopped."""
    _request(str(identity), "resume", as_json=as_json)


def cancel(identity: JobId, *, as_json: AsJson = False) -> None:
    """Cancel a job for good. What it has done so far stays done."""
    _request(str(identity), "cancel", as_json=as_json)


def run(
    name: Annotated[str, typer.Argument(help="Recurring job: reconcile or retention.")],
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a recurring job now, and follow it. If it runs already, say since when; that is no error."""
    from sinks.jobs.store import state_of
    from streams.jobs.scheduler import run_now

    settings = load_settings()
    with database() as connection:
        job_id, running = run_now(connection, settings, name)
        paused = running is not None and state_of(connection, job_id) == "paused"
    if running is not None:
        if as_json:
            since = format_instant(running.started_at) if running.started_at else None
            sys.stdout.write(json.dumps({"jobId": job_id, "alreadyRunningSince": since}) + "\n")
        else:
            since = relative(running.started_at, datetime.now(UTC)) if running.started_at else "now"
            console().print(f"{name} is already running, started {since}: job {job_id}.")
            if paused:
                console().print(f"It is paused. Continue it with: interactions jobs resume {job_id}")
        return
    if not detach:
        raise typer.Exit(follow_job(settings, job_id, as_json))
    if as_json:
        sys.stdout.write(json.dumps({"jobId": job_id, "alreadyRunningSince": None}) + "\n")
    else:
        console().print(f"Job {job_id}. Follow it with: interactions jobs show {job_id} --follow")


def schedules(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per schedule.")] = False
) -> None:
    """List recurring work: when it ran last, its outcome, and when it is due."""
    from sinks.jobs.schedules import list_schedules

    with database() as connection:
        found = list_schedules(connection)
    if as_json:
        for it in found:
            sys.stdout.write(json.dumps(schedule_json(it)) + "\n")
        return
    rows, now = table("Recurring work"), datetime.now(UTC)
    for column in ("name", "due", "last run", "outcome"):
        rows.add_column(column, overflow="fold")
    for it in found:
        last = relative(it.started_at, now) if it.started_at else "never"
        rows.add_row(it.name, relative(it.due_at, now), last, "running" if it.running else it.outcome or "–")
    console().print(rows)


def _request(identity: str, request: str, *, as_json: bool) -> None:
    from sinks.jobs.store import REQUESTS, request_job

    with database() as connection:
        require_job(connection, identity)
        done = request_job(connection, identity, request)
        job = require_job(connection, identity)
        batches = read_batches(connection, identity)
    states, wanted = REQUESTS[request]
    if not done and job.state != wanted:
        raise Conflict(
            f"The job is {job.state}, so it cannot be {_DONE[request]}; only a job that is"
            f" {' or '.join(states)} can. Nothing was changed."
        )
    if as_json:
        sys.stdout.write(json.dumps(job_json(job, batches)) + "\n")
    else:
        console().print(f"{job.kind} {identity} is {'' if done else 'already '}{job.state}.")
