"""Seeded command histories: every command type, hot and cold customers, undo and invalid commands."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from schemas.identity import derive_id
from tests.harness.wire import ORGANIZATION, TENANT, event

_TYPES = ("call", "email", "meeting", "task", "demo", "Follow up")
_ZIPF_HOT = 0.3


def history(seed: int, commands: int, entities: int = 50, relabels: float = 0.01) -> Iterator[dict[str, Any]]:
    """Generate ``commands`` commands over ``entities`` customers, determined by the seed.

    Commands target interactions created earlier, so most of them apply. About one in ten is deliberately
    illegal or unknown, and one in fifty repeats an earlier command.

    :param relabels: share of type upserts, at most 0.01; each adds one command per customer whose next
        interaction is of that type.
    """
    chance = random.Random(seed)
    ids = [derive_id("test-entity", str(seed), str(number)) for number in range(entities)]
    known: dict[str, list[str]] = {entity: [] for entity in ids}
    done: list[dict[str, Any]] = []
    for number, entity in enumerate(ids):
        kind = "person" if number % 3 else "company"
        yield event(
            "entity.upsert",
            entity,
            {"id": entity, "kind": kind, "displayName": f"Customer {number}"},
            command_id=f"{seed}-entity-{number}",
        )
    for number in range(commands - entities):
        if done and chance.random() < 0.02:
            yield chance.choice(done)
            continue
        hot = chance.random() < _ZIPF_HOT
        entity = ids[chance.randrange(3)] if hot else chance.choice(ids)
        message = _command(chance, f"{seed}-{number}", entity, known, done, relabels)
        done.append(message)
        if len(done) > 500:
            del done[:250]
        yield message


def _instant(chance: random.Random) -> str:
    day, hour, minute = chance.randint(1, 28), chance.randint(8, 17), chance.choice((0, 15, 30, 45))
    return f"2027-{chance.randint(1, 3):02d}-{day:02d}T{hour:02d}:{minute:02d}:00Z"


def _command(
    chance: random.Random,
    command_id: str,
    entity: str,
    known: dict[str, list[str]],
    done: list[dict[str, Any]],
    relabels: float,
) -> dict[str, Any]:
    mine = known[entity]
    roll = chance.random()
    target = chance.choice(mine) if mine and chance.random() > 0.03 else derive_id("nothing", command_id)
    if roll < 0.35 or not mine:
        identity = derive_id("interaction", TENANT, ORGANIZATION, command_id)
        mine.append(identity)
        data: dict[str, Any] = {"interactionType": chance.choice(_TYPES)}
        if chance.random() < 0.8:
            data["scheduledAt"] = _instant(chance)
        if chance.random() < 0.5:
            data["priority"] = chance.randint(0, 3)
        if chance.random() < 0.1:
            data["occurredAt"] = "2026-01-10T10:00:00Z"
        return event("interaction.create", entity, data, command_id=command_id)
    if roll < 0.55:
        data = {"id": target, "scheduledAt": _instant(chance)}
        if chance.random() < 0.3:
            data["title"] = f"Title {chance.randint(0, 5)}"
        if chance.random() < 0.1:
            data["sourceTimestamp"] = "2026-01-01T00:00:00Z"
        return event("interaction.update", entity, data, command_id=command_id)
    if roll < 0.90:
        kind = chance.choice(("complete", "complete", "cancel", "reopen", "delete"))
        return event(f"interaction.{kind}", entity, {"id": target}, command_id=command_id)
    if roll < 0.97:
        earlier = [m for m in done[-40:] if m["entityid"] == entity] or done[-1:]
        wanted = chance.choice(earlier)["id"] if earlier else command_id
        return event("interaction.undo", entity, {"commandId": wanted}, command_id=command_id)
    if roll < 0.98 or roll >= 0.99 + relabels:
        return event("interaction.recompute_next", entity, {}, command_id=command_id)
    if roll < 0.99:
        return event(
            "interaction.create", entity, {"interactionType": "call", "nope": 1}, command_id=command_id
        )
    if roll < 0.992:
        flag = {"flag": "customers.interactions.external-sync", "enabled": chance.random() < 0.5}
        return event("feature_flag.set", TENANT, flag, command_id=command_id)
    return event(
        "interaction_type.upsert",
        ORGANIZATION,
        {"interactionType": chance.choice(_TYPES), "label": f"Label {chance.randint(0, 3)}"},
        command_id=command_id,
    )
