"""``interactions demo``: the whole pipeline on this machine, with a week of made-up work."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.console import console
from cli.demo.gateway import curl_line, gateway_shows, gateway_url
from cli.next_interactions import next_table
from cli.publish.report_view import show_report
from cli.stack.view import progress_line
from runtime.gateway_settings import API_PREFIX
from runtime.running_stack import read_running_stack
from runtime.settings import ENV_PREFIX, Settings, load_settings
from schemas.errors import Stop

if TYPE_CHECKING:
    from examples.week.sample import Sample

_HELP = (
    "Start everything in a temporary folder, publish a believable week of several hundred customers' "
    "interactions (some of it wrong on purpose), and show the outcomes, what comes next, and the "
    "audit.\n\n"
    "On a terminal it stays up until Ctrl-C and says what to try. Otherwise it ends by itself, with "
    "exit status 0 only if every command had the outcome it must have and the audit is clean. Nothing "
    "is left behind."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions demo

  interactions demo --customers 50 --seed 8 | cat     does not stay up
"""
_REST_SECONDS = 60.0
_LOOK_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command("demo", help=_HELP, epilog=_EXAMPLES)(demo)


def demo(
    *,
    customers: Annotated[int, typer.Option(min=20, help="How many customers.")] = 300,
    seed: Annotated[int, typer.Option(help="Another seed, another week.")] = 7,
) -> None:
    """Start everything, publish a week, show what came of it."""
    from stack.down import stop_stack
    from stack.launch import launch_stack
    from stack.roles import DEFAULT_ROLES

    started = time.monotonic()
    dictionaries, week = _samples(seed, customers)
    _forget_other_servers()
    home = Path(tempfile.mkdtemp(prefix="interactions-demo-"))
    os.environ[f"{ENV_PREFIX}HOME"] = str(home)
    good: bool | None = None
    try:
        launch_stack(
            home, ",".join(DEFAULT_ROLES), ephemeral=True, stop_with_parent=True, progress=progress_line
        )
        good = _show(load_settings(), dictionaries, week)
        tenant, organization = (week[0].event[name] for name in ("tenantid", "organizationid"))
        shown = gateway_shows(home, tenant, organization)
        good = good and shown > 0
        console().print(
            f"The HTTP gateway at {gateway_url(home)} shows {shown} interactions on a first page."
        )
        console().print(f"\nDemo done in {time.monotonic() - started:.0f} s.")
        if sys.stdout.isatty():
            _stay(home, tenant, organization)
    except KeyboardInterrupt:
        Console(stderr=True).print("\nStopping …")
    finally:
        stop_stack(home)
    raise typer.Exit(130 if good is None else int(not good))


def _show(settings: Settings, dictionaries: list[Sample], week: list[Sample]) -> bool:
    """Publish and show; whether everything is as it must be."""
    from audit.quiescence import wait_for_rest
    from audit.report_view import show
    from cli.audit_command import run_audit
    from cli.demo.outcome_check import check_outcomes
    from cli.demo.week import publish_week
    from cli.next_query import next_interactions

    out = console()
    report = publish_week(settings, dictionaries, week)
    show_report(out, report.shortened(10), timeout=_REST_SECONDS)
    wrong = check_outcomes([*dictionaries, *week], report)
    if wrong:
        for line in wrong:
            out.print(f"NOT AS EXPECTED: {line}", markup=False)
    else:
        out.print("Each command has exactly the outcome that its author expected.\n")
    rested = wait_for_rest(settings, _REST_SECONDS)
    now = datetime.now(UTC)
    out.print(next_table(next_interactions(settings, now=now, limit=15), now))
    audit = run_audit(settings)
    show(audit, out, 10)
    if not rested:
        out.print(f"The pipeline was not at rest after {_REST_SECONDS:g} s.")
    return audit.ok and rested and not wrong


def _samples(seed: int, customers: int) -> tuple[list[Sample], list[Sample]]:
    try:
        from examples.generate_week import week_samples
        from examples.week.dictionaries import dictionary_samples
    except ModuleNotFoundError:
        raise Stop("The demo's week is made by examples/: run it in a clone of the source tree.") from None
    now = datetime.now(UTC) - timedelta(minutes=1)
    return list(dictionary_samples(seed, now)), list(week_samples(seed, customers, now))


def _forget_other_servers() -> None:
    """The demo has servers of its own: addresses in the environment mean somebody's data."""
    kept = {"log_level", "log_format"}
    for name in Settings.model_fields:
        if name not in kept:
            os.environ.pop(f"{ENV_PREFIX}{name.upper()}", None)
    for name in [name for name in os.environ if name.startswith(API_PREFIX)]:
        del os.environ[name]


def _stay(home: Path, tenant: str, organization: str) -> None:
    """Say what to try, until Ctrl-C or the end of the stack."""
    tool = Path(sys.argv[0]).resolve()
    show_as = os.path.relpath(tool) if tool.is_relative_to(Path.cwd()) else str(tool)
    python = show_as.removesuffix("interactions") + "python"
    console().print(
        f"""
Everything is up. In another terminal, in this folder, try:

  eval "$({ENV_PREFIX}HOME={home} {show_as} env)"
  {show_as} next --overdue
  {curl_line(show_as, tenant, organization)}
  {show_as} tail events
  {show_as} dead-letters list
  {python} -m examples.generate_week --seed 8 --customers 50 | {show_as} publish - --allow-rejected
  {show_as} audit
  {show_as} status

Ctrl-C here stops everything and removes {home}.""",
        markup=False,
        soft_wrap=True,
    )
    while read_running_stack(home) is not None:
        time.sleep(_LOOK_SECONDS)
    raise Stop("The demo's stack has ended by itself.")
