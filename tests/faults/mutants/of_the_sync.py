# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the sync engine: deletions, moves and unreadable objects."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_DELETIONS = "test:tests/simulation/test_deletions.py::"
_UNLINKED = "test:tests/simulation/test_unlinked.py::"
_PLACES = "test:tests/providers/test_caldav_places.py::"


@mutant(
    "an object that answers 404 counts as deleted while its board is away",
    f"{_DELETIONS}test_a_board_that_is_not_there_cancels_nothing",
)
def missing_taken_for_deleted() -> None:
    from connectors.sync import item, missing

    missing.confirm_gone = item.confirm_gone = lambda _context, _mapping, gone: gone


@mutant(
    "deletions that a push finds pass the mass-change guard",
    f"{_DELETIONS}test_deletions_found_by_pushes_count_for_the_guard",
)
def pushed_deletions_unguarded() -> None:
    from connectors.sync import inbound

    inbound.admit_deletion = lambda _session, _connection: None


@mutant(
    "a complete listing is not compared with the mirrors",
    f"{_DELETIONS}test_a_deletion_is_found_when_the_cursor_is_lost",
)
def listing_not_compared() -> None:
    from connectors.sync import listing

    listing.mirrors_before = lambda *_: set()


@mutant(
    "mirrors that were deleted long ago count for the guard",
    f"{_DELETIONS}test_only_live_mirrors_count_for_the_guard",
)
def dead_mirrors_counted() -> None:
    from connectors.sync import listing

    listing.live_mirrors = lambda _connection, _integration, ids: set(ids)


@mutant(
    "a start without confirmation applies a mass deletion",
    f"{_DELETIONS}test_a_plain_start_applies_no_mass_deletion",
)
def start_unguarded() -> None:
    from connectors.sync import initial_plan

    initial_plan.exceeds_limit = lambda _session, _counted: False


@mutant(
    "what is due for an object that cannot be read is taken for done",
    f"{_UNLINKED}test_what_is_due_waits_until_the_object_can_be_read",
)
def unreadable_taken_for_done() -> None:
    from connectors.sync.context import SyncContext

    SyncContext.wait_for_object = lambda _self, _reason: False


@mutant(
    "a mirror under another id is not searched for by its marker",
    f"{_UNLINKED}test_an_object_under_another_id_is_linked_again",
)
def moved_mirror_not_found() -> None:
    from connectors.sync import missing

    def confirm_gone(context: Any, mapping: Any, gone: Any) -> Any:
        context.session.provider.health()
        return gone

    missing.confirm_gone = confirm_gone


@mutant(
    "paths are compared as they are spelled",
    f"{_PLACES}TestSpelling::test_reports_and_writes_name_one_object",
)
def paths_compared_as_spelled() -> None:
    from connectors.providers.caldav import client, collection, provider

    client.normal_path = collection.normal_path = provider.normal_path = lambda path: path
