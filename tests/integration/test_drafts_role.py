"""The drafts role: every resolved signal becomes a draft, or says why not; never stuck, never silent."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.crash_points import DRAFTS_POINTS
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from tests.harness.roles import running, wait_until
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration


class World:
    """A person with one call, and the rows of its signals and drafts."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.settings = settings
        self.connection = connection
        self.ada, self.call = new_id(), new_id()
        self.send(
            event("entity.upsert", self.ada, {"id": self.ada, "kind": "person", "displayName": "Ada Byron"}),
            event("interaction.create", self.ada, {"id": self.call, "interactionType": "call"}),
        )

    def send(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        return outcomes(self.settings, list(messages))

    def record(self, **more: Any) -> str:
        identity = new_id()
        data = {"id": identity, "interactionId": self.call, "kind": "promise", "title": "Send the offer"}
        (result,) = self.send(event("signal.record", self.ada, {**data, **more}))
        assert result["outcome"] == "applied"
        return identity

    def resolve(self, identity: str, **more: Any) -> dict[str, Any]:
        data = {"id": identity, "channel": "email", "language": "en", **more}
        (result,) = self.send(event("signal.resolve", self.ada, data, actorid="ann"))
        return result

    def signal(self, identity: str) -> tuple[Any, ...]:
        """Status, failure and draft id."""
        row = self.connection.execute(
            "SELECT status, failure, draft_id::text FROM signals WHERE id = %s", (identity,)
        ).fetchone()
        assert row is not None
        return row

    def drafts(self, identity: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "SELECT id::text, status, channel, subject, body, user_id, person_id::text, writer"
            " FROM generated_drafts WHERE signal_id = %s",
            (identity,),
        ).fetchall()

    def wait_for(self, identity: str, status: str) -> tuple[Any, ...]:
        wait_until(
            lambda: self.signal(identity)[0] == status, 60, lambda: f"{status}: {self.signal(identity)}"
        )
        return self.signal(identity)


@pytest.fixture
def world(fresh_settings: Settings) -> Iterator[World]:
    with (
        running(fresh_settings, "applier"),
        running(fresh_settings, "relay"),
        connect(fresh_settings, application_name="test", autocommit=True) as connection,
    ):
        yield World(fresh_settings, connection)


def test_a_resolved_signal_has_one_draft_for_its_person(world: World) -> None:
    with running(world.settings, "drafts") as role:
        identity = world.record()
        assert world.resolve(identity)["outcome"] == "applied"
        _, _, draft_id = world.wait_for(identity, "resolved")
        ((found, status, channel, subject, body, user, person, writer),) = world.drafts(identity)
        assert (found, status, channel, user, person) == (draft_id, "draft", "email", "ann", world.ada)
        assert writer == "template"
        assert subject
        assert "Ada" in body
        repeated = world.resolve(identity, channel="text")
        assert (repeated["outcome"], repeated["draftId"]) == ("no_op", draft_id)
        assert len(world.drafts(identity)) == 1
        assert "Ada" not in role.log, "no customer text in a log"


def test_a_writer_that_fails_leaves_the_signal_open_with_the_reason(world: World) -> None:
    """No silent switch to the template."""
    unreachable = {
        "INTERACTIONS_DRAFTS_WRITER": "openai_compatible",
        "INTERACTIONS_DRAFTS_BASE_URL": "http://127.0.0.1:9",
        "INTERACTIONS_DRAFTS_MODEL": "any",
        "INTERACTIONS_DRAFTS_DEADLINE_SECONDS": "2",
    }
    with running(world.settings, "drafts", **unreachable):
        identity = world.record()
        world.resolve(identity)
        wait_until(lambda: world.signal(identity)[1] is not None, 60)
        assert world.signal(identity) == ("open", "writer_unavailable", None)
        assert world.drafts(identity) == []
    with running(world.settings, "drafts"):
        world.resolve(identity)
        assert world.wait_for(identity, "resolved")[1] is None


def test_a_person_of_another_tenant_is_unknown(world: World) -> None:
    with running(world.settings, "drafts"):
        identity = world.record(personId=new_id())
        world.resolve(identity)
        wait_until(lambda: world.signal(identity)[1] is not None, 60)
        assert world.signal(identity) == ("open", "person_not_found", None)


def test_without_the_role_the_timers_end_the_resolution(world: World) -> None:
    identity = world.record()
    world.resolve(identity)
    with running(world.settings, "timers", INTERACTIONS_RESOLUTION_DEADLINE_SECONDS="1"):
        wait_until(lambda: world.signal(identity)[1] is not None, 60)
    assert world.signal(identity) == ("open", "deadline_exceeded", None)
    with running(world.settings, "drafts"):
        world.resolve(identity)
        world.wait_for(identity, "resolved")
    assert len(world.drafts(identity)) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", sorted(DRAFTS_POINTS))
def test_a_killed_role_leaves_exactly_one_draft(world: World, point: str) -> None:
    identity = world.record()
    armed = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": point}
    with running(world.settings, "drafts", **armed) as victim:
        world.resolve(identity)
        assert victim.wait_for_exit() == -signal.SIGKILL
    with running(world.settings, "drafts"):
        world.wait_for(identity, "resolved")
        other = world.record()
        world.resolve(other)
        world.wait_for(other, "resolved")
    assert [len(world.drafts(one)) for one in (identity, other)] == [1, 1]
