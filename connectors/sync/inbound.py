"""From the provider to here: its changes become commands, and their fate becomes what is agreed.

Commands are on disk before they are sent, and stay there until the command log knows them. While they
do, the unit waits: a push now could bring an old value back over a change that is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.interactions import CommandFate, Subject, command_fates, read_subject
from connectors.store.ledger import drop_other, set_pending
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import await_import, delete_mapping, mapping_of
from connectors.store.warnings import about, raise_warning
from connectors.sync.adoption import adopt, owner_of
from connectors.sync.commands import Origin, PulledCommand, changing, creating
from connectors.sync.context import Stock
from connectors.sync.mass_change_guard import admit_deletion
from connectors.sync.merge import GUARDED
from connectors.sync.missing import confirm_gone
from connectors.sync.values import Agreed, Base, base_from_json, base_to_json, canonical_hash, to_json
from schemas.errors import Reject
from schemas.instants import format_instant, parse_instant

_SHORTEST: Final = timedelta(milliseconds=50)
_LONGEST: Final = timedelta(seconds=2)


def settle(stock: Stock) -> timedelta | None:
    """Take up commands of an earlier run: how long to wait for outcomes, ``None`` when all are known.

    :raises Reject: an import was refused by the rules; its warning says why.
    """
    link, unit = stock.link, stock.unit
    pending = unit.pending or {}
    commands = [PulledCommand.from_json(stored) for stored in pending["commands"]]
    fates = command_fates(
        stock.connection, unit.tenant_id, unit.organization_id, [command.id for command in commands]
    )
    if len(fates) < len(commands):
        age = link.now() - parse_instant(pending["sentAt"])
        if age >= link.resend_after:
            _send(stock, pending, commands, again=True)
            return _SHORTEST
        return min(_LONGEST, max(_SHORTEST, age / 2))
    _take_fates(stock, commands, fates, base_from_json(pending["values"]))
    return None


def _take_fates(
    stock: Stock, commands: list[PulledCommand], fates: Mapping[str, CommandFate], values: Base
) -> None:
    unit = stock.unit
    refused = {
        name: fates[command.id].code or "rejected"
        for command in commands
        if fates[command.id].outcome == "rejected"
        for name in command.fields
    }
    mapping = mapping_of(stock.connection, unit.integration_id, unit.interaction_id)
    entity_id = commands[0].entity_id
    subject = read_subject(stock.connection, unit.tenant_id, unit.organization_id, unit.interaction_id)
    imports = mapping is not None and mapping.base is None
    with stock.holding():
        set_pending(stock.connection, unit, None, entity_id)
        if mapping is not None and not (imports and refused):
            base = base_from_json(mapping.base or {})
            base.update({name: agreed for name, agreed in values.items() if name not in refused})
            stock.store_mapping(mapping, base, None)
        if subject is not None and mapping is not None and not mapping.gone:
            for name, code in refused.items():
                _note_refusal(stock, subject, name, values[name], code)
    if imports and refused:
        raise Reject("import_refused", f"the rules refuse this object: {', '.join(set(refused.values()))}")
    stock.tell_mapping_changed()


def _note_refusal(stock: Stock, subject: Subject, name: str, agreed: Agreed, code: str) -> None:
    raise_warning(
        stock.connection,
        about(
            stock.unit,
            "refused",
            f"the provider's value was refused here: {code}",
            entity_id=subject.entity_id,
            field=name,
            local_value=to_json(subject.values[name]),
            remote_value=to_json(agreed.remote),
        ),
    )


def pull(
    stock: Stock,
    mapping: MappingRow,
    base: Base,
    subject: Subject,
    pulled: Mapping[str, Agreed],
    remote: RemoteObject,
) -> None:
    """Send the provider's changes as commands; on return Kafka has them."""
    commands = changing(
        _origin(stock, subject.entity_id, remote),
        subject.values["status"],
        {name: subject.as_of[name] for name in GUARDED},
        pulled,
        changed_at=stock.changed_at(remote),
        now=stock.link.now(),
    )
    pending = _pending(stock, commands, pulled)
    with stock.holding():
        stock.store_mapping(mapping, base, remote)
        set_pending(stock.connection, stock.unit, pending, subject.entity_id)
    _send(stock, pending, commands)


def take_over(stock: Stock, mapping: MappingRow) -> None:
    """Make an interaction of an object that appeared at the provider, or find that it is ours."""
    link, unit, connection = stock.link, stock.unit, stock.connection
    remote = link.provider.read(mapping.external_id)
    if isinstance(remote, Gone):
        remote = confirm_gone(stock, mapping, remote)
    moved = _moved_mirror(stock, remote)
    with stock.holding():
        still = mapping_of(connection, unit.integration_id, unit.interaction_id)
        mine = still is not None and still.base is None and still.external_id == mapping.external_id
        if mine:
            delete_mapping(connection, unit.integration_id, unit.interaction_id)
        if isinstance(remote, Gone) or not mine or _is_ours(stock, remote) or moved:
            # Gone again, or an object that another run of ours has made, or one that was moved here.
            drop_other(connection, unit.integration_id, unit.interaction_id)
            return
        await_import(connection, mapping)
        entity_id = link.policy.entity_id
        if entity_id is None:
            raise Reject("no_customer", "the policy names no customer for objects that appear")
        incoming = {
            mirrored.name: remote.values.get(mirrored.name)
            for mirrored in link.declaration.fields
            if mirrored.direction != "out"
        }
        command = creating(
            _origin(stock, entity_id, remote),
            incoming,
            interaction_type=link.policy.interaction_type,
            changed_at=stock.changed_at(remote),
            now=link.now(),
        )
        pending = _pending(stock, [command], {name: Agreed(value, value) for name, value in incoming.items()})
        set_pending(connection, unit, pending, entity_id)
    _send(stock, pending, [command])


