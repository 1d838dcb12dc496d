"""A job gets an outcome for every command, also for one that has no row of its own in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.settings import Settings
from sinks.jobs.outcomes import Outcome
from streams.jobs import commands
from streams.jobs.commands import CommandSender, JobCommand
from tests.harness.wire import new_id

APPLIED = Outcome("applied", None)


class Servers:
    """A commands topic with the end 10, and an applier that has applied up to ``offset``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset, self.known, self.now = 8, {"one": APPLIED}, 0.0
        self.last: dict[str, Outcome] = {}
        monkeypatch.setattr(commands, "outcomes_of", self._outcomes_of)
        monkeypatch.setattr(commands, "have_passed", lambda *_, **__: self.offset == 10)
        monkeypatch.setattr(commands, "server_time", lambda _: datetime(2026, 3, 2, tzinfo=UTC))
        monkeypatch.setattr("streams.jobs.commands.time.monotonic", lambda: self.now)
        monkeypatch.setattr("streams.jobs.commands.time.sleep", self._sleep)

    def _outcomes_of(self, _: Any, wanted: Iterable[tuple[str, str, str]]) -> dict[str, Outcome]:
        return {name: self.known[name] for *_, name in wanted if name in self.known}

    def _sleep(self, _: float) -> None:
        self.now += 1.0
        assert self.now < 100, "it never ends"
        if self.now > 20:
            self.offset = 10
            self.known |= self.last


@pytest.mark.parametrize("late", [False, True])
def test_a_command_that_was_refused_unread_is_rejected(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    servers, connection = Servers(monkeypatch), None
    sender = CommandSender(Settings(), connection, new_id(), lambda: None)  # type: ignore[arg-type]
    monkeypatch.setattr(sender._sender, "send", lambda _: {("t", 0): 10})
    if late:
        servers.last = {"two": APPLIED}  # committed with the offsets
    found = sender.run(
        [
            JobCommand(type="t", command_id=name, tenant_id="t", organization_id="o", entity_id="e", data={})
            for name in ("one", "two")
        ]
    )
    assert found == {"one": APPLIED, "two": APPLIED if late else Outcome("rejected", "internal_error")}
    assert servers.now > 20, "not before everything is applied"
