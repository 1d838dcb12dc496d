"""One history: people's commands, the drafts role with its crashes, the timers; compared with the model."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from domain.decision import Decision
from domain.events import events_of
from domain.results import result_of
from runtime.postgres import Connection
from schemas.cloudevent_headers import JSON, event_headers
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_events import SIGNAL_RESOLVING
from schemas.topics import COMMANDS
from sinks.draft_facts import DraftFacts, read_draft_facts
from sinks.due import late_resolutions
from streams.drafts.answer import answer
from streams.drafts.writers.interface import DraftRequest, WritingFailedError, WrittenDraft
from streams.timers.timers import _fail_draft
from tests.simulation.core import Core
from tests.simulation.signals.model import Model
from tests.simulation.signals.stored import rows_of

START: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DEADLINE: Final = timedelta(seconds=600)
FAILURES: Final = ("writer_timeout", "budget_exhausted", "defect")
_ACTOR: Final = "ann"


class Crash(BaseException):
    """The drafts role dies at this point."""


@dataclass
class FlakyWriter:
    """A writer whose next answers are given: ``None`` for a draft, or the code of a failure."""

    fates: list[str | None] = field(default_factory=list)
    name: str = "flaky"
    written: int = 0

    def write(self, request: DraftRequest) -> WrittenDraft:
        """Write, or fail."""
        fate = self.fates.pop(0) if self.fates else None
        if fate == "defect":
            raise ValueError("a bug of the writer")
        if fate is not None:
            raise WritingFailedError(fate, "It failed.", retriable=True)  # type: ignore[arg-type]
        self.written += 1
        return WrittenDraft(
            subject=None,
            body=f"{request.person_name}: {request.signal_title} ({self.written})",
            writer=self.name,
            template_id=None,
            model=None,
            prompt_hash=None,
        )

    def close(self) -> None:
        """Nothing to release."""


class History:
    """One person of a tenant of its own, and what hangs on it.

    :ivar sent: commands of people so far, by kind, data and id.
    :ivar armed: crash point at which the drafts role dies next.
    """

    def __init__(self, connection: Connection, core: Core) -> None:
        self._connection, self._core = connection, core
        self.tenant, self.organization, self.ada = (str(uuid.uuid4()) for _ in range(3))
        self.now = START
        self.model = Model(lambda signal, number: self._derived("draft", signal, str(number)))
        self.sent: list[tuple[str, dict[str, Any], str]] = []
        self.armed: str | None = None
        self._writer = FlakyWriter()
        self._queue: list[OutgoingRecord] = []
        self._held: list[OutgoingRecord] = []
        self._events: list[dict[str, Any]] = []
        self._committed = 0
        self._lost: set[str] = set()
        customer = {"id": self.ada, "kind": "person", "displayName": "Ada"}
        core.apply([self._record("entity.upsert", customer, str(uuid.uuid4()))], self.now)

    def _derived(self, kind: str, *parts: str) -> str:
        return derive_id(kind, self.tenant, self.organization, *parts)

    def identity(self, name: str) -> str:
        """Id of a row, by a name that is unique within this history."""
        return self._derived("row", name)

    # ---- people

    def send(self, kind: str, data: dict[str, Any], command_id: str | None = None) -> None:
        """Publish a person's command."""
        self.now += timedelta(seconds=1)
        identity = command_id if command_id is not None else str(uuid.uuid4())
        self.sent.append((kind, data, identity))
        self._queue.append(self._record(kind, data, identity))

    def _record(self, kind: str, data: dict[str, Any], command_id: str) -> OutgoingRecord:
        headers = event_headers(
            JSON,
            id=command_id,
            source="people",
            type=f"customers.{kind}",
            time=format_instant(self.now),
            tenantid=self.tenant,
            organizationid=self.organization,
            entityid=self.ada,
            actorid=_ACTOR,
        )
        return OutgoingRecord(COMMANDS, self.ada, orjson.dumps(data), headers)

    # ---- drafts role and timers

    def reach(self, point: str) -> None:
        """Crash at the armed point; stands in for ``crash_points.reach``."""
        if point == self.armed:
            self.armed = None
            raise Crash

    def work(self, fates: Sequence[str | None] = (), *, slow: bool = False) -> None:
        """Let the drafts role answer the events from its committed position until it dies or is done.

        :param slow: its commands arrive later, with ``deliver``.
        """
        self._writer.fates = list(fates)
        send = self._held.append if slow else self._queue.append
        at = self._committed
        try:
            for event in self._events[at:]:
                answer(event, self._writer, self._read_facts, send)
                at += 1
        except Crash:
            return  # the position is not committed: these events are read once more
        self._committed = at

    def lose(self) -> None:
        """Skip an event, as if it had been dead-lettered."""
        if self._committed < len(self._events):
            self._lost.add(self._events[self._committed]["id"])
            self._committed += 1

    def deliver(self) -> None:
        """Deliver the commands that were held up."""
        self._queue += self._held
        self._held = []

    def _read_facts(self, signal_id: str, scope: tuple[str, str], resolution: int) -> DraftFacts | None:
        return read_draft_facts(self._connection, signal_id, scope, resolution)

    def end_late_resolutions(self, later: timedelta) -> None:
        """Let time pass and the timers look."""
        self.now += later
        for late in late_resolutions(self._connection, self.now - DEADLINE, 1000):
            if late.tenant_id == self.tenant:
                self._queue.append(_fail_draft(late, self.now))

    # ---- applier

    def apply(self) -> None:
        """Apply the commands in flight as one batch, and compare."""
        batch, self._queue = self._queue, []
        decisions = self._core.apply(batch, self.now)
        for record, decision in zip(batch, decisions, strict=True):
            self._compare(record, decision)
            for event in events_of(decision.entry) if decision.logged else ():
                if event.type == SIGNAL_RESOLVING:
                    self._events.append(event.payload)
        self.check(decisions)

    def _compare(self, record: OutgoingRecord, decision: Decision) -> None:
        headers = {name: str(value) for name, value in dict(record.headers).items()}
        kind, data = headers["ce_type"].removeprefix("customers."), orjson.loads(record.value or b"")
        expected = self.model.execute(headers["ce_id"], kind, data, headers.get("ce_actorid"))
        result = result_of(decision)
        code = result["problem"]["code"] if decision.outcome == "rejected" else None
        assert (decision.outcome, code) == expected, (kind, data, result)

    # ---- invariants

    def check(self, decisions: Sequence[Decision] = ()) -> None:
        """Compare the tables with the model, and check what must hold in any case."""
        stored = rows_of(self._connection, self.tenant, self.organization)
        assert stored == self.model.rows
        signals = {key[1]: row for key, row in stored.items() if key[0] == "signal"}
        for identity, row in signals.items():
            assert (row["status"] == "resolved") == (row["draft"] is not None)
            assert row["draft"] is None or ("draft", row["draft"]) in stored, f"no draft of {identity}"
            assert ("interaction", row["interaction"]) in stored, f"{identity} is an orphan"
        for (table, identity), row in stored.items():
            if table in ("draft", "outcome"):
                assert row["signal"] in signals, f"{table} {identity} is an orphan"
            if table == "draft":
                assert row["user"] == _ACTOR
                assert row["body"].strip()
        if decisions and decisions[-1].outcome == "applied":
            self._check_saved(result_of(decisions[-1]), set(stored))

    @staticmethod
    def _check_saved(result: dict[str, Any], stored: set[tuple[str, str]]) -> None:
        """Check that the last command of a batch, if applied, left the rows that its result names."""
        if result["commandType"] in ("customers.interaction.delete", "customers.interaction.undo"):
            return
        for table in ("interaction", "signal", "draft"):
            identity = result.get(f"{table}Id")
            assert identity is None or (table, identity) in stored, f"saved without a row: {table} {identity}"

    def end(self) -> None:
        """Stop all faults: nothing stays in progress."""
        self.armed = None
        self.apply()
        for _ in range(3):  # a second answer may be under way, and no third
            self.work()
            self.deliver()
            self.apply()
        # The role answers every event that it gets, also with a failure.
        assert set(self.model.of("signal", status="resolving")) <= self._lost
        self.end_late_resolutions(DEADLINE * 2)
        self.apply()
        assert not self.model.of("signal", status="resolving")
