"""Hostile providers beside a healthy one in one role: they slow only themselves and are reported by name."""

from __future__ import annotations

import pytest

from tests.connectors.trello_world import TrelloWorld
from tests.harness.hostile_server import Conversation, answering, hostile
from tests.harness.roles import wait_until
from tests.harness.wire import ORGANIZATION, TENANT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def _drip(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(b"HTTP/1.1 207 Multi-Status\r\n")
    conversation.drip(b"X-More: 1\r\n", 0.2)


_BUSY = b"HTTP/1.1 503 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.long
def test_a_healthy_integration_goes_on_beside_hostile_ones(world: TrelloWorld) -> None:
    early = world.plan_call(title="before")
    world.cli("sync", world.integration)
    scripts = {
        "dripping": _drip,
        "huge-pause": answering(_BUSY % (b"9" * 400)),
        "far-pause": answering(_BUSY % b"2147483647"),
    }
    with (
        hostile(scripts["dripping"]) as one,
        hostile(scripts["huge-pause"]) as two,
        hostile(scripts["far-pause"]) as three,
    ):
        for name, server in zip(scripts, (one, two, three), strict=True):
            scope = ["--tenant", TENANT, "--organization", ORGANIZATION, "--id", name]
            world.cli("add", "caldav", *scope, "--set", f"url={server.url}/cal/")
        statement = "UPDATE integrations SET state = 'active' WHERE provider = 'caldav' RETURNING id"
        assert world.one(statement)
        with world.connectors(INTERACTIONS_CONNECTORS_EXCHANGE_SECONDS="3") as role:
            world.wait_card(early, name="before")
            identities = [world.plan_call(title=str(number)) for number in range(5)]
            for identity in identities:
                world.wait_card(identity)
            failed = (
                "SELECT count(DISTINCT integration_id) FROM sync_ledger WHERE attempts > 0"
                " AND integration_id <> %s AND next_attempt_at < now() + interval '2 hours'"
            )
            wait_until(lambda: world.one(failed, world.integration) == (3,), 120)
            reason = world.one("SELECT max(last_error) FROM sync_ledger WHERE integration_id = 'far-pause'")
            assert reason is not None
            assert f"127.0.0.1:{three.port} answered HTTP 503" in reason[0]
            again = world.plan_call(title="after")
            world.wait_card(again)
            assert role.process.poll() is None, "a provider's response ended the process"
