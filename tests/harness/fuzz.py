"""Record fuzzer: valid records, random bytes, and structure-aware mutations of valid ones.

``tests.harness.fuzz_shapes`` has the mutations of envelope, JSON text, headers and sizes;
``tests.harness.writer_schemas`` those of Avro.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from tests.harness.fuzz_avro import AvroRecords
from tests.harness.fuzz_shapes import CHANGES, REWRITES, header_names, inflated
from tests.harness.histories import history
from tests.harness.load import hash_of
from tests.harness.wire import Raw, event

_STRANGE: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**70,
    1e308,
    0.1,
    "",
    " ",
    "\x00",
    "\ud83d",
    "é" * 600,
    "a" * 11_000,
    [],
    {},
    [[]],
    {"a": {"b": {}}},
    "2026-13-01T00:00:00Z",
    "2026-01-01",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999+14:00",
    "2026-01-01T00:00:00",
    "22222222-2222-4222-8222-222222222222",
    "22222222222242228222222222222222",
    "00000000-0000-0000-0000-000000000000",
    "CANCELED",
    "done",
    "u.",
    "u.AAAA",
    "u.=",
    "#12345G",
    "customers.interaction.create",
    "customers.interactions.created",
    "call",
    "CALL ",
    "NaN",
    "'; DROP TABLE outbox; --",
    "\u202e",
    "../../etc/passwd",
)


#: Small changes of a text, at the edges of patterns and limits.
_BENDS: Final = (
    lambda text: text + "\n",
    lambda text: text + "\r",
    lambda text: " " + text,
    lambda text: text + "\u00a0",
    lambda text: text + "\x7f",
    lambda text: text + "\x00",
    lambda text: text + '"',
    str.upper,
    str.title,
    *(lambda text, size=size: (text * 500)[:size] for size in (0, 100, 101, 200, 201, 300, 320, 500, 501)),
)


def _bend(members: dict[str, Any], chance: random.Random) -> None:
    """Change one text of an object a little."""
    texts = [name for name, value in members.items() if isinstance(value, str)]
    if texts:
        name = chance.choice(texts)
        members[name] = chance.choice(_BENDS)(members[name])


def _nested(depth: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(depth):
        nested = {"a": nested}
    return nested


_DEEP: Final = tuple(json.dumps(_nested(depth)) for depth in (200, 252, 256, 300, 700))
_FIELDS: Final = (
    "id",
    "entityId",
    "interactionType",
    "title",
    "body",
    "status",
    "scheduledAt",
    "occurredAt",
    "priority",
    "dealId",
    "appearanceColor",
    "appearanceIcon",
    "sourceTimestamp",
    "expectedVersion",
    "validateOnly",
    "undoToken",
    "commandId",
    "_syncOrigin",
    "syncOrigin",
    "scheduleVersion",
    "phase",
    "displayName",
    "kind",
    "label",
    "nope",
)
_ATTRIBUTES: Final = (
    "id",
    "type",
    "source",
    "specversion",
    "tenantid",
    "organizationid",
    "entityid",
    "syncorigin",
    "correlationid",
    "causationid",
    "actorid",
    "traceparent",
    "expectedversion",
    "sourcetimestamp",
    "validateonly",
    "data",
    "time",
)
_HEADERS: Final = ("ce_id", "ce_type", "content-type", "traceparent", "x")
_TYPES: Final = (
    "interaction.create",
    "interaction.update",
    "interaction.complete",
    "interaction.cancel",
    "interaction.reopen",
    "interaction.delete",
    "interaction.undo",
    "interaction.recompute_next",
    "interaction.mark_due",
    "entity.upsert",
    "deal.upsert",
    "interaction_type.upsert",
    "feature_flag.set",
    "interaction.fix",
    "signal.record",
    "draft.delete",
)


class Fuzz:
    """Endless source of records, determined by the seed.

    :param schema_ids: registry ids of the schemas of ``tests.harness.writer_schemas``, in order; default:
        1, 2, 3 …
    """

    def __init__(self, seed: int, schema_ids: Sequence[int] | None = None) -> None:
        self.chance = random.Random(seed)
        self._good = list(history(seed, 400, entities=10))
        self._avro = AvroRecords(self.chance, schema_ids)

    def record(self) -> Raw:
        """Generate one record: valid, mutated, or random bytes."""
        roll = self.chance.random()
        if roll < 0.1:
            return self._noise()
        if roll < 0.2:
            return self._avro.record(self.chance.choice(self._good)["entityid"], self._id())
        if roll < 0.45:
            return self._shaped()
        message = self._mutated() if roll < 0.85 else self.chance.choice(self._good)
        # One content mode per id: a refused command is recognized as a duplicate by its bytes alone.
        binary = hash_of(ascii(message.get("id"))) < 0.4
        return self._binary(message) if binary else self._structured(message)

    def with_header_names(self) -> tuple[bytes, bytes, list[bytes]]:
        """A valid command for a new entity, with header names that the client library cannot produce."""
        raw = self._structured_create()
        assert raw.key is not None
        assert raw.value is not None
        return raw.key, raw.value, header_names(self.chance)

    def compressed(self) -> Raw:
        """A record that is small on the wire and large once decompressed."""
        return inflated(self._structured_create(), self.chance)

    def _structured_create(self) -> Raw:
        entity = self._id()
        message = event("interaction.create", entity, {"interactionType": "call"}, command_id=self._id())
        return Raw(entity.encode(), json.dumps(message).encode())

    def _noise(self) -> Raw:
        size = self.chance.choice((0, 1, 5, 40, 300))
        value = self.chance.choice(
            (None, self.chance.randbytes(size), b"\x00\x00\x00\x00\x01" + self.chance.randbytes(9))
        )
        headers = tuple(
            (self.chance.choice(_HEADERS), self.chance.randbytes(6)) for _ in range(self.chance.randrange(4))
        )
        return Raw(self.chance.choice((None, b"", self.chance.randbytes(16))), value, headers)

    def _shaped(self) -> Raw:
        """A valid record with one structural mutation, under a new id."""
        message = copy.deepcopy(self.chance.choice(self._good))
        message["id"] = self._id()
        if self.chance.random() < 0.6:
            self.chance.choice(CHANGES)(message, self.chance)
            return self._binary(message) if hash_of(ascii(message["id"])) < 0.4 else self._structured(message)
        raw = self._binary(message) if self.chance.random() < 0.5 else self._structured(message)
        return self.chance.choice(REWRITES)(raw, self.chance)

    def _mutated(self) -> dict[str, Any]:
        chance = self.chance
        good = chance.choice(self._good)
        message = json.loads(json.dumps(good))
        for _ in range(chance.randint(1, 3)):
            how = chance.random()
            data = message.get("data")
            if how < 0.1 and isinstance(data, dict):
                _bend(data if chance.random() < 0.8 else message, chance)
            elif how < 0.11 and isinstance(data, dict):
                data[chance.choice(_FIELDS)] = json.loads(chance.choice(_DEEP))
            elif how < 0.5 and isinstance(data, dict):
                data[chance.choice(_FIELDS)] = copy.deepcopy(chance.choice(_STRANGE))
            elif how < 0.6 and isinstance(data, dict) and data:
                del data[chance.choice(list(data))]
            elif how < 0.75:
                message[chance.choice(_ATTRIBUTES)] = copy.deepcopy(chance.choice(_STRANGE))
            elif how < 0.8:
                message.pop(chance.choice(_ATTRIBUTES), None)
            elif how < 0.9:
                message["type"] = f"customers.{chance.choice(_TYPES)}"
            else:
                strange = copy.deepcopy(chance.choice(_STRANGE))
                message = event(
                    chance.choice(_TYPES),
                    good["entityid"],
                    {chance.choice(_FIELDS): strange},
                    command_id=self._id(),
                )
        if chance.random() < 0.9:
            message["id"] = message["id"] if chance.random() < 0.1 and "id" in message else self._id()
        return message  # type: ignore[no-any-return]

    def _id(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def _key(self, message: dict[str, Any]) -> bytes | None:
        entity = message.get("entityid")
        if self.chance.random() < 0.03:
            return self.chance.choice((None, b"", b"\xff\xfe", str(entity).upper().encode(errors="replace")))
        return str(entity).encode(errors="replace")

    def _structured(self, message: dict[str, Any]) -> Raw:
        value = json.dumps(message).encode()
        if self.chance.random() < 0.05:
            at = self.chance.randrange(len(value))
            value = value[:at] + self.chance.randbytes(self.chance.randrange(3)) + value[at + 1 :]
        return Raw(self._key(message), value)

    def _binary(self, message: dict[str, Any]) -> Raw:
        headers = []
        for name, value in message.items():
            if name != "data":
                text = value if isinstance(value, str) else json.dumps(value)
                headers.append((f"ce_{name}", text.encode(errors="replace")))
        headers.append(
            (
                "content-type",
                self.chance.choice((b"application/json", b"application/avro", b"text/plain", b"")),
            )
        )
        value = json.dumps(message.get("data")).encode()
        if self.chance.random() < 0.1:
            value = b"\x00" + self.chance.randbytes(4) + value
        return Raw(self._key(message), value, tuple(headers))
