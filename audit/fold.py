"""Fold the commands in order and compare each with its result and log row (A1, A2, A6, A10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audit.audit_inputs import AuditInputs
from audit.comparison import Comparison
from audit.dead_letter_check import check_dead_letter, check_strays
from audit.dead_letters import COMMANDS
from audit.derived_ids import command_key, dead_id
from audit.effects_check import check_effects, check_named, named
from audit.entity_state import EntityState
from audit.envelope import Parsed, parse
from audit.history import Record
from audit.results_pass import Recorded
from audit.rules import Model, undo_target
from audit.undo import UndoImage

_UNDOABLE: Final = frozenset(
    {
        *(f"interaction.{verb}" for verb in ("create", "update", "fix", "complete", "cancel", "reopen")),
        *("interaction.delete", "interaction.undo"),
        *(f"signal.{verb}" for verb in ("record", "update", "resolve", "attach_draft", "fail_draft")),
        *("signal.skip", "signal.reopen"),
        *(f"draft.{verb}" for verb in ("update", "mark_sent", "delete", "restore")),
    }
)
#: Keyed by organization or tenant: the first one still on the topic need not be the first ever.
_OF_NO_ENTITY: Final = ("interaction_type.upsert", "feature_flag.set")
_RECOMPUTE: Final = "interaction.recompute_next"
_ERASE: Final = "entity.erase"


@dataclass(slots=True)
class _Deferred:
    """A command of an entity with commands in several partitions, held until its order is known."""

    command: Parsed
    recorded: Recorded
    number: int


class Fold:
    """Fold of the commands topic below the watermark.

    :ivar model: state derived from the commands; complete after ``run``.
    :ivar recomputes: ids of the recompute commands on the topic.
    :ivar unrepaired: entities whose recompute command is not applied yet.
    :ivar pending: entities with a command that is not applied yet.
    :ivar newest: append time of the newest command, in µs.
    """

    def __init__(self, inputs: AuditInputs) -> None:
        self.inputs = inputs
        self.model = Model()
        self.recomputes: set[str] = set()
        self.unrepaired: set[str] = set()
        self.pending: set[str] = set()
        self.newest = 0
        self._history, self._report, self._ledger = inputs.history, inputs.report, inputs.ledger
        self._a1, self._a2, self._a6, self._a10 = (
            inputs.report.checks[name] for name in ("A1", "A2", "A6", "A10")
        )
        self._comparison = Comparison(inputs)
        self._targets: set[int] = set()
        self._deferred: list[_Deferred] = []
        self._seen = bytearray(len(inputs.ledger))

    def run(self) -> None:
        """Read the topic twice: first to find the commands that are undone later, then to fold."""
        for record in self._history.records(COMMANDS):
            if _mentions_undo(record):
                command = parse(record, self._history.decode_named)
                target = undo_target(command) if command.kind == "interaction.undo" else None
                if target is not None:
                    self._targets.add(target)
        for record in self._history.records(COMMANDS):
            command = parse(record, self._history.decode_named)
            self.newest = max(self.newest, command.now)
            if record.offset < self.inputs.watermark.get(record.partition, 0):
                self._read(command)
            else:
                self._report.behind("commands")
                self.pending.add(command.entity)
                if command.kind == _RECOMPUTE:
                    self.recomputes.add(command.id)
                    self.unrepaired.add(command.entity)
        # Entities with commands in several partitions: in the order of the command log.
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
        number = self._log_row(command)
        first = number is not None and self._ledger.place(number) == place
        if first and number is not None:
            self._seen[number] = 1
        if recorded is None:
            self._no_result(command, number)
        else:
            self._check_result(command, recorded)
        if command.kind == _RECOMPUTE:
            self.recomputes.add(command.id)
        check_dead_letter(self.inputs, command)
        if command.refusal is not None:
            self._refused(command, recorded, number, first=first)
        elif command.validate_only:
            self._dry_run(command, recorded, number, first=first)
        elif number is None:
            self._unlogged(command, recorded)
        elif first:
            self._first(command, recorded, number)
        else:
            self._repeated(command, recorded, number)

    def _log_row(self, command: Parsed) -> int | None:
        """Number of a record's log row: by command id, or by position for an undecodable record."""
        record = command.record
        if self._ledger.dead:
            place = dead_id(self._history.cut.commands, record.partition, record.offset)
            dead = self._ledger.dead.get(place)
            if dead is not None:
                return dead
        if command.undecodable or not command.id:
            return None
        return self._ledger.find(command.tenant, command.organization, command.id)

    # --- A1, A6, A10: one matching outcome per record -----------------------------------------------

    def _no_result(self, command: Parsed, number: int | None) -> None:
        record, oldest = command.record, self.inputs.results.oldest
        if not self.inputs.is_answered(record.partition, record.offset):
            self._report.behind("results")
            self._a1.lag += 1
        elif oldest is not None and command.now <= oldest:
            self._report.note(
                "the oldest results are no longer retained: their commands are checked without them"
            )
        else:
            self._a1.fail("a command without a result", record, **named(command))
            if number is None:
                self._a6.fail("a record below the watermark has no outcome", record, commandId=command.id)

    def _check_result(self, command: Parsed, recorded: Recorded) -> None:
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
        """Return whether the pipeline failed on the record before it could read its identity."""
        record = command.record
        place = record.partition, record.offset
        stand_in = hash(dead_id(self._history.cut.commands, *place))
        return (
            recorded.code == "internal_error"
            and place in self.inputs.dead_letters
            and recorded.command == stand_in
        )

    # --- A2: the outcome is the one that the rules derive -------------------------------------------

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
        if number is None and not command.dry_run and not self._log_may_lack(command):
            self._a1.fail("a refused record has no log row", record, commandId=command.id)
        if first and number is not None:
            self._remember(command, number)
            self._note_target(command, number, None)

    def _dry_run(
        self, command: Parsed, recorded: Recorded | None, number: int | None, *, first: bool
    ) -> None:
        """Check a dry run: it gets the outcome it would have, and leaves nothing else."""
        self._a2.checked += 1
        if first:
            self._a1.fail("a command that only asks is logged", command.record, commandId=command.id)
        elif number is not None or recorded is None or not self._is_known(command):
            self._a2.trusted += 1
        else:
            state = self.model.entities.get(command.entity)
            expected = self.model.decide(command)
            self._comparison.agrees(command, recorded, expected, state, logged=False)
            check_named(self.inputs, command, recorded, expected)

    def _unlogged(self, command: Parsed, recorded: Recorded | None) -> None:
        if not self._log_may_lack(command):
            self._a1.fail("a command without a log row", command.record, **named(command))
            return
        self._report.note(
            "the oldest months of the command log were dropped: older commands are taken as recorded"
        )
        if recorded is not None and recorded.outcome == "applied":
            self._mark_partial(command)

    def _repeated(self, command: Parsed, recorded: Recorded | None, number: int) -> None:
        """Check a repeated command id: it has no effect a second time."""
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
            self._a2.trusted += 1  # equal after normalization, different as sent: the contract leaves it open
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
        if not self._order_unknown(command):
            self._step(command, answer, number)
        elif logged == "applied":
            self._deferred.append(_Deferred(command, answer, number))
        else:
            self._a2.checked += 1
            self._a2.trusted += 1
            self._note_target(command, number, None)

    def _step(self, command: Parsed, recorded: Recorded, number: int) -> None:
        """Fold one command, unless the state that it depends on is unknown."""
        self._a2.checked += 1
        state = self.model.entities.get(command.entity)
        if state is None and self._predates_retention(command, recorded):
            state = self._mark_partial(command)
        unknown = state is not None and (state.partial or state.diverged)
        if unknown and command.kind == _ERASE and recorded.outcome == "applied":
            # Of every customer, whatever is known about it, nothing may remain.
            self.model.erase(command, recorded.entity_version)
        if (state is not None and state.partial) or self._type_predates_retention(command):
            self._a2.trusted += 1
            return
        if state is not None and state.diverged:
            return
        expected = self.model.decide(command)
        applied = self._comparison.agrees(command, recorded, expected, state, logged=True)
        check_named(self.inputs, command, recorded, expected)
        image = None
        if applied:
            self.model.commit(command, expected, recorded.entity_version, recorded.version)
            if command.kind in _UNDOABLE:
                image = UndoImage(command.entity, expected)
            state = self.model.entities.get(command.entity) if expected.of_entity else None
            check_effects(self.inputs, command, recorded, expected, number, state)
        elif expected.entry is not None and recorded.outcome == "no_op":
            self.model.note_entry(command, expected.entry)
        self._note_target(command, number, image)

    # --- history that retention may have removed ----------------------------------------------------

    def _remember(self, command: Parsed, number: int) -> None:
        self._ledger.content[number], self._ledger.meaning[number] = command.content, command.meaning

    def _note_target(self, command: Parsed, number: int, image: UndoImage | None) -> None:
        if self._targets and command.id:
            key = command_key(command.tenant, command.organization, command.id)
            # A record logged under its position left its command id to another record.
            if key in self._targets and number == self._ledger.numbers.get(key):
                self.model.images[key] = image or UndoImage(command.entity)

    def _order_unknown(self, command: Parsed) -> bool:
        """Return whether offsets do not give the order of this command among those of its entity."""
        entity, partition = hash(command.entity), command.record.partition
        if (
            entity in self._ledger.multi_partition
            or self._ledger.home_partitions.get(entity, partition) != partition
        ):
            return True
        target = undo_target(command) if command.kind == "interaction.undo" else None
        number = None if target is None else self._ledger.numbers.get(target)
        # A command that was never applied sets no home partition; an undo of it may have come before it.
        return (
            number is not None
            and self._ledger.entity[number] == entity
            and self._ledger.partition[number] != partition
        )

    def _is_known(self, command: Parsed) -> bool:
        """Return whether the fold holds all state that the command's outcome may depend on."""
        state = self.model.entities.get(command.entity)
        if state is None:
            begins = self.inputs.begin(command.record.partition) == 0 or command.entity in self.model.erased
            return not self._order_unknown(command) and begins
        return not (self._order_unknown(command) or state.partial or state.diverged)

    def _log_may_lack(self, command: Parsed) -> bool:
        return self._ledger.first_month is not None and command.now < self._ledger.first_month

    def _predates_retention(self, command: Parsed, recorded: Recorded) -> bool:
        """Return whether the entity existed before the oldest retained command."""
        if command.kind in _OF_NO_ENTITY or self.inputs.begin(command.record.partition) == 0:
            return False
        if command.entity in self.model.erased:
            return False
        return not (command.kind == "entity.upsert" and recorded.entity_version in (1, None))

    def _type_predates_retention(self, command: Parsed) -> bool:
        return command.kind in _OF_NO_ENTITY and self.inputs.begin(command.record.partition) > 0

    def _mark_partial(self, command: Parsed) -> EntityState:
        self._report.note(
            "the oldest commands are no longer retained: entities that predate them are not folded"
        )
        state = self.model.entities.get(command.entity)
        if state is None:
            state = EntityState(command.entity, command.tenant, command.organization)
            self.model.entities[command.entity] = state
        state.partial = True
        return state

    def _close(self) -> None:
        """Check what can be judged only after the last command."""
        for scope, where in self._comparison.doubtful.items():
            if scope not in self.model.ever_strict and not self.inputs.commands_truncated:
                self._a2.fail("an unknown type was rejected though the dictionary was never closed", **where)
        for ids, what, command in self._comparison.contested:
            if not self.inputs.commands_truncated and not self.model.was_under_other_entity(
                ids, command.entity
            ):
                self._a2.fail(what, command.record, id=min(ids), **named(command))
        for identity, command in self.model.unexplained():
            if not self.inputs.commands_truncated:
                what = "an interaction was made with a version that no deletion left"
                self._a2.fail(what, command.record, id=identity, **named(command))
        for command_id, (entity, passed) in self.inputs.publications.commands.items():
            if passed and command_id not in self.recomputes and not self.inputs.commands_truncated:
                self._report.checks["A9"].fail(
                    "the relay has passed a command that is not in the commands topic",
                    table="journal",
                    id=command_id,
                    entityId=entity,
                )
        for number, seen in enumerate(self._seen):
            partition, offset = self._ledger.place(number)
            inside = self.inputs.begin(partition) <= offset < self.inputs.watermark.get(partition, 0)
            if inside and not seen:
                where = {"table": "journal", "partition": partition, "offset": offset}
                self._a1.fail("a log row without its record in the commands topic", **where)
        for partition, offset in self.inputs.results.orphans():
            self._a1.fail("a result without a command", commandPartition=partition, commandOffset=offset)
        check_strays(self.inputs)


def _mentions_undo(record: Record) -> bool:
    return b"undo" in (record.value or b"") or any(
        name == "ce_type" and value is not None and value.endswith(b".undo") for name, value in record.headers
    )
