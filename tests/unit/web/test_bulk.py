"""Bulk actions: the address names the tasks, every failure has its place, and nothing is claimed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.command_gateway import CommandRequest, Rejection
from api.problems import UnknownOutcome
from api.queries.command_status import CommandStatus
from schemas.errors import InteractionsError, Reject, Retry
from tests.unit.web.viewers import a_viewer
from web.bulk import MOST, Bulk, BulkCommand, _state_of, bulk_of, execute_all
from web.submission import Submission

_IDS = st.uuids().map(str)


class Gateway:
    """Answers each command as told, and counts those in flight."""

    def __init__(self, errors: dict[str, InteractionsError]) -> None:
        self.errors = errors
        self.commands: list[CommandRequest] = []
        self.in_flight = self.most = 0

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        self.commands.append(command)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        error = self.errors.get(command.data["id"])
        if error is not None:
            raise error
        return {"commandId": command.id}


def form_of(gateway: Gateway, key: str) -> Submission:
    nothing: Any = None
    services: Any = SimpleNamespace(commands=gateway)
    return Submission(nothing, services, a_viewer(), {"key": key}, {})


def run(
    gateway: Gateway, ids: list[str], unsent: dict[str, str] | None = None, key: str | None = None
) -> Bulk:
    commands = [BulkCommand(interaction_id=it, entity_id="e", data={"id": it}) for it in ids]
    form = form_of(gateway, key or str(uuid4()))
    return asyncio.run(execute_all(form, "complete", commands, unsent or {}))


@pytest.mark.parametrize("key", ["abc", "x" * 300, "é", "\x00"])
def test_a_key_that_the_address_cannot_name_is_refused_before_anything_is_sent(key: str) -> None:
    gateway = Gateway({})
    with pytest.raises(Reject):
        run(gateway, [str(uuid4())], key=key)
    assert gateway.commands == []


def rejection(code: str) -> Rejection:
    return Rejection({"code": code, "detail": "d", "status": 409, "errors": []})


@given(st.lists(_IDS, min_size=2, max_size=MOST + 1, unique=True), st.data())
def test_the_address_names_every_task(ids: list[str], data: st.DataObject) -> None:
    key, *tasks = ids
    refused = data.draw(st.dictionaries(st.sampled_from(tasks), st.sampled_from(["gone", "not_sent"])))
    bulk = Bulk(action="snooze", key=key, interaction_ids=tuple(tasks), unsent=refused)
    assert bulk_of(bulk.text) == bulk


@given(st.text())
def test_other_text_names_nothing(text: str) -> None:
    assert bulk_of(text) is None


@pytest.mark.parametrize("text", ["complete.", "delete." + "A" * 44, "complete." + "A" * 43, "complete.AA~"])
def test_a_malformed_address_names_nothing(text: str) -> None:
    assert bulk_of(text) is None


def test_sending_a_form_twice_sends_the_same_commands() -> None:
    gateway, ids, key = Gateway({}), [str(uuid4()) for _ in range(50)], str(uuid4())
    first, second = run(gateway, ids, key=key), run(gateway, ids, key=key)
    assert first == second
    assert len({command.id for command in gateway.commands}) == len(ids)
    viewer = a_viewer()
    assert {first.command_id(viewer.principal, it) for it in ids} == {it.id for it in gateway.commands}
    assert 1 < gateway.most <= 16


def test_only_tasks_that_were_not_sent_are_named_as_such() -> None:
    applied, rejected, unknown, busy, guarded, retry, missing = (str(uuid4()) for _ in range(7))
    gateway = Gateway(
        {
            rejected: rejection("already_done"),
            unknown: UnknownOutcome("c"),
            busy: Reject("in_flight", "A request is being executed.", status=409),
            guarded: Reject("locked_by_policy", "No.", status=403),
            retry: Retry("Kafka does not answer."),
        }
    )
    ids = [applied, rejected, unknown, busy, guarded, retry]
    bulk = run(gateway, ids, {missing: "interaction_not_found"})
    assert bulk.interaction_ids == (*ids, missing)
    assert bulk.unsent == {
        guarded: "locked_by_policy",
        retry: "not_sent",
        missing: "interaction_not_found",
    }


def test_one_reason_for_all_is_a_failure_of_the_form() -> None:
    ids = [str(uuid4()) for _ in range(3)]
    with pytest.raises(Retry):
        run(Gateway({it: Retry("Kafka does not answer.") for it in ids}), ids)


@pytest.mark.parametrize(
    ("outcome", "result", "unsent", "expected"),
    [
        ("applied", {}, None, ("applied", None)),
        ("no_op", {}, None, ("unchanged", None)),
        ("no_op", {"warnings": [{"code": "superseded", "field": "x"}]}, None, ("refused", "superseded")),
        ("rejected", {"problem": {"code": "already_done", "detail": "d"}}, None, ("refused", "already_done")),
        # The journal is right, whatever the address says.
        ("applied", {}, "not_sent", ("applied", None)),
        (None, {}, "not_sent", ("refused", "not_sent")),
        (None, {}, None, ("unknown", None)),
    ],
)
def test_the_journal_decides(
    outcome: str | None, result: dict[str, Any], unsent: str | None, expected: tuple[str, str | None]
) -> None:
    status = None
    if outcome is not None:
        status = CommandStatus(
            command_id="c",
            command_type="t",
            entity_id="e",
            interaction_id="i",
            outcome=outcome,
            result=result,
            actor_id="ada",
            appended_at=datetime.now(UTC),
        )
    assert _state_of(status, unsent)[:2] == expected
