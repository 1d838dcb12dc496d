"""``interactions connectors warnings`` and ``retry``: open warnings and their resolution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.connectors.common import AsJson, Tenant, database, get_integration, print_json
from cli.console import console, table
from cli.relative_times import relative

if TYPE_CHECKING:
    from connectors.store.warnings import SyncWarning
    from runtime.postgres import Connection

RETRY_HELP = (
    "Retry failed items, or resolve conflicts.\n\n"
    "Without --take, failed items are retried. With --take local a conflict is resolved with our value, "
    "with --take remote with the provider's. Name warnings by id, or use --all for every open warning; "
    "--all without --take also makes items due now that were waiting for a later retry.\n\n"
    "Exit status: 0 at least one warning or item was affected; 1 none was."
)
#: Characters of a value shown in a table.
_MAX_VALUE_LENGTH = 120


def warnings(
    *,
    integration: Annotated[str | None, typer.Option(help="Only this integration.")] = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of warnings.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List open warnings."""
    from connectors.store.interactions import interaction_types
    from connectors.store.warnings import list_warnings

    with database() as connection:
        if integration is not None:
            get_integration(connection, integration)
        found = list_warnings(
            connection,
            integration_id=integration,
            tenant_id=str(tenant) if tenant else None,
            limit=limit,
        )
        types = interaction_types(connection, [each.interaction_id for each in found if each.interaction_id])
    if as_json:
        for warning in found:
            print_json({**_warning_json(warning), "interactionType": types.get(warning.interaction_id or "")})
        return
    if not found:
        console().print("There are no open warnings.")
        return
    now = datetime.now(UTC)
    rows = table("Warnings")
    for name in ("warning", "details"):
        rows.add_column(name, overflow="fold")
    for warning in found:
        since = relative(warning.created_at, now) if warning.created_at else ""
        named = [warning.id, warning.integration_id, f"{warning.kind} {warning.field or ''}".strip(), since]
        rows.add_row("\n".join(named), escape("\n".join(_detail_lines(warning, types))))
    console().print(rows)


def retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Warning ids.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every open warning.")] = False,
    integration: Annotated[str | None, typer.Option(help="With --all: only this integration.")] = None,
    take: Annotated[
        str | None, typer.Option(help="Resolve conflicts with this side's value: local or remote.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Retry failed items, or resolve conflicts."""
    from connectors.store.warnings import list_warnings
    from connectors.sync.resolution import resolve
    from schemas.integration_decisions import Resolution

    if bool(ids) == all_of_them:
        raise typer.BadParameter("give warning ids, or --all")
    choices: dict[str | None, Resolution] = {None: "retry", "local": "take_local", "remote": "take_remote"}
    if take not in choices:
        raise typer.BadParameter("must be local or remote", param_hint="--take")
    with database() as connection:
        if integration is not None:
            get_integration(connection, integration)
        found = list_warnings(connection, integration_id=integration, ids=ids or None, limit=None)
        resolved = resolve(connection, found, choices[take], by="command line", now=datetime.now(UTC))
        rescheduled = 0 if ids or take else _make_due(connection, integration)
    if as_json:
        for warning in resolved:
            print_json(_warning_json(warning))
    else:
        console().print(
            f"{len(resolved)} of {len(found)} warnings were resolved; {rescheduled} more items are due now."
        )
    raise typer.Exit(0 if resolved or rescheduled else 1)


def _make_due(connection: Connection, integration: str | None) -> int:
    """Make failed and delayed items due now; returns how many."""
    from connectors.store.integrations import list_integrations
    from connectors.store.ledger_marks import retry_items

    chosen = [each.id for each in list_integrations(connection) if integration in (None, each.id)]
    return sum(retry_items(connection, identity, None, datetime.now(UTC)) for identity in chosen)


def _detail_lines(warning: SyncWarning, types: Mapping[str, str]) -> Iterator[str]:
    """Enough of a warning to decide it."""
    yield warning.detail
    if warning.interaction_id is not None:
        yield f"interaction: {types.get(warning.interaction_id, 'unknown type')} {warning.interaction_id}"
    if warning.entity_id is not None:
        yield f"customer: {warning.entity_id}"
    if warning.field is not None:
        yield f"our value (local): {_truncated(warning.local_value)}"
        yield f"provider's value (remote): {_truncated(warning.remote_value)}"


def _truncated(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}… (in full with --json)"


def _warning_json(warning: SyncWarning) -> dict[str, Any]:
    return {
        "id": warning.id,
        "integrationId": warning.integration_id,
        "tenantId": warning.tenant_id,
        "organizationId": warning.organization_id,
        "interactionId": warning.interaction_id,
        "entityId": warning.entity_id,
        "kind": warning.kind,
        "field": warning.field,
        "detail": warning.detail,
        "local": warning.local_value,
        "remote": warning.remote_value,
        "resolution": warning.resolution,
    }
