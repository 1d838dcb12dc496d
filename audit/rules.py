"""The auditor's own rules: derive the outcome and effects of each command."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Final

from audit import lifecycle
from audit.derived_ids import command_key, undone_command
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, Step, no_op, rejected
from audit.interaction_tuple import Interaction
from audit.signals import answer_rules, draft_rules, signal_rules
from audit.signals.fix_rule import fix
from audit.signals.resolutions import Resolutions
from audit.undo import UndoImage, undo

_RULES: Final[dict[str, Callable[[EntityState, Parsed], Expected]]] = {
    "interaction.create": lifecycle.create,
    "interaction.update": lifecycle.update,
    "interaction.fix": fix,
    "interaction.complete": lifecycle.complete,
    "interaction.cancel": lifecycle.cancel,
    "interaction.reopen": lifecycle.reopen,
    "interaction.delete": lifecycle.delete,
    "interaction.mark_due": lifecycle.mark_due,
    "signal.record": signal_rules.record,
    "signal.update": signal_rules.update,
    "signal.resolve": signal_rules.resolve,
    "signal.attach_draft": answer_rules.attach_draft,
    "signal.fail_draft": answer_rules.fail_draft,
    "signal.skip": signal_rules.skip,
    "signal.reopen": signal_rules.reopen,
    "draft.update": draft_rules.update,
    "draft.mark_sent": draft_rules.mark_sent,
    "draft.delete": draft_rules.delete,
    "draft.restore": draft_rules.restore,
}
_ENTITY: Final = ("displayName", "primaryEmail", "primaryPhone", "ownerUserId")
_ENTRY: Final = ("label", "icon", "color", "actionable")
Scope = tuple[str, str]


def undo_target(command: Parsed) -> int | None:
    """Key of the command that an undo names."""
    data = command.data or {}
    named = data.get("commandId") or undone_command(data.get("undoToken") or "")
    return None if named is None else command_key(command.tenant, command.organization, named)


class Model:
    """State derived from the commands so far.

    :ivar types: fields set by upserts of each dictionary entry, by scope and code.
    :ivar strict: present ``strict`` setting of each dictionary, by scope.
    :ivar ever_strict: scopes whose dictionary is, or once was, strict.
    :ivar flags: last value of each feature flag and the organization that set it, by tenant and name.
    :ivar images: undo images of undo targets, by command key.
    :ivar resolutions: for whom each draft was requested.
    """

    def __init__(self) -> None:
        self.entities: dict[str, EntityState] = {}
        self.types: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.strict: dict[Scope, bool] = {}
        self.ever_strict: set[Scope] = set()
        self.flags: dict[tuple[str, str], tuple[bool, str]] = {}
        self.used: set[tuple[str, str, str]] = set()
        self.images: dict[int, UndoImage] = {}
        self.resolutions = Resolutions()
        #: Erased customer → its scope and last version.
        self.erased: dict[str, tuple[Scope, int]] = {}
        #: Erased customer → ids of its interactions and signals.
        self._erased_ids: dict[str, set[str]] = {}
        #: Deletions, and interactions that reuse an id deleted by another entity, as recorded.
        self.deleted: set[int] = set()
        self.returned: list[tuple[str, int, Parsed]] = []

    def decide(self, command: Parsed) -> Expected:
        """Derive the outcome of a valid command that has not been applied before."""
        if command.kind == "interaction_type.upsert":
            return self._type(command)
        if command.kind == "feature_flag.set":
            return self._flag(command)
        gone = self.erased.get(command.entity)
        if gone is not None and gone[0] == (command.tenant, command.organization):
            return rejected("entity_erased")
        if gone is not None and command.kind == "entity.upsert":
            return rejected("id_not_available")
        state = self.entities.get(command.entity)
        ours = state is not None and (state.tenant, state.organization) == (
            command.tenant,
            command.organization,
        )
        if command.kind == "entity.upsert":
            return rejected("id_not_available") if state and not ours else self._entity(state, command)
        if state is None or not ours:
            if command.kind == "interaction.mark_due":
                return no_op("rejected")
            return rejected("entity_not_found", "interaction_not_found", "undo_not_found")
        if command.kind == "entity.erase":
            if command.expected_version not in (None, state.version):
                return rejected("version_conflict")
            return Expected("applied", record="entity.erased", version=state.version + 1, erases=True)
        if command.kind == "deal.upsert":
            return self._deal(state, command)
        if command.kind == "interaction.recompute_next":
            # Only a changed label leaves something to repair, and labels belong to another partition.
            return Expected("no_op", bumps=False, either=("applied",), cross=frozenset({"version_conflict"}))
        if command.kind == "interaction.undo":
            key = undo_target(command)
            return undo(state, command, None if key is None else self.images.get(key))
        return _RULES[command.kind](state, command)

    def commit(
        self, command: Parsed, expected: Expected, entity_version: int | None, version: int | None = None
    ) -> None:
        """Apply a decision to the model.

        :param entity_version: recorded version of the entity, for where the contract leaves it open.
        :param version: recorded version of the interaction; an id deleted by another entity continues
            its versions.
        """
        scope = (command.tenant, command.organization)
        if expected.erases:
            self.erase(command, entity_version)
            return
        if expected.entry is not None:
            self._put_entry(scope, expected.entry)
            self.used.add((*scope, expected.entry["code"]))
            return
        if expected.flag is not None:
            name, enabled = expected.flag
            self.flags[command.tenant, name] = enabled, command.organization
            return
        state = self.entities.get(command.entity)
        if state is None:
            state = EntityState(command.entity, *scope, created=command.now)
            self.entities[command.entity] = state
        nearest = state.next()
        if expected.entity is not None:
            state.fields.update(expected.entity)
        if expected.deal is not None:
            state.deals.setdefault(expected.deal["id"], {"created": command.now}).update(expected.deal)
        if expected.after is not None:
            if expected.before is None and version is not None and version > (expected.version or 0):
                self._restore(command, expected, version)
            state.put(expected.after)
            self.used.add((*scope, expected.after.type))
        elif expected.before is not None:
            state.remove(expected.before.id, expected.version or 0)
            self.deleted.add(hash((expected.before.id, expected.version)))
        if expected.step is not None:
            self._put_step(state, scope, expected.step)
        state.apply(expected.changes)
        self.resolutions.note(expected.changes)
        grown = state.version + 1
        if expected.bumps or (expected.bumps is None and entity_version == grown):
            state.version = grown
        expected.next = _next_changed(nearest, state.next())

    def _put_step(self, state: EntityState, scope: Scope, step: Step) -> None:
        if step.after is not None:
            state.put(step.after)
            self.used.add((*scope, step.after.type))
        else:
            state.remove(step.id, step.version)
            self.deleted.add(hash((step.id, step.version)))

    def erase(self, command: Parsed, entity_version: int | None) -> None:
        """Drop a customer with everything that belongs to it.

        :param entity_version: recorded version, for a customer whose state is not known.
        """
        state = self.entities.pop(command.entity, None)
        version = state.version + 1 if state is not None and not state.partial else entity_version or 0
        self.erased[command.entity] = (command.tenant, command.organization), version
        if state is None:
            return
        for row in state.rows.values():
            self.deleted.add(hash((row.id, row.version + 1)))
        children = state.children
        self._erased_ids[command.entity] = {*state.rows, *state.gone, *children.signals, *children.gone}

    def unexplained(self) -> list[tuple[str, Parsed]]:
        """Reused ids whose version follows no deletion."""
        return [
            (identity, command)
            for identity, version, command in self.returned
            if hash((identity, version - 1)) not in self.deleted
        ]

    def was_under_other_entity(self, ids: Set[str], entity: str) -> bool:
        """Return whether another entity has, or had, an interaction or signal with one of these ids."""
        erased = (held for owner, held in self._erased_ids.items() if owner != entity)
        return any(not ids.isdisjoint(held) for held in erased) or any(
            not ids.isdisjoint(held)
            for state in self.entities.values()
            if state.id != entity
            for held in (state.rows, state.gone, state.children.signals, state.children.gone)
        )

    def _restore(self, command: Parsed, expected: Expected, version: int) -> None:
        row = expected.after
        if row is not None:
            expected.after = row._replace(version=version, schedule_version=version)
            expected.version = version
            self.returned.append((row.id, version, command))

    def _entity(self, state: EntityState | None, command: Parsed) -> Expected:
        data = command.data or {}
        version = state.version if state else 0
        if command.expected_version is not None and command.expected_version != version:
            return rejected("version_conflict")
        given: dict[str, Any] = {name: data[name] for name in _ENTITY if name in data}
        if state is None:
            if "displayName" not in data:
                return rejected("validation_failed", "id_not_available")
            fields: dict[str, Any] = {**dict.fromkeys(_ENTITY), "kind": data["kind"], **given}
            return Expected(
                "applied", record="entity.created", entity=fields, cross=frozenset({"id_not_available"})
            )
        changed = {name: value for name, value in given.items() if state.fields.get(name) != value}
        if state.fields.get("kind") != data["kind"]:
            changed["kind"] = data["kind"]
        return Expected("applied", record="entity.updated", entity=changed) if changed else no_op()

    def _deal(self, state: EntityState, command: Parsed) -> Expected:
        data = command.data or {}
        cross = frozenset({"version_conflict"} if command.expected_version is not None else ())
        known = state.deals.get(data["id"])
        given: dict[str, Any] = {name: data[name] for name in ("title", "status") if name in data}
        if known is None:
            if "title" not in data:
                return rejected("validation_failed", "id_not_available", "entity_mismatch", *cross)
            deal = {"id": data["id"], "status": None, **given}
            return Expected(
                "applied",
                record="deal.created",
                deal=deal,
                bumps=None,
                cross=cross | {"id_not_available", "deal_not_found", "entity_mismatch"},
            )
        changed = {name: value for name, value in given.items() if known.get(name) != value}
        if not changed:
            return Expected("no_op", bumps=False, cross=cross)
        deal = {"id": data["id"], **changed}
        return Expected("applied", record="deal.updated", deal=deal, bumps=None, cross=cross)

    def _type(self, command: Parsed) -> Expected:
        data = command.data or {}
        scope = (command.tenant, command.organization)
        known = self.types.get((*scope, data["interactionType"]), {})
        given = {name: data[name] for name in _ENTRY if data.get(name) is not None}
        entry = {"code": data["interactionType"], **given}
        changed = any(known.get(name) != value for name, value in given.items())
        if data.get("strict") is not None:
            entry["strict"] = data["strict"]
            changed = changed or self.strict.get(scope, False) != data["strict"]
        either: tuple[str, ...]
        sure = bool(known) and all(name in known for name in given)
        # Dictionary entries have no version to expect.
        cross = frozenset({"expected_version_not_supported", "version_conflict"})
        if command.expected_version is None:
            cross = frozenset()
        if changed:
            # An entry's values before its first upsert (a default, or added by use) are not known here.
            either = () if sure else ("no_op",)
            return Expected("applied", entry=entry, bumps=False, either=either, cross=cross)
        either = () if sure else ("applied",)
        return Expected("no_op", entry=entry, bumps=False, either=either, cross=cross)

    def _flag(self, command: Parsed) -> Expected:
        data = command.data or {}
        if command.expected_version is not None:
            return rejected("expected_version_not_supported")
        known = self.flags.get((command.tenant, data["flag"]))
        outcome = "no_op" if known is not None and known[0] == data["enabled"] else "applied"
        # Legacy rows are no part of the log, so the fold cannot know about their validation.
        cross = frozenset({"legacy_rows_not_validated"} if data["enabled"] else ())
        return Expected(outcome, flag=(data["flag"], data["enabled"]), bumps=False, cross=cross)

    def note_entry(self, command: Parsed, entry: dict[str, Any]) -> None:
        """Take over the values of an upsert that changed nothing; a default type needs no row for it."""
        self._put_entry((command.tenant, command.organization), entry)

    def _put_entry(self, scope: Scope, entry: dict[str, Any]) -> None:
        known = self.types.setdefault((*scope, entry["code"]), {})
        known.update({name: entry[name] for name in _ENTRY if name in entry})
        if "strict" in entry:
            self.strict[scope] = entry["strict"]
            if entry["strict"]:
                self.ever_strict.add(scope)


def _next_changed(before: Interaction | None, after: Interaction | None) -> bool | None:
    """Return whether the next interaction changed; ``None`` if only its name, icon or color may have."""
    if before is None and after is None:
        return False
    if (before.id, before.scheduled) != (after.id, after.scheduled) if before and after else True:
        return True
    return None
