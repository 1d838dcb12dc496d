"""Old bodies are translated to commands, and rows to the items that old clients read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from api.adapters.old_bodies import ActivityCreate, ActivityUpdate, TodoCreate, TodoUpdate
from api.adapters.old_items import activity, old_instant, page, todo
from api.adapters.translation import create_activity, create_todo, update_activity, update_todo
from api.queries.interaction_views import COLUMNS
from api.queries.scope import Scope
from schemas.errors import Reject
from schemas.payloads import PAYLOADS

ENTITY = "30000000-0000-4000-8000-000000000001"
ID = "40000000-0000-4000-8000-000000000001"
USER = "60000000-0000-4000-8000-000000000001"
SCOPE = Scope("10000000-0000-4000-8000-000000000001", "20000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    """A row of a view, by default a planned interaction."""
    base: dict[str, Any] = {**dict.fromkeys(COLUMNS), "id": ID, "todo_id": ID, "entity_id": ENTITY}
    base |= {"interaction_type": "call", "status": "planned", "version": 1, "source": "manual"}
    base |= {"todo_source": "customers:interaction", "created_at": NOW, "updated_at": NOW}
    return {**base, **changes}


def steps(found: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of each command. Each must be valid as a JSON publisher would send it."""
    for step in found:
        PAYLOADS[step.type].model_validate(step.data)
        assert step.entity_id == ENTITY
    return [(step.type.removeprefix("customers.interaction."), step.data) for step in found]


def test_an_activity_with_a_time_is_done() -> None:
    body = ActivityCreate.model_validate(
        {
            "entityId": ENTITY.upper(),
            "activityType": "Follow-up  Call",
            "subject": "Hello",
            "body": "Text",
            "date": "2026-03-01",
            "time": "09:15",
            "phoneNumber": "+49 30 1",
            "appearanceColor": "#112233",
        }
    )
    ((verb, data),) = steps([create_activity(body, USER)])
    assert verb == "create"
    assert data == {
        "interactionType": "follow_up_call",
        "title": "Hello",
        "body": "Text\n\nPhone: +49 30 1",
        "status": "done",
        "occurredAt": "2026-03-01T09:15:00.000000Z",
        "authorUserId": USER,
        "appearanceColor": "#112233",
        "source": "adapter:activity",
    }


