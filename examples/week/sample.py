"""One command of the generated week, with its expected outcome."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

SOURCE = "urn:example:week"


@dataclass(frozen=True, slots=True)
class Scope:
    """A tenant and one of its organizations, by id."""

    tenant_id: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A command and its expected outcome.

    :param made_at: when the source made it; samples of one entity stay in this order.
    :param event: the structured CloudEvent, as JSON-compatible values.
    :param outcome: ``applied``, ``no_op``, ``duplicate`` or ``rejected``.
    :param code: the problem's ``code``, when rejected.
    """

    made_at: datetime
    event: dict[str, Any]
    outcome: str = "applied"
    code: str | None = None


def new_id(rng: random.Random) -> str:
    """A random UUID (version 4) from the seeded generator."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def instant(moment: datetime) -> str:
    """An instant in RFC 3339, UTC, as commands carry it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cloud_event(
    rng: random.Random, scope: Scope, kind: str, entity_id: str, *, made_at: datetime, data: dict[str, Any]
) -> dict[str, Any]:
    """A structured CloudEvents 1.0 command; ``kind`` is its type without ``customers.``."""
    return {
        "specversion": "1.0",
        "id": new_id(rng),
        "source": SOURCE,
        "type": f"customers.{kind}",
        "time": instant(made_at),
        "datacontenttype": "application/json",
        "tenantid": scope.tenant_id,
        "organizationid": scope.organization_id,
        "entityid": entity_id,
        "data": {**data, "sourceTimestamp": instant(made_at)},
    }
