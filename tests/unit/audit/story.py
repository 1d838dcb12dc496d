"""One small history that covers types, deals, signals, undo, rejections, timers and poison records."""

from __future__ import annotations

from schemas.topics import COMMANDS
from tests.unit.audit.machine import ORGANIZATION, TENANT, Machine, make_id
from tests.unit.audit.signal_story import tell_signals

ANNA, BODO, FRED = make_id("anna"), make_id("bodo"), make_id("fred")
CALL, MAIL, VISIT, LOGGED = (make_id(name) for name in ("call", "mail", "visit", "logged"))
DEAL = make_id("deal")
OTHER_TENANT = make_id("other tenant")


def run_story(relayed: int | None = None) -> Machine:
    """Send and settle the story; the relay stops after ``relayed`` rows of the journal."""
    m = Machine(relayed=relayed)
    tell_signals(m)
    for entity, name in ((ANNA, "Anna"), (BODO, "Bodo")):
        m.send("entity.upsert", {"id": entity, "kind": "person", "displayName": name}, entity=entity)
    m.send("deal.upsert", {"id": DEAL, "title": "Roof"}, entity=ANNA)
    at = "2026-03-02T08:00:00Z"
    m.send(
        "interaction.create",
        {"id": CALL, "interactionType": "Call", "scheduledAt": at, "priority": 5, "dealId": DEAL},
        entity=ANNA,
        command_id="create-call",
    )
    m.send(
        "interaction.create",
        {"id": MAIL, "interactionType": "email", "scheduledAt": "2026-03-02T07:00:00Z", "body": "b" * 300},
        entity=ANNA,
        command_id="create-mail",
    )
    m.send(
        "interaction.create",
        {"id": VISIT, "interactionType": "On-site visit", "scheduledAt": at},
        entity=BODO,
    )
    m.send(
        "interaction.create",
        {"id": LOGGED, "interactionType": "note", "occurredAt": "2026-03-01T09:00:00Z"},
        entity=BODO,
        command_id="create-logged",
    )
    m.send("interaction.complete", {"id": MAIL}, entity=ANNA, command_id="complete-mail")
    m.send("interaction.complete", {"id": MAIL}, entity=ANNA, command_id="complete-mail-again")
    m.send("interaction.undo", {"commandId": "complete-mail"}, entity=ANNA, command_id="undo-complete")
    m.send(
        "interaction.update",
        {"id": CALL, "title": "Ask about the roof"},
        entity=ANNA,
        command_id="update-call",
    )
    m.send(
        "interaction.update",
        {"id": CALL, "title": "Ask about the roof"},
        entity=ANNA,
        command_id="update-same",
    )
    m.send("interaction.mark_due", {"id": CALL, "scheduleVersion": 1, "phase": "due"}, entity=ANNA)
    m.send("interaction.mark_due", {"id": CALL, "scheduleVersion": 1, "phase": "overdue"}, entity=ANNA)
    m.send("interaction.cancel", {"id": CALL}, entity=ANNA, command_id="cancel-call")
    m.send("interaction.reopen", {"id": CALL}, entity=ANNA, command_id="reopen-call")
    m.send("interaction.delete", {"id": LOGGED}, entity=BODO, command_id="delete-logged")
    m.send("interaction.undo", {"commandId": "delete-logged"}, entity=BODO, command_id="undo-delete")
    m.send("interaction.delete", {"id": LOGGED}, entity=BODO, command_id="delete-again")
    m.send("interaction.delete", {"id": VISIT}, entity=BODO, command_id="delete-visit")
    # None of these may have any effect other than a result.
    m.send("interaction.update", {"id": CALL, "title": "stolen"}, entity=ANNA, tenant=OTHER_TENANT)
    m.send("interaction.update", {"id": CALL, "colour": "red"}, entity=ANNA)
    m.send("interaction.fly", {}, entity=ANNA)
    m.send("interaction.update", {"id": CALL, "title": "Other"}, entity=ANNA, command_id="update-call")
    m.send("interaction.complete", {"id": MAIL}, entity=ANNA, command_id="complete-mail")
    m.send("interaction.complete", {"id": CALL, "validateOnly": True}, entity=ANNA, command_id="only-asking")
    m.append(ANNA.encode(), b"\x00\x00\x00\x00\x63broken", (("ce_id", b"x"), ("note", b"kept")))
    m.append(None, b"{not json")
    # A command id that equals the synthetic id of the next undecodable record, and one of its own position.
    place = next(record.partition for record in m.topics[COMMANDS] if record.key == ANNA.encode())
    offset = sum(record.partition == place for record in m.topics[COMMANDS])
    for own in (offset + 2, offset + 1):
        m.send("interaction.update", {"id": CALL, "priority": own % 9}, entity=ANNA,
               command_id=f"dead:{COMMANDS}:{place}:{own}")  # fmt: skip
    m.append(ANNA.encode(), b"{no JSON either")
    m.send(
        "interaction_type.upsert",
        {"interactionType": "call", "label": "Phone call", "color": "#112233"},
        entity=ORGANIZATION,
        tenant=TENANT,
        command_id="relabel-call",
    )
    for enabled in (False, True, True):
        m.send(
            "feature_flag.set",
            {"flag": "customers.interactions.external_sync", "enabled": enabled},
            entity=TENANT,
        )
    m.send("feature_flag.set", {"flag": "customers.interactions.nope", "enabled": True}, entity=TENANT)
    m.send("entity.upsert", {"id": FRED, "kind": "person", "displayName": "Fred"}, entity=FRED)
    m.send("interaction.create", {"interactionType": "call", "scheduledAt": at}, entity=FRED)
    m.send("entity.erase", {"id": FRED}, entity=FRED, command_id="erase-fred")
    m.send("interaction.create", {"interactionType": "call"}, entity=FRED)
    return m.settle().clean()
