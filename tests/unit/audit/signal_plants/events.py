"""Events of signals and drafts that are lost, repeated or altered."""

from __future__ import annotations

from schemas.identity import derive_id
from schemas.topics import EVENTS
from tests.unit.audit.machine import ORGANIZATION, TENANT, Machine, make_id
from tests.unit.audit.planting import Plants, image, log_of, repeated
from tests.unit.audit.signal_story import CHAT, QUESTION

PLANTS = Plants()


@PLANTS.add("A4", "customers.signal.updated is missing", "A9")
def _event_of_a_signal_lost(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_causationid="update-promise")]


@PLANTS.add("A4", "customers.draft.created is missing")
def _draft_created_in_silence(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="redo-attach", ce_type="customers.draft.created")
    del m.topics[EVENTS][at]
    row = log_of(m, "redo-attach")
    row["changed"] = [(kind, identity) for kind, identity in row["changed"] if "draft" not in kind]
    row["events"] -= 1


@PLANTS.add("A4", "an event is published twice")
def _event_of_a_draft_twice(m: Machine) -> None:
    repeated(m, EVENTS, m.find(EVENTS, ce_causationid="edit-draft"))


@PLANTS.add("A4", "does not show the change that follows")
def _event_shows_another_title(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-promise")
    m.change(EVENTS, at, after={**image(m, at), "title": "Another"})


@PLANTS.add("A4", "does not show the change that follows")
def _last_event_shows_another_text(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="send-draft")
    m.change(EVENTS, at, after={**image(m, at), "body": "Another"})


@PLANTS.add("A4", "changedFields are not the fields that differ")
def _changed_field_not_listed(m: Machine) -> None:
    m.change(EVENTS, m.find(EVENTS, ce_causationid="update-promise"), changedFields=["title"])


@PLANTS.add("A4", "before or after is another signal or draft")
def _event_of_another_interaction(m: Machine) -> None:
    m.change(EVENTS, m.find(EVENTS, ce_causationid="update-promise"), interactionId=CHAT)


@PLANTS.add("A4", "before or after is another signal or draft")
def _draft_of_another_signal(m: Machine) -> None:
    m.change(EVENTS, m.find(EVENTS, ce_causationid="edit-draft"), signalId=QUESTION)


@PLANTS.add("A4", "before and after do not fit the type")
def _removal_that_shows_a_row(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="delete-lost", ce_type="customers.draft.removed")
    m.change(EVENTS, at, after=image(m, at, "before"))


@PLANTS.add("A4", "an event that nothing counts has a ce_sequence")
def _event_of_a_signal_with_a_sequence(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-promise")
    record = m.topics[EVENTS][at]
    m.topics[EVENTS][at] = record._replace(headers=(*record.headers, ("ce_sequence", b"%020d" % 70)))


@PLANTS.add("A4", "an event's id does not follow", "A9")
def _event_id_without_its_row(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-promise")
    record = m.topics[EVENTS][at]
    headers = tuple((n, make_id("id").encode() if n == "ce_id" else text) for n, text in record.headers)
    m.topics[EVENTS][at] = record._replace(headers=headers)


@PLANTS.add("A4", "the version of a signal or draft is not the entityVersion")
def _event_reuses_a_version(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="update-promise")
    before = image(m, at, "before")
    m.change(EVENTS, at, version=before["version"], after={**image(m, at), "version": before["version"]})


@PLANTS.add("A4", "an event of a signal or draft does not follow from this command", "A9")
def _event_of_an_untouched_signal(m: Machine) -> None:
    at = m.find(EVENTS, ce_causationid="fail-question")
    record, kind = m.topics[EVENTS][at], "customers.signal.updated"
    event_id = derive_id("event", TENANT, ORGANIZATION, "fail-question", kind, QUESTION)
    changed = {"ce_type": kind.encode(), "ce_id": event_id.encode()}
    headers = tuple((name, changed.get(name, text)) for name, text in record.headers)
    m.topics[EVENTS].append(record._replace(offset=10_000, headers=headers))
