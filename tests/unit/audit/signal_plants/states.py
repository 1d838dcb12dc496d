"""States, publications and scopes of signals and drafts."""

from __future__ import annotations

from schemas.topics import DRAFT_STATE, EVENTS, SIGNAL_STATE
from tests.unit.audit.machine import Machine
from tests.unit.audit.planting import Plants, image, last_of, log_of
from tests.unit.audit.signal_story import DROPPED, KEPT, PROMISE, STRANGER, draft_of

PLANTS = Plants()


@PLANTS.add("A8", "the topic's last value is not the table's")
def _state_of_a_signal_not_updated(m: Machine) -> None:
    del m.topics[SIGNAL_STATE][last_of(m, SIGNAL_STATE, PROMISE)]


@PLANTS.add("A8", "the topic's last value is not the table's")
def _state_of_a_draft_is_another(m: Machine) -> None:
    m.change(DRAFT_STATE, last_of(m, DRAFT_STATE, draft_of(m, KEPT)), subject="Another")


@PLANTS.add("A8", "a tombstone is missing")
def _tombstone_of_a_signal_missing(m: Machine) -> None:
    at = last_of(m, SIGNAL_STATE, DROPPED)
    assert m.topics[SIGNAL_STATE].pop(at).value is None


@PLANTS.add("A8", "a tombstone is missing")
def _tombstone_of_a_draft_missing(m: Machine) -> None:
    removed = image(
        m, m.find(EVENTS, ce_causationid="delete-lost", ce_type="customers.draft.removed"), "before"
    )
    at = last_of(m, DRAFT_STATE, removed["id"])
    assert m.topics[DRAFT_STATE].pop(at).value is None


@PLANTS.add("A8", "the tables hold what the topic does not show")
def _drafts_never_shown(m: Machine) -> None:
    m.topics[DRAFT_STATE] = []


@PLANTS.add("A9", "an event is published that is not in the journal")
def _event_of_a_signal_not_in_the_journal(m: Machine) -> None:
    row = log_of(m, "update-promise")
    row["changed"], row["events"] = [], 0


@PLANTS.add("A9", "does not count the records")
def _removals_miscounted(m: Machine) -> None:
    log_of(m, "delete-lost")["events"] -= 1


@PLANTS.add("A10", "name different scopes", "A4")
def _event_shows_another_tenant(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-promise")
    m.change(EVENTS, at, after={**image(m, at), "tenantId": STRANGER})
