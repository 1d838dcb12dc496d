"""``interactions erase``: erase a customer for good, and show what remains until when."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from cli.console import console
from cli.erase.needles import Needles, make_needles
from cli.erase.places import search_logs, search_tables, search_topics
from cli.erase.report import ErasureReport, report_lines
from cli.publish.single_command import publish_one
from runtime.settings import Settings, load_settings
from schemas.errors import Reject, Retry
from schemas.payloads import ENTITY_ERASE

if TYPE_CHECKING:
    from runtime.postgres import Connection
    from sinks.erasure.erased import ErasedCustomer
    from sinks.jobs.store import Job

_HELP = (
    "Erase a customer with all interactions, deals, signals and drafts, for good.\n\n"
    "It waits until the job has removed everything that the applier leaves, then searches all tables, topics "
    "and the logs of the embedded stack for the customer's texts. It reports where they remain and until "
    "when. Texts are kept in memory only, and are never shown.\n\n"
    "Calling it again continues: it waits for the same job, and erases nothing twice.\n\n"
    "Exit status: 0 nothing remains that should not; 1 something does, the job has not ended, or the command "
    "was rejected."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions erase --entity … --tenant … --organization …

  interactions erase --entity … --tenant … --organization … --mirrors delete --yes --json
"""
_POLL_SECONDS: Final = 0.2


class MirrorsPolicy(StrEnum):
    """Policy for the objects at providers."""

    delete = "delete"
    leave = "leave"


def register(app: typer.Typer) -> None:
    """Add ``erase``."""
    app.command("erase", help=_HELP, epilog=_EXAMPLES)(erase)


def erase(
    *,
    entity: Annotated[UUID, typer.Option(help="Id of the customer.")],
    tenant: Annotated[UUID, typer.Option(help="Tenant id.")],
    organization: Annotated[UUID, typer.Option(help="Organization id.")],
    mirrors: Annotated[
        MirrorsPolicy, typer.Option(help="delete or leave the customer's objects at providers.")
    ] = MirrorsPolicy.leave,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for the outcome, the job, and for providers.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Erase a customer."""
    from runtime.postgres import connect
    from sinks.erasure.erased import find_erased
    from sinks.erasure.texts import ids_of, texts_of

    settings, scope = load_settings(), (str(tenant), str(organization))
    needles: Needles | None = None
    with connect(settings, application_name="interactions-erase", autocommit=True) as connection:
        erased = find_erased(connection, *scope, str(entity))
        if erased is None:
            needles = make_needles(
                texts_of(connection, *scope, str(entity)), ids_of(connection, *scope, str(entity))
            )
            if not yes:
                typer.confirm(
                    f"Erase customer {entity} for good? It cannot be undone, and the id is never used again",
                    abort=True,
                    err=True,
                )
            _publish(settings, str(entity), scope, mirrors.value, timeout)
            erased = find_erased(connection, *scope, str(entity))
        if erased is None:
            raise Retry("The outcome of the command is not known yet. Call it again to continue.")
        report = _complete(connection, erased, timeout)
        if needles is None:
            report.erased_before = True
        else:
            report.terms, report.left_out = len(needles.terms), needles.left_out
            report.places += search_tables(connection, str(tenant), needles)
            report.places += search_topics(settings, needles)
            report.places += search_logs(settings.home / "logs", needles)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json()) + "\n")
    else:
        for line in report_lines(report):
            console().print(line, soft_wrap=True)
    raise typer.Exit(0 if report.ok else 1)


def _publish(
    settings: Settings, entity_id: str, scope: tuple[str, str], mirrors: str, timeout: float
) -> None:
    """Publish the command and wait for its outcome.

    :raises Reject: it was rejected, and nothing was erased.
    """
    data = {"id": entity_id, "mirrors": mirrors}
    _, published = publish_one(settings, ENTITY_ERASE, scope, entity_id, data, timeout=timeout)
    for rejection in published.rejections:
        code, detail = rejection.problem.get("code"), rejection.problem.get("detail")
        if code == "entity_erased":
            continue  # by another call, meanwhile
        raise Reject(str(code), f"The command was rejected ({code}): {detail}. Nothing was erased.")


def _complete(connection: Connection, erased: ErasedCustomer, timeout: float) -> ErasureReport:
    """Wait for the job and then for the providers, each at most ``timeout`` seconds."""
    from sinks.erasure.job import continue_erasure, is_cleaned
    from sinks.erasure.mirrors import pending_mirrors

    job_id = continue_erasure(connection, erased)
    job = _await_job(connection, job_id, timeout)
    counts = {name: value for name, value in (job.report if job else {}).items() if isinstance(value, int)}
    counts.pop("mirrorsPending", None)
    cleaned = is_cleaned(connection, erased)
    deadline = time.monotonic() + timeout
    pending = pending_mirrors(connection, erased)
    while pending and cleaned and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        pending = pending_mirrors(connection, erased)
    return ErasureReport(
        entity_id=erased.entity_id,
        job_id=job_id,
        job_state="completed" if cleaned else job.state if job else "gone",
        mirrors=erased.mirrors,
        counts=counts,
        mirrors_pending=pending,
    )


def _await_job(connection: Connection, job_id: str, timeout: float) -> Job | None:
    """Wait until the job ends; ``None`` if retention has removed it."""
    from cli.jobs.follow import NO_ROLE
    from sinks.jobs.store import FINISHED, find_job, jobs_role_runs

    deadline, warned = time.monotonic() + timeout, False
    while True:
        job = find_job(connection, job_id)
        if job is None or job.state in (*FINISHED, "paused") or time.monotonic() > deadline:
            return job
        if not warned and not jobs_role_runs(connection):
            sys.stderr.write(f"{NO_ROLE}\n")
            warned = True
        time.sleep(_POLL_SECONDS)
