"""Operations decided over HTTP, as the connectors execute them: once, in one organization, by the rules."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from connectors.service.decision_handler import DecisionHandler
from connectors.service.integration_events import IntegrationEvents
from connectors.service.provider_operations import ProviderOperations
from connectors.store.integrations import insert_integration, read_integration, set_state
from connectors.store.ledger_marks import LocalMark, mark_local
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection, connect
from runtime.secret_box import load_secret_box
from runtime.settings import Settings
from schemas.integration_decisions import ADD, OPERATE, IntegrationValues
from schemas.integration_events import INTEGRATION_EVENT_TYPES
from schemas.outgoing_record import OutgoingRecord
from tests.harness.integrations import an_integration
from tests.harness.memory_registry import MemoryRegistry
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration
REGISTRY = MemoryRegistry.of_the_contract()
_KEY = {"INTERACTIONS_SECRETS_KEY": "k1:" + base64.b64encode(os.urandom(32)).decode()}
CONNECTORS = ConnectorSettings.model_validate(_KEY)


class Desk:
    """Sends decisions to a handler and keeps what it publishes."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.connection = connection
        self.published: list[dict[str, Any]] = []
        stop = threading.Event()
        self.operations = ProviderOperations(settings, CONNECTORS, stop)
        events = IntegrationEvents(self._send, REGISTRY.encoder().encode)
        self.handler = DecisionHandler(settings, events, stop, threading.Event(), CONNECTORS, self.operations)

    def _send(self, records: Sequence[OutgoingRecord]) -> None:
        for record in records:
            name, members = REGISTRY.decoder().decode(record.value or b"")
            event = INTEGRATION_EVENT_TYPES[name].model_validate(members)
            shown = event.model_dump(by_alias=True, exclude_defaults=True)
            self.published.append({"type": name, **shown})

    def decide(self, kind: str, organization: str = ORGANIZATION, **value: Any) -> dict[str, Any]:
        """Decide, run what contacts a provider, and return the answer; empty without one."""
        headers = {
            "ce_type": kind,
            "ce_tenantid": TENANT,
            "ce_organizationid": organization,
            "ce_actorid": "ada",
            "ce_correlationid": new_id(),
        }
        self.published.clear()
        message = {name: text.encode() for name, text in headers.items()}, orjson.dumps(value)
        self.handler([message])
        self.operations.run_waiting(self.connection)
        answers = [it for it in self.published if it["type"] == "customers.integration.changed"]
        return answers[0] if answers else {}

    def operate(self, operation: str, integration: str = "board", **more: Any) -> dict[str, Any]:
        return self.decide(OPERATE, integrationId=integration, operation=operation, **more)

    def state(self, integration: str = "board") -> tuple[str, str | None]:
        found = read_integration(self.connection, integration)
        assert found is not None
        return found.state, found.state_reason


@pytest.fixture
def desk(fresh_database: Settings) -> Iterator[Desk]:
    with connect(fresh_database, application_name="tests", autocommit=True) as connection:
        assert insert_integration(connection, an_integration("board", TENANT, ORGANIZATION))
        found = Desk(fresh_database, connection)
        yield found
        found.handler.close()


def test_pause_and_resume_are_announced_and_may_be_repeated(desk: Desk) -> None:
    for operation, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        answer = desk.operate(operation)
        assert (answer["outcome"], answer["state"], desk.state()[0]) == ("done", state, state)
        [announced] = [it for it in desk.published if it["type"] == "customers.integration.state_changed"]
        assert (announced["state"], bool(announced["invalidates"])) == (state, True)


def test_what_was_not_confirmed_cannot_be_activated_by_pause_and_resume(desk: Desk) -> None:
    set_state(desk.connection, "board", "needs_confirmation", "12 deletions are held back")
    for operation in ("pause", "resume"):
        assert desk.operate(operation)["code"] == "needs_confirmation"
        assert desk.state() == ("needs_confirmation", "12 deletions are held back")


def test_another_organization_operates_nothing(desk: Desk) -> None:
    answer = desk.decide(OPERATE, organization=new_id(), integrationId="board", operation="pause")
    assert answer == {}
    assert desk.state()[0] == "active"


