"""Signals and drafts: each transition with its rows, outcomes, events and undo."""

from __future__ import annotations

from typing import Any

import pytest

from domain.decision import Decision
from domain.events import events_of as events_of_entry
from domain.model import Draft, Signal
from domain.results import result_of
from schemas import cache_tags
from schemas.signal_payloads import MAX_SIGNALS
from tests.unit.domain.commands import ADA, ORGANIZATION, TENANT, Publisher, at, interaction_id

ACME = "ac3e0000-0000-4000-8000-000000000001"
CALL = interaction_id(1)


def signal_id(number: int) -> str:
    return f"51000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def ada() -> Publisher:
    publisher = Publisher()
    publisher.customer()
    publisher.plan(1, 60)
    return publisher


def recorded(publisher: Publisher, number: int = 1, **data: Any) -> Decision:
    return publisher.applied(
        "signal.record",
        {
            "id": signal_id(number),
            "interactionId": CALL,
            "kind": "promise",
            "title": "Send the offer",
            **data,
        },
    )


def resolving(publisher: Publisher, number: int = 1) -> int:
    """Resolve and return the number of the resolution."""
    decision = publisher.applied(
        "signal.resolve", {"id": signal_id(number), "channel": "email"}, actorid="ann"
    )
    version = result_of(decision)["version"]
    assert isinstance(version, int)
    return version


def drafted(publisher: Publisher, number: int = 1) -> str:
    """Resolve, attach a draft and return its id."""
    decision = publisher.applied("signal.attach_draft", written(resolving(publisher, number), number))
    draft_id = result_of(decision)["draftId"]
    assert isinstance(draft_id, str)
    return draft_id


def written(resolution: int, number: int = 1, **more: Any) -> dict[str, Any]:
    text = {"subject": "The offer", "body": "Dear Ada, …", "writer": "template", "templateId": "email/en@1"}
    return {"id": signal_id(number), "resolution": resolution, **text, **more}


def signal(publisher: Publisher, number: int = 1) -> Signal:
    return publisher.work.signals[signal_id(number)]


def draft(publisher: Publisher, identity: str) -> Draft:
    return publisher.work.drafts[identity]


def history(publisher: Publisher, number: int = 1) -> list[str]:
    rows = [row for row in publisher.work.outcomes.of(CALL) if row.signal_id == signal_id(number)]
    return [row.outcome for row in sorted(rows, key=lambda row: row.created_at)]


def types_of(decision: Decision) -> list[str]:
    return [event.type.removeprefix("customers.") for event in events_of_entry(decision.entry)]


def test_a_recorded_signal_is_open_and_belongs_to_its_interaction(ada: Publisher) -> None:
    before = ada.work.entities[ADA]
    decision = recorded(ada, body="by Friday", confidence=80)
    row = signal(ada)
    assert (row.status, row.interaction_id, row.entity_id) == ("open", CALL, ADA)
    assert (row.tenant_id, row.organization_id) == (TENANT, ORGANIZATION)
    after = ada.work.entities[ADA]
    assert (after.entity_version, row.version) == (before.entity_version + 1, before.entity_version + 1)
    assert (after.next, after.open_count) == (before.next, before.open_count), "the projection is unchanged"
    assert types_of(decision) == ["signal.recorded"]
    result = result_of(decision)
    assert (result["signalId"], result["interactionId"], result["version"]) == (row.id, CALL, row.version)
    assert set(result["invalidates"]) == {
        cache_tags.signal_list(TENANT, ORGANIZATION),
        cache_tags.signals_of_interaction(CALL),
    }


