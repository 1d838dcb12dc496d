"""Integrations for tests of their pages: rows without a provider, and a calendar on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from connectors.service.published_declarations import publish_declarations
from connectors.store.integrations import insert_integration, set_state
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.store.warnings import raise_warning
from runtime.postgres import Connection, connect
from tests.acceptance.pages.person import Person
from tests.harness.gateway import ALL_FEATURES
from tests.harness.integrations import a_warning, an_integration
from tests.harness.wire import event, new_id, outcomes

#: Features of someone who operates integrations.
OPERATOR: Final = (*ALL_FEATURES, "customers.integrations.manage")
#: Columns of a ledger row in each state.
STATES: Final = {
    "waiting": "attempts = 0, next_attempt_at = now() + interval '1 day'",
    "failing": "attempts = 2, last_error = 'rate_limited: slow', next_attempt_at = now() + interval '1 day'",
    "blocked": "parked = TRUE, next_attempt_at = NULL, attempts = 9, last_error = 'too_long: refused'",
    "synced": "next_attempt_at = NULL",
}


@contextmanager
def rows_of(person: Person) -> Iterator[Connection]:
    """A connection to the tables of the connectors."""
    with connect(person.settings, application_name="tests", autocommit=True) as connection:
        yield connection


def switch_on(person: Person) -> None:
    """Switch external sync on for the person's tenant."""
    flag = {"flag": "customers.interactions.external-sync", "enabled": True}
    scope = {"tenantid": person.tenant, "organizationid": person.organization}
    (result,) = outcomes(person.settings, [event("feature_flag.set", person.tenant, flag, **scope)])
    assert result["outcome"] == "applied", result


def new_board(person: Person, *, state: str = "active", reason: str | None = None) -> str:
    """An integration whose provider is not installed, so that its rows stay as they are."""
    identity = f"board-{new_id()[:8]}"
    with rows_of(person) as connection:
        publish_declarations(connection)
        assert insert_integration(connection, an_integration(identity, person.tenant, person.organization))
        set_state(connection, identity, state, reason)
    return identity


def new_row(person: Person, board: str, interaction: str, columns: str) -> str:
    """A ledger row of an interaction; return the interaction."""
    mark = LocalMark(
        integration_id=board,
        interaction_id=interaction,
        tenant_id=person.tenant,
        organization_id=person.organization,
        entity_id=new_id(),
        version=1,
    )
    with rows_of(person) as connection:
        mark_local(connection, [mark], datetime.now(UTC))
        statement = f"UPDATE sync_ledger SET {columns} WHERE interaction_id = %s"
        connection.execute(statement.encode(), (interaction,))
    return interaction


def new_warning(person: Person, board: str, interaction: str, **more: Any) -> str:
    """An open warning, by default a conflict of titles; return its id."""
    with rows_of(person) as connection:
        identity, _ = raise_warning(
            connection, a_warning(board, person.tenant, person.organization, interaction, **more)
        )
    return identity


def due(person: Person, board: str) -> set[str]:
    """Interactions whose rows are due now."""
    with rows_of(person) as connection:
        found = connection.execute(
            "SELECT interaction_id::text FROM sync_ledger WHERE integration_id = %s AND NOT parked"
            " AND next_attempt_at <= now()",
            (board,),
        )
        return {row[0] for row in found}


def decided(person: Person, board: str) -> dict[str, str | None]:
    """Warning → what was decided about it."""
    with rows_of(person) as connection:
        found = connection.execute(
            "SELECT id::text, resolution FROM integration_warnings WHERE integration_id = %s", (board,)
        )
        return {row[0]: row[1] for row in found}


def state_of(person: Person, integration: str) -> str | None:
    """The state of an integration; ``None`` if there is none."""
    with rows_of(person) as connection:
        row = connection.execute("SELECT state FROM integrations WHERE id = %s", (integration,)).fetchone()
    return row[0] if row is not None else None
