"""Commands that take signals and drafts through every change, deletion and undo."""

from __future__ import annotations

from typing import Any

from schemas.identity import derive_id
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id


class Story:
    """Commands of one customer, all of which apply, so the number of commands is the customer's version.

    :param seed: determines all ids; a new one by default.
    """

    def __init__(self, seed: str | None = None) -> None:
        self.seed = seed if seed is not None else new_id()
        self.ada, self.call, *self.signals = (derive_id("story", self.seed, str(n)) for n in range(5))
        self.messages: list[dict[str, Any]] = []
        self.version = 0
        self.add("entity.upsert", {"id": self.ada, "kind": "person", "displayName": "Ada"})
        self.add("interaction.create", {"id": self.call, "interactionType": "call", "title": "Offer"})
        for identity in self.signals:
            data = {"interactionId": self.call, "kind": "promise", "title": "Send it"}
            self.add("signal.record", {"id": identity, **data})

    def add(self, kind: str, data: dict[str, Any], command_id: str | None = None) -> None:
        self.version += 1
        identity = f"{self.seed}-{command_id or self.version}"
        if "commandId" in data:
            data = {"commandId": f"{self.seed}-{data['commandId']}"}
        self.messages.append(event(kind, self.ada, data, command_id=identity, actorid="ann"))

    def resolve(self, identity: str, command_id: str | None = None) -> str:
        """Resolve with a draft; return the draft's id."""
        self.add("signal.resolve", {"id": identity, "channel": "email"})
        resolution = self.version
        data = {"id": identity, "resolution": resolution, "body": "Dear Ada", "writer": "template"}
        self.add("signal.attach_draft", data, command_id)
        return derive_id("draft", TENANT, ORGANIZATION, identity, str(resolution))

    def everything(self) -> None:
        """Every kind of change, deletion and undo."""
        first, second, third = self.signals
        draft = self.resolve(first)
        self.add("draft.update", {"id": draft, "body": "Hello Ada"})
        self.add("signal.skip", {"id": second})
        self.add("signal.resolve", {"id": third, "channel": "call"})
        self.add("signal.fail_draft", {"id": third, "resolution": self.version, "code": "writer_timeout"})
        self.add("interaction.delete", {"id": self.call}, "gone")
        self.add("interaction.undo", {"commandId": "gone"})
        self.resolve(third, "attached")
        self.add("interaction.undo", {"commandId": "attached"})
        self.resolve(third)
        fixes = [{"id": first, "title": "Sent"}, {"id": second, "kind": "question"}]
        self.add("interaction.fix", {"id": self.call, "occurredAt": "2026-01-05T09:00:00Z", "signals": fixes})
        self.add("draft.mark_sent", {"id": draft})
