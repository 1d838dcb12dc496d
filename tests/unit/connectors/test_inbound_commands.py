"""Commands built from a provider's changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.service.command_sender import command_record
from connectors.sync.inbound_commands import InboundCommand, Origin, change_commands, create_command
from connectors.sync.values import Agreed
from schemas.command import Command
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.instants import format_instant
from tests.harness.outgoing import raw_headers, raw_key

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
AS_OF = {"status": NOW, "scheduled_at": NOW, "occurred_at": NOW}
ENTITY = "30000000-0000-4000-8000-000000000001"


def origin(number: int = 0, event_id: str = "e1") -> Origin:
    return Origin(
        integration_id="board-1",
        provider="board",
        tenant_id="10000000-0000-4000-8000-000000000001",
        organization_id="20000000-0000-4000-8000-000000000001",
        entity_id=ENTITY,
        interaction_id="40000000-0000-4000-8000-000000000001",
        event_id=event_id,
        number=number,
    )


def pulled(before: str, changed_at: datetime | None = NOW, **values: Any) -> list[InboundCommand]:
    agreed = {name: Agreed(value, value) for name, value in values.items()}
    return change_commands(
        origin(), before, AS_OF, agreed, changed_at=changed_at, now=NOW + timedelta(hours=1)
    )


@pytest.mark.parametrize(
    ("before", "after", "verbs"),
    [
        ("planned", "done", ["complete"]),
        ("planned", "canceled", ["cancel"]),
        ("done", "planned", ["reopen"]),
        ("done", "canceled", ["reopen", "cancel"]),
        ("canceled", "done", ["reopen", "complete"]),
    ],
)
def test_a_status_is_reached_by_its_own_commands(before: str, after: str, verbs: list[str]) -> None:
    assert [command.type.rpartition(".")[2] for command in pulled(before, status=after)] == verbs


def test_fields_go_first_and_the_status_last() -> None:
    commands = pulled("planned", title="x", status="done", occurred_at=NOW)
    assert [command.type.rpartition(".")[2] for command in commands] == ["update", "complete"]
    assert commands[0].fields == ("title",)
    assert set(commands[1].fields) == {"status", "occurred_at"}
    assert commands[1].data["occurredAt"] == format_instant(NOW)


def test_a_slow_clock_of_the_provider_does_not_undo_its_change() -> None:
    [command] = pulled("planned", changed_at=NOW - timedelta(hours=3), scheduled_at=NOW)
    assert command.data["sourceTimestamp"] == format_instant(NOW)


def test_a_fast_clock_of_the_provider_is_held_back() -> None:
    [command] = pulled("planned", changed_at=NOW + timedelta(days=3), title="x")
    assert command.data["sourceTimestamp"] == format_instant(NOW + timedelta(hours=1))


def test_command_ids_come_from_the_event_and_never_meet() -> None:
    def identity(number: int, event_id: str) -> str:
        agreed = {"title": Agreed("x", "x")}
        [command] = change_commands(
            origin(number, event_id), "planned", AS_OF, agreed, changed_at=NOW, now=NOW
        )
        return command.id

    assert identity(0, "e1") == identity(0, "e1")
    assert len({identity(0, "e1"), identity(1, "e1"), identity(0, "e2")}) == 3


def test_the_applier_takes_what_is_sent() -> None:
    values = {"title": "x", "status": "planned", "scheduled_at": NOW, "priority": None}
    made = create_command(origin(), values, interaction_type="task", changed_at=None, now=NOW)
    for command in [made, *pulled("done", title=None, status="canceled", scheduled_at=None)]:
        assert InboundCommand.from_json(command.to_json()) == command
        sent = command_record(command, NOW)
        milliseconds = int(NOW.timestamp() * 1000) + 9
        headers = raw_headers(sent.headers)
        record = IncomingRecord("commands", 0, 0, milliseconds, raw_key(sent), sent.value, headers)
        decoded = decode_record(record, _never)
        assert isinstance(decoded, Command), decoded
        assert decoded.envelope.sync_origin == "board-1"


def _never(value: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("JSON only")
