"""Inbound sync: turn the provider's changes into commands, and their results into agreed values.

Commands are stored in the ledger before they are sent, until the command log has their results. Meanwhile the
item does not push: a push could overwrite an in-flight change with the old value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.interactions import CommandFate, InteractionState, command_fates, read_interaction
from connectors.store.ledger import delete_item
from connectors.store.ledger_intents import note_sent, set_pending
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import await_import, delete_mapping, mapping_of
from connectors.store.warnings import item_warning, raise_warning
from connectors.sync.adoption import adopt, owner_of
from connectors.sync.context import SyncContext
from connectors.sync.inbound_commands import InboundCommand, Origin, change_commands, create_command
from connectors.sync.mass_change_guard import admit_deletion
from connectors.sync.missing import confirm_gone
from connectors.sync.values import Agreed, Base, base_from_json, base_to_json, canonical_hash, to_json
from domain.merge import LAST_WRITE_WINS
from schemas.errors import Reject
from schemas.instants import format_instant, parse_instant

_FAILED: Final = CommandFate("rejected", "internal_error")
_SHORTEST: Final = timedelta(milliseconds=50)
_LONGEST: Final = timedelta(seconds=2)


def resolve_pending(context: SyncContext) -> timedelta | None:
    """Resolve the pending commands of an earlier run.

    :return: time to wait for missing results; ``None`` once all are known.
    :raises Reject: the domain rules refused an import; its warning says why.
    """
    session, item = context.session, context.item
    pending = item.pending or {}
    commands = [InboundCommand.from_json(stored) for stored in pending["commands"]]
    # Hazard: in this order, or a command that is applied in between looks like one that failed.
    passed = "ends" in pending and session.have_passed(context.connection, dict(pending["ends"]))
    fates = command_fates(
        context.connection, item.tenant_id, item.organization_id, [command.id for command in commands]
    )
    if passed:
        # The pipeline failed on those without a row: they are dead letters.
        fates = {command.id: _FAILED for command in commands} | fates
    if len(fates) < len(commands):
        age = session.now() - parse_instant(pending["sentAt"])
        if age >= session.resend_after:
            _send(context, pending, commands, again=True)
            return _SHORTEST
        return min(_LONGEST, max(_SHORTEST, age / 2))
    _apply_results(context, commands, fates, base_from_json(pending["values"]))
    return None


def _apply_results(
    context: SyncContext, commands: list[InboundCommand], fates: Mapping[str, CommandFate], values: Base
) -> None:
    item = context.item
    refused = {
        name: fates[command.id].code or "rejected"
        for command in commands
        if fates[command.id].outcome == "rejected"
        for name in command.fields
    }
    mapping = mapping_of(context.connection, item.integration_id, item.interaction_id)
    entity_id = commands[0].entity_id
    subject = read_interaction(context.connection, item.tenant_id, item.organization_id, item.interaction_id)
    imports = mapping is not None and mapping.base is None
    with context.leased_transaction():
        set_pending(context.connection, item, None, entity_id)
        if mapping is not None and not (imports and refused):
            base = base_from_json(mapping.base or {})
            base.update({name: agreed for name, agreed in values.items() if name not in refused})
            context.store_mapping(mapping, base, None)
        if subject is not None and mapping is not None and not mapping.gone:
            for name, code in refused.items():
                _note_refusal(context, subject, name, values[name], code)
    if imports and refused:
        raise Reject("import_refused", f"this object cannot be imported: {', '.join(set(refused.values()))}")
    context.tell_views()


def _note_refusal(
    context: SyncContext, subject: InteractionState, name: str, agreed: Agreed, code: str
) -> None:
    raise_warning(
        context.connection,
        item_warning(
            context.item,
            "refused",
            f"the provider's value was rejected: {code}",
            entity_id=subject.entity_id,
            field=name,
            local_value=to_json(subject.values[name]),
            remote_value=to_json(agreed.remote),
        ),
    )


def pull(
    context: SyncContext,
    mapping: MappingRow,
    base: Base,
    subject: InteractionState,
    pulled: Mapping[str, Agreed],
    remote: RemoteObject,
) -> None:
    """Send the provider's changes as commands; Kafka has acknowledged them on return."""
    commands = change_commands(
        _origin(context, subject.entity_id, remote),
        subject.values["status"],
        {name: subject.as_of[name] for name in LAST_WRITE_WINS},
        pulled,
        changed_at=context.changed_at(remote),
        now=context.session.now(),
    )
    pending = _pending(context, commands, pulled)
    with context.leased_transaction():
        context.store_mapping(mapping, base, remote)
        set_pending(context.connection, context.item, pending, subject.entity_id)
    _send(context, pending, commands)


def import_object(context: SyncContext, mapping: MappingRow) -> None:
    """Import an object that appeared at the provider, unless it turns out to be our own mirror."""
    session, item, connection = context.session, context.item, context.connection
    remote = session.provider.read(mapping.external_id)
    if isinstance(remote, Gone):
        remote = confirm_gone(context, mapping, remote)
    moved = _moved_mirror(context, remote)
    with context.leased_transaction():
        current = mapping_of(connection, item.integration_id, item.interaction_id)
        awaiting = current is not None and current.base is None and current.external_id == mapping.external_id
        if awaiting:
            delete_mapping(connection, item.integration_id, item.interaction_id)
        if isinstance(remote, Gone) or not awaiting or _is_ours(context, remote) or moved:
            # Deleted meanwhile, created by an earlier run, or moved here.
            delete_item(connection, item.integration_id, item.interaction_id)
            return
        await_import(connection, mapping)
        entity_id = session.policy.entity_id
        if entity_id is None:
            raise Reject("no_customer", "the policy has no entity_id, so new objects have no customer")
        incoming = {
            mirrored.name: remote.values.get(mirrored.name)
            for mirrored in session.declaration.fields
            if mirrored.direction != "out"
        }
        command = create_command(
            _origin(context, entity_id, remote),
            incoming,
            interaction_type=session.policy.interaction_type,
            changed_at=context.changed_at(remote),
            now=session.now(),
        )
        pending = _pending(
            context, [command], {name: Agreed(value, value) for name, value in incoming.items()}
        )
        set_pending(connection, item, pending, entity_id)
    if not incoming.keys() <= remote.values.keys():
        context.note_unseen_changes()  # the next run warns about the fields that cannot be read
    _send(context, pending, [command])


