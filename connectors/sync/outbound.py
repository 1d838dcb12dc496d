"""From here to the provider: make, change, archive and restore the mirror.

Every write is noted before it is made. After a crash or a lost answer the note tells our own write from
somebody else's change, and the marker tells an object that was made from one that was not.
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

_SURELY_NOT_DONE = (Reject, NeedsAuth, Conflict, Stop)


def create(context: SyncContext, subject: InteractionState) -> None:
    """Make the mirror of an interaction that has none; the intent is on disk before the call."""
    session, item, connection = context.session, context.item, context.connection
    marker = session.marker(item.interaction_id)
    values = _outgoing(context, subject)
    with context.holding():
        set_intent(connection, item, marker)
        echo = context.note_write(None, _expected(context, values))
    session.reach("connector-after-intent")
    try:
        made = session.provider.create(
            Intent(interaction_id=item.interaction_id, marker=marker, values=values)
        )
    except _SURELY_NOT_DONE:
        with context.holding():
            set_intent(connection, item, None)
            consume_echoes(connection, [echo], session.now())
        raise
    except Skip as reason:
        detail = f"the object was made, and the provider holds it in a form that cannot be read ({reason})"
        raise Reject("unreadable_mirror", detail) from reason
    session.reach("connector-after-call-before-result")
    with context.holding():
        context.store_mapping(_row(context, made), _agreed(context, subject, made), made)
        set_intent(connection, item, None)
        context.forget_notes()
    context.tell_mapping_changed()


def find_made(context: SyncContext) -> MappingRow | None:
    """The mirror that an earlier run may have made without hearing of it; searched by its marker."""
    session, item = context.session, context.item
    assert item.intent_marker is not None
    if "find" not in session.declaration.features:
        return None  # then creating is idempotent by the marker (see connectors.sdk.provider)
    found = session.provider.find_by_marker(item.intent_marker)
    if found is None:
        return None
    base: Base = {}
    context.recognise_echoes(base, found, made=True)
    with context.holding():
        context.store_mapping(_row(context, found), base, found)
        set_intent(context.connection, item, None)
    context.look_again = True
    return mapping_of(context.connection, item.integration_id, item.interaction_id)


def push(
    context: SyncContext, mapping: MappingRow, base: Base, wanted: Mapping[str, Any], remote: RemoteObject
) -> Gone | None:
    """Set the fields that changed here; the provider's word if the object is not there.

    :raises Conflict: the object changed since ``remote`` was read.
    """
    session = context.session
    with context.holding():
        echo = context.note_write(remote.external_id, _expected(context, wanted))
    session.reach("connector-after-intent")
    try:
        after = session.provider.update(remote.external_id, wanted, remote)
    except _SURELY_NOT_DONE:
        consume_echoes(context.connection, [echo], session.now())
        raise
    session.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        return after
    for name, value in wanted.items():
        base[name] = Agreed(value, after.values.get(name))
    if any(after.values.get(name) != value for name, value in remote.values.items() if name not in wanted):
        context.mark_unseen()
    context.keep_mapping(mapping, base, after, wrote=True)
    return None


def archive(context: SyncContext, mapping: MappingRow) -> None:
    """The interaction was deleted: its mirror goes out of sight, for an undo to bring it back."""
    context.session.reach("connector-after-intent")
    after = context.session.provider.archive(mapping.external_id)
    context.session.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(context, mapping, after)
        after = found if isinstance(found, Gone) else context.session.provider.archive(found.external_id)
    seen = after if isinstance(after, RemoteObject) else None
    with context.holding():
        context.store_mapping(mapping, None, seen, archived=seen is not None, gone=seen is None)
    context.tell_mapping_changed()


def restore(context: SyncContext, mapping: MappingRow, subject: InteractionState) -> bool:
    """The deletion was undone: the same object again; ``False`` when it is gone for good."""
    session = context.session
    values = _outgoing(context, subject)
    with context.holding():
        context.note_write(mapping.external_id, _expected(context, values))
    session.reach("connector-after-intent")
    after = session.provider.restore(mapping.external_id, values)
    session.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(context, mapping, after)
        after = found if isinstance(found, Gone) else session.provider.restore(found.external_id, values)
    if isinstance(after, Gone):
        with context.holding():
            delete_mapping(context.connection, mapping.integration_id, mapping.local_id)
        context.tell_mapping_changed()
        return False
    context.keep_mapping(mapping, _agreed(context, subject, after), after, wrote=True, archived=False)
    return True


def _outgoing(context: SyncContext, subject: InteractionState) -> dict[str, Any]:
    return {
        mirrored.name: subject.values[mirrored.name]
        for mirrored in context.session.declaration.fields
        if mirrored.direction != "in"
    }


def _expected(context: SyncContext, values: Mapping[str, Any]) -> dict[str, Agreed]:
    """What both sides hold after a write, as far as the declaration tells."""
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
