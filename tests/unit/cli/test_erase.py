"""Search of an erasure: terms, their encodings, and whose words they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.erase.needles import make_needles, matching
from cli.erase.places import Place, _search_topic, search_logs
from cli.erase.report import ErasureReport, report_lines
from schemas.incoming_record import IncomingRecord
from schemas.topics import EVENTS, INTERACTION_STATE

ADA, BOB, CALL = (f"30000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
TEXT = "Ring about the Übergabe of the roof"
NEEDLES = make_needles([TEXT, "Ada Lovelace", "abc"], [ADA, CALL])


def record(offset: int, key: str, value: str | None, topic: str = EVENTS) -> IncomingRecord:
    at = 1_800_000_000_000 + offset
    headers = (("ce_entityid", key.encode()),)
    return IncomingRecord(topic, 0, offset, at, key.encode(), value.encode() if value else None, headers)


@given(st.text(min_size=1, max_size=300))
def test_a_text_is_found_in_every_form_in_which_it_is_stored(text: str) -> None:
    needles = make_needles([text], [])
    forms = [text.encode(errors="ignore"), json.dumps(text).encode(), json.dumps({"a": text}).encode()]
    forms.append(json.dumps(text, ensure_ascii=False).encode(errors="ignore"))
    if needles.terms:
        for form in forms:
            assert list(matching([b"before", form], needles.terms)) == [1]
    else:
        assert needles.left_out == 1


def test_short_texts_and_redundant_terms_are_left_out() -> None:
    needles = make_needles(["abc", "roof", "the roof of the house", "\n\t"], [])
    assert (needles.terms, needles.left_out) == ((b"roof",), 2)


def test_the_same_word_of_another_customer_is_no_violation() -> None:
    records = [record(0, ADA, f"x {TEXT}"), record(1, BOB, f"y {TEXT}"), record(2, BOB, "nothing")]
    place = _search_topic(EVENTS, records, NEEDLES)
    assert (place.searched, place.remaining, place.others) == (3, 1, 1)
    assert place.until == datetime.fromtimestamp(1_800_000_000, UTC)
    assert not place.violates


def test_a_state_counts_until_its_tombstone() -> None:
    state = record(0, CALL, f"{CALL} {TEXT}", INTERACTION_STATE)
    shown = _search_topic(INTERACTION_STATE, [state], NEEDLES)
    assert (shown.remaining, shown.superseded, shown.violates) == (1, False, True)
    gone = _search_topic(INTERACTION_STATE, [state, record(1, CALL, None, INTERACTION_STATE)], NEEDLES)
    assert (gone.remaining, gone.superseded, gone.violates) == (1, True, False)
    back = [state, record(1, CALL, None, INTERACTION_STATE), state]
    assert _search_topic(INTERACTION_STATE, back, NEEDLES).violates


def test_a_log_line_is_a_violation(tmp_path: Path) -> None:
    (tmp_path / "applier.log").write_text(f"fine\nx {TEXT} y\nAda\n")
    (tmp_path / "other.log").write_text("fine\n")
    assert [(it.name, it.remaining, it.violates) for it in search_logs(tmp_path, NEEDLES)] == [
        ("applier.log", 1, True),
        ("other.log", 0, False),
    ]
    assert list(search_logs(tmp_path / "none", NEEDLES)) == []


@pytest.mark.parametrize(
    ("changes", "ok"),
    [
        ({}, True),
        ({"job_state": "running"}, False),
        ({"mirrors_pending": 1}, False),
        ({"places": [Place("table", "journal", 5, 1)]}, False),
        ({"places": [Place("topic", "x", 5, 1, until=datetime(2031, 1, 1, tzinfo=UTC))]}, True),
        ({"places": [Place("topic", "x", 5, 1, superseded=True)]}, True),
    ],
)
def test_the_report_is_fine_only_if_nothing_remains(changes: dict[str, object], ok: bool) -> None:
    report = ErasureReport(entity_id=ADA, job_id=CALL, job_state="completed", mirrors="leave")
    for name, value in changes.items():
        setattr(report, name, value)
    assert (report.ok, report.to_json()["ok"]) == (ok, ok)
    assert any("Nothing remains" in line for line in report_lines(report)) == ok
