"""Hooks of mutation guards: before a write, and after its commit."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from api import guarded_commands, mutation_guards
from api.command_gateway import CommandGateway, CommandRequest
from api.guarded_commands import GuardedCommandGateway, mutation_of
from api.mutation_guards import Mutation, MutationGuards, load_mutation_guards
from api.principal import Principal
from schemas.errors import Reject, Retry, Stop

WHO = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset())
ID = "33333333-3333-4333-8333-333333333333"


class Reads:
    """A database that receives no query."""

    @asynccontextmanager
    async def connection(self) -> Any:
        yield None


class Scene:
    """The gateway with a write that is recorded instead of executed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: Reject | None = None) -> None:
        self.story: list[str] = []
        self.guards = MutationGuards()

        async def execute(gateway: Any, command: CommandRequest) -> dict[str, Any]:
            self.story.append(f"sent {command.kind}")
            if refusal is not None:
                raise refusal
            return {"outcome": "applied", "warnings": []}

        monkeypatch.setattr(CommandGateway, "execute", execute)
        self.gateway = GuardedCommandGateway(
            None, None, Reads(), connected=lambda: True, timeout=1.0, guards=self.guards
        )

    def send(self, kind: str, data: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
        command = CommandRequest(
            principal=WHO, kind=kind, entity_id="e", data=data or {"id": ID}, idempotency_key=key, route="r"
        )
        return asyncio.run(self.gateway.execute(command))

    def complete(self) -> dict[str, Any]:
        return self.send("interaction.complete")

    def cancel(self) -> dict[str, Any]:
        return self.send("interaction.cancel")

    async def note_before(self, mutation: Mutation) -> None:
        self.story.append(f"before {mutation.action} {str(mutation.resource_id)[:4]}")

    async def note_after(self, mutation: Mutation, result: dict[str, Any]) -> None:
        self.story.append(f"after {mutation.action} {result['outcome']}")


def test_both_hooks_around_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.guards.before.append(scene.note_before)
    scene.guards.after.append(scene.note_after)
    assert {scene.complete()["outcome"], scene.cancel()["outcome"]} == {"applied"}
    assert scene.story == [
        "before complete 3333",
        "sent interaction.complete",
        "after complete applied",
        "before cancel 3333",
        "sent interaction.cancel",
        "after cancel applied",
    ]


def test_a_hook_that_refuses_stops_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)

    async def refuse(mutation: Mutation) -> None:
        raise Reject("locked", "this customer is locked", status=409)

    scene.guards.before.append(refuse)
    scene.guards.after.append(scene.note_after)
    with pytest.raises(Reject, match="locked"):
        scene.complete()
    assert scene.story == []


def test_no_hook_runs_after_a_write_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, Reject("already_done", "is done", status=409))
    scene.guards.after.append(scene.note_after)
    with pytest.raises(Reject):
        scene.complete()
    assert scene.story == ["sent interaction.complete"]


def test_a_hook_that_fails_afterwards_does_not_deny_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)

    async def fail(mutation: Mutation, result: dict[str, Any]) -> None:
        raise RuntimeError("broken")

    scene.guards.after.extend([fail, scene.note_after])
    assert scene.complete()["outcome"] == "applied"
    assert scene.story[-1] == "after complete applied"


def test_every_kind_of_command_is_a_mutation() -> None:
    def seen(kind: str, data: dict[str, Any], **more: Any) -> tuple[str, str, str | None, str | None]:
        found = mutation_of(CommandRequest(principal=WHO, kind=kind, entity_id="e", data=data, **more))
        return found.action, found.resource_kind, found.resource_id, found.status

    interaction = "customers.interaction"
    assert seen("interaction.create", {}) == ("create", interaction, None, None)
    assert seen("interaction.complete", {"id": ID}) == ("complete", interaction, ID, "done")
    assert seen("interaction.update", {"id": ID}) == ("update", interaction, ID, None)
    # A form of an old client completes by an update. A guard of completions must see it too.
    update = {"id": ID, "title": "x", "status": "done"}
    assert seen("interaction.update", update) == ("update", interaction, ID, "done")
    undo = seen("interaction.undo", {"undoToken": "u"}, resource_id=ID)
    assert undo == ("undo", interaction, ID, None)
    assert seen("entity.upsert", {"id": ID}) == ("upsert", "customers.entity", ID, None)
    assert seen("deal.upsert", {"id": ID, "status": "won"}) == ("upsert", "customers.deal", ID, None)
    entry = {"interactionType": "call"}
    assert seen("interaction_type.upsert", entry) == ("upsert", "customers.interaction_type", "call", None)
    flag = {"flag": "f", "enabled": True}
    assert seen("feature_flag.set", flag) == ("set", "customers.feature_flag", "f", None)


@pytest.mark.parametrize("known", [True, False])
def test_a_repeated_request_gets_its_first_response_despite_a_guard(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    scene = Scene(monkeypatch)

    async def refuse(mutation: Mutation) -> None:
        raise Reject("locked", "this customer is locked", status=409)

    async def command_status(*arguments: Any) -> object | None:
        return object() if known else None

    monkeypatch.setattr(guarded_commands, "command_status", command_status)
    scene.guards.before.append(refuse)
    with pytest.raises(Reject, match="locked"):
        scene.complete()
    if known:
        assert scene.send("interaction.complete", key="k")["outcome"] == "applied"
    else:
        with pytest.raises(Reject, match="locked"):
            scene.send("interaction.complete", key="k")


def test_a_guard_that_times_out_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation_guards, "_HOOK_TIMEOUT_SECONDS", 0.01)
    scene = Scene(monkeypatch)

    async def hang(*arguments: Any) -> None:
        await asyncio.Event().wait()

    scene.guards.after.append(hang)
    assert scene.complete()["outcome"] == "applied"
    scene.guards.before.append(hang)
    with pytest.raises(Retry, match="nothing was sent"):
        scene.complete()
    assert scene.story == ["sent interaction.complete"]


def test_installed_guards_are_found_in_the_order_of_their_names() -> None:
    def point(name: str, value: str) -> EntryPoint:
        return EntryPoint(name, value, mutation_guards.GROUP)

    here = "tests.unit.api.test_mutation_guards"
    guards = load_mutation_guards([point("b", f"{here}:_register_b"), point("a", f"{here}:_register_a")])
    assert guards.before == [_hook_a, _hook_b]
    assert load_mutation_guards([]).before == []
    for value in ("no.such.module:register", f"{here}:_register_nothing"):
        with pytest.raises(Stop, match=r"The mutation guard c .* cannot be loaded"):
            load_mutation_guards([point("c", value)])


async def _hook_a(mutation: Mutation) -> None: ...


async def _hook_b(mutation: Mutation) -> None: ...


def _register_a(guards: MutationGuards) -> None:
    guards.before.append(_hook_a)


def _register_b(guards: MutationGuards) -> None:
    guards.before.append(_hook_b)


def _register_nothing(guards: MutationGuards) -> None:
    raise RuntimeError("no")