def test_an_activity_without_a_time_is_planned() -> None:
    body = ActivityCreate.model_validate({"entityId": ENTITY, "activityType": "call"})
    ((_, data),) = steps([create_activity(body, None)])
    assert data == {"interactionType": "call", "status": "planned", "source": "adapter:activity"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"subject": "x" * 201}, "subject"),
        ({"body": "x" * 8001}, "body"),
        ({"activityType": ""}, "activityType"),
        ({"activityType": "x" * 101}, "activityType"),
        ({"date": "2026-03-01"}, None),
        ({"date": "2026-02-30", "time": "10:00"}, None),
        ({"date": "2026-03-01", "time": "24:00"}, "time"),
        ({"customValues": {"a": 1}}, "customValues"),
        ({"occurredAt": "soon"}, "occurredAt"),
        ({"appearanceColor": "red"}, "appearanceColor"),
        ({"appearanceIcon": "x" * 101}, "appearanceIcon"),
        ({"surprise": 1}, "surprise"),
        ({"customFields": {"a": 1}}, "customFields"),
        ({"entityId": "7"}, "entityId"),
    ],
)
def test_what_cannot_be_kept_is_refused(change: dict[str, Any], where: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        ActivityCreate.model_validate({"entityId": ENTITY, "activityType": "call", **change})
    (error,) = refused.value.errors()
    assert error["loc"][:1] == ((where,) if where else ())


def update(current: dict[str, Any], **body: Any) -> list[tuple[str, dict[str, Any]]]:
    return steps([update_activity(current, ActivityUpdate.model_validate({"id": ID, **body}), NOW)])


def test_only_what_differs_is_sent() -> None:
    current = row(title="A", body="B")
    assert update(current, subject="A", body="C") == [("update", {"id": ID, "body": "C"})]
    assert update(current, subject=None) == [("update", {"id": ID, "title": None})]
    # Nothing differs: the command is still sent, so that the applier checks that the row exists.
    assert update(current, subject="A") == [("update", {"id": ID, "title": "A"})]
    assert update(current) == [("update", {"id": ID})]


def test_a_time_completes_and_null_reopens() -> None:
    text = "2026-02-28T10:00:00.000000Z"
    completed = {"id": ID, "status": "done", "occurredAt": text}
    assert update(row(), occurredAt=text) == [("update", completed)]
    assert update(row(status="canceled"), occurredAt=text) == [("update", completed)]
    done = row(status="done", occurred_at=NOW)
    assert update(done, occurredAt=None) == [("update", {"id": ID, "status": "planned"})]
    assert update(done, occurredAt=text) == [("update", {"id": ID, "occurredAt": text})]
    canceled = row(status="canceled", scheduled_at=NOW, title="A")
    assert update(canceled, subject="A", occurredAt=None) == [("update", {"id": ID, "title": "A"})]


def test_fields_and_status_are_one_command() -> None:
    text = "2026-02-28T10:00:00.000000Z"
    both = {"id": ID, "title": "B", "status": "done", "occurredAt": text}
    assert update(row(title="A"), subject="B", occurredAt=text) == [("update", both)]
    body = TodoUpdate.model_validate({"id": ID, "title": "B", "isDone": True})
    (only,) = steps([update_todo(row(title="A"), body)])
    assert only == ("update", {"id": ID, "title": "B", "status": "done"})


def test_an_item_sent_back_as_it_was_read_changes_nothing() -> None:
    for current in (
        row(scheduled_at=NOW, title="A"),
        row(status="done", occurred_at=NOW, title="A"),
        row(status="canceled", scheduled_at=NOW, title="A"),
    ):
        item = activity(current)
        names = ("subject", "body", "occurredAt", "dealId", "authorUserId", "activityType")
        ((verb, data),) = update(current, **{name: item[name] for name in names})
        assert verb == "update"
        assert {name: data[name] for name in ("title", "interactionType")} == {
            "title": "A",
            "interactionType": "call",
        }
        assert "occurredAt" not in data
        assert "scheduledAt" not in data
        shown = todo(current, SCOPE)
        body = {"id": ID, "title": "A", "isDone": shown["todoIsDone"], "todoCustom": {"priority": None}}
        (again,) = steps([update_todo(current, TodoUpdate.model_validate(body))])
        assert again == ("update", {"id": ID, "title": "A", "priority": None})


def test_a_later_time_of_a_planned_activity_is_a_new_schedule() -> None:
    current = row(scheduled_at=NOW + timedelta(days=1))
    later = "2026-03-05T10:00:00.000000Z"
    assert update(current, occurredAt=later) == [("update", {"id": ID, "scheduledAt": later})]


@pytest.mark.parametrize("value", ["2026-03-01", 1772323200000, "Sun, 01 Mar 2026 00:00:00 GMT"])
def test_dates_are_accepted_in_every_format(value: Any) -> None:
    body = {"entityId": ENTITY, "activityType": "call", "occurredAt": value}
    ((_, data),) = steps([create_activity(ActivityCreate.model_validate(body), None)])
    assert data["occurredAt"] == "2026-03-01T00:00:00.000000Z"
    for name in ("due_at", "dueAt"):
        body = {"entityId": ENTITY, "title": "x", "customValues": {name: value}}
        ((_, data),) = steps([create_todo(TodoCreate.model_validate(body), None)])
        assert data["scheduledAt"] == "2026-03-01T00:00:00.000000Z"


def test_a_whole_item_may_be_sent_back() -> None:
    current = row(status="planned", scheduled_at=NOW, title="A", priority=7)
    item = activity(current) | {"_integrations": {"board": {}}}
    (only,) = update(current, **item)
    assert only[0] == "update"
    assert not {"occurredAt", "scheduledAt", "status"} & set(only[1])
    shown = todo({**current, "display_name": "Ada", "kind": "person"}, SCOPE)
    body = TodoUpdate.model_validate({**shown, "customValues": shown["todoCustomValues"], "title": "B"})
    (only,) = steps([update_todo(current, body)])
    assert only == ("update", {"id": ID, "title": "B"})


def test_a_todo_is_named_by_its_link_or_itself() -> None:
    other = "40000000-0000-4000-8000-000000000002"
    named = TodoUpdate.model_validate({"id": ID, "linkId": other, "todoId": ID})
    assert named.ids() == (other, ID)
    assert TodoUpdate.model_validate({"linkId": other}).ids() == (other,)
    with pytest.raises(Reject):
        TodoUpdate.model_validate({"title": "x"}).ids()


def test_custom_values_are_taken_wherever_they_are() -> None:
    body = {
        "id": ID,
        "customValues": {"priority": 10, "severity": "", "due_at": ""},
        "customFields": {"priority": 20},
    }
    (only,) = steps([update_todo(row(scheduled_at=NOW), TodoUpdate.model_validate(body))])
    assert only == ("update", {"id": ID, "priority": 20, "scheduledAt": None})


def test_an_empty_list_has_one_page() -> None:
    assert page([], total=0, number=1, size=50)["totalPages"] == 1


def test_a_todo_is_a_task() -> None:
    body = TodoCreate.model_validate(
        {
            "entityId": ENTITY,
            "title": "Call back",
            "is_done": True,
            "todoSource": "example:todo",
            "todoCustom": {"severity": "High", "description": "why", "dueAt": "2026-03-05T10:00:00Z"},
        }
    )
    ((_, data),) = steps([create_todo(body, USER)])
    assert data == {
        "interactionType": "task",
        "title": "Call back",
        "status": "done",
        "authorUserId": USER,
        "source": "adapter:todo",
        "priority": 75,
        "body": "why",
        "scheduledAt": "2026-03-05T10:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("status", "done", "data"),
    [
        ("planned", True, {"status": "done"}),
        ("planned", False, {}),
        ("done", True, {}),
        ("done", False, {"status": "planned"}),
        ("canceled", True, {"status": "done"}),
        ("canceled", False, {}),
    ],
)
def test_done_and_not_done(status: str, done: bool, data: dict[str, Any]) -> None:
    (only,) = steps([update_todo(row(status=status), TodoUpdate.model_validate({"id": ID, "isDone": done}))])
    assert only == ("update", {"id": ID, **data})


def test_the_items_that_old_clients_read() -> None:
    current = row(status="done", occurred_at=NOW, title="T", body="B", priority=5)
    assert old_instant(NOW) == "2026-03-01T12:00:00.123Z"
    assert list(activity(current)) == [
        "id", "activityType", "subject", "body", "occurredAt", "createdAt", "appearanceIcon",
        "appearanceColor", "entityId", "authorUserId", "authorName", "authorEmail", "dealId", "dealTitle",
        "customValues", "activityTypeLabel",
    ]  # fmt: skip
    item = todo({**current, "display_name": "Ada", "kind": "person"}, SCOPE)
    assert list(item) == [
        "id", "todoId", "todoSource", "todoTitle", "todoIsDone", "todoPriority", "todoSeverity",
        "todoDescription", "todoDueAt", "todoCustomValues", "todoOrganizationId", "todoUpdatedAt",
        "organizationId", "tenantId", "createdAt", "externalHref", "customer",
    ]  # fmt: skip
    assert (item["todoIsDone"], item["todoPriority"], item["todoTitle"]) == (True, 5, "T")
    assert item["customer"] == {"id": ENTITY, "displayName": "Ada", "kind": "person"}
    unknown = todo(row(source="legacy:todo_link"), SCOPE)
    assert (unknown["todoIsDone"], unknown["todoCustomValues"]) == (None, None)
    assert page([item], total=51, number=2, size=50) == {
        "items": [item],
        "total": 51,
        "page": 2,
        "pageSize": 50,
        "totalPages": 2,
    }


_ACTIVITY_TEXTS = ("subject", "body", "phoneNumber", "appearanceIcon", "activityType")


@pytest.mark.parametrize("text", ["\ud800", "a\udc00\ud800b", "a\x00"])
@pytest.mark.parametrize(
    ("model", "member"),
    [
        *((ActivityCreate, name) for name in _ACTIVITY_TEXTS),
        *((ActivityUpdate, name) for name in _ACTIVITY_TEXTS),
        *((TodoCreate, name) for name in ("title", "todoSource")),
        *((TodoUpdate, name) for name in ("title", "todoSource")),
    ],
)  # fmt: skip
def test_a_text_that_no_command_can_carry_is_refused(model: type[Any], member: str, text: str) -> None:
    body = {"id": ID, "entityId": ENTITY, "activityType": "call", "title": "T"}
    known = {info.alias for info in model.model_fields.values()}
    given = {name: value for name, value in body.items() if name in known}
    model.model_validate(given)
    with pytest.raises(ValidationError) as refused:
        model.model_validate({**given, member: text})
    assert [error["loc"] for error in refused.value.errors()] == [(member,)]


@pytest.mark.parametrize("member", ["custom", "customValues", "todoCustom", "customFields"])
def test_a_description_that_no_command_can_carry_is_refused(member: str) -> None:
    for text in ("\ud800", "a\x00"):
        with pytest.raises(ValidationError):
            TodoCreate.model_validate({"entityId": ENTITY, "title": "T", member: {"description": text}})
