"""The demo's resolved signal: its draft from the gateway, and the invariant from the auditor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from cli.demo.gateway import resolve_signal

if TYPE_CHECKING:
    from audit.findings import Report
    from examples.week.sample import Sample


def show_resolution(out: Console, home: Path, week: Sequence[Sample]) -> None:
    """Resolve one open signal of the week and show its draft.

    :raises OSError: the gateway is unavailable, or there is no draft.
    """
    from examples.week.signals import open_signal_of_a_person

    event = open_signal_of_a_person(week).event
    draft = resolve_signal(home, event["tenantid"], event["organizationid"], event["data"]["id"])
    text = Text()
    text.append(f"{draft['subject']}\n\n", style="bold")
    text.append(draft["body"])
    title = f"Signal “{event['data']['title']}” resolved by {draft['channel']}, written from a template"
    out.print(Panel(text, title=title, title_align="left", padding=(1, 2), width=min(out.width, 100)))


def invariant_line(audit: Report) -> str:
    """Sentence on the drafts of resolved signals, from the audit."""
    check = audit.checks["A11"]
    if check.failed:
        return f"{check.failed} of {check.checked} resolved signals have no draft."
    return f"Every resolved signal has its draft: {check.checked} of {check.checked}."
