"""Workload: JSON CloudEvents as publishers send them, seeded, so that every scenario gets the same ones."""

from __future__ import annotations

import hashlib
import random
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson

from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord

TENANT: Final = "11111111-1111-4111-8111-111111111111"
ORGANIZATION: Final = "22222222-2222-4222-8222-222222222222"
_TYPES: Final = ("call", "email", "meeting", "task")
_FIRST: Final = datetime(2027, 1, 4, 8, tzinfo=UTC)
_BODY: Final = "Ask for the open points of the last visit, and send the offer again if it was lost."


class Message(NamedTuple):
    """One record of the commands topic."""

    key: bytes
    value: bytes


def stable_id(*parts: object) -> str:
    """Derive a UUID from its parts; equals ``md5(text)::uuid`` in Postgres."""
    digest = hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def entity_ids(count: int) -> list[str]:
    """Ids of the first ``count`` customers."""
    return [stable_id("entity", number) for number in range(count)]


def entity_upserts(count: int) -> list[Message]:
    """Commands that create the first ``count`` customers."""
    return [
        _message("entity.upsert", entity, f"entity-{number}", _person(entity, number))
        for number, entity in enumerate(entity_ids(count))
    ]


def creates(count: int, entities: Sequence[str], seed: str) -> list[Message]:
    """Creates of planned interactions, spread evenly over the customers in random order; all apply."""
    chance = random.Random(seed)
    messages = []
    for number in range(count):
        entity = entities[chance.randrange(len(entities))]
        data = {
            "interactionType": _TYPES[number % 4],
            "title": f"Call back about order {number}",
            "body": _BODY,
            "scheduledAt": _instant(chance),
            "priority": number % 5,
        }
        messages.append(_message("interaction.create", entity, f"{seed}-{number}", data))
    return messages


def mixed(count: int, entities: int, seed: str, used: set[int]) -> list[Message]:
    """Half creates; the rest reschedules or completes a stored planned interaction (see ``bench.tables``).

    :param used: numbers of stored interactions already named by a command; none is named twice.
    """
    chance = random.Random(seed)
    messages = []
    for number in range(count):
        customer = chance.randrange(entities)
        entity = stable_id("entity", customer)
        name = f"{seed}-{number}"
        if number % 2 == 0:
            data = {"interactionType": "call", "title": f"Call {number}", "scheduledAt": _instant(chance)}
            messages.append(_message("interaction.create", entity, name, data))
            continue
        stored = customer * 20 + chance.randrange(4)
        while stored in used:
            customer = chance.randrange(entities)
            stored = customer * 20 + chance.randrange(4)
        used.add(stored)
        entity = stable_id("entity", customer)
        target: dict[str, Any] = {"id": stable_id("interaction", stored)}
        if number % 4 == 1:
            messages.append(_message("interaction.complete", entity, name, target))
        else:
            target["scheduledAt"] = _instant(chance)
            messages.append(_message("interaction.update", entity, name, target))
    return messages


def mirrored_creates(count: int, entity: str) -> list[Message]:
    """Creates of planned calls of one customer with known ids, for :func:`retitles`."""
    return [
        _message(
            "interaction.create",
            entity,
            f"mirrored-{number}",
            {"id": stable_id("mirrored", number), "interactionType": "call", "title": f"Call {number}"},
        )
        for number in range(count)
    ]


def retitles(count: int, interactions: int, entity: str) -> list[Message]:
    """Updates with the title ``Change <number>`` for the interactions of :func:`mirrored_creates` in turn."""
    return [
        _message(
            "interaction.update",
            entity,
            f"retitle-{number}",
            {"id": stable_id("mirrored", number % interactions), "title": f"Change {number}"},
        )
        for number in range(count)
    ]


def with_poison(messages: Sequence[Message], every: int = 100) -> list[Message]:
    """Insert one bad record per ``every - 1`` commands: invalid JSON, an unknown field, an unknown type, and
    a key that is not the customer's, in turn."""
    mixed_in: list[Message] = []
    for number, message in enumerate(messages):
        if number % (every - 1) == 0:
            mixed_in.append(_bad(number // (every - 1)))
        mixed_in.append(message)
    return mixed_in


def decode(
    messages: Sequence[Message], topic: str, partitions: int, ends: list[int] | None = None
) -> list[Command | Refused]:
    """Decode as the applier does, with positions in a topic of ``partitions`` partitions.

    :param ends: log end offset per partition; advanced by what is added.
    """
    ends = ends if ends is not None else [0] * partitions
    now = int(time.time() * 1000)
    commands = []
    for message in messages:
        partition = zlib.crc32(message.key) % partitions
        record = IncomingRecord(topic, partition, ends[partition], now, message.key, message.value, ())
        ends[partition] += 1
        commands.append(decode_record(record, _no_avro))
    return commands


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("the bench publishes JSON")


def _bad(number: int) -> Message:
    entity = stable_id("poison", number)
    if number % 4 == 0:
        return Message(entity.encode(), b"\x80 not a command")
    if number % 4 == 1:
        return _message("interaction.create", entity, f"bad-{number}", {"interactionType": "call", "nope": 1})
    if number % 4 == 2:
        return _message("interaction.conjure", entity, f"bad-{number}", {})
    return _message("interaction.create", entity, f"bad-{number}", {})._replace(key=b"another")


def _person(entity: str, number: int) -> dict[str, Any]:
    return {"id": entity, "kind": "person", "displayName": f"Customer {number}"}


def _message(kind: str, entity: str, command_id: str, data: dict[str, Any]) -> Message:
    event = {
        "specversion": "1.0",
        "id": command_id,
        "type": f"customers.{kind}",
        "source": "/bench",
        "tenantid": TENANT,
        "organizationid": ORGANIZATION,
        "entityid": entity,
        "data": data,
    }
    return Message(entity.encode(), orjson.dumps(event))


def _instant(chance: random.Random) -> str:
    return f"{_FIRST + timedelta(minutes=15 * chance.randrange(35_000)):%Y-%m-%dT%H:%M:%SZ}"
