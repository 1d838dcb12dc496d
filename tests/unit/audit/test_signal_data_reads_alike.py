"""The decoder and the auditor parse the data of commands on signals and drafts alike, in JSON and in Avro."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pytest

from audit import history as audit_history
from audit.command_data import COMMANDS
from audit.envelope import parse
from audit.instants import micros
from schemas.avro_schemas import avro_schemas
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from tests.harness.memory_registry import MemoryRegistry
from tests.unit.audit.machine import ORGANIZATION, TENANT, make_id

KINDS = [*sorted(kind for kind in COMMANDS if kind.startswith(("signal.", "draft."))), "interaction.fix"]
ENTITY = make_id("reader")
NOW = 1_800_000_000_000
GOOD: dict[str, Any] = {
    "id": make_id("signal"),
    "interactionId": make_id("interaction"),
    "kind": "Follow-up",
    "title": "Send the offer",
    "body": "Dear Ada",
    "personId": make_id("person").upper(),
    "confidence": 50,
    "detectedAt": "2026-03-02T09:15:00+01:00",
    "clear": ["body"],
    "channel": "email",
    "instruction": "short",
    "language": "de",
    "resolution": 7,
    "subject": "Offer",
    "writer": "template",
    "templateId": "email/en",
    "model": "m",
    "promptHash": "h",
    "code": "late",
    "detail": "d",
    "reason": "r",
    "sentAt": "2026-03-02T09:15:00Z",
    "status": "done",
    "signals": [{"id": make_id("signal"), "title": "x", "clear": ["confidence"]}],
}
STRANGE: tuple[Any, ...] = (
    *(None, "", " ", "text", "fr", "x\x00", "2026-03-02", *("a" * size for size in (101, 501, 1001, 10_001))),
    *(0, 1, -1, 101, 2**63, 1.5, True, [], {}, ["title"], ["body", "personId"], [None], [{}]),
)


def _variants(kind: str) -> Iterator[dict[str, Any]]:
    """Valid data, and data with one field that is missing, strange or unknown."""
    good = {name: GOOD[name] for name in COMMANDS[kind] if name in GOOD}
    if kind == "draft.update":
        good["clear"] = ["subject"]
    yield good
    yield {name: value for name, value in good.items() if name != "clear"}
    for name in (*good, "nope", "expectedVersion"):
        yield {other: value for other, value in good.items() if other != name}
        yield from ({**good, name: value} for value in STRANGE)
    for item in _items() if "signals" in good else ():
        yield {**good, "signals": [item]}
    for count in (0, 2, 100, 101) if "signals" in good else ():
        yield {**good, "signals": good["signals"] * count}


def _items() -> Iterator[dict[str, Any]]:
    """Changes of one signal within a fix, likewise."""
    good = {name: GOOD[name] for name in ("id", "kind", "title", "body", "personId", "confidence")}
    yield good
    for name in (*good, "clear", "nope", "entityId"):
        yield {other: value for other, value in good.items() if other != name}
        yield from ({**good, name: value} for value in STRANGE)


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)


def _plain(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value


def _agree(ours: Command | Refused, theirs: Any) -> bool:
    """Assert that both read the same; returns whether the record is a valid command."""
    if isinstance(ours, Refused):
        assert theirs.refusal is not None, (ours.rejection.code, ours.rejection.detail)
        assert theirs.undecodable == ours.undecodable, (ours.rejection.code, theirs.refusal)
        return False
    assert theirs.refusal is None, theirs.refusal
    assert theirs.actor == ours.envelope.actor_id
    for name, value in theirs.data.items():
        if name == "signals":
            assert [item["id"] for item in value] == [item.id for item in ours.payload.signals]  # type: ignore[attr-defined]
            for item, held in zip(value, ours.payload.signals, strict=True):  # type: ignore[attr-defined]
                assert {_snake(n): it for n, it in item.items() if n != "id"} == held.changes()
        elif value is not None:
            assert _plain(getattr(ours.payload, _snake(name))) == value, name
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_json_is_read_alike(kind: str) -> None:
    seen = Counter[bool]()
    for offset, data in enumerate(_variants(kind)):
        event = {
            "specversion": "1.0", "id": f"c{offset}", "type": f"customers.{kind}", "source": "/t",
            "tenantid": TENANT, "organizationid": ORGANIZATION, "entityid": ENTITY,
            "actorid": ("ann", None, "")[offset % 3], "data": data,
        }  # fmt: skip
        value = orjson.dumps(event)
        ours = decode_record(IncomingRecord("c", 0, offset, NOW, ENTITY.encode(), value, ()), _no_avro)
        record = audit_history.Record("c", 0, offset, NOW, ENTITY.encode(), value, ())
        seen[_agree(ours, parse(record, _no_named_avro))] += 1
    assert min(seen[True], seen[False]) > 1, seen


@pytest.mark.parametrize("kind", KINDS)
def test_avro_is_read_alike(kind: str) -> None:
    seen, registry = Counter[bool](), MemoryRegistry.of_the_contract()
    decoder, values, encoder = registry.decoder(), registry.values(), registry.encoder()
    members = [field["name"] for field in avro_schemas()[f"customers.{kind}"]["fields"]]
    for offset, data in enumerate(_variants(kind)):
        known = {name: value for name, value in data.items() if name in members}
        try:
            value = encoder.encode(f"customers.{kind}", known)
        except Exception:  # noqa: BLE001 - what the schema cannot hold
            continue
        names = {"id": f"c{offset}", "type": f"customers.{kind}", "source": "/t", "tenantid": TENANT,
                 "organizationid": ORGANIZATION, "entityid": ENTITY}  # fmt: skip
        headers = (
            ("content-type", b"application/avro"),
            *((f"ce_{n}", v.encode()) for n, v in names.items()),
        )
        ours = decode_record(
            IncomingRecord("c", 0, offset, NOW, ENTITY.encode(), value, headers), decoder.decode_command
        )
        record = audit_history.Record("c", 0, offset, NOW, ENTITY.encode(), value, headers)
        seen[_agree(ours, parse(record, values.decode_named))] += 1
    assert seen[True] > 1, seen


def _no_avro(value: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError(f"{len(value)} bytes that are not JSON")


def _no_named_avro(value: bytes) -> tuple[str, Any]:
    raise ValueError(f"{len(value)} bytes that are not JSON")
