"""Random histories of signals agree with the model, whatever fails; nothing stays stuck or silent."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from runtime import crash_points
from runtime.postgres import Connection
from tests.harness.examples import scaled
from tests.simulation.core import Core
from tests.simulation.signals.history import FAILURES, History

pytestmark = pytest.mark.integration
#: `make simulate` plays a thousand histories.
HISTORIES = os.environ.get("INTERACTIONS_SIMULATED_HISTORIES")
pick = st.integers(0, 3)
titles = st.sampled_from(["Send the offer", "Call back", "Ask for the date"])
fates = st.lists(st.sampled_from([None, None, *FAILURES]), max_size=3)


def an_interaction(machine: Signals) -> bool:
    return bool(machine.interactions)


def a_signal(machine: Signals) -> bool:
    return bool(machine.signals)


def a_draft(machine: Signals) -> bool:
    return bool(machine.history.model.of("draft"))


class Signals(RuleBasedStateMachine):
    """Each step is one command, one failure, or one turn of a role. ``pick`` 0 is the latest row."""

    def __init__(self, connection: Connection, core: Core, playing: list[History]) -> None:
        super().__init__()
        self.history = History(connection, core)
        playing[:] = [self.history]
        self.interactions: list[str] = []
        self.signals: list[str] = []

    @rule(title=titles)
    def plan(self, title: str) -> None:
        self.interactions.append(self.history.identity(f"interaction {len(self.interactions)}"))
        data = {"id": self.interactions[-1], "interactionType": "call", "title": title}
        self.history.send("interaction.create", data)

    @precondition(an_interaction)
    @rule(pick=pick, title=titles)
    def rename(self, pick: int, title: str) -> None:
        self.history.send("interaction.update", {"id": _of(self.interactions, pick), "title": title})

    @precondition(an_interaction)
    @rule(pick=pick)
    def delete(self, pick: int) -> None:
        self.history.send("interaction.delete", {"id": _of(self.interactions, pick)})

    @precondition(an_interaction)
    @rule(pick=pick, title=titles, stranger=st.sampled_from([False, False, False, True]))
    def record(self, pick: int, title: str, stranger: bool) -> None:
        self.signals.append(self.history.identity(f"signal {len(self.signals)}"))
        data = {"id": self.signals[-1], "interactionId": _of(self.interactions, pick), "kind": "promise"}
        person = {"personId": self.history.identity("stranger")} if stranger else {}
        self.history.send("signal.record", {**data, **person, "title": title})

    @precondition(a_signal)
    @rule(pick=pick, title=titles)
    def correct(self, pick: int, title: str) -> None:
        self.history.send("signal.update", {"id": _of(self.signals, pick), "title": title})

    @precondition(a_signal)
    @rule(pick=pick, channel=st.sampled_from(["text", "email", "call"]))
    def resolve(self, pick: int, channel: str) -> None:
        self.history.send("signal.resolve", {"id": _of(self.signals, pick), "channel": channel})

    @precondition(a_signal)
    @rule(pick=pick, channel=st.sampled_from(["text", "email"]), fates=fates)
    def resolve_at_once(self, pick: int, channel: str, fates: list[str | None]) -> None:
        self.resolve(pick, channel)
        self.history.apply()
        self.history.work(fates)
        self.history.apply()

    @precondition(a_signal)
    @rule(pick=pick, verb=st.sampled_from(["skip", "reopen"]))
    def turn(self, pick: int, verb: str) -> None:
        self.history.send(f"signal.{verb}", {"id": _of(self.signals, pick)})

    @precondition(a_signal)
    @rule(pick=pick, title=titles, signals=st.lists(pick, min_size=1, max_size=2, unique=True), other=titles)
    def fix(self, pick: int, title: str, signals: list[int], other: str) -> None:
        chosen = dict.fromkeys(_of(self.signals, number) for number in signals)
        fixes = [{"id": identity, "title": other} for identity in chosen]
        data = {"id": _of(self.interactions, pick), "title": title, "signals": fixes}
        self.history.send("interaction.fix", data)

    @precondition(a_draft)
    @rule(pick=pick, body=st.sampled_from(["As I wrote it", "Shorter", "Other words", " "]))
    def edit(self, pick: int, body: str) -> None:
        self.history.send("draft.update", {"id": self._draft(pick), "body": body})

    @precondition(a_draft)
    @rule(pick=pick, verb=st.sampled_from(["mark_sent", "delete", "delete", "restore"]))
    def settle(self, pick: int, verb: str) -> None:
        self.history.send(f"draft.{verb}", {"id": self._draft(pick)})

    @precondition(an_interaction)
    @rule(back=pick)
    def undo(self, back: int) -> None:
        self.history.send("interaction.undo", {"commandId": _of(self.history.sent, back)[2]})

    @precondition(an_interaction)
    @rule(back=pick)
    def repeat(self, back: int) -> None:
        self.history.send(*_of(self.history.sent, back))

    @rule()
    def apply(self) -> None:
        self.history.apply()

    @rule(fates=fates, slow=st.booleans())
    def work(self, fates: list[str | None], slow: bool) -> None:
        self.history.work(fates, slow=slow)

    @rule(point=st.sampled_from(sorted(crash_points.DRAFTS_POINTS)))
    def crash(self, point: str) -> None:
        self.history.armed = point
        self.history.work()

    @rule()
    def deliver(self) -> None:
        self.history.deliver()

    @rule()
    def lose(self) -> None:
        self.history.lose()

    @rule(seconds=st.sampled_from([1, 300, 601]))
    def look_for_late_resolutions(self, seconds: int) -> None:
        self.history.end_late_resolutions(timedelta(seconds=seconds))

    def teardown(self) -> None:
        self.history.end()

    def _draft(self, pick: int) -> str:
        drafts = sorted(self.history.model.of("draft"))
        return drafts[-1 - pick % len(drafts)]


def _of(items: list[Any], back: int) -> Any:
    return items[-1 - back % len(items)]


@pytest.mark.timeout(3600)
def test_random_histories_of_signals_agree_with_the_model(
    servers: tuple[Connection, Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    playing: list[History] = []

    def reach(point: str) -> None:
        for history in playing:
            history.reach(point)

    monkeypatch.setattr(crash_points, "reach", reach)
    examples = int(HISTORIES) if HISTORIES else scaled(200)
    run_state_machine_as_test(
        lambda: Signals(*servers, playing),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
