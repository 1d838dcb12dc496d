"""Calls against a scripted gateway: lost answers, races with the caller's own command, repeated keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest

from api.assistant import server
from api.assistant.gateway_client import GatewayClient
from api.assistant.server import call
from api.assistant.tools.catalog import TOOLS
from api.principal import Principal
from tests.harness.assistant import Reply, checked
from tests.unit.api.assistant.test_outcome_mapping import problem

ID = "11111111-1111-4111-8111-111111111111"
ENTITY = "22222222-2222-4222-8222-222222222222"
KEY = "33333333-3333-4333-8333-333333333333"
CALLER = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset({"*"}))
ROW = {"id": ID, "version": 4, "entityId": ENTITY, "title": "Roof"}
Response = tuple[int, Any] | None


class Gateway:
    """A gateway that answers each request as a test says; ``None`` cuts the connection.

    :ivar executed: whether the journal has the command.
    """

    def __init__(self, write: Callable[[Gateway], Response], row: Response = (200, ROW)) -> None:
        self.write = write
        self.row = row
        self.executed = False
        self.journal_reachable = True
        self.writes: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            self.writes.append(request)
            answer = self.write(self)
        elif "/commands/" not in request.url.path:
            answer = self.row
        elif not self.journal_reachable:
            answer = None
        elif self.executed:
            result = {"interactionId": ID, "entityId": ENTITY, "warnings": [], "version": 4}
            entry = {"commandType": "customers.interaction.update", "outcome": "applied", "result": result}
            answer = 200, {"commandId": "c", "recordedAt": "2026-01-01T00:00:00Z", **entry}
        else:
            answer = 404, problem(404, "command_unknown")
        if answer is None:
            raise httpx2.ReadError("cut", request=request)
        return httpx2.Response(answer[0], content=orjson.dumps(answer[1]))


def run(gateway: Gateway, name: str, **arguments: Any) -> Reply:
    async def once() -> Any:
        transport = httpx2.MockTransport(gateway)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as http:
            return await call(GatewayClient(http, CALLER), TOOLS[name], {"requestKey": KEY, **arguments})

    return checked(asyncio.run(once()))


def executes(answer: Response) -> Callable[[Gateway], Response]:
    """Execute the command at the first request, and answer it so; later requests get the first result."""

    def write(gateway: Gateway) -> Response:
        first, gateway.executed = not gateway.executed, True
        return answer if first else (200, {"ok": True})

    return write


def never(answer: Response) -> Callable[[Gateway], Response]:
    return lambda _gateway: answer


def test_a_lost_answer_of_an_executed_command_is_found_out() -> None:
    gateway = Gateway(executes(None))
    reply = run(gateway, "update_interaction", id=ID, title="x")
    assert (reply["outcome"], reply["row"]) == ("applied", ROW)
    assert len({it.headers["idempotency-key"] for it in gateway.writes}) == 1
    assert len(gateway.writes) == 2, "the repeated request gets the first result"


def test_a_lost_answer_of_an_unknown_command_is_not_known() -> None:
    gateway = Gateway(never(None))
    reply = run(gateway, "update_interaction", id=ID, title="x")
    assert (reply["saved"], len(gateway.writes)) == (None, 1)
    assert "same requestKey" in reply.text


def test_without_the_journal_a_lost_answer_is_not_known() -> None:
    gateway = Gateway(executes(None))
    gateway.journal_reachable = False
    assert run(gateway, "update_interaction", id=ID, title="x")["saved"] is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(504, "outcome_unknown"), (412, "precondition_failed"), (404, "interaction_not_found")],
)
def test_an_answer_that_the_own_command_has_overtaken(status: int, code: str) -> None:
    """The gateway read the journal before the command was applied, and the row after it."""
    gateway = Gateway(executes((status, problem(status, code))))
    assert run(gateway, "update_interaction", id=ID, title="x")["saved"] is True


@pytest.mark.parametrize(("status", "code"), [(422, "idempotency_conflict"), (409, "superseded")])
def test_a_refusal_stands_even_if_the_journal_has_the_key(status: int, code: str) -> None:
    gateway = Gateway(never((status, problem(status, code))))
    gateway.executed = True
    reply = run(gateway, "update_interaction", id=ID, title="x")
    assert (reply["saved"], reply.code, len(gateway.writes)) == (False, code, 1)


def test_a_success_with_a_row_that_cannot_be_read() -> None:
    gateway = Gateway(executes((200, {"ok": True})), row=None)
    reply = run(gateway, "update_interaction", id=ID, title="x")
    assert (reply["saved"], reply["id"], reply["row"]) == (True, ID, None)


def test_a_creation_without_an_id_is_no_success() -> None:
    assert (
        run(Gateway(never((201, {"ok": True}))), "plan_interaction", entityId=ENTITY, interactionType="call")[
            "saved"
        ]
        is None
    )


def test_an_unconfirmed_deletion_is_not_sent() -> None:
    gateway = Gateway(executes((200, {"ok": True})))
    first = run(gateway, "delete_interaction", id=ID)
    assert (first["outcome"], gateway.writes) == ("confirmation_required", [])
    wrong = run(gateway, "delete_interaction", id=ID, confirmation="0" * 32)
    assert (wrong.code, gateway.writes) == ("confirmation_outdated", [])
    other = run(
        gateway, "delete_interaction", id=ID, confirmation=first["confirmation"], requestKey="another-key"
    )
    assert (other.code, gateway.writes) == ("confirmation_outdated", [])
    done = run(gateway, "delete_interaction", id=ID, confirmation=first["confirmation"])
    assert (done["saved"], gateway.writes[0].headers["if-match"]) == (True, '"4"')


def test_a_confirmation_ends_with_the_next_change_of_the_row() -> None:
    gateway = Gateway(executes((200, {"ok": True})))
    first = run(gateway, "delete_interaction", id=ID)
    gateway.row = 200, {**ROW, "version": 5}
    second = run(gateway, "delete_interaction", id=ID, confirmation=first["confirmation"])
    assert (second.code, second["preview"]["now"]["interaction"]["version"]) == ("confirmation_outdated", 5)
    assert gateway.writes == []
    assert run(gateway, "delete_interaction", id=ID, confirmation=second["confirmation"])["saved"]


def test_a_confirmed_deletion_that_was_executed_meanwhile_gets_its_first_result() -> None:
    gateway = Gateway(executes((200, {"ok": True})))
    first = run(gateway, "delete_interaction", id=ID)
    run(gateway, "delete_interaction", id=ID, confirmation=first["confirmation"])
    gateway.row = 404, problem(404, "interaction_not_found")
    again = run(gateway, "delete_interaction", id=ID, confirmation=first["confirmation"])
    assert (again["outcome"], again["saved"]) == ("duplicate", True)


def test_a_row_that_cannot_be_shown_is_not_changed() -> None:
    gateway = Gateway(never(None), row=None)
    reply = run(gateway, "cancel_interaction", id=ID)
    assert (reply["saved"], gateway.writes) == (None, [])


@pytest.mark.parametrize("row", [(404, problem(404, "interaction_not_found")), (200, {**ROW, "version": 9})])
def test_without_the_journal_a_confirmed_call_may_have_changed_the_row_itself(row: Response) -> None:
    gateway = Gateway(executes(None), row=row)
    gateway.journal_reachable = False
    reply = run(gateway, "delete_interaction", id=ID, confirmation="0" * 32)
    assert (reply["saved"], gateway.writes) == (None, [])
    gateway.journal_reachable = True
    assert run(gateway, "delete_interaction", id=ID, confirmation="0" * 32)["saved"] is False
    gateway.executed = True
    assert run(gateway, "delete_interaction", id=ID, confirmation="0" * 32)["outcome"] == "duplicate"


def test_without_the_journal_a_conflict_may_be_with_the_own_change() -> None:
    gateway = Gateway(never((412, problem(412, "precondition_failed"))))
    gateway.journal_reachable = False
    assert run(gateway, "update_interaction", id=ID, title="x")["saved"] is None


def test_a_resolution_without_a_draft_is_no_success() -> None:
    gateway = Gateway(never((200, {"ok": True, "draft": None})))
    assert run(gateway, "resolve_signal", id=ID, channel="text")["saved"] is None
    pending = Gateway(executes((504, problem(504, "outcome_unknown"))))
    reply = run(pending, "resolve_signal", id=ID, channel="text")
    assert (reply["saved"], len(pending.writes)) == (None, 1)


def test_a_defect_of_a_tool_is_an_answer() -> None:
    """The assistant learns that the outcome is not known. Text of the error stays inside."""
    with pytest.raises(ZeroDivisionError) as raised:
        1 / 0  # noqa: B018
    reply = checked(server._defect(TOOLS["update_interaction"], raised.value))
    assert (reply["saved"], reply.code) == (None, "internal_error")
    assert "zero" not in str(reply.content)


@pytest.mark.parametrize("key", ["short", "12345678\n", "with a space", "\ud800" * 8])
def test_a_key_that_no_header_takes_is_refused_with_the_reason(key: str) -> None:
    gateway = Gateway(never(None))
    reply = run(gateway, "update_interaction", id=ID, title="x", requestKey=key)
    assert (reply["saved"], gateway.writes) == (False, [])
    assert reply["problem"]["errors"][0]["pointer"] == "/requestKey"


def test_text_that_is_not_unicode_is_refused() -> None:
    gateway = Gateway(never(None))
    reply = run(gateway, "update_interaction", id=ID, title="\ud800")
    assert (reply["saved"], reply.code, gateway.writes) == (False, "validation_failed", [])
