"""The notice of decisions is read from the index, and a partial failure names its reasons."""

from __future__ import annotations

import time

import pytest

from api.dead_letters.decisions import DecidedLetters
from api.dead_letters.index import DeadLetterIndex, Visibility
from api.letter_groups import groups_of
from runtime.dead_letters import Decision, LetterDecision
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.topics import DEAD_LETTERS
from web.language import language_of
from web.routes.dead_letters import _refusal, decided_since

OWN = Visibility("t", "o", unscoped=False)


def letter(offset: int, failure: str = "undecodable", tenant: str = "t") -> IncomingRecord:
    headers = {
        "ce_tenantid": tenant,
        "ce_organizationid": "o",
        "dl_topic": "customers.interactions.commands",
        "dl_partition": "3",
        "dl_offset": str(offset),
        "dl_reason": "it is not JSON",
        "dl_error_class": failure,
    }
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    return IncomingRecord(DEAD_LETTERS, 1, offset, 1_000 + offset, b"key", b"value", encoded)


@pytest.fixture
def index() -> DeadLetterIndex:
    found = DeadLetterIndex()
    found.add([letter(1), letter(2), letter(3, "too_large"), letter(4, tenant="other")])
    return found


def test_counts_and_groups_of_visible_dead_letters(index: DeadLetterIndex) -> None:
    index.decide(LetterDecision("1:3", "archived", "ada", 9))
    assert index.counts(OWN) == {"open": 2, "replayed": 0, "discarded": 0, "archived": 1}
    [group] = groups_of(index.matching(OWN, "open"))
    assert (group.newest.id, group.count, group.first_ms) == ("1:2", 2, 1_001)


def test_the_notice_counts_the_viewers_decisions_since_the_click(index: DeadLetterIndex) -> None:
    now = int(time.time() * 1000)
    cases: list[tuple[str, Decision, str, int]] = [
        ("1:1", "archived", "ada", now),
        ("1:2", "archived", "bob", now),
        ("1:3", "archived", "ada", now - 1),
        ("1:4", "archived", "ada", now),
    ]
    for case in cases:
        index.decide(LetterDecision(*case))
    assert decided_since(index, OWN, "ada", str(now)) == [("archived", 1)]
    assert decided_since(index, OWN, "ada", str(now + 1)) == []


@pytest.mark.parametrize("moment", ["", "0", "1", "x" * 13, "-123456789012", "1000000000000"])
def test_an_old_or_malformed_moment_has_no_notice(index: DeadLetterIndex, moment: str) -> None:
    index.decide(LetterDecision("1:1", "archived", "ada", int(time.time() * 1000)))
    assert decided_since(index, OWN, "ada", moment) == []


def test_a_partial_failure_says_how_many_and_why() -> None:
    outcome = DecidedLetters(done=["1:1", "1:2"])
    outcome.add_failure("1:3", Reject("replay_limit", "internal words"))
    outcome.add_failure("1:4", Reject("guard_says_no", "Ask Ada."))
    error = _refusal(outcome, language_of("de"))
    assert (error.code, error.status, error.detail) == ("letters_in_part", 409, "2 erledigt, 2 nicht:")
    first, second = error.errors
    assert (first.pointer, second.pointer, second.detail) == ("/1:3", "/1:4", "Ask Ada.")
    assert first.detail.startswith("Er wurde so oft neu gesandt")
    assert _refusal(DecidedLetters(failed=outcome.failed), language_of("en")).code == "letters_not_decided"
