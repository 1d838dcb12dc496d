"""Random cuts on the way of an assistant: no answer claims a save that did not happen, and no retry doubles.

Over HTTP the connection between client and gateway is cut, so answers are lost. Over stdio the connection
between ``interactions mcp`` and the gateway is cut, so the tools themselves do not know what happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from tests.harness.assistant import Reply, checked, connected, over_http, over_stdio
from tests.harness.examples import first_of
from tests.harness.gateway import Gateway, token
from tests.harness.lossy_proxy import LossyProxy
from tests.harness.seed import SEED
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import PEOPLE, Desk
from tests.integration.assistant.conftest import Office

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
Attempt = Callable[[str, dict[str, Any]], Reply | None]
_LOSS = 0.15
_PATIENCE = 80


@dataclass
class Stubborn:
    """An assistant that repeats each call with the same key until the outcome is known."""

    attempt: Attempt
    office: Office
    answers: dict[bool | None, int] = field(default_factory=dict)
    lost: int = 0

    def write(self, name: str, **arguments: Any) -> Reply:
        """Repeat until the change is saved."""
        given = {"requestKey": new_id(), **arguments}
        for _ in range(_PATIENCE):
            reply = self.attempt(name, given)
            if reply is None:
                self.lost += 1
                continue
            self._check(reply)
            if reply["outcome"] == "confirmation_required":
                given = {**given, "confirmation": reply["confirmation"]}
            elif reply["saved"]:
                return reply
            else:
                assert reply["saved"] is None, reply.text
        raise AssertionError(f"{name} was not saved in {_PATIENCE} attempts")

    def _check(self, reply: Reply) -> None:
        """Compare the verdict of an answer with the journal at once."""
        self.answers[reply["saved"]] = self.answers.get(reply["saved"], 0) + 1
        outcome = self.office.outcome(reply["commandId"])
        if reply["saved"]:
            assert outcome in ("applied", "no_op"), f"{reply.text}, but the journal has {outcome}"
        elif reply["saved"] is False:
            assert outcome in (None, "rejected"), f"{reply.text}, but the journal has {outcome}"


def story(office: Office, stubborn: Stubborn, lossy: Callable[[bool], None]) -> None:
    """Every tool that changes something, on one customer; then count the rows."""
    desk = office.desk
    person = desk.create(PEOPLE, displayName="Ada")
    title = new_id()
    lossy(True)
    made = stubborn.write("plan_interaction", entityId=person, interactionType="call", title=title)
    lossy(False)
    one, two, three = (desk.signal(made["id"]) for _ in range(3))
    lossy(True)
    stubborn.write("update_interaction", id=made["id"], occurredAt="2026-02-28T09:00:00Z")
    following = {"interactionType": "email", "title": title, "scheduledAt": "2027-03-01T09:00:00Z"}
    done = stubborn.write("complete_interaction", id=made["id"], next=following)
    assert done["next"]["saved"]
    changes = [{"id": one, "title": "A"}, {"id": two, "title": "B"}]
    stubborn.write("fix_interaction", id=made["id"], priority=7, signals=changes)
    draft = stubborn.write("resolve_signal", id=one, channel="text")
    stubborn.write("edit_draft", id=draft["id"], body="Dear Ada")
    stubborn.write("skip_signal", id=three)
    stubborn.write("reopen_interaction", id=made["id"])
    stubborn.write("cancel_interaction", id=done["next"]["id"])
    gone = stubborn.write("delete_interaction", id=made["id"])
    stubborn.write("undo", undoToken=gone["undoToken"])
    lossy(False)
    rows = desk.read("/api/customers/interactions", entityId=person)["items"]
    found = sorted((it["interactionType"], it["title"], it["status"], it["priority"]) for it in rows)
    assert found == [("call", title, "planned", 7), ("email", title, "canceled", None)]
    assert desk.count("generated_drafts", interaction_id=made["id"]) == 1
    assert desk.row("generated_drafts", draft["id"], "body", "status") == ("Dear Ada", "draft")
    states = [desk.row("signals", it, "status", "title") for it in (one, two, three)]
    assert states == [("resolved", "A"), ("open", "B"), ("skipped", "Send the offer")]


@contextmanager
def lossy_office(world: Settings, gateway: Gateway, seed: int) -> Iterator[tuple[LossyProxy, Desk, str, str]]:
    """A user behind a proxy: the proxy, the user's direct client, and tokens for both transports."""
    scope: dict[str, Any] = {"tenant": new_id(), "organization": new_id()}
    port = int(gateway.url.rpartition(":")[2])
    print(f"seed {seed}")
    with LossyProxy(port, seed=seed, loss=_LOSS) as proxy, gateway.client(**scope) as client:
        yield proxy, Desk(client, world, gateway), token(**scope), token(**scope, aud=f"{gateway.url}/mcp")


@pytest.mark.random
@pytest.mark.parametrize("seed", first_of(range(SEED, SEED + 8)))
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_answers_are_lost_between_client_and_gateway(
    world: Settings, gateway: Gateway, mode: str, seed: int
) -> None:
    with lossy_office(world, gateway, seed) as (proxy, desk, _, bearer):

        async def once(name: str, arguments: dict[str, Any]) -> Any:
            async with over_http(f"http://127.0.0.1:{proxy.port}/mcp", bearer, mode) as client:
                return await client.call_tool(name, arguments, 60)

        def attempt(name: str, arguments: dict[str, Any]) -> Reply | None:
            try:
                result = asyncio.run(once(name, arguments))
            except Exception as error:  # noqa: BLE001 - whatever a lost connection raises in the client
                print(f"no answer: {type(error).__name__}")
                return None
            return checked(result)

        office = Office(None, desk, mode)  # type: ignore[arg-type]
        stubborn = Stubborn(attempt, office)
        story(office, stubborn, lambda on: setattr(proxy, "lossy", on))
        print(f"{proxy.cuts} cuts, {stubborn.lost} calls without an answer, {stubborn.answers}")
        assert stubborn.lost > 0


@pytest.mark.random
@pytest.mark.parametrize("seed", first_of(range(SEED, SEED + 8)))
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_requests_are_lost_between_stdio_and_gateway(
    world: Settings, gateway: Gateway, mode: str, seed: int, tmp_path: Path
) -> None:
    with lossy_office(world, gateway, seed) as (proxy, desk, bearer, _):
        variables = {
            "INTERACTIONS_MCP_URL": f"http://127.0.0.1:{proxy.port}",
            "INTERACTIONS_MCP_TOKEN": bearer,
        }
        with connected(over_stdio(variables, tmp_path / "log", mode)) as assistant:
            office = Office(assistant, desk, mode)
            stubborn = Stubborn(lambda name, given: assistant.call(name, **given), office)
            story(office, stubborn, lambda on: setattr(proxy, "lossy", on))
        print(f"{proxy.cuts} cuts, {stubborn.answers}")
        assert stubborn.answers.get(None, 0) > 0, "some outcomes were not known at first"