def test_a_resolved_signal_has_its_draft_from_the_same_command(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    assert (signal(ada).status, signal(ada).resolved_by) == ("resolving", "ann")
    assert not ada.work.drafts, "no draft before it is written"
    decision = ada.applied("signal.attach_draft", written(resolution))
    row, (made,) = signal(ada), ada.work.drafts.values()
    assert (row.status, row.draft_id) == ("resolved", made.id)
    assert (made.status, made.signal_id, made.person_id, made.user_id) == ("draft", row.id, ADA, "ann")
    assert (made.channel, made.language, made.template_id) == ("email", "en", "email/en@1")
    assert types_of(decision) == ["signal.resolved", "draft.created"]
    assert history(ada) == ["resolved"]
    tags = set(result_of(decision)["invalidates"])
    assert {cache_tags.draft_list(TENANT, ORGANIZATION), cache_tags.drafts_of_signal(row.id)} < tags


def test_resolving_twice_names_the_same_draft(ada: Publisher) -> None:
    recorded(ada)
    identity = drafted(ada)
    for channel in ("email", "text"):
        decision = ada.send("signal.resolve", {"id": signal_id(1), "channel": channel})
        assert decision.outcome == "no_op"
        assert result_of(decision)["draftId"] == identity
    assert list(ada.work.drafts) == [identity]


def test_a_second_answer_of_the_same_resolution_is_no_second_draft(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    ada.applied("signal.attach_draft", written(resolution))
    decision = ada.send("signal.attach_draft", written(resolution, body="Another text"))
    assert decision.outcome == "no_op"
    assert [row.body for row in ada.work.drafts.values()] == ["Dear Ada, …"]


def test_a_late_answer_does_not_touch_an_edited_draft(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    identity = str(result_of(ada.applied("signal.attach_draft", written(resolution)))["draftId"])
    ada.applied("draft.update", {"id": identity, "body": "As a person wrote it"})
    ada.send("signal.attach_draft", written(resolution, body="As the model wrote it"))
    ada.applied("signal.reopen", {"id": signal_id(1)})
    ada.refused("not_resolving", "signal.attach_draft", written(resolution, body="Once more"))
    assert draft(ada, identity).body == "As a person wrote it"


def test_a_failure_is_visible_and_the_signal_stays_open(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    decision = ada.applied(
        "signal.fail_draft",
        {"id": signal_id(1), "resolution": resolution, "code": "writer_timeout", "detail": "No answer"},
    )
    row = signal(ada)
    assert (row.status, row.failure, row.failure_detail) == ("open", "writer_timeout", "No answer")
    assert types_of(decision) == ["signal.failed"]
    assert history(ada) == ["failed"]
    drafted(ada)
    assert signal(ada).failure is None
    assert history(ada) == ["failed", "resolved"]


@pytest.mark.parametrize("verb", ["attach_draft", "fail_draft"])
def test_the_answer_to_an_earlier_resolution_changes_nothing(ada: Publisher, verb: str) -> None:
    recorded(ada)
    first = resolving(ada)
    ada.applied("signal.fail_draft", {"id": signal_id(1), "resolution": first, "code": "writer_timeout"})
    resolving(ada)
    late = (
        written(first)
        if verb == "attach_draft"
        else {"id": signal_id(1), "resolution": first, "code": "late"}
    )
    ada.refused("not_resolving", f"signal.{verb}", late)
    assert signal(ada).status == "resolving"


def test_an_edit_while_a_draft_is_written_does_not_lose_it(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    ada.applied("signal.update", {"id": signal_id(1), "title": "Send the second offer"})
    ada.applied("signal.attach_draft", written(resolution))
    assert signal(ada).status == "resolved"


def test_without_a_person_nothing_is_written(ada: Publisher) -> None:
    ada.applied("entity.upsert", {"id": ACME, "kind": "company", "displayName": "Acme"}, entity=ACME)
    call = interaction_id(7)
    ada.applied("interaction.create", {"id": call, "interactionType": "call"}, entity=ACME)
    data = {"id": signal_id(7), "interactionId": call, "kind": "risk", "title": "May leave"}
    ada.applied("signal.record", data, entity=ACME)
    resolve = {"id": signal_id(7), "channel": "call"}
    decision = ada.refused("person_required", "signal.resolve", resolve, entity=ACME)
    assert result_of(decision)["problem"]["errors"][0]["pointer"] == "/personId"
    ada.applied("signal.update", {"id": signal_id(7), "personId": ADA}, entity=ACME)
    ada.applied("signal.resolve", resolve, entity=ACME)


def test_skip_and_reopen(ada: Publisher) -> None:
    recorded(ada)
    ada.applied("signal.skip", {"id": signal_id(1), "reason": "not now"})
    assert ada.send("signal.skip", {"id": signal_id(1)}).outcome == "no_op"
    ada.refused("signal_skipped", "signal.resolve", {"id": signal_id(1), "channel": "text"})
    ada.applied("signal.reopen", {"id": signal_id(1)})
    assert ada.send("signal.reopen", {"id": signal_id(1)}).outcome == "no_op"
    identity = drafted(ada)
    ada.refused("signal_resolved", "signal.skip", {"id": signal_id(1)})
    ada.applied("signal.reopen", {"id": signal_id(1)})
    assert (signal(ada).draft_id, draft(ada, identity).status) == (None, "draft"), "the draft stays"
    resolving(ada)
    ada.refused("signal_resolving", "signal.skip", {"id": signal_id(1)})
    ada.refused("signal_resolving", "signal.reopen", {"id": signal_id(1)})
    assert history(ada) == ["skipped", "reopened", "resolved", "reopened"]


def test_a_draft_is_edited_deleted_restored_and_sent_for_good(ada: Publisher) -> None:
    recorded(ada)
    identity = drafted(ada)
    ada.applied("draft.update", {"id": identity, "body": "Shorter", "clear": ["subject"]})
    assert (draft(ada, identity).body, draft(ada, identity).subject) == ("Shorter", None)
    ada.refused("blank_draft", "draft.update", {"id": identity, "body": " \n "})
    ada.applied("draft.delete", {"id": identity})
    assert ada.send("draft.delete", {"id": identity}).outcome == "no_op"
    assert signal(ada).status == "resolved", "a deleted draft was visible"
    ada.refused("draft_deleted", "draft.update", {"id": identity, "body": "x"})
    ada.refused("draft_deleted", "draft.mark_sent", {"id": identity})
    ada.applied("draft.restore", {"id": identity})
    assert ada.send("draft.restore", {"id": identity}).outcome == "no_op"
    ada.applied("draft.mark_sent", {"id": identity})
    assert ada.send("draft.mark_sent", {"id": identity}).outcome == "no_op"
    for verb, data in (("update", {"body": "x"}), ("delete", {}), ("restore", {})):
        ada.refused("draft_sent", f"draft.{verb}", {"id": identity, **data})


def test_the_version_lock_covers_signals_and_drafts(ada: Publisher) -> None:
    recorded(ada)
    version = signal(ada).version
    ada.refused("version_conflict", "signal.skip", {"id": signal_id(1), "expectedVersion": version - 1})
    identity = drafted(ada)
    current = draft(ada, identity).version
    ada.refused(
        "version_conflict", "draft.update", {"id": identity, "body": "x", "expectedVersion": current - 1}
    )
    ada.applied("draft.update", {"id": identity, "body": "x", "expectedVersion": current})


def test_a_signal_of_another_customer_or_scope_is_not_found(ada: Publisher) -> None:
    recorded(ada)
    other = "33333333-3333-4333-8333-333333333333"
    ada.customer(ACME)
    ada.refused("entity_mismatch", "signal.skip", {"id": signal_id(1)}, entity=ACME)
    stranger = "44444444-4444-4444-8444-444444444444"
    ada.customer(other, organization=stranger)
    skip = {"id": signal_id(1)}
    ada.refused("signal_not_found", "signal.skip", skip, entity=other, organization=stranger)
    taken = {"id": signal_id(1), "interactionId": CALL, "kind": "promise", "title": "x"}
    ada.refused("signal_exists", "signal.record", taken)
    ada.refused("interaction_not_found", "signal.record", taken, entity=other, organization=stranger)


def test_an_interaction_has_a_bounded_number_of_signals(ada: Publisher) -> None:
    for number in range(MAX_SIGNALS):
        recorded(ada, number)
    data = {"id": signal_id(999), "interactionId": CALL, "kind": "promise", "title": "x"}
    ada.refused("too_many_signals", "signal.record", data)


def test_deleting_an_interaction_leaves_no_residue_and_undo_restores_all_of_it(ada: Publisher) -> None:
    recorded(ada, 1)
    recorded(ada, 2)
    drafted(ada, 1)
    resolving(ada, 2)
    work = ada.work
    before = (dict(work.signals), dict(work.drafts), dict(work.outcomes))
    decision = ada.applied("interaction.delete", {"id": CALL}, command_id="gone")
    assert (dict(work.signals), dict(work.drafts), dict(work.outcomes)) == ({}, {}, {})
    assert types_of(decision) == [
        "interaction.deleted",
        "next_interaction.updated",
        "draft.removed",
        "signal.deleted",
        "signal.deleted",
    ]
    restored = ada.applied("interaction.undo", {"commandId": "gone"}, command_id="back")
    assert work.interactions[CALL].id == CALL
    assert (set(work.signals), set(work.drafts)) == (set(before[0]), set(before[1]))
    assert set(work.outcomes) == set(before[2])
    assert signal(ada, 1).status == "resolved"
    assert signal(ada, 2).status == "open", "its draft is no longer being written"
    assert "signal.recorded" in types_of(restored)
    ada.applied("interaction.undo", {"commandId": "back"})
    left = [dict(rows) for rows in (work.interactions, work.signals, work.drafts, work.outcomes)]
    assert left == [{}, {}, {}, {}]


def test_the_creation_of_an_interaction_with_signals_is_not_undone(ada: Publisher) -> None:
    ada.applied("interaction.create", {"id": interaction_id(2), "interactionType": "call"}, command_id="new")
    ada.applied(
        "signal.record",
        {"id": signal_id(2), "interactionId": interaction_id(2), "kind": "risk", "title": "May leave"},
    )
    ada.refused("undo_unsafe", "interaction.undo", {"commandId": "new"})


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("signal.update", {"title": "Another title", "body": "more"}, "open"),
        ("signal.resolve", {"channel": "text"}, "open"),
        ("signal.skip", {}, "open"),
    ],
)
def test_each_change_of_an_open_signal_is_undone_and_redone(
    ada: Publisher, kind: str, data: dict[str, Any], status: str
) -> None:
    recorded(ada)
    before = signal(ada)
    ada.applied(kind, {"id": signal_id(1), **data}, command_id="done")
    after = signal(ada)
    ada.applied("interaction.undo", {"commandId": "done"}, command_id="undone")
    restored = signal(ada)
    assert (restored.status, restored.title, restored.body) == (status, before.title, before.body)
    assert restored.version > after.version
    ada.applied("interaction.undo", {"commandId": "undone"})
    redone = "open" if after.status == "resolving" else after.status
    assert (signal(ada).status, signal(ada).title) == (redone, after.title)


def test_an_attached_draft_is_undone_with_its_resolution(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    ada.applied("signal.attach_draft", written(resolution), command_id="attached")
    ada.applied("interaction.undo", {"commandId": "attached"}, command_id="undone")
    assert (signal(ada).status, signal(ada).draft_id, dict(ada.work.drafts)) == ("open", None, {})
    ada.applied("interaction.undo", {"commandId": "undone"})
    (made,) = ada.work.drafts.values()
    assert (signal(ada).status, signal(ada).draft_id) == ("resolved", made.id)
    assert history(ada) == ["resolved", "reverted", "reverted"]


def test_an_edited_draft_is_not_removed_by_undo(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    decision = ada.applied("signal.attach_draft", written(resolution), command_id="attached")
    ada.applied("draft.update", {"id": str(result_of(decision)["draftId"]), "body": "Mine"})
    ada.refused("undo_unsafe", "interaction.undo", {"commandId": "attached"})


@pytest.mark.parametrize(
    ("verb", "data", "status"),
    [("update", {"body": "x"}, "draft"), ("mark_sent", {}, "draft"), ("delete", {}, "draft")],
)
def test_each_change_of_a_draft_is_undone(
    ada: Publisher, verb: str, data: dict[str, Any], status: str
) -> None:
    recorded(ada)
    identity = drafted(ada)
    before = draft(ada, identity)
    ada.applied(f"draft.{verb}", {"id": identity, **data}, command_id="done")
    ada.applied("interaction.undo", {"commandId": "done"})
    restored = draft(ada, identity)
    assert (restored.status, restored.body, restored.sent_at) == (status, before.body, None)


def test_a_recorded_signal_is_removed_by_undo_and_comes_back(ada: Publisher) -> None:
    ada.applied(
        "signal.record",
        {"id": signal_id(1), "interactionId": CALL, "kind": "promise", "title": "x"},
        command_id="new",
    )
    decision = ada.applied("interaction.undo", {"commandId": "new"}, command_id="gone")
    assert types_of(decision) == ["signal.deleted"]
    assert not ada.work.signals
    ada.applied("interaction.undo", {"commandId": "gone"})
    assert signal(ada).title == "x"


def test_a_fix_changes_the_interaction_and_its_signals_at_once(ada: Publisher) -> None:
    recorded(ada, 1)
    recorded(ada, 2)
    before = ada.work.interactions[CALL]
    fix = {
        "id": CALL,
        "occurredAt": at(-600),
        "signals": [
            {"id": signal_id(1), "title": "Send it by mail"},
            {"id": signal_id(2), "clear": ["body"], "kind": "Question"},
        ],
    }
    decision = ada.applied("interaction.fix", fix, command_id="fix")
    row = ada.work.interactions[CALL]
    assert (row.id, row.version) == (before.id, before.version + 1)
    assert set(ada.work.interactions) == {CALL}
    assert set(ada.work.signals) == {signal_id(1), signal_id(2)}, "no new signal"
    assert (signal(ada, 1).title, signal(ada, 2).kind) == ("Send it by mail", "question")
    assert [kind for kind in types_of(decision) if "next" not in kind] == [
        "interaction.updated",
        "signal.updated",
        "signal.updated",
    ]
    assert ada.send("interaction.fix", fix).outcome == "no_op"
    ada.applied("interaction.undo", {"commandId": "fix"})
    assert ada.work.interactions[CALL].occurred_at is None
    assert (signal(ada, 1).title, signal(ada, 2).kind) == ("Send the offer", "promise")


def test_a_fix_of_signals_alone_leaves_the_interaction(ada: Publisher) -> None:
    recorded(ada)
    before = ada.work.interactions[CALL]
    fix = {"id": CALL, "signals": [{"id": signal_id(1), "body": "by Monday"}]}
    decision = ada.applied("interaction.fix", fix, command_id="fix")
    assert ada.work.interactions[CALL] is before
    assert (types_of(decision), result_of(decision)["version"]) == (["signal.updated"], before.version)
    ada.applied("interaction.undo", {"commandId": "fix"})
    assert signal(ada).body is None


@pytest.mark.parametrize(
    ("code", "signals"),
    [
        ("signal_not_found", [{"id": signal_id(1), "title": "y"}, {"id": signal_id(9), "title": "y"}]),
        ("repeated_signal", [{"id": signal_id(1), "title": "y"}, {"id": signal_id(1), "title": "z"}]),
        (
            "signal_of_other_interaction",
            [{"id": signal_id(1), "title": "y"}, {"id": signal_id(2), "title": "y"}],
        ),
    ],
)
def test_a_fix_that_fails_in_part_changes_nothing(
    ada: Publisher, code: str, signals: list[dict[str, Any]]
) -> None:
    recorded(ada)
    ada.plan(2, 90)
    ada.applied(
        "signal.record",
        {"id": signal_id(2), "interactionId": interaction_id(2), "kind": "risk", "title": "May leave"},
    )
    before = dict(ada.work.signals), dict(ada.work.interactions)
    decision = ada.refused(code, "interaction.fix", {"id": CALL, "title": "Other", "signals": signals})
    assert result_of(decision)["problem"]["errors"][0]["pointer"] == "/signals/1/id"
    assert (dict(ada.work.signals), dict(ada.work.interactions)) == before


def test_a_dry_run_changes_nothing(ada: Publisher) -> None:
    decision = ada.send(
        "signal.record",
        {"interactionId": CALL, "kind": "promise", "title": "x", "validateOnly": True},
    )
    assert (decision.outcome, dict(ada.work.signals)) == ("applied", {})


def test_a_signal_does_not_come_back_without_its_interaction(ada: Publisher) -> None:
    data = {"id": signal_id(1), "interactionId": CALL, "kind": "promise", "title": "x"}
    ada.applied("signal.record", data, command_id="new")
    ada.applied("interaction.undo", {"commandId": "new"}, command_id="gone")
    ada.applied("interaction.delete", {"id": CALL})
    ada.refused("undo_unsafe", "interaction.undo", {"commandId": "gone"})


def test_an_id_that_another_customer_uses_is_not_taken_back(ada: Publisher) -> None:
    ada.customer(ACME)
    other = interaction_id(9)
    ada.applied("interaction.create", {"id": other, "interactionType": "call"}, entity=ACME)
    data = {"id": signal_id(1), "interactionId": CALL, "kind": "promise", "title": "Ada's"}
    ada.applied("signal.record", data, command_id="new")
    ada.applied("interaction.undo", {"commandId": "new"}, command_id="gone")
    theirs = {"id": signal_id(1), "interactionId": other, "kind": "promise", "title": "Acme's"}
    ada.applied("signal.record", theirs, entity=ACME)
    ada.refused("undo_unsafe", "interaction.undo", {"commandId": "gone"})
    assert signal(ada).title == "Acme's"


def test_a_draft_needs_a_person_when_it_is_attached_too(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    ada.applied("entity.upsert", {"id": ADA, "kind": "company"})
    ada.refused("person_required", "signal.attach_draft", written(resolution))
    assert not ada.work.drafts


def test_undoing_an_edit_does_not_end_the_resolution(ada: Publisher) -> None:
    recorded(ada)
    resolution = resolving(ada)
    ada.applied("signal.update", {"id": signal_id(1), "title": "Other"}, command_id="edit")
    ada.applied("interaction.undo", {"commandId": "edit"})
    assert (signal(ada).status, signal(ada).title) == ("resolving", "Send the offer")
    ada.applied("signal.attach_draft", written(resolution))


def test_the_result_of_an_undone_fix_has_the_interactions_version(ada: Publisher) -> None:
    recorded(ada)
    fix = {"id": CALL, "signals": [{"id": signal_id(1), "body": "by Monday"}]}
    ada.applied("interaction.fix", fix, command_id="fix")
    ada.applied("interaction.update", {"id": CALL, "title": "Later"})
    decision = ada.applied("interaction.undo", {"commandId": "fix"})
    assert result_of(decision)["version"] == ada.work.interactions[CALL].version == 2
