# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of reading and writing calendar to-dos."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.mutants.catalogue import mutant

_TEXTS: Final = "test:tests/providers/test_vtodo.py"


@mutant(
    "the zone that one object defines is kept for the next one",
    f"{_TEXTS}::TestDue::test_the_zone_of_an_object_is_its_own",
)
def zone_of_another_object() -> None:
    from connectors.providers.caldav.ics.zones import Zones

    real = Zones._defined
    kept: dict[str, Any] = {}

    def defined(self: Zones, identity: str) -> Any:
        found = real(self, identity)
        return kept.setdefault(identity, found) if found is not None else None

    Zones._defined = defined


@mutant(
    "octets are decoded before they are unfolded",
    f"{_TEXTS}::TestTexts::test_a_fold_inside_a_character_is_undone_before_decoding",
)
def decoded_before_unfolding() -> None:
    import re

    from connectors.providers.caldav.ics.content_lines import ContentLine

    def text(self: ContentLine) -> str:
        return re.sub(r"\r?\n[ \t]", "", self.octets.decode(errors="replace")).rstrip("\r\n")

    ContentLine.text = property(text)


@mutant(
    "one value that cannot be read hides the whole to-do",
    f"{_TEXTS}::TestFieldsAlone::test_an_unreadable_field_is_named_and_hides_no_other",
)
def unreadable_field_hides_all() -> None:
    from connectors.providers.caldav.vtodo import TodoText
    from schemas.errors import Skip

    real = TodoText.read

    def read(self: TodoText) -> Any:
        todo = real(self)
        if todo.unreadable:
            raise Skip("not readable")
        return todo

    TodoText.read = read


@mutant(
    "a change of a field writes properties behind the alarms",
    f"{_TEXTS}::TestLinesThatAreNotOurs::test_a_new_property_goes_before_the_alarms",
)
def written_behind_the_alarms() -> None:
    from connectors.providers.caldav.ics import editing

    real = editing.with_properties

    def with_properties(data: bytes, properties: Any) -> bytes:
        changed = real(data, dict.fromkeys(properties))
        added = b"".join(editing.folded(line) for line in properties.values() if line is not None)
        return changed.replace(b"END:VTODO", added + b"END:VTODO", 1)

    editing.with_properties = with_properties


@mutant("a new due date drops the start", f"{_TEXTS}::TestDue::test_alarms_keep_their_anchor")
def start_dropped() -> None:
    from connectors.providers.caldav.ics.due import Schedule

    real = Schedule.moved_to

    def moved_to(self: Schedule, instant: Any) -> Any:
        return real(self, instant) | {"DTSTART": None}

    Schedule.moved_to = moved_to


@mutant(
    "a deletion forgets the status before it",
    f"{_TEXTS}::TestStatus::test_an_undone_deletion_leaves_the_object_as_it_was",
)
def status_before_deletion_forgotten() -> None:
    from connectors.providers.caldav.vtodo import STATUS_BEFORE, TodoText

    real = TodoText.deleting

    def deleting(self: TodoText) -> Any:
        return real(self) | {STATUS_BEFORE: f"{STATUS_BEFORE}:NEEDS-ACTION"}

    TodoText.deleting = deleting
