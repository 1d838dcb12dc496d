"""The auditor's own rules: which outcome a command must have, and what it must leave behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from audit import lifecycle
from audit.derived_ids import command_key, undone_command
from audit.entity_state import Subject
from audit.envelope import Parsed
from audit.expected import Expected, no_op, rejected
from audit.interaction_tuple import Interaction
from audit.lifecycle import Image

_LIFECYCLE: Final[dict[str, Callable[[Subject, Parsed], Expected]]] = {
    "interaction.create": lifecycle.create,
    "interaction.update": lifecycle.update,
    "interaction.complete": lifecycle.complete,
    "interaction.cancel": lifecycle.cancel,
    "interaction.reopen": lifecycle.reopen,
    "interaction.delete": lifecycle.delete,
    "interaction.mark_due": lifecycle.mark_due,
}
_ENTITY: Final = ("displayName", "primaryEmail", "primaryPhone", "ownerUserId")
_ENTRY: Final = ("label", "icon", "color", "actionable")
Scope = tuple[str, str]


def undo_target(command: Parsed) -> int | None:
    """The key of the command that an undo names."""
    data = command.data or {}
    named = data.get("commandId") or undone_command(data.get("undoToken") or "")
    return None if named is None else command_key(command.tenant, command.organization, named)


class Model:
    """Everything the commands have made so far.

    :ivar types: what upserts said of each dictionary entry, by scope and code.
    :ivar strict: scopes whose dictionary is, or once was, closed.
    :ivar flags: what was said last of each feature flag, by tenant and name: value, and from where.
    :ivar images: what undo targets left behind, by command key.
    """

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.types: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.strict: dict[Scope, bool] = {}
        self.ever_strict: set[Scope] = set()
        self.flags: dict[tuple[str, str], tuple[bool, str]] = {}
        self.used: set[tuple[str, str, str]] = set()
        self.images: dict[int, Image] = {}
        #: Deletions, and interactions that came back from another entity's, as recorded.
        self.deleted: set[int] = set()
        self.returned: list[tuple[str, int, Parsed]] = []

    def decide(self, command: Parsed) -> Expected:
        """What must become of a valid command that was not carried out before."""
        if command.kind == "interaction_type.upsert":
            return self._type(command)
        if command.kind == "feature_flag.set":
            return self._flag(command)
        subject = self.subjects.get(command.entity)
        ours = subject is not None and (subject.tenant, subject.organization) == (
            command.tenant,
            command.organization,
        )
        if command.kind == "entity.upsert":
            return rejected("id_not_available") if subject and not ours else self._entity(subject, command)
        if subject is None or not ours:
            if command.kind == "interaction.mark_due":
                return no_op("rejected")
            return rejected("entity_not_found", "interaction_not_found", "undo_not_found")
        if command.kind == "deal.upsert":
            return self._deal(subject, command)
        if command.kind == "interaction.recompute_next":
            # Only a changed label leaves something to repair, and labels are another partition's.
            return Expected("no_op", bumps=False, either=("applied",), cross=frozenset({"version_conflict"}))
        if command.kind == "interaction.undo":
            key = undo_target(command)
            return lifecycle.undo(subject, command, None if key is None else self.images.get(key))
        return _LIFECYCLE[command.kind](subject, command)

    def commit(
        self, command: Parsed, expected: Expected, entity_version: int | None, version: int | None = None
    ) -> None:
        """Carry out a decision to apply.

        :param entity_version: the entity's, as recorded, where the contract leaves it open.
        :param version: the interaction's, as recorded: an id that another entity gave up goes on from there.
        """
        scope = (command.tenant, command.organization)
        if expected.entry is not None:
            self._put_entry(scope, expected.entry)
            return
        if expected.flag is not None:
            name, enabled = expected.flag
            self.flags[command.tenant, name] = enabled, command.organization
            return
        subject = self.subjects.get(command.entity)
        if subject is None:
            subject = Subject(command.entity, *scope, created=command.now)
            self.subjects[command.entity] = subject
        nearest = subject.next()
        if expected.entity is not None:
            subject.fields.update(expected.entity)
        if expected.deal is not None:
            subject.deals.setdefault(expected.deal["id"], {"created": command.now}).update(expected.deal)
        if expected.after is not None:
            if expected.before is None and version is not None and version > (expected.version or 0):
                self._come_back(command, expected, version)
            subject.put(expected.after)
            self.used.add((*scope, expected.after.type))
        elif expected.before is not None:
            subject.remove(expected.before.id, expected.version or 0)
            self.deleted.add(hash((expected.before.id, expected.version)))
        grown = subject.version + 1
        if expected.bumps or (expected.bumps is None and entity_version == grown):
            subject.version = grown
        expected.next = _moved(nearest, subject.next())

    def strangers(self) -> list[tuple[str, Parsed]]:
        """Interactions that came back with a version that no deletion left."""
        return [
            (identity, command)
            for identity, version, command in self.returned
            if hash((identity, version - 1)) not in self.deleted
        ]

    def was_elsewhere(self, interaction: str, entity: str) -> bool:
        """Whether another entity has, or had, an interaction of this id."""
        return any(
            interaction in subject.rows or interaction in subject.gone
            for subject in self.subjects.values()
            if subject.id != entity
        )

    def _come_back(self, command: Parsed, expected: Expected, version: int) -> None:
        row = expected.after
        if row is not None:
            expected.after = row._replace(version=version, schedule_version=version)
            expected.version = version
            self.returned.append((row.id, version, command))

    def _entity(self, subject: Subject | None, command: Parsed) -> Expected:
        data = command.data or {}
        version = subject.version if subject else 0
        if command.expected_version is not None and command.expected_version != version:
            return rejected("version_conflict")
        given: dict[str, Any] = {name: data[name] for name in _ENTITY if name in data}
        if subject is None:
            if "displayName" not in data:
                return rejected("validation_failed", "id_not_available")
            fields: dict[str, Any] = {**dict.fromkeys(_ENTITY), "kind": data["kind"], **given}
            return Expected("applied", entity=fields, cross=frozenset({"id_not_available"}))
        changed = {name: value for name, value in given.items() if subject.fields.get(name) != value}
        if subject.fields.get("kind") != data["kind"]:
            changed["kind"] = data["kind"]
        return Expected("applied", entity=changed) if changed else no_op()

    def _deal(self, subject: Subject, command: Parsed) -> Expected:
        data = command.data or {}
        cross = frozenset({"version_conflict"} if command.expected_version is not None else ())
        known = subject.deals.get(data["id"])
        given: dict[str, Any] = {name: data[name] for name in ("title", "status") if name in data}
        if known is None:
            if "title" not in data:
                return rejected("validation_failed", "id_not_available", "entity_mismatch", *cross)
            deal = {"id": data["id"], "status": None, **given}
            return Expected(
                "applied",
                deal=deal,
                bumps=None,
                cross=cross | {"id_not_available", "deal_not_found", "entity_mismatch"},
            )
        changed = {name: value for name, value in given.items() if known.get(name) != value}
        if not changed:
            return Expected("no_op", bumps=False, cross=cross)
        return Expected("applied", deal={"id": data["id"], **changed}, bumps=None, cross=cross)

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
        # An entry has no version to expect.
        cross = frozenset({"expected_version_not_supported", "version_conflict"})
        if command.expected_version is None:
            cross = frozenset()
        if changed:
            # What an entry was before its first upsert (a default, or added by use) is not known here.
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
        return Expected(outcome, flag=(data["flag"], data["enabled"]), bumps=False)

    def _put_entry(self, scope: Scope, entry: dict[str, Any]) -> None:
        known = self.types.setdefault((*scope, entry["code"]), {})
        known.update({name: entry[name] for name in _ENTRY if name in entry})
        if "strict" in entry:
            self.strict[scope] = entry["strict"]
            if entry["strict"]:
                self.ever_strict.add(scope)


def _moved(before: Interaction | None, after: Interaction | None) -> bool | None:
    """Whether the next interaction changed; ``None`` when only its looks may have."""
    if before is None and after is None:
        return False
    if (before.id, before.scheduled) != (after.id, after.scheduled) if before and after else True:
        return True
    return None
