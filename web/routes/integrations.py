"""``/backend/integrations``: every integration with its health, and one with plan, warnings and ledger."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response

from api.authorization import require_features
from api.instants import instant_text
from api.principal import Principal
from api.queries.integration_ledger import LEDGER_STATES, ledger_page
from api.queries.integration_list import integration_rows, stored_plan, stored_providers
from api.queries.integration_warnings import open_warnings
from api.queries.scope import Connection, Row
from api.routes.integration_views import MANAGE, MISSING, VIEW, IntegrationId
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.instants import parse_instant
from schemas.integration_decisions import CHOICES
from web.mirrors import providers_of
from web.page_route import page_router, target_of
from web.paging import after_of
from web.receipt import receipt_of
from web.rendering import query, render
from web.setting_fields import inputs_of
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/integrations"
TABS: Final = ("overview", "warnings", "ledger", "settings")
_PAGE: Final = 40
#: A warning may hold two long texts.
_WARNINGS: Final = 25
#: Fields of interactions whose values are instants.
_INSTANTS: Final = frozenset({"scheduled_at", "occurred_at"})


@router.get(PATH)
async def integrations(
    request: Request, services: ServicesDep, principal: Principal = require_features(VIEW, MANAGE)
) -> Response:
    """All integrations of the organization, and the providers to add another."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        rows = await integration_rows(connection, principal.scope)
        stored = await stored_providers(connection)
    return render(
        "integrations.html",
        viewer,
        receipt=receipt_of(request, viewer),
        back=target_of(request),
        rows=[_shown(row) for row in rows],
        providers=providers_of(stored),
    )


@router.get(PATH + "/{integration}")
async def integration(
    integration: IntegrationId,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features(VIEW, MANAGE),
) -> Response:
    """One integration: overview with the plan, open warnings, ledger, settings."""
    viewer, given = viewer_of(request, principal), request.query_params
    tab = given["tab"] if given.get("tab") in TABS else "overview"
    if tab == "settings" and not principal.has(MANAGE):
        tab = "overview"
    async with services.reads.connection() as connection:
        rows = await integration_rows(connection, principal.scope, integration)
        if not rows:
            raise Reject("integration_not_found", MISSING, status=404)
        row, stored = _shown(rows[0]), await stored_providers(connection)
        plan = await stored_plan(connection, principal.scope, integration)
        held_back = await open_warnings(
            connection, principal.scope, integration=integration, kind="brake", limit=1
        )
        values: dict[str, Any] = {}
        if tab == "warnings":
            values = await _warnings(connection, principal, integration, given.get("kind"))
        elif tab == "ledger":
            values = await _ledger(connection, principal, integration, request)
    declared = providers_of(stored).get(row["provider"])
    plan_at = parse_instant(plan["at"]) if plan else None
    # A plan from before a change of the state or the settings says nothing about what a sync would do now.
    outdated = plan_at is not None and plan_at < row["updated_at"]
    stopped = plan["massChange"] if plan and not outdated and plan.get("massChange") else None
    if tab == "settings" and declared is not None and stored is not None:
        policy = inputs_of("policy", stored["checkpoint"]["policy"], row["policy"])
        values = {
            "settings_inputs": inputs_of("settings", declared["settings"], row["settings"]),
            "policy_inputs": policy,
        }
    return render(
        "integration.html",
        viewer,
        receipt=receipt_of(request, viewer),
        back=target_of(request),
        tab=tab,
        tabs=[name for name in TABS if name != "settings" or principal.has(MANAGE)],
        row=row,
        path=path_of(integration),
        declared=declared,
        plan=plan,
        plan_at=plan_at,
        outdated=outdated,
        held_back=held_back[0]["detail"] if held_back else stopped,
        **values,
    )


def path_of(integration: str) -> str:
    """Address of an integration's page."""
    return f"{PATH}/{quote(integration, safe='')}"


def _shown(row: Row) -> Row:
    """A row whose number of warnings is that of the list, which is empty while external sync is off."""
    return {**row, "path": path_of(row["id"]), "warnings": row["warnings"] if row["switched_on"] else 0}


async def _warnings(
    connection: Connection, principal: Principal, integration: str, kind: str | None
) -> dict[str, Any]:
    kind = kind if kind in CHOICES or kind == "superseded" else None
    rows = await open_warnings(
        connection, principal.scope, integration=integration, kind=kind, limit=_WARNINGS
    )
    items = [
        {
            **row,
            "reference": f"{row['id']}@{instant_text(row['updated_at'])}",
            "choices": sorted(CHOICES.get(row["kind"], ())),
            "local": _value(row["field"], row["local_value"]),
            "remote": _value(row["field"], row["remote_value"]),
        }
        for row in rows
    ]
    kinds = [it for it in (*CHOICES, "superseded") if it == kind or any(row["kind"] == it for row in rows)]
    if len(rows) == _WARNINGS:
        kinds = [*CHOICES, "superseded"]  # the rows that are not listed may be of any kind
    return {"items": items, "kind": kind, "kinds": kinds}


async def _ledger(
    connection: Connection, principal: Principal, integration: str, request: Request
) -> dict[str, Any]:
    given = request.query_params.get("state")
    state = given if given in LEDGER_STATES else None
    rows, more = await ledger_page(
        connection,
        principal.scope,
        integration,
        states=(state,) if state else None,
        after=after_of(request),
        limit=_PAGE,
    )
    following = None
    if more:
        last = {"after": rows[-1]["updated_at"].isoformat(), "id": rows[-1]["id"]}
        following = query(path_of(integration), tab="ledger", state=state, **last)
    return {"entries": rows, "state": state, "states": LEDGER_STATES, "more": following}


def _value(field: str | None, value: Any) -> Any:
    """A value of one side as the page shows it: an instant as such, anything else as text."""
    if value is None:
        return None
    if field in _INSTANTS and isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            return value
    return str(value)
