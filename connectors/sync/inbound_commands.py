"""From a provider's changes to commands: what a publisher would have sent for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic.alias_generators import to_camel

from connectors.sync.merge import GUARDED
from connectors.sync.values import Agreed, to_json
from schemas.identity import derive_id
from schemas.instants import format_instant

_PREFIX: Final = "customers.interaction."
_TURNS: Final = {"planned": "reopen", "done": "complete", "canceled": "cancel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundCommand:
    """One command made from a provider's change.

    :param fields: the fields that it settles.
    """

    id: str
    type: str
    tenant_id: str
    organization_id: str
    entity_id: str
    sync_origin: str
    data: Mapping[str, Any]
    fields: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The command as it waits in the ledger."""
        return {
            "id": self.id,
            "type": self.type,
            "tenantId": self.tenant_id,
            "organizationId": self.organization_id,
            "entityId": self.entity_id,
            "syncOrigin": self.sync_origin,
            "data": dict(self.data),
            "fields": list(self.fields),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> InboundCommand:
        """A command that waited in the ledger."""
        return cls(
            id=stored["id"],
            type=stored["type"],
            tenant_id=stored["tenantId"],
            organization_id=stored["organizationId"],
            entity_id=stored["entityId"],
            sync_origin=stored["syncOrigin"],
            data=stored["data"],
            fields=tuple(stored["fields"]),
        )


class SendCommands(Protocol):
    """Publishes commands; returns when Kafka has acknowledged every one with ``acks=all``.

    :raises Retry: not all were acknowledged; sending the same ones again does no harm.
    """

    def __call__(self, commands: Sequence[InboundCommand]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the commands of one pull come from.

    :param event_id: the provider's id of the event that told of the change.
    :param number: how manieth pull of this interaction it is: two pulls never share a command id.
    """

    integration_id: str
    provider: str
    tenant_id: str
    organization_id: str
    entity_id: str
    interaction_id: str
    event_id: str
    number: int

    def command(self, verb: str, data: dict[str, Any], fields: tuple[str, ...]) -> InboundCommand:
        identity = derive_id(
            "inbound", self.integration_id, self.interaction_id, self.event_id, str(self.number), verb
        )
        return InboundCommand(
            id=identity,
            type=_PREFIX + verb,
            tenant_id=self.tenant_id,
            organization_id=self.organization_id,
            entity_id=self.entity_id,
            sync_origin=self.integration_id,
            data={"id": self.interaction_id, **data},
            fields=fields,
        )


def create_command(
    origin: Origin,
    values: Mapping[str, Any],
    *,
    interaction_type: str,
    changed_at: datetime | None,
    now: datetime,
) -> InboundCommand:
    """The command that makes an interaction of an object that nobody knew here."""
    data = {to_camel(name): to_json(value) for name, value in values.items() if value is not None}
    data.setdefault("interactionType", interaction_type)
    data["source"] = f"integration:{origin.provider}"
    data["sourceTimestamp"] = format_instant(min(changed_at or now, now))
    return origin.command("create", data, tuple(values))


def change_commands(
    origin: Origin,
    status: str,
    as_of: Mapping[str, datetime],
    pull: Mapping[str, Agreed],
    *,
    changed_at: datetime | None,
    now: datetime,
) -> list[InboundCommand]:
    """The commands that bring an interaction to the pulled values: its fields first, then its status.

    The change is causally later than what both sides agreed on before, whatever the provider's clock
    says; so its source timestamp is never older than what it replaces, and never in the future.

    :param status: the interaction's present status; ``as_of``: source timestamps of its guarded fields.
    """
    return list(_changing(origin, status, as_of, pull, min(changed_at or now, now)))


def _changing(
    origin: Origin, status: str, as_of: Mapping[str, datetime], pull: Mapping[str, Agreed], made: datetime
) -> Iterator[InboundCommand]:
    wanted = pull["status"].local if "status" in pull else status
    turns = wanted != status
    with_status = {"status"} | ({"occurred_at"} if turns and wanted != "canceled" else set())
    plain = tuple(name for name in pull if name not in with_status)
    if plain:
        stamp = max([made, *(as_of[name] for name in plain if name in GUARDED)])
        data = {to_camel(name): to_json(pull[name].local) for name in plain}
        yield origin.command("update", {**data, "sourceTimestamp": format_instant(stamp)}, plain)
    if not turns:
        return
    stamp = max(made, as_of["status"], as_of["occurred_at"])
    settled = tuple(name for name in pull if name in with_status)
    if status != "planned" and wanted != "planned":
        yield origin.command("reopen", {"sourceTimestamp": format_instant(stamp)}, ())
    data = {"sourceTimestamp": format_instant(stamp)}
    if wanted == "done" and "occurred_at" in pull and pull["occurred_at"].local is not None:
        data["occurredAt"] = to_json(pull["occurred_at"].local)
    yield origin.command(_TURNS[wanted], data, settled)
