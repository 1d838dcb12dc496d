"""Outbound sync: create, update, archive and restore the mirror at the provider.

An echo is recorded before every write. After a crash or a lost response it identifies our own write among
foreign changes, and the marker shows if an object was created.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk.remote import Gone, Intent, RemoteObject
from connectors.store.echoes import consume_echoes
from connectors.store.interactions import InteractionState
from connectors.store.ledger_intents import set_intent
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import delete_mapping, mapping_of
from connectors.sync.context import SyncContext
from connectors.sync.missing import confirm_gone
from connectors.sync.values import Agreed, Base
from schemas.errors import Conflict, NeedsAuth, Reject, Skip, Stop

#: After one of these the provider certainly has not applied the write.
_NOT_APPLIED = (Reject, NeedsAuth, Conflict, Stop)


def create(context: SyncContext, subject: InteractionState) -> None:
    """Create the mirror of an interaction; the intent is committed before the provider is called."""
    session, item, connection = context.session, context.item, context.connection
    marker = session.marker(item.interaction_id)
    values = _outgoing(context, subject)
    with context.leased_transaction():
        set_intent(connection, item, marker)
        echo = context.record_write(None, _expected(context, values))
    session.crash_point("connector-after-intent")
    try:
        made = session.provider.create(
            Intent(interaction_id=item.interaction_id, marker=marker, values=values)
        )
    except _NOT_APPLIED:
        with context.leased_transaction():
            set_intent(connection, item, None)
            consume_echoes(connection, [echo], session.now())
        raise
    except Skip as reason:
        detail = f"the object was created, but the provider returns it in an unreadable form ({reason})"
        raise Reject("unreadable_mirror", detail) from reason
    session.crash_point("connector-after-call-before-result")
    with context.leased_transaction():
        context.store_mapping(_row(context, made), _agreed(context, subject, made), made)
        set_intent(connection, item, None)
        context.discard_echoes()
    context.tell_views()


def find_made(context: SyncContext) -> MappingRow | None:
    """Search by marker for a mirror that an earlier run may have created without seeing the response."""
    session, item = context.session, context.item
    assert item.intent_marker is not None
    if "find" not in session.declaration.features:
        return None  # without "find", create is idempotent by the marker (see connectors.sdk.provider)
    found = session.provider.find_by_marker(item.intent_marker)
    if found is None:
        return None
    base: Base = {}
    context.recognise_echoes(base, found, made=True)
    with context.leased_transaction():
        context.store_mapping(_row(context, found), base, found)
        set_intent(context.connection, item, None)
    context.must_read = True
    return mapping_of(context.connection, item.integration_id, item.interaction_id)


def push(
    context: SyncContext, mapping: MappingRow, base: Base, wanted: Mapping[str, Any], remote: RemoteObject
) -> Gone | None:
    """Write the locally changed fields; return ``Gone`` if the object does not exist any more.

    :raises Conflict: the object changed since ``remote`` was read.
    """
    session = context.session
    with context.leased_transaction():
        echo = context.record_write(remote.external_id, _expected(context, wanted))
    session.crash_point("connector-after-intent")
    try:
        after = session.provider.update(remote.external_id, wanted, remote)
    except _NOT_APPLIED:
        consume_echoes(context.connection, [echo], session.now())
        raise
    session.crash_point("connector-after-call-before-result")
    if isinstance(after, Gone):
        return after
    for name, value in wanted.items():
        base[name] = Agreed(value, after.values.get(name))
    if any(after.values.get(name) != value for name, value in remote.values.items() if name not in wanted):
        context.note_unseen_changes()
    context.save_mapping(mapping, base, after, wrote=True)
    return None


def archive(context: SyncContext, mapping: MappingRow) -> None:
    """Archive the mirror of a deleted interaction, so that an undo can restore it."""
    context.session.crash_point("connector-after-intent")
    after = context.session.provider.archive(mapping.external_id)
    context.session.crash_point("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(context, mapping, after)
        after = found if isinstance(found, Gone) else context.session.provider.archive(found.external_id)
    seen = after if isinstance(after, RemoteObject) else None
    with context.leased_transaction():
        context.store_mapping(mapping, None, seen, archived=seen is not None, gone=seen is None)
    context.tell_views()


def restore(context: SyncContext, mapping: MappingRow, subject: InteractionState) -> bool:
    """Restore the archived mirror after an undo; ``False`` if the object was permanently deleted."""
    session = context.session
    values = _outgoing(context, subject)
    with context.leased_transaction():
        context.record_write(mapping.external_id, _expected(context, values))
    session.crash_point("connector-after-intent")
    after = session.provider.restore(mapping.external_id, values)
    session.crash_point("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(context, mapping, after)
        after = found if isinstance(found, Gone) else session.provider.restore(found.external_id, values)
    if isinstance(after, Gone):
        with context.leased_transaction():
            delete_mapping(context.connection, mapping.integration_id, mapping.local_id)
        context.tell_views()
        return False
    context.save_mapping(mapping, _agreed(context, subject, after), after, wrote=True, archived=False)
    return True


def _outgoing(context: SyncContext, subject: InteractionState) -> dict[str, Any]:
    return {
        mirrored.name: subject.values[mirrored.name]
        for mirrored in context.session.declaration.fields
        if mirrored.direction != "in"
    }


def _expected(context: SyncContext, values: Mapping[str, Any]) -> dict[str, Agreed]:
    """Values that both sides should hold after a write, according to the declaration."""
    return {
        mirrored.name: Agreed(values[mirrored.name], mirrored.coarse(values[mirrored.name]))
        for mirrored in context.session.declaration.fields
        if mirrored.name in values
    }


def _agreed(context: SyncContext, subject: InteractionState, remote: RemoteObject) -> Base:
    return {
        mirrored.name: Agreed(subject.values[mirrored.name], remote.values.get(mirrored.name))
        for mirrored in context.session.declaration.fields
    }


def _row(context: SyncContext, remote: RemoteObject) -> MappingRow:
    item = context.item
    return MappingRow(
        integration_id=item.integration_id,
        local_id=item.interaction_id,
        tenant_id=item.tenant_id,
        organization_id=item.organization_id,
        external_id=remote.external_id,
    )
