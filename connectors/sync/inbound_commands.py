"""Build the commands for a provider's changes, as a publisher would have sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic.alias_generators import to_camel

from connectors.sync.values import Agreed, to_json
from domain.merge import LAST_WRITE_WINS
from schemas.identity import derive_id
from schemas.instants import format_instant

_PREFIX: Final = "customers.interaction."
_VERBS: Final = {"planned": "reopen", "done": "complete", "canceled": "cancel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundCommand:
    """Command derived from a provider's change.

    :param fields: mirrored fields whose value this command sets.
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
        """JSON form stored in the ledger's ``pending`` column."""
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
        """Read a command back from the ledger's ``pending`` column."""
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


Ends = Mapping[int, int]


class SendCommands(Protocol):
    """Publish commands; return once Kafka has acknowledged all of them with ``acks=all``.

    :returns: partition → offset after the last of them; ``None`` if it is not known.
    :raises Retry: some were not acknowledged. Sending the same commands again is safe.
    """

    def __call__(self, commands: Sequence[InboundCommand]) -> Ends | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Source of the commands of one pull.

    :param event_id: the provider's id of the event that reported the change.
    :param number: ordinal of this pull; keeps command ids unique across pulls.
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
    """Build the command that imports a remote object as a new interaction."""
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
    """Build the commands that set an interaction to the pulled values: fields first, then status.

    Whatever the provider's clock says, the change is causally later than the last agreed values. Its source
    timestamp is therefore never older than the timestamp it replaces, and never in the future.

    :param status: the interaction's current status.
    :param as_of: source timestamps of its last-write-wins fields.
    """
    return list(_change_commands(origin, status, as_of, pull, min(changed_at or now, now)))


def _change_commands(
    origin: Origin, status: str, as_of: Mapping[str, datetime], pull: Mapping[str, Agreed], made: datetime
) -> Iterator[InboundCommand]:
    wanted = pull["status"].local if "status" in pull else status
    status_changes = wanted != status
    with_status = {"status"} | ({"occurred_at"} if status_changes and wanted != "canceled" else set())
    plain = tuple(name for name in pull if name not in with_status)
    if plain:
        stamp = max([made, *(as_of[name] for name in plain if name in LAST_WRITE_WINS)])
        data = {to_camel(name): to_json(pull[name].local) for name in plain}
        yield origin.command("update", {**data, "sourceTimestamp": format_instant(stamp)}, plain)
    if not status_changes:
        return
    stamp = max(made, as_of["status"], as_of["occurred_at"])
    fields = tuple(name for name in pull if name in with_status)
    if status != "planned" and wanted != "planned":
        yield origin.command("reopen", {"sourceTimestamp": format_instant(stamp)}, ())
    data = {"sourceTimestamp": format_instant(stamp)}
    if wanted == "done" and "occurred_at" in pull and pull["occurred_at"].local is not None:
        data["occurredAt"] = to_json(pull["occurred_at"].local)
    yield origin.command(_VERBS[wanted], data, fields)
