"""A bank's real customer work items as commands, and an independent computation of the expected rows.

Data: BPI Challenge 2012, subset W (doi 10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f, B. van Dongen).
The file is not part of the project. ``INTERACTIONS_BANK_DATA`` names it; by default it is looked up next to
the checkout.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

TENANT = "b5a7c1f0-0000-4000-8000-000000000001"
ORGANIZATION = "b5a7c1f0-0000-4000-8000-000000000002"
_TYPES = {
    "W_Completeren aanvraag": "call",
    "W_Nabellen offertes": "follow_up_call",
    "W_Nabellen incomplete dossiers": "document_request",
    "W_Valideren aanvraag": "review",
    "W_Afhandelen leads": "lead",
    "W_Beoordelen fraude": "fraud_check",
    "W_Wijzigen contractgegevens": "contract_change",
}


def bank_file() -> Path | None:
    """Path of the data file, if it exists."""
    named = os.environ.get("INTERACTIONS_BANK_DATA")
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bank_follow_ups.csv.gz"
    path = Path(named) if named else beside
    return path if path.exists() else None


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "bank/" + "/".join(parts)))


@dataclass
class Item:
    """One expected interaction."""

    id: str
    kind: str
    create_command: str
    status: str = "planned"
    scheduled: str | None = None
    occurred: str | None = None
    owner: str | None = None
    version: int = 1


@dataclass
class Case:
    """One expected customer."""

    id: str
    items: list[Item] = field(default_factory=list)


class Bank:
    """Reader of the file; ``commands`` yields the events to publish and fills ``cases``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cases: list[Case] = []
        self.sent = 0

    def commands(self) -> Iterator[dict[str, Any]]:
        with gzip.open(self._path, "rt", encoding="utf-8", newline="") as file:
            for name, rows in groupby(csv.DictReader(file), lambda row: row["case_id"]):
                for command in self._case(name, list(rows)):
                    self.sent += 1
                    yield command

    def _case(self, name: str, rows: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        case = Case(_id("case", name))
        self.cases.append(case)
        upsert = {"id": case.id, "kind": "person", "displayName": f"Case {name}"}
        yield self._event("entity.upsert", case, f"{name}-entity", upsert)
        for number, row in enumerate(rows):
            transition, at = row["transition"], row["timestamp"]
            kind = _TYPES[row["activity"].removesuffix(f"+{transition}")]
            command_id = f"bank-{name}-{number}"
            opened = next(
                (item for item in case.items if item.kind == kind and item.status == "planned"), None
            )
            if transition == "COMPLETE":
                if opened is None:
                    continue
                opened.status, opened.occurred = "done", at
                opened.version += 1
                yield self._event(
                    "interaction.complete", case, command_id, {"id": opened.id, "occurredAt": at}
                )
            elif transition == "START" and opened is not None:
                data: dict[str, Any] = {"id": opened.id, "scheduledAt": at}
                owner = row["resource"]
                if owner and owner != "nan":
                    data["ownerUserId"] = _id("resource", owner)
                changes = opened.scheduled != at or data.get("ownerUserId", opened.owner) != opened.owner
                opened.scheduled, opened.owner = at, data.get("ownerUserId", opened.owner)
                opened.version += changes
                yield self._event("interaction.update", case, command_id, data)
            elif transition in ("SCHEDULE", "START"):
                item = Item(_id("item", name, str(number)), kind, command_id, scheduled=at)
                case.items.append(item)
                data = {"id": item.id, "interactionType": kind, "status": "planned", "scheduledAt": at}
                yield self._event("interaction.create", case, command_id, data)
            else:
                raise AssertionError(f"unknown transition {transition!r}")

    def _event(self, kind: str, case: Case, command_id: str, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": command_id,
            "source": "/bank",
            "type": f"customers.{kind}",
            "tenantid": TENANT,
            "organizationid": ORGANIZATION,
            "entityid": case.id,
            "data": data,
        }
