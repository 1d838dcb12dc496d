"""The commands in order against what was answered, logged and published for each (A1, A2, A4, A6, A7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audit.decisions import NAMED, Decision
from audit.envelope import Parsed, parse
from audit.event_pass import BITS, NEXT_BIT, Events
from audit.findings import Report, place_of
from audit.history import History, Offsets, Rec
from audit.ledger import Ledger
from audit.letters import COMMANDS, Letter, image_of
from audit.lifecycle import Image
from audit.moments import show
from audit.naming import command_key, dead_id, derived
from audit.outbox_pass import Outbox
from audit.results_pass import Recorded, Results
from audit.rules import Model, undo_target
from audit.subjects import Subject

_UNDOABLE: Final = frozenset(
    f"interaction.{verb}" for verb in ("create", "update", "complete", "cancel", "reopen", "delete", "undo")
)
_REFUSED_LATER: Final = "unknown_interaction_type"


@dataclass(slots=True)
class _Deferred:
    """A command of an entity that several partitions feed, until its turn is known."""

    command: Parsed
    recorded: Recorded
    number: int


class Fold:
    """One pass over the commands topic below the watermark.

    :ivar model: what the commands have made, when the pass is over.
    """

    def __init__(
        self,
        history: History,
        watermark: Offsets,
        ledger: Ledger,
        results: Results,
        events: Events,
        outbox: Outbox,
        letters: dict[tuple[int, int], Letter],
        report: Report,
    ) -> None:
        self.history, self.watermark, self.report = history, watermark, report
        self.ledger, self.results, self.events, self.outbox, self.letters = (
            ledger,
            results,
            events,
            outbox,
            letters,
        )
        self.model = Model()
        self.begin = history.cut.begin.get(COMMANDS, {})
        self.a1, self.a2, self.a4 = (report.checks[name] for name in ("A1", "A2", "A4"))
        self.a6, self.a7, self.a10 = (report.checks[name] for name in ("A6", "A7", "A10"))
        self.targets: set[int] = set()
        self.deferred: list[_Deferred] = []
        self.doubtful: dict[tuple[str, str], dict[str, object]] = {}
        self.letters_due: set[tuple[int, int]] = set()
        #: Ids of the recompute commands on the topic; entities of those not carried out yet.
        self.relayed: set[str] = set()
        self.unrepaired: set[str] = set()
        self.seen = bytearray(len(ledger))

    def run(self) -> None:
        """Read the topic twice: once for the commands that are undone later, once for all."""
        for record in self.history.records(COMMANDS):
            if _mentions_undo(record):
                command = parse(record, self.history.decode)
                target = undo_target(command) if command.kind == "interaction.undo" else None
                if target is not None:
                    self.targets.add(target)
        for record in self.history.records(COMMANDS):
            if record.offset >= self.watermark.get(record.partition, 0):
                self._waiting(record)
                continue
            self.read(record)
        self._fold_deferred()
        self._close()

    def _waiting(self, record: Rec) -> None:
        """A record past the watermark: lag, and a reason for what it will repair."""
        self.report.lag["commands"] = self.report.lag.get("commands", 0) + 1
        command = parse(record, self.history.decode)
        if command.kind == "interaction.recompute_next":
            self.relayed.add(command.id)
            self.unrepaired.add(command.entity)

    def read(self, record: Rec) -> None:
        """Check one record below the watermark, and fold it."""
        self.a1.checked += 1
        self.a6.checked += 1
        command = parse(record, self.history.decode)
        place = (record.partition, record.offset)
        recorded = self.results.take(*place)
        number = self._row(command)
        if number is not None and self.ledger.place(number) == place:
            self.seen[number] = 1
        if recorded is None:
            self._no_result(command, number)
        else:
            self._agree(command, recorded)
        if command.kind == "interaction.recompute_next":
            self.relayed.add(command.id)
        self._letter(command, number)
        if command.refusal is not None:
            self._refused(command, recorded, number)
        elif number is None or command.validate_only:
            self._unlogged(command, recorded, number)
        elif self.ledger.place(number) != place:
            self._repeated(command, recorded, number)
        else:
            self._first(command, recorded, number)

    def _row(self, command: Parsed) -> int | None:
        """The log row of a record: of its command, or its own as an undecodable one."""
        record = command.record
        dead = self.ledger.dead.get(dead_id(self.history.cut.commands, record.partition, record.offset))
        if dead is not None or command.undecodable or not command.id:
            return dead
        return self.ledger.find(command.tenant, command.organization, command.id)

    # --- A1, A6, A10: an outcome for each record, that agrees with it -----------------------------

    def _no_result(self, command: Parsed, number: int | None) -> None:
        record = command.record
        if record.offset >= self.history.cut.committed.get(record.partition, 0):
            self.report.lag["results"] = self.report.lag.get("results", 0) + 1
            self.a1.lag += 1
        elif self.results.oldest is not None and command.now <= self.results.oldest:
            self.report.note("the oldest results are no longer retained: their commands are checked without")
        else:
            self.a1.fail("a command without a result", record, commandId=command.id, entityId=command.entity)
            if number is None:
                self.a6.fail("a record below the watermark has no outcome", record, commandId=command.id)

    def _agree(self, command: Parsed, recorded: Recorded) -> None:
        record = command.record
        if command.undecodable is False:
            if recorded.command != hash(command.id):
                self.a1.fail("a result names another command than its record", record, commandId=command.id)
            self.a10.checked += 1
            if recorded.scope != hash((command.tenant, command.organization, command.entity)):
                self.a10.fail(
                    "a result's tenant, organization or entity is not its command's",
                    record,
                    commandId=command.id,
                )
        if recorded.validate_only != command.validate_only and command.refusal is None:
            self.a1.fail("a result and its command differ in validateOnly", record, commandId=command.id)

    # --- A7: dead letters -------------------------------------------------------------------------

    def _letter(self, command: Parsed, number: int | None) -> None:
        record = command.record
        place = (record.partition, record.offset)
        dead = self.ledger.dead.get(dead_id(self.history.cut.commands, *place))
        if dead is None and not command.undecodable and place not in self.letters:
            return
        self.a7.checked += 1
        self.letters_due.add(place)
        letter = self.letters.get(place)
        if letter is None:
            if self.history.cut.is_cut("customers.interactions.dead-letters"):
                self.report.note("the oldest dead letters are no longer retained")
            elif record.offset >= self.history.cut.committed.get(record.partition, 0):
                self.a7.lag += 1
                self.report.lag["deadLetters"] = self.report.lag.get("deadLetters", 0) + 1
            else:
                self.a7.fail("an undecodable record has no dead letter", record)
        elif letter.image != image_of(record):
            where = {"letterPartition": letter.partition, "letterOffset": letter.offset}
            self.a7.fail("a dead letter is not its record byte for byte", record, **where)
        if command.undecodable is False and command.refusal is not None and dead is not None:
            self.a7.fail(
                "a record with a readable envelope is logged as undecodable", record, reason=command.refusal
            )

    # --- A2: the outcome is the one that the rules give -------------------------------------------

    def _refused(self, command: Parsed, recorded: Recorded | None, number: int | None) -> None:
        record = command.record
        self.a2.checked += 1
        outcome = self._outcome(recorded, number)
        place = (record.partition, record.offset)
        own = number is not None and self.ledger.place(number) == place
        repeat = number is not None and not own and not command.undecodable
        if outcome not in ("rejected", "duplicate" if repeat else "rejected", None):
            self.a2.fail(
                f"a record that the contract refuses ({command.refusal}) was {outcome}", record,
                commandId=command.id, entityId=command.entity,
            )  # fmt: skip
        if own and number is not None:
            self._remember(command, number)
            if self.ledger.outcome_of(number) != "rejected":
                self.a2.fail("a refused record is logged as carried out", record, commandId=command.id)
        if number is None and not command.asks and not self._log_may_lack(command):
            self.a1.fail("a refused record has no log row", record, commandId=command.id)
        self._note_target(command, None)

    def _unlogged(self, command: Parsed, recorded: Recorded | None, number: int | None) -> None:
        record = command.record
        if command.validate_only:
            self.a2.checked += 1
            if number is not None and self.ledger.place(number) == (record.partition, record.offset):
                self.a1.fail("a command that only asks is logged", record, commandId=command.id)
            elif number is None and recorded is not None and self._is_known(command):
                self._compare(command, recorded, self._decide(command), None)
            else:
                self.a2.trusted += 1
            return
        if self._log_may_lack(command):
            self.report.note(
                "the oldest months of the command log are gone: older commands are taken as recorded"
            )
            if recorded is not None and recorded.outcome == "applied":
                self._partial(command)
            return
        self.a1.fail("a command without a log row", record, commandId=command.id, entityId=command.entity)

    def _repeated(self, command: Parsed, recorded: Recorded | None, number: int) -> None:
        """A command id that was carried out for another record: nothing may happen again."""
        self.a2.checked += 1
        record = command.record
        partition, offset = self.ledger.place(number)
        where = {"commandId": command.id, "firstPartition": partition, "firstOffset": offset}
        if partition == record.partition and offset > record.offset:
            self.a1.fail(
                "a later record of the same command was carried out instead of this one", record, **where
            )
            return
        if recorded is None:
            return
        if recorded.outcome not in ("duplicate", "rejected"):
            self.a2.fail(f"a repeated command was {recorded.outcome}", record, **where)
        elif partition != record.partition or not self.ledger.content[number]:
            self.a2.trusted += 1
        elif self.ledger.content[number] == command.content and recorded.outcome != "duplicate":
            self.a2.fail("the same command again was not answered as a duplicate", record, **where)
        elif (
            self.ledger.content[number] != command.content and self.ledger.meaning[number] == command.meaning
        ):
            self.a2.trusted += 1
        elif self.ledger.content[number] != command.content and recorded.code != "idempotency_conflict":
            self.a2.fail("another command under the same id was not refused as a conflict", record, **where)

    def _first(self, command: Parsed, recorded: Recorded | None, number: int) -> None:
        record = command.record
        self._remember(command, number)
        logged = self.ledger.outcome_of(number)
        if recorded is not None and recorded.outcome != logged:
            self.a1.fail(f"logged as {logged}, answered as {recorded.outcome}", record, commandId=command.id)
        answer = recorded or Recorded(logged, entity_version=self.ledger.version(number))
        if answer.outcome == "applied" and answer.entity_version != self.ledger.version(number):
            self.a1.fail("a result's entityVersion is not the log's", record, commandId=command.id)
        if self._elsewhere(command):
            if logged == "applied":
                self.deferred.append(_Deferred(command, answer, number))
            else:
                self.a2.checked += 1
                self.a2.trusted += 1
            return
        self._step(command, answer, number)

    def _fold_deferred(self) -> None:
        """Entities fed from several partitions, in the order that the log gives them."""
        self.deferred.sort(
            key=lambda held: (held.command.entity, self.ledger.version(held.number) or 0, held.command.now)
        )
        for held in self.deferred:
            self._step(held.command, held.recorded, held.number)

    def _step(self, command: Parsed, recorded: Recorded, number: int) -> None:
        self.a2.checked += 1
        subject = self.model.subjects.get(command.entity)
        if (
            subject is None
            and command.kind != "interaction_type.upsert"
            and self._begins_late(command, recorded)
        ):
            subject = self._partial(command)
        if subject is not None and subject.partial or self._type_begins_late(command):
            self.a2.trusted += 1
            return
        if subject is not None and subject.diverged:
            return
        decision = self._decide(command)
        applied = self._compare(command, recorded, decision, number)
        image = None
        if applied:
            self.model.commit(command, decision, recorded.version, recorded.entity_version)
            if decision.interaction is not None and command.kind in _UNDOABLE:
                left = decision.after.version if decision.after else None
                image = Image(command.entity, decision.interaction, decision.before, left, True)
            self._expect(command, recorded, decision, number)
        elif decision.entry is not None and recorded.outcome == "no_op":
            self.model.commit(command, decision, None, None)
        self._note_target(command, image)

    def _decide(self, command: Parsed) -> Decision:
        return self.model.decide(command)

    def _compare(self, command: Parsed, recorded: Recorded, decision: Decision, number: int | None) -> bool:
        """Whether the record was applied as the rules say; a difference is a violation of A2."""
        record, subject = command.record, self.model.subjects.get(command.entity)
        where = {"commandId": command.id, "entityId": command.entity, "type": command.kind}
        if subject is not None and subject.partial:
            self.a2.trusted += 1
            return False
        if recorded.outcome == decision.outcome:
            if recorded.outcome == "rejected" and decision.code in NAMED and recorded.code != decision.code:
                if recorded.code in decision.cross or recorded.code is None:
                    self.a2.trusted += 1
                else:
                    self.a2.fail(
                        f"rejected as {recorded.code}, the rules say {decision.code}", record, **where
                    )
            return recorded.outcome == "applied"
        if recorded.outcome in decision.either:
            self.a2.trusted += 1
            if recorded.outcome == "applied" and command.kind == "interaction.recompute_next":
                decision.outcome, decision.bumps, decision.next = "applied", True, None
            return recorded.outcome == "applied"
        if recorded.outcome == "rejected" and recorded.code in decision.cross:
            self.a2.trusted += 1
            if recorded.code == _REFUSED_LATER:
                self.doubtful.setdefault(
                    (command.tenant, command.organization), {**place_of(record), **where}
                )
            return False
        if recorded.outcome == "rejected" and (record.partition, record.offset) in self.letters:
            self.a2.trusted += 1
            self.report.note("some commands were refused by the database itself; each has its dead letter")
            return False
        said = f"{recorded.outcome}{f' ({recorded.code})' if recorded.code else ''}"
        due = f"{decision.outcome}{f' ({decision.code})' if decision.code else ''}"
        self.a2.fail(f"recorded as {said}, the rules say {due}", record, **where)
        if "applied" in (recorded.outcome, decision.outcome) and number is not None and subject is not None:
            subject.diverged = True
        return False

    # --- A2, A4: what an applied command must leave behind ----------------------------------------

    def _expect(self, command: Parsed, recorded: Recorded, decision: Decision, number: int) -> None:
        record = command.record
        where = {"commandId": command.id, "entityId": command.entity, "type": command.kind}
        if decision.entry is not None:
            wanted, subject = 0, None
        else:
            subject = self.model.subjects[command.entity]
            wanted = BITS[f"customers.interaction.{decision.event}"] if decision.event else 0
            if recorded.entity_version != subject.version:
                self.a2.fail(
                    f"entityVersion {recorded.entity_version}, the rules say {subject.version}",
                    record,
                    **where,
                )
                subject.version = recorded.entity_version or subject.version
            if recorded.version is not None and decision.version not in (None, recorded.version):
                self.a2.fail(f"version {recorded.version}, the rules say {decision.version}", record, **where)
            nearest = subject.next()
            if recorded.command and recorded.next != (
                hash((nearest.id, nearest.scheduled)) if nearest else 0
            ):
                shown = f"{nearest.id} at {show(nearest.scheduled)}" if nearest else "none"
                self.a3_next(command, shown)
        seen = self.ledger.events[number]
        lifecycle = seen & ~NEXT_BIT
        for name, bit in BITS.items():
            if bit == NEXT_BIT:
                missing = decision.next is True and not seen & bit
                extra = decision.next is False and bool(seen & bit)
            else:
                missing = bool(wanted & bit & ~lifecycle)
                extra = bool(lifecycle & bit & ~wanted)
            if missing and not self._event_may_lack(command, name):
                self.a4.fail(f"{name} is missing", record, **where)
            elif extra:
                self.a4.fail(f"{name} does not follow from this command", record, **where)

    def a3_next(self, command: Parsed, shown: str) -> None:
        """A result announced another next interaction than the fold gives."""
        self.report.checks["A3"].fail(
            f"a result's nextInteraction is not the fold's ({shown})", command.record,
            commandId=command.id, entityId=command.entity,
        )  # fmt: skip

    def _event_may_lack(self, command: Parsed, name: str) -> bool:
        event_id = derived("event", command.tenant, command.organization, command.id, name)
        if hash(event_id) in self.outbox.waiting:
            self.a4.lag += 1
            return True
        return self.events.oldest is not None and command.now <= self.events.oldest

    # --- what is known of the past ----------------------------------------------------------------

    def _outcome(self, recorded: Recorded | None, number: int | None) -> str | None:
        if recorded is not None:
            return recorded.outcome
        return None if number is None else self.ledger.outcome_of(number)

    def _remember(self, command: Parsed, number: int) -> None:
        self.ledger.content[number], self.ledger.meaning[number] = command.content, command.meaning

    def _note_target(self, command: Parsed, image: Image | None) -> None:
        if self.targets and command.id:
            key = command_key(command.tenant, command.organization, command.id)
            if key in self.targets:
                self.model.images[key] = image or Image(command.entity)

    def _elsewhere(self, command: Parsed) -> bool:
        """Whether the command's place among those of its entity is not given by its offset."""
        entity = hash(command.entity)
        return entity in self.ledger.roaming or (
            self.ledger.homes.get(entity, command.record.partition) != command.record.partition
        )

    def _is_known(self, command: Parsed) -> bool:
        """Whether the fold holds all that a command's outcome may depend on at its place."""
        return not self._elsewhere(command) and self.begin.get(command.record.partition, 0) == 0

    def _log_may_lack(self, command: Parsed) -> bool:
        return self.ledger.first_month is not None and command.now < self.ledger.first_month

    def _begins_late(self, command: Parsed, recorded: Recorded) -> bool:
        """Whether an entity existed before the oldest command that is still retained."""
        if self.begin.get(command.record.partition, 0) == 0:
            return False
        return not (command.kind == "entity.upsert" and recorded.entity_version in (1, None))

    def _type_begins_late(self, command: Parsed) -> bool:
        return command.kind == "interaction_type.upsert" and self.begin.get(command.record.partition, 0) > 0

    def _partial(self, command: Parsed) -> Subject:
        self.report.note(
            "the oldest commands are no longer retained: entities older than that are not folded"
        )
        subject = self.model.subjects.get(command.entity)
        if subject is None:
            subject = Subject(command.entity, command.tenant, command.organization)
            self.model.subjects[command.entity] = subject
        subject.partial = True
        return subject

    def _close(self) -> None:
        """What can be said only when all commands were read."""
        for scope, where in self.doubtful.items():
            if scope not in self.model.ever_strict and not any(self.begin.values()):
                self.a2.fail(
                    "an unknown type was rejected though the dictionary was never closed", None, **where
                )
        for command, (entity, passed) in self.outbox.commands.items():
            if passed and command not in self.relayed and not any(self.begin.values()):
                self.report.checks["A9"].fail(
                    "the relay has passed a command that is not in the commands topic", None,
                    table="outbox", id=command, entityId=entity,
                )  # fmt: skip
        for number, seen in enumerate(self.seen):
            partition, offset = self.ledger.place(number)
            if seen or offset < self.begin.get(partition, 0) or offset >= self.watermark.get(partition, 0):
                continue
            self.a1.fail(
                "a log row without its record in the commands topic", None,
                table="command_log", partition=partition, offset=offset,
            )  # fmt: skip
        for place, letter in self.letters.items():
            partition, offset = place
            retained = self.begin.get(partition, 0) <= offset < self.watermark.get(partition, 0)
            if place not in self.letters_due and retained:
                self.a7.fail(
                    "a dead letter without its record", None, partition=letter.partition, offset=letter.offset
                )
        for partition, offset in self.results.orphans():
            self.a1.fail("a result without a command", None, commandPartition=partition, commandOffset=offset)


def _mentions_undo(record: Rec) -> bool:
    return b"undo" in (record.value or b"") or any(
        name == "ce_type" and value is not None and value.endswith(b".undo") for name, value in record.headers
    )
