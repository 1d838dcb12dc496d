"""From here to the provider: make, change, archive and restore the mirror.

Every write is noted before it is made. After a crash or a lost answer the note tells our own write from
somebody else's change, and the marker tells an object that was made from one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk.remote import Gone, Intent, RemoteObject
from connectors.store.echoes import consume_echoes
from connectors.store.interactions import Subject
from connectors.store.ledger import set_intent
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import delete_mapping, mapping_of
from connectors.sync.context import Stock
from connectors.sync.missing import confirm_gone
from connectors.sync.values import Agreed, Base
from schemas.errors import Conflict, NeedsAuth, Reject, Skip, Stop

_SURELY_NOT_DONE = (Reject, NeedsAuth, Conflict, Stop)


def create(stock: Stock, subject: Subject) -> None:
    """Make the mirror of an interaction that has none; the intent is on disk before the call."""
    link, unit, connection = stock.link, stock.unit, stock.connection
    marker = link.marker(unit.interaction_id)
    values = _outgoing(stock, subject)
    with stock.holding():
        set_intent(connection, unit, marker)
        echo = stock.note_write(None, _expected(stock, values))
    link.reach("connector-after-intent")
    try:
        made = link.provider.create(Intent(interaction_id=unit.interaction_id, marker=marker, values=values))
    except _SURELY_NOT_DONE:
        with stock.holding():
            set_intent(connection, unit, None)
            consume_echoes(connection, [echo], link.now())
        raise
    except Skip as reason:
        detail = f"the object was made, and the provider holds it in a form that cannot be read ({reason})"
        raise Reject("unreadable_mirror", detail) from reason
    link.reach("connector-after-call-before-result")
    with stock.holding():
        stock.store_mapping(_row(stock, made), _agreed(stock, subject, made), made)
        set_intent(connection, unit, None)
        stock.forget_notes()
    stock.tell_mapping_changed()


def find_made(stock: Stock) -> MappingRow | None:
    """The mirror that an earlier run may have made without hearing of it; searched by its marker."""
    link, unit = stock.link, stock.unit
    assert unit.intent_marker is not None
    if "find" not in link.declaration.features:
        return None  # then creating is idempotent by the marker (see connectors.sdk.provider)
    found = link.provider.find_by_marker(unit.intent_marker)
    if found is None:
        return None
    base: Base = {}
    stock.recognise_echoes(base, found, made=True)
    with stock.holding():
        stock.store_mapping(_row(stock, found), base, found)
        set_intent(stock.connection, unit, None)
    stock.look_again = True
    return mapping_of(stock.connection, unit.integration_id, unit.interaction_id)


def push(
    stock: Stock, mapping: MappingRow, base: Base, wanted: Mapping[str, Any], remote: RemoteObject
) -> Gone | None:
    """Set the fields that changed here; the provider's word if the object is not there.

    :raises Conflict: the object changed since ``remote`` was read.
    """
    link = stock.link
    with stock.holding():
        echo = stock.note_write(remote.external_id, _expected(stock, wanted))
    link.reach("connector-after-intent")
    try:
        after = link.provider.update(remote.external_id, wanted, remote)
    except _SURELY_NOT_DONE:
        consume_echoes(stock.connection, [echo], link.now())
        raise
    link.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        return after
    for name, value in wanted.items():
        base[name] = Agreed(value, after.values.get(name))
    if any(after.values.get(name) != value for name, value in remote.values.items() if name not in wanted):
        stock.mark_unseen()
    stock.keep_mapping(mapping, base, after, wrote=True)
    return None


def archive(stock: Stock, mapping: MappingRow) -> None:
    """The interaction was deleted: its mirror goes out of sight, for an undo to bring it back."""
    stock.link.reach("connector-after-intent")
    after = stock.link.provider.archive(mapping.external_id)
    stock.link.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(stock, mapping, after)
        after = found if isinstance(found, Gone) else stock.link.provider.archive(found.external_id)
    seen = after if isinstance(after, RemoteObject) else None
    with stock.holding():
        stock.store_mapping(mapping, None, seen, archived=seen is not None, gone=seen is None)
    stock.tell_mapping_changed()


def restore(stock: Stock, mapping: MappingRow, subject: Subject) -> bool:
    """The deletion was undone: the same object again; ``False`` when it is gone for good."""
    link = stock.link
    values = _outgoing(stock, subject)
    with stock.holding():
        stock.note_write(mapping.external_id, _expected(stock, values))
    link.reach("connector-after-intent")
    after = link.provider.restore(mapping.external_id, values)
    link.reach("connector-after-call-before-result")
    if isinstance(after, Gone):
        found = confirm_gone(stock, mapping, after)
        after = found if isinstance(found, Gone) else link.provider.restore(found.external_id, values)
    if isinstance(after, Gone):
        with stock.holding():
            delete_mapping(stock.connection, mapping.integration_id, mapping.local_id)
        stock.tell_mapping_changed()
        return False
    stock.keep_mapping(mapping, _agreed(stock, subject, after), after, wrote=True, archived=False)
    return True


def _outgoing(stock: Stock, subject: Subject) -> dict[str, Any]:
    return {
        mirrored.name: subject.values[mirrored.name]
        for mirrored in stock.link.declaration.fields
        if mirrored.direction != "in"
    }


def _expected(stock: Stock, values: Mapping[str, Any]) -> dict[str, Agreed]:
    """What both sides hold after a write, as far as the declaration tells."""
    return {
        mirrored.name: Agreed(values[mirrored.name], mirrored.coarse(values[mirrored.name]))
        for mirrored in stock.link.declaration.fields
        if mirrored.name in values
    }


def _agreed(stock: Stock, subject: Subject, remote: RemoteObject) -> Base:
    return {
        mirrored.name: Agreed(subject.values[mirrored.name], remote.values.get(mirrored.name))
        for mirrored in stock.link.declaration.fields
    }


def _row(stock: Stock, remote: RemoteObject) -> MappingRow:
    unit = stock.unit
    return MappingRow(
        integration_id=unit.integration_id,
        local_id=unit.interaction_id,
        tenant_id=unit.tenant_id,
        organization_id=unit.organization_id,
        external_id=remote.external_id,
    )
