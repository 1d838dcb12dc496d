"""The mapping from an HTTP answer to a verdict: true only with a commit and an id, false only if certain."""

from __future__ import annotations

from typing import Any

import pytest

from api.assistant.gateway_client import Answer
from api.assistant.outcome_mapping import ReadBack, result_of_journal, result_of_write, with_next
from api.assistant.results import WriteResult, write_answer
from tests.harness.assistant import checked

ID, COMMAND = "11111111-1111-4111-8111-111111111111", "c-1"
OK = {"ok": True}


def problem(status: int, code: str = "some_rule") -> dict[str, Any]:
    return {
        "type": f"urn:customer-interactions:problem:{code}",
        "title": "T",
        "status": status,
        "code": code,
        "detail": "Text.",
        "error": "Text.",
    }


def result(answer: Answer, **options: Any) -> WriteResult:
    """The result of a write to one row; whatever it is, the answer must be consistent."""
    found = result_of_write(answer, **{"command_id": COMMAND, "row_id": ID, **options})
    checked(write_answer(found))
    return found


@pytest.mark.parametrize("kind", ["problem", "problem of a proxy", "ok", "html"])
def test_every_status(kind: str) -> None:
    for status in range(100, 600):
        body = {
            "problem": problem(status),
            "problem of a proxy": {"status": status, "code": "x", "type": "about:blank"},
            "ok": OK,
            "html": None,
        }[kind]
        found = result(Answer(status, body))
        if status in (200, 201) and kind == "ok":
            assert (found.outcome, found.saved) == ("applied", True)
        elif 400 <= status < 500 and kind == "problem":
            assert (found.outcome, found.saved) == ("rejected", False)
        else:
            assert (found.outcome, found.saved) == ("unknown", None)


@pytest.mark.parametrize(
    ("status", "code", "saved"),
    [
        (400, "validation_failed", False),
        (401, "unauthorized", False),
        (403, "missing_feature", False),
        (404, "interaction_not_found", False),
        (409, "already_done", False),
        (409, "superseded", False),
        (409, "writer_unavailable", False),
        (409, "in_flight", None),
        (412, "precondition_failed", False),
        (413, "body_too_large", False),
        (422, "idempotency_conflict", False),
        (429, "too_many_requests", False),
        (500, "internal_error", None),
        (503, "unavailable", None),
        (504, "outcome_unknown", None),
    ],
)
def test_the_problems_of_the_gateway(status: int, code: str, saved: bool | None) -> None:
    found = result(Answer(status, problem(status, code)))
    assert found.saved is saved
    assert found.problem is not None
    assert found.problem["code"] == code
    if saved is None:
        assert "same requestKey" in found.what_to_do


def test_a_refusal_before_the_key_was_looked_at_says_nothing_about_an_earlier_call() -> None:
    for status in (401, 403, 408, 413, 415, 429):
        assert "earlier call" in result(Answer(status, problem(status))).what_to_do
    for status in (400, 404, 409, 412, 422):
        assert "earlier call" not in result(Answer(status, problem(status))).what_to_do


def test_no_answer_is_not_known() -> None:
    found = result(Answer(None))
    assert (found.outcome, found.saved, found.command_id) == ("unknown", None, COMMAND)


@pytest.mark.parametrize("body", [None, [], "ok", {}, {"ok": False}, {"ok": "true"}, {"id": 7}, {"ok": 1}])
def test_a_success_that_does_not_say_so_is_not_known(body: Any) -> None:
    assert result(Answer(200, body)).saved is None
    assert result(Answer(201, body)).saved is None


def test_no_id_no_success() -> None:
    assert result(Answer(200, OK), row_id=None).saved is None


def test_the_row_is_the_one_that_was_read_back() -> None:
    row = {"id": ID, "version": 7}
    found = result(Answer(200, OK), read_back=ReadBack(row))
    assert (found.row, found.version) == (row, 7)
    tagged = result(Answer(200, OK, {"etag": '"6"'}), read_back=ReadBack(row))
    assert tagged.version == 6, "the version that the change left"
    unread = result(Answer(200, OK), read_back=ReadBack(note="The row could not be read back."))
    assert (unread.saved, unread.row) == (True, None)
    assert "could not be read back" in unread.what_to_do


def test_a_repeated_key_and_a_change_of_nothing() -> None:
    assert result(Answer(200, OK), repeated=True).outcome == "duplicate"
    assert result(Answer(200, OK), journal={"outcome": "no_op"}).outcome == "no_op"
    assert result(Answer(200, OK), journal={"outcome": "applied"}).outcome == "applied"


def test_fields_that_kept_a_newer_value_are_not_saved() -> None:
    found = result(Answer(200, {"ok": True, "partial": ["scheduledAt"]}))
    assert (found.outcome, found.saved, found.not_saved) == ("partly_applied", False, ["scheduledAt"])


@pytest.mark.parametrize(
    ("saved", "outcome"), [(True, "applied"), (False, "partly_applied"), (None, "unknown")]
)
def test_a_completion_is_as_good_as_its_next_interaction(saved: bool | None, outcome: str) -> None:
    done = result(Answer(200, OK))
    answer = {True: Answer(201, {"id": ID}), False: Answer(409, problem(409)), None: Answer(None)}[saved]
    both = with_next(done, result(answer))
    checked(write_answer(both))
    assert (both.saved, both.outcome) == (saved, outcome)
    assert both.next is not None
    assert both.next.saved is saved


@pytest.mark.parametrize(
    ("outcome", "warnings", "saved"),
    [
        ("applied", [], True),
        ("no_op", [], True),
        ("rejected", [], False),
        ("applied", [{"code": "superseded", "field": "status", "detail": "newer"}], False),
        ("no_op", [{"code": "superseded", "field": "status", "detail": "newer"}], False),
    ],
)
def test_the_result_of_an_earlier_command(outcome: str, warnings: list[Any], saved: bool) -> None:
    entry = {
        "commandId": COMMAND,
        "outcome": outcome,
        "result": {"warnings": warnings, "version": 3, "undoToken": "u.x", "problem": None},
    }
    found = result_of_journal(entry, ID, ReadBack())
    checked(write_answer(found))
    assert found.saved is saved
