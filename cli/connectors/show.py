"""``interactions connectors providers``, ``list`` and ``status``: read-only views."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from cli.connectors.common import (
    AsJson,
    Id,
    Tenant,
    database,
    get_integration,
    integration_json,
    print_json,
    state_reasons,
)
from cli.console import console, table
from schemas.instants import format_instant


def providers(*, as_json: AsJson = False) -> None:
    """List the providers and the settings each one needs."""
    from connectors.service.catalogue import declarations

    for declared in declarations().values():
        secret_names = declared.settings.secret_fields()
        fields = [
            {
                "name": name,
                "secret": name in secret_names,
                "required": field.is_required(),
                "description": field.description or "",
            }
            for name, field in declared.settings.model_fields.items()
        ]
        if as_json:
            shown = {"provider": declared.name, "title": declared.title, "summary": declared.summary}
            print_json({**shown, "features": sorted(declared.features), "settings": fields})
            continue
        rows = table(f"{declared.name}: {declared.summary}")
        for name in ("setting", "required", "option", "description"):
            rows.add_column(name)
        for field in fields:
            rows.add_row(
                str(field["name"]),
                "yes" if field["required"] else "",
                "--secret" if field["secret"] else "--set",
                escape(str(field["description"])),
            )
        console().print(rows)


def list_all(*, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List integrations and their states."""
    from connectors.store.integrations import list_integrations

    with database() as connection:
        found = list_integrations(connection, str(tenant) if tenant else None)
    if as_json:
        for integration in found:
            print_json(integration_json(integration))
        return
    if not found:
        console().print("There are no integrations. Add one with: interactions connectors add")
        return
    rows = table("Integrations")
    for name in ("id", "provider", "state", "healthy", "tenant", "why"):
        rows.add_column(name, overflow="fold")
    for integration in found:
        rows.add_row(
            integration.id,
            integration.provider,
            integration.state,
            {True: "yes", False: "no", None: ""}[integration.healthy],
            integration.tenant_id,
            escape(state_reasons(integration)),
        )
    console().print(rows)


def status(identity: Id, *, as_json: AsJson = False) -> None:
    """Show the backlog and the health of an integration."""
    from connectors.store.ledger import ledger_counts
    from connectors.store.mappings import count_mappings
    from connectors.store.warnings import list_warnings

    with database() as connection:
        integration = get_integration(connection, identity)
        counts = ledger_counts(connection, identity)
        mirrored = count_mappings(connection, identity)
        open_warnings = len(list_warnings(connection, integration_id=identity, limit=1000))
    shown: dict[str, Any] = {
        **integration_json(integration),
        "mirrored": mirrored,
        "due": counts.due,
        "failing": counts.failing,
        "givenUp": counts.blocked,
        "warnings": open_warnings,
        "oldestDueAt": format_instant(counts.oldest_at) if counts.oldest_at else None,
    }
    if as_json:
        print_json(shown)
        return
    rows = table(identity)
    rows.add_column("field")
    rows.add_column("value", overflow="fold")
    for name, value in shown.items():
        rows.add_row(name, escape("" if value is None else str(value)))
    console().print(rows)
