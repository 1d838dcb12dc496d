# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the deprecated routes, of mutation guards and of view notifications."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_RULES = "test:tests/unit/domain/test_legacy_rows.py"
_UPDATE = "test:tests/unit/domain/test_lifecycle.py::test_an_update_changes_fields_and_status_as_one"
_PAST = "test:tests/unit/domain/test_lifecycle.py::test_a_migrated_interaction_announces_no_past_schedule"
_UNVALIDATED = "test:tests/unit/domain/test_flags.py::test_legacy_rows_must_be_validated_first"
_GUARDS = "test:tests/unit/api/test_mutation_guards.py::test_a_hook_that_refuses_stops_the_write"
_GIVEN_UP = "test:tests/unit/connectors/test_mirror_events.py::test_a_mirror_that_fails_or_is_given_up"


@mutant("a legacy row loses its creation time", f"{_RULES}::test_a_row_within_the_limits_is_kept_as_it_is")
def legacy_creation_forgotten() -> None:
    from domain import legacy_rows

    real = legacy_rows.convert

    def convert(*given: Any) -> Any:
        conversion = real(*given)
        conversion.data.pop("createdAt", None)
        return conversion

    legacy_rows.convert = convert


@mutant("a migrated interaction announces schedules of the past", _PAST)
def past_schedules_announced() -> None:
    from domain import lifecycle

    lifecycle.MIGRATION_SOURCE = "nothing:"


@mutant("a tenant whose legacy rows are not validated hides them", _UNVALIDATED)
def unvalidated_rows_hidden() -> None:
    from domain import flags

    flags.NEED_VALIDATION = frozenset()


@mutant(
    "a rolled back row cannot be moved once more",
    f"{_RULES}::test_a_move_has_one_command_id_however_often_it_is_tried",
)
def rollback_for_good() -> None:
    from domain import legacy_rows

    real = legacy_rows.command_id
    legacy_rows.command_id = lambda *given: real(*given[:4])


@mutant("the type of a legacy row is sent unrepaired", f"{_RULES}::test_any_row_can_be_moved")
def legacy_type_unrepaired() -> None:
    from domain import legacy_rows

    legacy_rows._type = lambda text, _known: (text, None)


@mutant("an update completes without occurredAt, and reopens with the old one", _UPDATE)
def status_without_its_moment() -> None:
    from domain import update

    update._with_implied_occurred_at = lambda _row, wanted, _command: (wanted, ())


@mutant("writes bypass the mutation guards", _GUARDS)
def mutation_guards_skipped() -> None:
    from api.command_gateway import CommandGateway
    from api.guarded_commands import GuardedCommandGateway

    GuardedCommandGateway.execute = CommandGateway.execute


@mutant("a mirror is given up without notifying its views", _GIVEN_UP)
def given_up_unannounced() -> None:
    from connectors.sync import failure_policy

    failure_policy.announce_mapping = lambda *_: None
