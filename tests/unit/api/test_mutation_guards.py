"""The hooks of custom writes: before, to refuse; after, once it is committed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from api.mutation_guards import Mutation, MutationGuards
from api.principal import Principal
from api.routes import interactions
from schemas.errors import Reject

WHO = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset())
ID = "33333333-3333-4333-8333-333333333333"


class Scene:
    """The routes with a write that is noted instead of made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: Reject | None = None) -> None:
        self.story: list[str] = []
        self.guards = MutationGuards()

        async def change(*arguments: Any) -> dict[str, Any]:
            self.story.append(f"sent {arguments[3]}")
            if refusal is not None:
                raise refusal
            return {"outcome": "applied", "warnings": []}

        monkeypatch.setattr(interactions, "change", change)

    def complete(self) -> int:
        services: Any = SimpleNamespace(mutation_guards=self.guards)
        body = interactions.CompleteBody.model_validate({"id": ID})
        call = interactions.complete_interaction(body, SimpleNamespace(), services, WHO)  # type: ignore[arg-type]
        return asyncio.run(call).status_code

    def cancel(self) -> int:
        services: Any = SimpleNamespace(mutation_guards=self.guards)
        body = interactions.IdBody.model_validate({"id": ID})
        call = interactions.cancel_interaction(body, SimpleNamespace(), services, WHO)  # type: ignore[arg-type]
        return asyncio.run(call).status_code

    async def note_before(self, mutation: Mutation) -> None:
        self.story.append(f"before {mutation.action} {mutation.resource_id[:4]}")

    async def note_after(self, mutation: Mutation, result: dict[str, Any]) -> None:
        self.story.append(f"after {mutation.action} {result['outcome']}")


def test_both_hooks_around_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.guards.before.append(scene.note_before)
    scene.guards.after.append(scene.note_after)
    assert (scene.complete(), scene.cancel()) == (200, 200)
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
    assert scene.complete() == 200
    assert scene.story[-1] == "after complete applied"
