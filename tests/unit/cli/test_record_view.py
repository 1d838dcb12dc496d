"""Record view: key facts, never customer text; hostile bytes are made harmless."""

from __future__ import annotations

import json

from cli.topics.record_view import RecordView
from cli.topics.tail import TOPIC_OF, Stream
from schemas.avro_codec import AvroDecoder
from schemas.incoming_record import IncomingRecord
from schemas.topics import BY_NAME

VIEW = RecordView(AvroDecoder(lambda schema_id: None, text_instants=True))
COMMAND = {
    "id": "c-1",
    "type": "customers.interaction.create",
    "entityid": "e-1",
    "data": {"title": "Secret title", "body": "Secret body"},
}


def record(
    value: bytes | None, *headers: tuple[str, bytes | None], key: bytes | None = b"k"
) -> IncomingRecord:
    return IncomingRecord("customers.interactions.commands", 2, 5, 1_772_442_900_123, key, value, headers)


def test_a_line_names_the_record_and_shows_no_text_of_the_customer() -> None:
    line = VIEW.to_line(record(json.dumps(COMMAND).encode()))
    assert line.startswith("2026-03-02 09:15:00.123  2:5  interaction.create  entity=e-1")
    assert "command=c-1" in line
    assert "Secret" not in line


def test_machines_get_everything() -> None:
    shown = VIEW.to_json(record(json.dumps(COMMAND).encode(), ("x", b"y"), ("z", None)))
    assert shown["value"] == COMMAND
    assert shown["headers"] == {"x": "y", "z": None}
    assert (shown["partition"], shown["offset"], shown["key"]) == (2, 5, "k")


def test_headers_win_over_the_value_and_the_key_is_the_last_resort() -> None:
    structured = record(json.dumps(COMMAND).encode(), ("ce_entityid", b"other"), ("ce_type", b"t"))
    assert (VIEW.entity_of(structured), VIEW.type_of(structured)) == ("other", "t")
    assert VIEW.entity_of(record(b"\xff\x00")) == "k"


def test_what_cannot_be_decoded_is_shown_as_such() -> None:
    for value in (b"\xff", b"{", b"\x00\x00\x00\x00\x09rest"):
        shown = VIEW.to_json(record(value))["value"]
        assert isinstance(shown, dict)
        assert set(shown) == {"undecodable", "base64"}
    assert VIEW.to_json(record(None))["value"] is None


def test_control_characters_cannot_reach_the_terminal() -> None:
    line = VIEW.to_line(record(None, ("ce_type", b"\x1b[2Jx\ny"), ("ce_entityid", b"a\rb")))
    assert "\x1b" not in line
    assert "\n" not in line
    assert "\r" not in line


def test_a_tombstone_is_said() -> None:
    deleted = record(None, ("ce_type", b"customers.interaction.state"))
    assert VIEW.to_line(deleted).endswith("  interaction.state  entity=k  tombstone")


def test_every_topic_of_the_catalogue_can_be_read() -> None:
    assert set(TOPIC_OF.values()) == set(BY_NAME)
    assert set(TOPIC_OF) == set(Stream)