def _moved_mirror(stock: Stock, remote: RemoteObject | Gone) -> bool:
    """Report whether the object is a mirror that is not at its old place any more; its own item links it."""
    link = stock.link
    if isinstance(remote, Gone) or remote.marker is None:
        return False
    owner = owner_of(link, stock.connection, remote.marker)
    known = mapping_of(stock.connection, link.integration.id, owner) if owner is not None else None
    if known is None or known.external_id == remote.external_id:
        return False
    return isinstance(link.provider.read(known.external_id), Gone)


def _is_ours(stock: Stock, remote: RemoteObject) -> bool:
    marker = remote.marker
    return marker is not None and adopt(stock.link, stock.connection, remote.external_id, marker)


def detach(stock: Stock, mapping: MappingRow, subject: Subject, gone: Gone) -> None:
    """End the mirror of an object that was deleted for good; the interaction's history stays.

    :raises MassChange: the guard holds the deletion back.
    """
    link, unit = stock.link, stock.unit
    commands: list[PulledCommand] = []
    pulled = {"status": Agreed("canceled", None)}
    cancels = link.policy.on_remote_delete == "cancel" and gone.elsewhere is None
    if cancels and subject.values["status"] == "planned":
        origin = _origin(stock, subject.entity_id, RemoteObject(external_id=mapping.external_id, values={}))
        commands = changing(
            origin,
            "planned",
            subject.as_of,
            pulled,
            changed_at=unit.remote_changed_at,
            now=link.now(),
        )
    pending = _pending(stock, commands, pulled)
    with stock.holding():
        admit_deletion(link, stock.connection)
        stock.store_mapping(mapping, base_from_json(mapping.base or {}), None, gone=True)
        raise_warning(
            stock.connection,
            about(
                unit,
                "detached",
                f"{gone.elsewhere or 'the object was deleted at the provider'}; retry makes a new one,"
                " and an object that comes back is linked again",
                entity_id=subject.entity_id,
                external_id=mapping.external_id,
            ),
        )
        if commands:
            set_pending(stock.connection, unit, pending, subject.entity_id)
    if commands:
        _send(stock, pending, commands)
    stock.tell_mapping_changed()


def reopen(stock: Stock, mapping: MappingRow, subject: Subject) -> None:
    """Take back the cancellation that :func:`detach` sent: a person wants the interaction and its mirror."""
    link = stock.link
    pulled = {"status": Agreed("planned", None)}
    commands = changing(
        _origin(stock, subject.entity_id, RemoteObject(external_id=mapping.external_id, values={})),
        subject.values["status"],
        subject.as_of,
        pulled,
        changed_at=None,
        now=link.now(),
    )
    pending = _pending(stock, commands, pulled)
    base = base_from_json(mapping.base or {}) | pulled
    with stock.holding():
        stock.store_mapping(mapping, base, None)
        set_pending(stock.connection, stock.unit, pending, subject.entity_id)
    _send(stock, pending, commands)


def canceled_by_detaching(mapping: MappingRow, subject: Subject) -> bool:
    """Report whether the interaction is canceled because its object was deleted, and for no other reason."""
    agreed = base_from_json(mapping.base or {}).get("status")
    return subject.values["status"] == "canceled" and agreed == Agreed("canceled", None)


def _origin(stock: Stock, entity_id: str, remote: RemoteObject) -> Origin:
    unit, integration = stock.unit, stock.link.integration
    marked = unit.remote_mark > unit.remote_done
    seen = f"read:{remote.external_id}:{remote.version or canonical_hash(remote.values)}"
    return Origin(
        integration_id=integration.id,
        provider=integration.provider,
        tenant_id=unit.tenant_id,
        organization_id=unit.organization_id,
        entity_id=entity_id,
        interaction_id=unit.interaction_id,
        event_id=(unit.remote_event_id if marked else None) or seen,
        number=unit.pulls,
    )


def _pending(stock: Stock, commands: list[PulledCommand], values: Mapping[str, Agreed]) -> dict[str, Any]:
    return {
        "commands": [command.to_json() for command in commands],
        "values": base_to_json(values),
        "sentAt": format_instant(stock.link.now()),
    }


def _send(
    stock: Stock, pending: dict[str, Any], commands: list[PulledCommand], *, again: bool = False
) -> None:
    if again:
        renewed = {**pending, "sentAt": format_instant(stock.link.now())}
        with stock.holding():
            set_pending(stock.connection, stock.unit, renewed, commands[0].entity_id)
    stock.link.reach("connector-after-pending-before-send")
    stock.link.send(commands)
    stock.link.reach("connector-after-send-before-result")
    stock.sent = True
