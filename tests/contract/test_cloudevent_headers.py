"""Headers of outgoing events: complete, in the contract's names, and read back by the decoder."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import asyncapi
from schemas.cloudevent_headers import AVRO, HEADER_OF, JSON, event_headers
from schemas.cloudevents import open_event
from schemas.incoming_record import IncomingRecord
from tests.harness.outgoing import raw_headers


def test_attributes_without_a_value_are_left_out() -> None:
    headers = event_headers(AVRO, id="1", subject=None, traceparent="00-aa-bb-01")
    assert headers == {
        "content-type": AVRO,
        "ce_specversion": "1.0",
        "ce_id": "1",
        "traceparent": "00-aa-bb-01",
    }
    assert event_headers(None, id="1") == {"ce_specversion": "1.0", "ce_id": "1"}


def test_an_attribute_outside_the_contract_is_refused() -> None:
    with pytest.raises(KeyError, match="tenant_id"):
        event_headers(JSON, tenant_id="t")


def test_the_decoder_reads_every_attribute_back() -> None:
    values = {name: f"value of {name}" for name in HEADER_OF if name != "specversion"}
    record = IncomingRecord("commands", 0, 0, 0, b"key", b"{}", raw_headers(event_headers(JSON, **values)))
    attributes: dict[str, Any] = {}
    open_event(record, attributes)
    assert attributes == {**values, "specversion": "1.0"}


def test_the_attributes_are_those_of_the_contract() -> None:
    documented = {header for header in _member_names(asyncapi.document()) if header.startswith("ce_")}
    assert documented == {header for header in HEADER_OF.values() if header.startswith("ce_")}


def _member_names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for member in value.values() for name in _member_names(member))]
    return [name for member in value for name in _member_names(member)] if isinstance(value, list) else []