def _moved_mirror(context: SyncContext, remote: RemoteObject | Gone) -> bool:
    """Report whether the object is a mirror that left its old place; the item of that mirror adopts it."""
    session = context.session
    if isinstance(remote, Gone) or remote.marker is None:
        return False
    owner = owner_of(session, context.connection, remote.marker)
    known = mapping_of(context.connection, session.integration.id, owner) if owner is not None else None
    if known is None or known.external_id == remote.external_id:
        return False
    return isinstance(session.provider.read(known.external_id), Gone)


def _is_ours(context: SyncContext, remote: RemoteObject) -> bool:
    marker = remote.marker
    return marker is not None and adopt(context.session, context.connection, remote.external_id, marker)


def detach(context: SyncContext, mapping: MappingRow, subject: InteractionState, gone: Gone) -> None:
    """Detach the mirror of an object that was permanently deleted; the interaction's history stays.

    :raises MassChange: the mass-change guard holds the deletion back.
    """
    session, item = context.session, context.item
    commands: list[InboundCommand] = []
    pulled = {"status": Agreed("canceled", None)}
    cancels = session.policy.on_remote_delete == "cancel" and gone.elsewhere is None
    if cancels and subject.values["status"] == "planned":
        origin = _origin(context, subject.entity_id, RemoteObject(external_id=mapping.external_id, values={}))
        commands = change_commands(
            origin,
            "planned",
            subject.as_of,
            pulled,
            changed_at=item.remote_changed_at,
            now=session.now(),
        )
    pending = _pending(context, commands, pulled)
    with context.leased_transaction():
        admit_deletion(session, context.connection)
        context.store_mapping(mapping, base_from_json(mapping.base or {}), None, gone=True)
        raise_warning(
            context.connection,
            item_warning(
                item,
                "detached",
                f"{gone.elsewhere or 'the object was deleted at the provider'}. Retry creates a new"
                " one; if the object comes back, it is mirrored again",
                entity_id=subject.entity_id,
                external_id=mapping.external_id,
            ),
        )
        if commands:
            set_pending(context.connection, item, pending, subject.entity_id)
    if commands:
        _send(context, pending, commands)
    context.tell_views()


def reopen(context: SyncContext, mapping: MappingRow, subject: InteractionState) -> None:
    """Undo the cancellation that :func:`detach` sent, because a person wants the mirror back."""
    session = context.session
    pulled = {"status": Agreed("planned", None)}
    commands = change_commands(
        _origin(context, subject.entity_id, RemoteObject(external_id=mapping.external_id, values={})),
        subject.values["status"],
        subject.as_of,
        pulled,
        changed_at=None,
        now=session.now(),
    )
    pending = _pending(context, commands, pulled)
    base = base_from_json(mapping.base or {}) | pulled
    with context.leased_transaction():
        context.store_mapping(mapping, base, None)
        set_pending(context.connection, context.item, pending, subject.entity_id)
    _send(context, pending, commands)


def canceled_by_detaching(mapping: MappingRow, subject: InteractionState) -> bool:
    """Report whether the deletion of its object is the only reason why the interaction is canceled."""
    agreed = base_from_json(mapping.base or {}).get("status")
    return subject.values["status"] == "canceled" and agreed == Agreed("canceled", None)


def _origin(context: SyncContext, entity_id: str, remote: RemoteObject) -> Origin:
    item, integration = context.item, context.session.integration
    marked = item.remote_mark > item.remote_done
    seen = f"read:{remote.external_id}:{remote.version or canonical_hash(remote.values)}"
    return Origin(
        integration_id=integration.id,
        provider=integration.provider,
        tenant_id=item.tenant_id,
        organization_id=item.organization_id,
        entity_id=entity_id,
        interaction_id=item.interaction_id,
        event_id=(item.remote_event_id if marked else None) or seen,
        number=item.pulls,
    )


def _pending(
    context: SyncContext, commands: list[InboundCommand], values: Mapping[str, Agreed]
) -> dict[str, Any]:
    return {
        "commands": [command.to_json() for command in commands],
        "values": base_to_json(values),
        "sentAt": format_instant(context.session.now()),
    }


def _send(
    context: SyncContext, pending: dict[str, Any], commands: list[InboundCommand], *, again: bool = False
) -> None:
    if again:
        renewed = {**pending, "sentAt": format_instant(context.session.now())}
        with context.leased_transaction():
            set_pending(context.connection, context.item, renewed, commands[0].entity_id)
    context.session.crash_point("connector-after-pending-before-send")
    ends = context.session.send(commands)
    context.session.crash_point("connector-after-send-before-result")
    if ends is not None:
        with context.leased_transaction():
            note_sent(context.connection, context.item, ends)
    context.send_request = True
