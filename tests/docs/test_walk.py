"""The walk of a command: every stop exists, and a command passes the stops in the page's order."""

from __future__ import annotations

import ast
import re
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from sinks.batch import BatchSink
from streams.applier.apply import Applier
from tests.harness.wire import event, new_id

ROOT = Path(__file__).parents[2]
STOP = re.compile(r"^\| (\d+) \| .*?\[`([\w/.]+)`\]\(\.\./([\w/.]+)\) `([\w.]+)`", re.MULTILINE)
STOPS = STOP.findall((ROOT / "docs" / "walk-of-a-command.md").read_text(encoding="utf-8"))
PLACES = [(linked, name) for _, _, linked, name in STOPS]


def names_in(file: Path) -> set[str]:
    """Classes, functions and methods (``Class.method``) that a module defines."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def test_every_stop_is_where_the_page_says() -> None:
    assert [int(number) for number, *_ in STOPS] == list(range(1, len(STOPS) + 1))
    assert 10 <= len(STOPS) <= 15
    assert len(set(PLACES)) == len(PLACES)
    for _, shown, linked, name in STOPS:
        assert shown == linked
        assert name in names_in(ROOT / linked), f"{linked} defines no {name}"


@pytest.mark.integration
def test_a_create_passes_the_stops_in_their_order(fresh_settings: Settings) -> None:
    entity = new_id()
    messages = [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
        event("interaction.create", entity, {"interactionType": "call"}),
    ]
    passed: list[tuple[str, str]] = []

    def enter(frame: FrameType, happened: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if happened == "call" and file.is_relative_to(ROOT):
            place = file.relative_to(ROOT).as_posix(), frame.f_code.co_qualname
            if place in PLACES and place not in passed:
                passed.append(place)

    with connect(fresh_settings, application_name="test") as connection:
        applier = Applier(BatchSink(connection, consumer_group="walk", topic="commands"))
        for offset, message in enumerate(messages):
            now = int(time.time() * 1000)
            record = IncomingRecord("commands", 0, offset, now, entity.encode(), orjson.dumps(message), ())
            passed.clear()
            sys.setprofile(enter)
            try:
                command = decode_record(record, _no_avro)
                (decision,) = applier.apply([command], {0: offset}, {})
            finally:
                sys.setprofile(None)
            assert decision.outcome == "applied"
    assert passed == [place for place in PLACES if place in passed]
    assert {place[0] for place in passed} == {
        "schemas/decode.py",
        "streams/applier/apply.py",
        "sinks/batch.py",
        "sinks/load.py",
        "domain/decide.py",
        "sinks/store.py",
    }


def _no_avro(_: bytes) -> Any:
    raise AssertionError
