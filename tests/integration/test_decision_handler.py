"""Decisions from the topic: each applied once, only to what was seen, only in its organization."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import orjson
import pytest

from connectors.service.decision_handler import DecisionHandler
from connectors.service.integration_events import IntegrationEvents
from connectors.store.integrations import insert_integration, read_integration
from connectors.store.warnings import SyncWarning, list_warnings, raise_warning
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection, connect
from runtime.secret_box import make_secret_box
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.instants import format_instant
from schemas.integration_decisions import ADD, CHANGE, DECIDE, REMOVE
from schemas.integration_events import INTEGRATION_EVENT_TYPES
from schemas.outgoing_record import OutgoingRecord
from tests.harness.integrations import a_warning, an_integration
from tests.harness.memory_registry import MemoryRegistry
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration
REGISTRY = MemoryRegistry.of_the_contract()


class Topic:
    """Topic that records what is published, and refuses a given number of sends.

    :ivar told: outcomes of decisions.
    :ivar changed: mirrors announced as changed.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.changed: list[dict[str, Any]] = []
        self.refusals = 0

    def send(self, records: Sequence[OutgoingRecord]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Retry("the broker is away", after=0.0)
        for record in records:
            kind = dict(record.headers)["ce_type"]
            kept = self.changed if kind == "customers.integration.mapping_changed" else self.told
            name, members = REGISTRY.decoder().decode(record.value or b"")
            event = INTEGRATION_EVENT_TYPES[name].model_validate(members)
            kept.append(event.model_dump(by_alias=True, exclude_defaults=True))


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="tests", autocommit=True) as opened:
        assert insert_integration(opened, an_integration("board", TENANT, ORGANIZATION))
        yield opened


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def decider(fresh_database: Settings, topic: Topic, connection: Connection) -> Iterator[DecisionHandler]:
    events = IntegrationEvents(topic.send, REGISTRY.encoder().encode)
    found = DecisionHandler(fresh_database, events, threading.Event(), threading.Event())
    yield found
    found.close()


def _raise(
    connection: Connection, interaction: str, remote: str = "there", kind: str = "conflict"
) -> SyncWarning:
    warning = a_warning("board", TENANT, ORGANIZATION, interaction, kind=kind, remote_value=remote)
    identity, _ = raise_warning(connection, warning)
    return next(one for one in list_warnings(connection) if one.id == identity)


def _message(
    warnings: Sequence[SyncWarning],
    *,
    resolution: str = "take_remote",
    organization: str = ORGANIZATION,
    actor: str = "ada",
) -> tuple[dict[str, bytes | None], bytes]:
    headers = {
        "ce_type": DECIDE,
        "ce_tenantid": TENANT,
        "ce_organizationid": organization,
        "ce_actorid": actor,
        "ce_correlationid": "mine",
    }
    named = [
        {"id": one.id, "updatedAt": format_instant(one.updated_at)} for one in warnings if one.updated_at
    ]
    value = {"integrationId": "board", "resolution": resolution, "warnings": named}
    return {name: text.encode() for name, text in headers.items()}, orjson.dumps(value)


def _value(
    *,
    updated: str = "2026-03-01T09:00:00.000000Z",
    integration: str = "board",
    resolution: str = "take_remote",
) -> bytes:
    named = [{"id": new_id(), "updatedAt": updated}]
    return orjson.dumps({"integrationId": integration, "resolution": resolution, "warnings": named})


def _chosen(connection: Connection) -> dict[str, tuple[str | None, str | None]]:
    return {one.id: (one.resolution, one.resolved_by) for one in list_warnings(connection)}


