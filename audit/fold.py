"""The commands in order, against what was answered and logged for each (A1, A2, A6, A10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audit.audit_inputs import AuditInputs
from audit.comparison import Comparison
from audit.dead_letter_check import check_dead_letter, check_strays
from audit.dead_letters import COMMANDS
from audit.derived_ids import command_key, dead_id
from audit.effects_check import check_aftermath, named
from audit.entity_state import Subject
from audit.envelope import Parsed, parse
from audit.history import Rec
from audit.lifecycle import Image
from audit.results_pass import Recorded
from audit.rules import Model, undo_target

_UNDOABLE: Final = frozenset(
    f"interaction.{verb}" for verb in ("create", "update", "complete", "cancel", "reopen", "delete", "undo")
)
#: Keyed by the organization or the tenant: nothing says that the first one on the topic is the first.
_OF_NO_ENTITY: Final = ("interaction_type.upsert", "feature_flag.set")
_RECOMPUTE: Final = "interaction.recompute_next"


@dataclass(slots=True)
class _Deferred:
    """A command of an entity that several partitions feed, until its turn is known."""

    command: Parsed
    recorded: Recorded
    number: int


class Fold:
    """One pass over the commands topic below the watermark.

    :ivar model: what the commands have made, when the pass is over.
    :ivar recomputes: ids of the recompute commands on the topic.
    :ivar unrepaired: entities of those that are not carried out yet.
    """

    def __init__(self, inputs: AuditInputs) -> None:
        self.inputs = inputs
        self.model = Model()
        self.recomputes: set[str] = set()
        self.unrepaired: set[str] = set()
        self._history, self._report, self._ledger = inputs.history, inputs.report, inputs.ledger
        self._a1, self._a2, self._a6, self._a10 = (
            inputs.report.checks[name] for name in ("A1", "A2", "A6", "A10")
        )
        self._comparison = Comparison(inputs)
        self._targets: set[int] = set()
        self._deferred: list[_Deferred] = []
        self._seen = bytearray(len(inputs.ledger))

    def run(self) -> None:
        """Read the topic twice: once for the commands that are undone later, once for all."""
        for record in self._history.records(COMMANDS):
            if _mentions_undo(record):
                command = parse(record, self._history.decode_named)
                target = undo_target(command) if command.kind == "interaction.undo" else None
                if target is not None:
                    self._targets.add(target)
        for record in self._history.records(COMMANDS):
            command = parse(record, self._history.decode_named)
            if record.offset < self.inputs.watermark.get(record.partition, 0):
                self._read(command)
            else:
                self._report.behind("commands")
                if command.kind == _RECOMPUTE:
                    self.recomputes.add(command.id)
                    self.unrepaired.add(command.entity)
        # Entities fed from several partitions, in the order that the log gives them.
        self._deferred.sort(
            key=lambda held: (held.command.entity, self._ledger.version(held.number) or 0, held.command.now)
        )
        for held in self._deferred:
            self._step(held.command, held.recorded, held.number)
        self._close()

    def _read(self, command: Parsed) -> None:
        """Check one record below the watermark, and fold it."""
        self._a1.checked += 1
        self._a6.checked += 1
        record = command.record
        place = (record.partition, record.offset)
        recorded = self.inputs.results.take(*place)
        number = self._row(command)
        first = number is not None and self._ledger.place(number) == place
        if first and number is not None:
            self._seen[number] = 1
        if recorded is None:
            self._no_result(command, number)
        else:
            self._agree(command, recorded)
        if command.kind == _RECOMPUTE:
            self.recomputes.add(command.id)
        check_dead_letter(self.inputs, command)
        if command.refusal is not None:
            self._refused(command, recorded, number, first=first)
        elif command.validate_only:
            self._question(command, recorded, number, first=first)
        elif number is None:
            self._unlogged(command, recorded)
        elif first:
            self._first(command, recorded, number)
        else:
            self._repeated(command, recorded, number)

    def _row(self, command: Parsed) -> int | None:
        """The log row of a record: of its command, or its own as an undecodable one."""
        record = command.record
        if self._ledger.dead:
            place = dead_id(self._history.cut.commands, record.partition, record.offset)
            dead = self._ledger.dead.get(place)
            if dead is not None:
                return dead
        if command.undecodable or not command.id:
            return None
        return self._ledger.find(command.tenant, command.organization, command.id)

    # --- A1, A6, A10: an outcome for each record, that agrees with it -----------------------------

    def _no_result(self, command: Parsed, number: int | None) -> None:
        record, oldest = command.record, self.inputs.results.oldest
        if not self.inputs.is_answered(record.partition, record.offset):
            self._report.behind("results")
            self._a1.lag += 1
        elif oldest is not None and command.now <= oldest:
            self._report.note("the oldest results are no longer retained: their commands are checked without")
        else:
            self._a1.fail("a command without a result", record, **named(command))
            if number is None:
                self._a6.fail("a record below the watermark has no outcome", record, commandId=command.id)

    def _agree(self, command: Parsed, recorded: Recorded) -> None:
        record = command.record
        if command.undecodable is False and not self._isolated(command, recorded):
            if recorded.command != hash(command.id):
                self._a1.fail("a result names another command than its record", record, commandId=command.id)
            self._a10.checked += 1
            if recorded.scope != hash((command.tenant, command.organization, command.entity)):
                self._a10.fail("a result's tenant, organization or entity is not its command's", record,
                               commandId=command.id)  # fmt: skip
        if command.refusal is None and recorded.validate_only != command.validate_only:
            self._a1.fail("a result and its command differ in validateOnly", record, commandId=command.id)

    def _isolated(self, command: Parsed, recorded: Recorded) -> bool:
        """Return whether the pipeline failed on the record before it could read who it is from."""
        record = command.record
        place = record.partition, record.offset
        stand_in = hash(dead_id(self._history.cut.commands, *place))
        return (
            recorded.code == "internal_error"
            and place in self.inputs.dead_letters
            and recorded.command == stand_in
        )

    # --- A2: the outcome is the one that the rules give -------------------------------------------

    def _refused(
        self, command: Parsed, recorded: Recorded | None, number: int | None, *, first: bool
    ) -> None:
        record = command.record
        self._a2.checked += 1
        outcome = recorded.outcome if recorded is not None else None
        repeated = number is not None and not first
        if outcome not in (None, "rejected") and not (repeated and outcome == "duplicate"):
            what = f"a record that the contract refuses ({command.refusal}) was {outcome}"
            self._a2.fail(what, record, **named(command))
        if first and number is not None and self._ledger.outcome_of(number) != "rejected":
            self._a2.fail("a refused record is logged as carried out", record, commandId=command.id)
        if number is None and not command.asks and not self._log_may_lack(command):
            self._a1.fail("a refused record has no log row", record, commandId=command.id)
        if first and number is not None:
            self._remember(command, number)
            self._note_target(command, number, None)

    def _question(
        self, command: Parsed, recorded: Recorded | None, number: int | None, *, first: bool
    ) -> None:
        """A command that only asks: answered as if, and nothing else."""
        self._a2.checked += 1
        if first:
            self._a1.fail("a command that only asks is logged", command.record, commandId=command.id)
        elif number is not None or recorded is None or not self._is_known(command):
            self._a2.trusted += 1
        else:
            subject = self.model.subjects.get(command.entity)
            expected = self.model.decide(command)
            self._comparison.agrees(command, recorded, expected, subject, logged=False)

    def _unlogged(self, command: Parsed, recorded: Recorded | None) -> None:
        if not self._log_may_lack(command):
            self._a1.fail("a command without a log row", command.record, **named(command))
            return
        self._report.note(
            "the oldest months of the command log are gone: older commands are taken as recorded"
        )
        if recorded is not None and recorded.outcome == "applied":
            self._partial(command)

    def _repeated(self, command: Parsed, recorded: Recorded | None, number: int) -> None:
        """A command id that was carried out for another record: nothing may happen again."""
        self._a2.checked += 1
        record, (partition, offset) = command.record, self._ledger.place(number)
        where = {"commandId": command.id, "firstPartition": partition, "firstOffset": offset}
        if partition == record.partition and offset > record.offset:
            self._a1.fail(
                "a later record of the same command was carried out instead of this", record, **where
            )
            return
        if recorded is None:
            return
        content = self._ledger.content[number]
        if recorded.outcome not in ("duplicate", "rejected"):
            self._a2.fail(f"a repeated command was {recorded.outcome}", record, **where)
        elif partition != record.partition or not content:
            self._a2.trusted += 1
        elif content == command.content and recorded.outcome != "duplicate":
            self._a2.fail("the same command again was not answered as a duplicate", record, **where)
        elif content != command.content and self._ledger.meaning[number] == command.meaning:
            self._a2.trusted += 1  # the same said in other words: the contract does not decide
        elif content != command.content and recorded.code != "idempotency_conflict":
            self._a2.fail("another command under the same id was not refused as a conflict", record, **where)

    def _first(self, command: Parsed, recorded: Recorded | None, number: int) -> None:
        record = command.record
        self._remember(command, number)
        logged = self._ledger.outcome_of(number)
        if recorded is not None and recorded.outcome != logged:
            self._a1.fail(f"logged as {logged}, answered as {recorded.outcome}", record, commandId=command.id)
        answer = recorded or Recorded(logged, entity_version=self._ledger.version(number))
        if answer.outcome == "applied" and answer.entity_version != self._ledger.version(number):
            self._a1.fail("a result's entityVersion is not the log's", record, commandId=command.id)
        if not self._elsewhere(command):
            self._step(command, answer, number)
        elif logged == "applied":
            self._deferred.append(_Deferred(command, answer, number))
        else:
            self._a2.checked += 1
            self._a2.trusted += 1
            self._note_target(command, number, None)

    def _step(self, command: Parsed, recorded: Recorded, number: int) -> None:
        """Fold one command, unless what it builds on is not known."""
        self._a2.checked += 1
        subject = self.model.subjects.get(command.entity)
        if subject is None and self._begins_late(command, recorded):
            subject = self._partial(command)
        if (subject is not None and subject.partial) or self._type_begins_late(command):
            self._a2.trusted += 1
            return
        if subject is not None and subject.diverged:
            return
        expected = self.model.decide(command)
        applied = self._comparison.agrees(command, recorded, expected, subject, logged=True)
        image = None
        if applied:
            self.model.commit(command, expected, recorded.entity_version, recorded.version)
            if expected.interaction is not None and command.kind in _UNDOABLE:
                left = expected.after.version if expected.after else None
                image = Image(command.entity, expected.interaction, expected.before, left, available=True)
            subject = self.model.subjects[command.entity] if expected.of_entity else None
            check_aftermath(self.inputs, command, recorded, expected, number, subject)
        elif expected.entry is not None and recorded.outcome == "no_op":
            self.model.commit(command, expected, None)
        self._note_target(command, number, image)

    # --- what is known of the past ----------------------------------------------------------------

    def _remember(self, command: Parsed, number: int) -> None:
        self._ledger.content[number], self._ledger.meaning[number] = command.content, command.meaning

    def _note_target(self, command: Parsed, number: int, image: Image | None) -> None:
        if self._targets and command.id:
            key = command_key(command.tenant, command.organization, command.id)
            # One that stands in the log under its place left its id to another record.
            if key in self._targets and number == self._ledger.numbers.get(key):
                self.model.images[key] = image or Image(command.entity)

    def _elsewhere(self, command: Parsed) -> bool:
        """Whether the command's place among those of its entity is not given by its offset."""
        entity, partition = hash(command.entity), command.record.partition
        if entity in self._ledger.roaming or self._ledger.homes.get(entity, partition) != partition:
            return True
        target = undo_target(command) if command.kind == "interaction.undo" else None
        number = None if target is None else self._ledger.numbers.get(target)
        # A command that never applied gives its entity no home; an undo of it may have come before it.
        return (
            number is not None
            and self._ledger.entity[number] == entity
            and self._ledger.partition[number] != partition
        )

    def _is_known(self, command: Parsed) -> bool:
        """Whether the fold holds all that a command's outcome may depend on at its place."""
        subject = self.model.subjects.get(command.entity)
        if subject is None:
            return not self._elsewhere(command) and self.inputs.begin(command.record.partition) == 0
        return not (self._elsewhere(command) or subject.partial or subject.diverged)

    def _log_may_lack(self, command: Parsed) -> bool:
        return self._ledger.first_month is not None and command.now < self._ledger.first_month

    def _begins_late(self, command: Parsed, recorded: Recorded) -> bool:
        """Whether an entity existed before the oldest command that is still retained."""
        if command.kind in _OF_NO_ENTITY or self.inputs.begin(command.record.partition) == 0:
            return False
        return not (command.kind == "entity.upsert" and recorded.entity_version in (1, None))

    def _type_begins_late(self, command: Parsed) -> bool:
        return command.kind in _OF_NO_ENTITY and self.inputs.begin(command.record.partition) > 0

    def _partial(self, command: Parsed) -> Subject:
        self._report.note(
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
        for scope, where in self._comparison.doubtful.items():
            if scope not in self.model.ever_strict and not self.inputs.commands_cut:
                self._a2.fail("an unknown type was rejected though the dictionary was never closed", **where)
        for identity, command in self._comparison.contested:
            if not self.inputs.commands_cut and not self.model.was_elsewhere(identity, command.entity):
                what = "an undo was refused as unsafe though nothing changed since"
                self._a2.fail(what, command.record, id=identity, **named(command))
        for identity, command in self.model.strangers():
            if not self.inputs.commands_cut:
                what = "an interaction was made with a version that no deletion left"
                self._a2.fail(what, command.record, id=identity, **named(command))
        for command_id, (entity, passed) in self.inputs.outbox.commands.items():
            if passed and command_id not in self.recomputes and not self.inputs.commands_cut:
                self._report.checks["A9"].fail(
                    "the relay has passed a command that is not in the commands topic",
                    table="outbox",
                    id=command_id,
                    entityId=entity,
                )
        for number, seen in enumerate(self._seen):
            partition, offset = self._ledger.place(number)
            inside = self.inputs.begin(partition) <= offset < self.inputs.watermark.get(partition, 0)
            if inside and not seen:
                where = {"table": "command_log", "partition": partition, "offset": offset}
                self._a1.fail("a log row without its record in the commands topic", **where)
        for partition, offset in self.inputs.results.orphans():
            self._a1.fail("a result without a command", commandPartition=partition, commandOffset=offset)
        check_strays(self.inputs)


def _mentions_undo(record: Rec) -> bool:
    return b"undo" in (record.value or b"") or any(
        name == "ce_type" and value is not None and value.endswith(b".undo") for name, value in record.headers
    )
