"""Operations on an integration that need no provider: pause, resume, and retry of ledger rows."""

from __future__ import annotations

from typing import Any

from connectors.service.open_session import utc_now
from connectors.store.integrations import Integration, lock_integration, read_integration, set_state
from connectors.store.ledger_marks import retry_items
from connectors.store.warnings import close_warnings_of_kind
from runtime.postgres import Connection
from schemas import cache_tags
from schemas.integration_decisions import IntegrationOperation

#: Outcome of a decision: members of ``IntegrationChanged``.
Outcome = dict[str, Any]


def operate(connection: Connection, integration: Integration, wanted: IntegrationOperation) -> Outcome:
    """Execute one operation in one transaction. Repeating it is safe."""
    with connection.transaction():
        lock_integration(connection, integration.id)
        current = read_integration(connection, integration.id) or integration
        if wanted.operation == "pause":
            return _pause(connection, current)
        if wanted.operation == "resume":
            return _resume(connection, current)
        rows = retry_items(connection, current.id, wanted.interactions or None, utc_now(), wanted.only)
        return {"outcome": "done", "state": current.state, "rows": rows}


def refused(code: str, detail: str) -> Outcome:
    """Outcome of an operation that changed nothing."""
    return {"outcome": "refused", "code": code, "detail": detail}


def new_state(integration: Integration, state: str) -> dict[str, Any]:
    """Payload of a ``state_changed`` event: the state, and the cache tags of the integration's views."""
    tags = cache_tags.of_mirror(integration.id, integration.tenant_id, integration.organization_id)
    return {"state": state, "invalidates": list(tags)}


def _pause(connection: Connection, current: Integration) -> Outcome:
    # Hazard: pause and resume must not activate an integration whose plan or deletions were not confirmed.
    if current.state == "needs_confirmation":
        detail = f"{current.id} needs a confirmation and syncs nothing until then. Nothing was changed."
        return refused("needs_confirmation", detail)
    set_state(connection, current.id, "paused", "paused by a person")
    return {"outcome": "done", "state": "paused"}


def _resume(connection: Connection, current: Integration) -> Outcome:
    if current.state == "needs_confirmation":
        detail = f"{current.id} needs a confirmation before it can run: {current.state_reason}."
        return refused("needs_confirmation", f"{detail} Nothing was changed.")
    close_warnings_of_kind(connection, current.id, ["auth", "disabled"])
    set_state(connection, current.id, "active", None)
    return {"outcome": "done", "state": "active"}