def test_many_at_once_and_the_same_record_again(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    warnings = [_raise(connection, new_id()) for _ in range(3)]
    message = _message(warnings)
    decider([message])
    decider([message])  # like after a kill between commit and acknowledgement
    ids = sorted(one.id for one in warnings)
    assert [(one["taken"], one["left"]) for one in topic.told] == [(ids, []), (ids, [])]
    assert _chosen(connection) == dict.fromkeys(ids, ("take_remote", "ada"))
    assert {one["interactionId"] for one in topic.changed} == {one.interaction_id for one in warnings}
    mapping = f"integrations:interaction-mapping:board:{TENANT}:{ORGANIZATION}"
    assert all(mapping in one["invalidates"] for one in topic.changed)


def test_what_has_changed_since_it_was_seen_is_left(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    interaction, steady = new_id(), _raise(connection, new_id())
    seen = _raise(connection, interaction)
    assert _raise(connection, interaction, remote="elsewhere").id == seen.id
    decider([_message([seen, steady])])
    [told] = topic.told
    assert (told["taken"], told["left"]) == ([steady.id], [seen.id])
    assert _chosen(connection)[seen.id] == (None, None)


def test_another_organization_decides_nothing(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    warning = _raise(connection, new_id())
    decider([_message([warning], organization=new_id())])
    assert not topic.told
    assert _chosen(connection) == {warning.id: (None, None)}


_NO_DECISIONS: dict[str, bytes | None] = {
    "tombstone": None,
    "nothing": b"",
    "no members": b"{}",
    "not UTF-8": b"\xff",
    "no such day": _value(updated="2026-02-30T00:00:00.000000Z"),
    "no warnings": b'{"integrationId": "board", "resolution": "retry", "warnings": []}',
    "NUL in the integration": _value(integration="bo\x00ard"),
    "unknown resolution": _value(resolution="guess"),
}
_BAD_HEADERS: dict[str, bytes | None] = {
    "ce_type": b"other",
    "ce_actorid": None,
    "ce_tenantid": b"tenant",
    "ce_organizationid": b"\xff",
    "ce_correlationid": b"",
}


@pytest.mark.parametrize("what", _NO_DECISIONS)
def test_a_value_that_is_no_decision_holds_up_nobody(
    connection: Connection, decider: DecisionHandler, topic: Topic, what: str
) -> None:
    warning = _raise(connection, new_id())
    headers, value = _message([warning])
    decider([(headers, _NO_DECISIONS[what]), (headers, value)])
    assert [one["taken"] for one in topic.told] == [[warning.id]]


def test_headers_that_are_of_no_decision_hold_up_nobody(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    warning = _raise(connection, new_id())
    headers, value = _message([warning])
    bad = [({**headers, name: text}, value) for name, text in _BAD_HEADERS.items()]
    missing = [({key: text for key, text in headers.items() if key != name}, value) for name in _BAD_HEADERS]
    decider([*bad, *missing, (headers, value)])
    assert [one["taken"] for one in topic.told] == [[warning.id]]


def test_a_conflict_that_still_stands_is_the_one_that_was_seen(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    """Another field is resolved, and the merge raises this conflict again."""
    interaction = new_id()
    seen = _raise(connection, interaction)
    assert _raise(connection, interaction) == seen
    decider([_message([seen])])
    assert [(one["taken"], one["left"]) for one in topic.told] == [([seen.id], [])]
    assert _raise(connection, interaction).resolution == "take_remote", "it is being executed"


def test_a_retry_that_came_to_nothing_is_forgotten(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    interaction = new_id()
    seen = _raise(connection, interaction, kind="failed")
    decider([_message([seen], resolution="retry")])
    again = _raise(connection, interaction, kind="failed")
    assert again.resolution is None
    decider([_message([seen], resolution="retry"), _message([again], resolution="retry")])
    assert [(one["taken"], one["left"]) for one in topic.told] == [
        ([seen.id], []),
        ([], [seen.id]),
        ([seen.id], []),
    ]


def test_what_is_dismissed_is_closed_and_may_be_dismissed_again(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    warning = _raise(connection, new_id(), kind="failed")
    message = _message([warning], resolution="dismissed")
    decider([message, message, _message([warning], resolution="dismissed", actor="bob")])
    assert [one["taken"] for one in topic.told] == [[warning.id], [warning.id], []]
    assert not list_warnings(connection)


def test_it_is_told_once_the_broker_is_back(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    warning = _raise(connection, new_id())
    topic.refusals = 1
    decider([_message([warning])])
    assert [(one["taken"], one["left"]) for one in topic.told] == [([warning.id], [])]


def test_a_removal_is_answered_again_and_only_in_its_own_organization(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    headers, _ = _message([])
    removal = ({**headers, "ce_type": REMOVE.encode()}, b'{"integrationId": "board"}')
    stranger = ({**removal[0], "ce_organizationid": new_id().encode()}, removal[1])
    decider([stranger])
    assert read_integration(connection, "board") is not None
    topic.refusals = 1
    decider([removal])  # the broker refuses the first outcome
    decider([removal, stranger])  # like after a kill between commit and acknowledgement
    assert read_integration(connection, "board") is None
    answers = [one for one in topic.told if "outcome" in one]
    assert [(one["outcome"], one["mirrorsLeft"]) for one in answers] == [("removed", 0)] * 2


def test_a_change_that_was_not_sealed_for_the_integration_is_refused(
    connection: Connection, decider: DecisionHandler, topic: Topic
) -> None:
    headers, _ = _message([])
    value = {"integrationId": "board", "keyId": "k1", "content": "AAAA"}
    decider([({**headers, "ce_type": CHANGE.encode()}, orjson.dumps(value))])
    assert [one["outcome"] for one in topic.told] == ["refused"]


def test_a_decision_on_which_the_code_fails_is_answered_and_the_next_one_is_executed(
    connection: Connection, decider: DecisionHandler, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    warning = _raise(connection, new_id())
    monkeypatch.setattr(decider._changes, "change", mock.Mock(side_effect=KeyError("board_id")))
    headers, _ = _message([])
    value = {"integrationId": "board", "keyId": "k1", "content": "AAAA"}
    decider([({**headers, "ce_type": CHANGE.encode()}, orjson.dumps(value)), _message([warning])])
    assert [one.get("code") for one in topic.told] == ["internal_error", None]
    assert topic.told[1]["taken"] == [warning.id]


def test_text_that_postgres_cannot_store_is_refused_by_name(
    fresh_database: Settings, connection: Connection, topic: Topic
) -> None:
    key = f"k1:{base64.b64encode(bytes(32)).decode()}"
    chosen = ConnectorSettings.model_validate({"INTERACTIONS_SECRETS_KEY": key})
    events = IntegrationEvents(topic.send, REGISTRY.encoder().encode)
    decider = DecisionHandler(fresh_database, events, threading.Event(), threading.Event(), chosen)
    given = {
        "settings": {"url": "https://dav.example.org/a\x00b", "username": "ada"},
        "policy": {"only_types": ["call\x00"]},
        "secrets": {"password": "p"},
    }
    sealed = make_secret_box(key).seal("calendar", {"change": json.dumps(given)})
    value = {
        "integrationId": "calendar",
        "provider": "caldav",
        "keyId": "k1",
        "content": base64.b64encode(sealed.content).decode(),
    }
    headers, _ = _message([])
    decider([({**headers, "ce_type": ADD.encode()}, orjson.dumps(value))])
    decider.close()
    [told] = topic.told
    assert [one["pointer"] for one in told["errors"]] == ["/settings/url"]
    assert "NUL" in told["errors"][0]["detail"]
    assert read_integration(connection, "calendar") is None
