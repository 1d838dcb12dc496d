"""``interactions next``: customers by their next interaction, soonest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import console, table
from cli.relative_times import absolute, relative
from runtime.settings import load_settings
from schemas.instants import format_instant

if TYPE_CHECKING:
    from cli.next_query import NextRow

_HELP = (
    "Show customers with their next interaction, soonest first.\n\n"
    "An interaction is overdue when its scheduled time has passed. Without --tenant and --organization "
    "all tenants are shown: this is an operator's view."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions next --limit 15

  interactions next --overdue --json
"""


def register(app: typer.Typer) -> None:
    """Add ``next``."""
    app.command("next", help=_HELP, epilog=_EXAMPLES)(show_next)


def show_next(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of customers.")] = 20,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only overdue interactions.")] = False,
    tenant: Annotated[UUID | None, typer.Option(help="Only customers of this tenant.")] = None,
    organization: Annotated[UUID | None, typer.Option(help="Only customers of this organization.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Show customers with their next interaction."""
    from cli.next_query import next_interactions

    now = datetime.now(UTC)
    rows = next_interactions(
        load_settings(),
        now=now,
        limit=limit,
        overdue_only=overdue,
        tenant_id=str(tenant) if tenant else None,
        organization_id=str(organization) if organization else None,
    )
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(to_json(row), ensure_ascii=False) + "\n")
    elif rows:
        console().print(next_table(rows, now))
    else:
        console().print("No customer has a next interaction." if not overdue else "Nothing is overdue.")


def to_json(row: NextRow) -> dict[str, Any]:
    """JSON form: camelCase names, RFC 3339 instants."""
    return {
        "tenantId": row.tenant_id,
        "organizationId": row.organization_id,
        "entityId": row.entity_id,
        "displayName": row.display_name,
        "interactionId": row.interaction_id,
        "interactionType": row.interaction_type,
        "name": row.name,
        "title": row.title,
        "at": format_instant(row.at),
        "icon": row.icon,
        "color": row.color,
        "ownerUserId": row.owner_user_id,
        "openCount": row.open_count,
        "overdueCount": row.overdue_count,
        "overdue": row.overdue,
    }


def next_table(rows: Sequence[NextRow], now: datetime) -> Table:
    """The rows as a table. Overdue is shown in words, not only in colour."""
    shown = table("Next interactions")
    shown.add_column("customer", overflow="fold")
    shown.add_column("next", overflow="fold")
    for name in ("when", "(UTC)", "owner"):
        shown.add_column(name, no_wrap=True)
    shown.add_column("open", justify="right")
    shown.add_column("overdue", justify="right")
    for row in rows:
        what = row.name if not row.title or row.title == row.name else f"{row.name}: {row.title}"
        when = relative(row.at, now)
        shown.add_row(
            escape(row.display_name),
            escape(what),
            f"OVERDUE {when}" if row.overdue else when,
            absolute(row.at),
            (row.owner_user_id or "–")[:8],
            str(row.open_count),
            str(row.overdue_count),
            style="bold red" if row.overdue else None,
        )
    return shown
