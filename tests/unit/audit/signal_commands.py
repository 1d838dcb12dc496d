"""Random commands on signals and drafts, likely to conflict: few signals per customer, and drafts of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.unit.audit.machine import Machine, make_id

ENTITIES = tuple(make_id(f"customer-{n}") for n in range(3))
_WEIGHTS = {
    "entity.upsert": 2,
    "interaction.create": 7,
    "interaction.update": 4,
    "interaction.complete": 2,
    "interaction.delete": 3,
    "interaction.undo": 25,
    "interaction.fix": 10,
    "signal.record": 18,
    "signal.update": 7,
    "signal.resolve": 16,
    "signal.attach_draft": 18,
    "signal.fail_draft": 4,
    "signal.skip": 5,
    "signal.reopen": 7,
    "draft.update": 6,
    "draft.mark_sent": 3,
    "draft.delete": 5,
    "draft.restore": 4,
}
#: Command type → status in which it applies.
_STATUSES = {
    "signal.resolve": ("open",),
    "signal.attach_draft": ("resolving",),
    "signal.fail_draft": ("resolving",),
    "signal.skip": ("open",),
    "signal.reopen": ("resolved", "skipped"),
}
_KINDS = ("promise", "Question", "risk ")


def signal_command(chance: random.Random, m: Machine, entity: str) -> tuple[str, dict[str, Any]]:
    """Generate the type and data of one command of a customer; rarely, it names rows of another one."""
    maybe: dict[str, Any] = {}
    if chance.random() < 0.1:
        maybe["expectedVersion"] = chance.randint(0, 12)
    if chance.random() < 0.05:
        maybe["validateOnly"] = True
    if chance.random() < 0.15:
        maybe["sourceTimestamp"] = (m.now - timedelta(seconds=chance.randint(0, 30))).isoformat()
    owner = entity if chance.random() < 0.97 else chance.choice(ENTITIES)
    kind = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if chance.random() < 0.9:
        kind = _possible(m, kind, owner)
    return kind, {**_data(chance, m, kind, owner), **maybe}


def _possible(m: Machine, kind: str, owner: str) -> str:
    """Replace a command that has nothing to change by one that adds it."""
    work = m.work
    if kind.startswith("draft.") and not _of(work.drafts, owner):
        kind = "signal.attach_draft"
    if kind == "signal.attach_draft" and not _of(work.signals, owner, "resolving"):
        kind = "signal.resolve"
    if kind.startswith("signal.") and not _of(work.signals, owner):
        kind = "signal.record"
    if kind in ("signal.record", "interaction.fix") and not _of(work.interactions, owner):
        kind = "interaction.create"
    return kind


def _of(rows: Mapping[str, Any], owner: str, *statuses: str) -> list[str]:
    """Ids of the rows of a customer, of some statuses."""
    return sorted(
        row.id for row in rows.values() if row.entity_id == owner and (not statuses or row.status in statuses)
    )


def _data(chance: random.Random, m: Machine, kind: str, owner: str) -> dict[str, Any]:
    family = kind.partition(".")[0]
    if kind == "entity.upsert":
        return {"id": owner, "kind": chance.choice(["person", "person", "company"]), "displayName": "x"}
    if kind == "interaction.undo":
        wanted = ("applied",) if chance.random() < 0.9 else ("rejected", "no_op")
        recent = [
            row["command_id"]
            for row in m.journal[-15:]
            if row["entity_id"] == owner and row["outcome"] in wanted
        ]
        return {"commandId": chance.choice(recent or ["none"])}
    if family == "interaction":
        return {"id": _interaction(chance, m, owner), **_interaction_data(chance, m, kind, owner)}
    if family == "draft":
        return {"id": _draft(chance, m, owner), **_draft_data(chance, kind)}
    if kind == "signal.record":
        named = {} if chance.random() < 0.2 else {"id": make_id(f"signal-{owner}-{chance.randint(1, 4)}")}
        required = {"interactionId": _interaction(chance, m, owner), "kind": "promise", "title": "a"}
        return {**required, **_fields(chance), **named}
    signal = _signal(chance, m, owner, *_STATUSES.get(kind, ()))
    return {"id": signal, **_signal_data(chance, m, kind, signal)}


def _interaction(chance: random.Random, m: Machine, owner: str) -> str:
    known = _of(m.work.interactions, owner)
    if known and chance.random() < 0.85:
        return chance.choice(known)
    return make_id(f"interaction-{owner}-{chance.randint(1, 3)}")


def _interaction_data(chance: random.Random, m: Machine, kind: str, owner: str) -> dict[str, Any]:
    if kind == "interaction.create":
        return {"interactionType": "call", "scheduledAt": m.now.isoformat()}
    data: dict[str, Any] = {}
    if kind in ("interaction.update", "interaction.fix"):
        if chance.random() < 0.5:
            data["title"] = chance.choice(["a", "b", None])
        if chance.random() < 0.2:
            data["status"] = chance.choice(["planned", "done"])
    if kind == "interaction.fix":
        count = chance.choice((0, 1, 1, 2, 3))
        data["signals"] = [{"id": _signal(chance, m, owner), **_fields(chance)} for _ in range(count)]
        for item in data["signals"]:
            if chance.random() < 0.2:
                item["clear"] = ["body"]
    return data


def _signal(chance: random.Random, m: Machine, owner: str, *statuses: str) -> str:
    """Choose a signal, most often one in the given status."""
    fitting, known = _of(m.work.signals, owner, *statuses), _of(m.work.signals, owner)
    if fitting and chance.random() < 0.7:
        return chance.choice(fitting)
    if known and chance.random() < 0.9:
        return chance.choice(known)
    return make_id(f"signal-{owner}-{chance.randint(1, 4)}")


def _draft(chance: random.Random, m: Machine, owner: str) -> str:
    known = _of(m.work.drafts, owner)
    return chance.choice(known) if known and chance.random() < 0.95 else make_id("no draft")


def _fields(chance: random.Random) -> dict[str, Any]:
    choices: dict[str, tuple[Any, ...]] = {
        "kind": _KINDS,
        "title": ("a", "b" * 60),
        "body": ("x", "y" * 80, None),
        "personId": (make_id("person"), None),
        "confidence": (0, 100, None),
    }
    return {name: chance.choice(values) for name, values in choices.items() if chance.random() < 0.4}


def _signal_data(chance: random.Random, m: Machine, kind: str, signal: str) -> dict[str, Any]:
    row = m.work.signals.get(signal)
    resolution = (row.resolution if row is not None else None) or 1
    if chance.random() < 0.1:
        resolution += 1
    if kind == "signal.update":
        return _fields(chance)
    if kind == "signal.resolve":
        more = {"instruction": "short", "language": "de"} if chance.random() < 0.3 else {}
        return {"channel": chance.choice(("text", "email", "call")), **more}
    if kind == "signal.attach_draft":
        body = chance.choice(("Dear", "d" * 70, "Dear", " \n"))
        return {
            "resolution": resolution,
            "body": body,
            "writer": "template",
            "subject": chance.choice(("s", None)),
        }
    if kind == "signal.fail_draft":
        return {"resolution": resolution, "code": "writer_timeout", "detail": chance.choice(("d", None))}
    return {"reason": "settled"} if kind == "signal.skip" and chance.random() < 0.5 else {}


def _draft_data(chance: random.Random, kind: str) -> dict[str, Any]:
    if kind == "draft.update":
        return {"body": chance.choice(("Dear", "e" * 70, "\t")), "subject": chance.choice(("t", None))}
    if kind == "draft.mark_sent" and chance.random() < 0.5:
        return {"sentAt": "2026-03-02T07:00:00Z"}
    return {}