def _ledger(desk: Desk) -> dict[str, str]:
    """Rows that are due in an hour: waiting, failing, and one that was given up."""
    later = datetime.now(UTC) + timedelta(hours=1)
    rows = {"waiting": "attempts = 0", "failing": "attempts = 3", "blocked": "parked = TRUE"}
    made = {}
    for state, columns in rows.items():
        made[state] = new_id()
        mark = LocalMark(
            integration_id="board",
            interaction_id=made[state],
            tenant_id=TENANT,
            organization_id=ORGANIZATION,
            entity_id=new_id(),
            version=1,
        )
        mark_local(desk.connection, [mark], later)
        due = ", next_attempt_at = NULL" if state == "blocked" else ""
        statement = f"UPDATE sync_ledger SET {columns}{due} WHERE interaction_id = %s"
        desk.connection.execute(statement.encode(), (made[state],))
    return made


@pytest.mark.parametrize(
    ("more", "retried"),
    [
        ({}, {"waiting", "failing", "blocked"}),
        ({"only": "failing"}, {"failing"}),
        ({"only": "blocked"}, {"blocked"}),
        ({"only": "waiting"}, {"waiting"}),
    ],
)
def test_a_retry_takes_all_that_match(desk: Desk, more: dict[str, str], retried: set[str]) -> None:
    made = _ledger(desk)
    assert desk.operate("retry", **more)["rows"] == len(retried)
    due = desk.connection.execute(
        "SELECT interaction_id::text FROM sync_ledger WHERE next_attempt_at <= now() AND NOT parked"
    ).fetchall()
    assert {row[0] for row in due} == {made[state] for state in retried}


def test_a_retry_of_named_rows_leaves_the_others(desk: Desk) -> None:
    made = _ledger(desk)
    assert desk.operate("retry", interactions=[made["blocked"], new_id()])["rows"] == 1
    due = desk.connection.execute(
        "SELECT interaction_id::text FROM sync_ledger WHERE next_attempt_at <= now()"
    )
    assert due.fetchall() == [(made["blocked"],)]


def test_an_operation_on_an_unusable_provider_is_refused_and_its_plan_says_why(desk: Desk) -> None:
    for operation in ("plan", "start", "test"):
        answer = desk.operate(operation)
        assert (answer["outcome"], answer["code"]) == ("refused", "provider_failed")
        assert "no provider 'board'" in answer["detail"] or "key" in answer["detail"]
    row = desk.connection.execute(
        "SELECT checkpoint->>'state' FROM job_checkpoints WHERE job = 'connectors.plan:board'"
    ).fetchone()
    assert row == ("failed",)
    assert desk.state()[0] == "active"


def _added(identity: str, **values: Any) -> dict[str, Any]:
    content = IntegrationValues.model_validate(values).model_dump_json(by_alias=True)
    sealed = load_secret_box(CONNECTORS).seal(identity, {"change": content})
    return {
        "integrationId": identity,
        "provider": "trello",
        "keyId": sealed.key_id,
        "content": base64.b64encode(sealed.content).decode(),
    }


_SECRETS = {"api_key": "a-key", "token": "a-token"}


def test_an_addition_waits_for_confirmation_and_may_be_repeated(desk: Desk) -> None:
    value = _added("trello-1", settings={"board_id": "b1"}, secrets=_SECRETS)
    for _ in range(2):
        answer = desk.decide(ADD, **value)
        assert (answer["outcome"], answer["state"]) == ("added", "needs_confirmation")
    stored = read_integration(desk.connection, "trello-1")
    assert stored is not None
    assert (stored.settings, stored.tenant_id, stored.organization_id) == (
        {"board_id": "b1"},
        TENANT,
        ORGANIZATION,
    )
    assert b"a-token" not in stored.secrets
    taken = desk.decide(ADD, **_added("trello-2", settings={"board_id": "b1"}, secrets=_SECRETS))
    assert (taken["outcome"], taken["code"]) == ("refused", "remote_taken")
    assert read_integration(desk.connection, "trello-2") is None


def test_an_addition_without_valid_settings_leaves_nothing(desk: Desk) -> None:
    answer = desk.decide(ADD, **_added("trello-3", settings={"token": "open"}, secrets=_SECRETS))
    assert (answer["outcome"], answer["errors"][0]["pointer"]) == ("refused", "/settings/token")
    assert read_integration(desk.connection, "trello-3") is None


def test_the_id_of_another_organization_is_not_taken_over(desk: Desk) -> None:
    assert insert_integration(desk.connection, an_integration("trello-4", new_id(), new_id()))
    answer = desk.decide(ADD, **_added("trello-4", settings={"board_id": "b4"}, secrets=_SECRETS))
    assert (answer["outcome"], answer["code"]) == ("refused", "id_taken")
