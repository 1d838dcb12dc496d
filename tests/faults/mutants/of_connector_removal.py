# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of integration removal: remaining mirrors, and work in progress."""

from __future__ import annotations

from tests.faults.mutants.catalogue import mutant

_UNLINKED = "test:tests/simulation/test_unlinked.py::"
_SETTINGS = "test:tests/integration/test_connector_settings.py::"


@mutant(
    "mirrors of a removed integration count as objects of another system",
    f"{_UNLINKED}test_a_moved_mirror_of_a_removed_integration_is_found",
)
def former_mirrors_doubled() -> None:
    from connectors.sync import adoption

    adoption.was_removed = lambda *_: False


@mutant(
    "an event for an integration that was removed meanwhile ends the connectors",
    f"{_SETTINGS}test_work_under_way_writes_nothing_of_a_removed_integration",
)
def removal_ends_the_marker() -> None:
    from connectors.store import ledger_marks

    class NeverRaised(Exception):
        pass

    ledger_marks.ForeignKeyViolation = NeverRaised
