"""One unit of work: bring one interaction and its mirror together, whatever state either is in.

It is the same code for a local change, a provider's change, a retry and a repair: look at both sides as
they are, merge, write what is left to write. Whoever runs it has claimed the ledger's row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.interactions import Subject, read_subject
from connectors.store.ledger import RemoteMark as Mark
from connectors.store.ledger import Unit, finish, give_back, mark_remote, set_intent
from connectors.store.mappings import Mapping, delete_mapping, mapping_of
from connectors.store.warnings import settle_kind
from connectors.sync import inbound as inward
from connectors.sync import outbound as outward
from connectors.sync.conflicts import Disputes
from connectors.sync.context import LeaseLost, Stock
from connectors.sync.mass_change_guard import MassChange, stop
from connectors.sync.merge import LocalSide, Merge, RemoteSide, merge
from connectors.sync.missing import confirm_gone, read_confirmed
from connectors.sync.session import Link
from connectors.sync.values import Base, base_from_json, base_to_json
from runtime.postgres import Connection
from schemas.errors import Conflict, Retry, Skip

_MERGES: Final = 3
#: Pause of an item that the mass-change guard holds back; its integration is stopped meanwhile.
_HELD: Final = timedelta(minutes=1)


def run_unit(link: Link, connection: Connection, owner: str, unit: Unit) -> None:
    """Bring the unit as far as it goes now, and give its row back.

    :raises InteractionsError: what the provider raised; the row is still claimed then.
    """
    stock = Stock(link, connection, owner, unit)
    if unit.pending is not None:
        waiting = inward.settle(stock)
        if waiting is not None:
            give_back(connection, unit, owner, again_at=link.now() + waiting)
            return
    for _ in range(_MERGES):
        try:
            _run(stock)
        except Conflict:
            # The object changed between our look and our write: look again.
            stock.look_again = True
        except MassChange as held:
            stop(link, connection, held.counted)
            give_back(connection, unit, owner, again_at=link.now() + _HELD)
            return
        except LeaseLost:
            raise
        except Skip as reason:
            if not stock.wait_for_object(reason):
                raise
            return
        else:
            return
    raise Retry("the object keeps changing while it is written")


def _run(stock: Stock) -> None:
    link, unit = stock.link, stock.unit
    mapping = mapping_of(stock.connection, unit.integration_id, unit.interaction_id)
    subject = read_subject(stock.connection, unit.tenant_id, unit.organization_id, unit.interaction_id)
    if mapping is None and unit.intent_marker is not None:
        mapping = outward.find_made(stock)
    if mapping is None:
        if subject is not None and _wanted(link, subject):
            outward.create(stock, subject)
        _done(stock, subject)
    elif mapping.base is None and subject is None:
        inward.take_over(stock, mapping)
        _done(stock, None)
    elif subject is not None and mapping.gone:
        _look_for_deleted(stock, mapping, subject)
    elif subject is None:
        if not mapping.archived and not mapping.gone:
            outward.archive(stock, mapping)
        # Of two sides one is left: there is nothing to dispute.
        settle_kind(stock.connection, unit.integration_id, ["conflict", "refused"], unit.interaction_id)
        _done(stock, subject)
    elif mapping.archived:
        _restore(stock, mapping, subject)
    else:
        _bring_together(stock, mapping, subject)


def _look_for_deleted(stock: Stock, mapping: Mapping, subject: Subject) -> None:
    """Link a deleted object again if it has come back, or make a new one if a person wants it."""
    unit = stock.unit
    wanted_back = unit.intent_marker is not None
    if not wanted_back and unit.remote_mark <= unit.remote_done:
        _done(stock, subject)
        return
    found = read_confirmed(stock, mapping)
    if isinstance(found, RemoteObject):
        back = replace(mapping, gone=False, external_id=found.external_id)
        with stock.holding():
            stock.store_mapping(back, None, found)
            set_intent(stock.connection, unit, None)
        settle_kind(stock.connection, unit.integration_id, ["detached"], unit.interaction_id)
        stock.tell_mapping_changed()
        stock.look_again = True
        _bring_together(stock, back, subject)
        return
    if wanted_back and inward.canceled_by_detaching(mapping, subject):
        inward.reopen(stock, mapping, subject)
    elif wanted_back:
        with stock.holding():
            delete_mapping(stock.connection, unit.integration_id, unit.interaction_id)
        if _wanted(stock.link, subject):
            outward.create(stock, subject)
        else:
            set_intent(stock.connection, unit, None)
    # Of two sides one is left: there is nothing to dispute.
    settle_kind(stock.connection, unit.integration_id, ["conflict", "refused"], unit.interaction_id)
    _done(stock, subject)


def _wanted(link: Link, subject: Subject) -> bool:
    types = link.policy.only_types
    if types and subject.values["interaction_type"] not in types:
        return False
    return subject.values["status"] == "planned" or link.declaration.mirrors_closed


def _bring_together(stock: Stock, mapping: Mapping, subject: Subject) -> None:
    link, unit = stock.link, stock.unit
    base = base_from_json(mapping.base or {})
    disputes = Disputes(stock)
    marked = unit.remote_mark > unit.remote_done or stock.look_again
    changed = any(
        mirrored.name not in base or base[mirrored.name].local != subject.values[mirrored.name]
        for mirrored in link.declaration.fields
    )
    if not (marked or changed or disputes.decided):
        _done(stock, subject)
        return
    remote = _look(stock, mapping, base, must=marked or disputes.decided or not base)
    if isinstance(remote, Gone):
        _detach(stock, mapping, subject, remote)
        return
    moved = remote.external_id != mapping.external_id
    if remote.archived:
        # Archived by us, and the deletion was undone before we heard of it.
        _restore(stock, replace(mapping, external_id=remote.external_id), subject)
        return
    stock.recognise_echoes(base, remote)
    result = _merged(link, stock, base, subject, remote, disputes)
    base.update(result.agreed)
    if result.pull:
        # What is to be pushed waits until the commands are carried out: then the unit runs again.
        inward.pull(stock, mapping, base, subject, result.pull, remote)
    elif result.push:
        gone = outward.push(stock, mapping, base, result.push, remote)
        if gone is not None:
            if isinstance(confirm_gone(stock, mapping, gone), RemoteObject):
                raise Conflict("the object has moved meanwhile")
            _detach(stock, mapping, subject, gone)
            return
    elif moved or base_to_json(base) != mapping.base or remote.version != mapping.external_version:
        stock.keep_mapping(mapping, base, remote)
    with stock.holding():
        disputes.note(result, subject)
    _done(stock, subject)


def _restore(stock: Stock, mapping: Mapping, subject: Subject) -> None:
    if not outward.restore(stock, mapping, subject):
        outward.create(stock, subject)
    _done(stock, subject)


def _detach(stock: Stock, mapping: Mapping, subject: Subject, gone: Gone) -> None:
    inward.detach(stock, mapping, subject, gone)
    settle_kind(stock.connection, stock.unit.integration_id, ["conflict", "refused"], subject.id)
    _done(stock, subject)


def _merged(
    link: Link, stock: Stock, base: Base, subject: Subject, remote: RemoteObject, disputes: Disputes
) -> Merge:
    return merge(
        link.declaration.fields,
        base,
        LocalSide(values=subject.values, as_of=subject.as_of),
        RemoteSide(values=remote.values, changed_at=stock.changed_at(remote)),
        decided=disputes.decisions(subject.values, remote.values),
        held=disputes.held,
    )


def _look(stock: Stock, mapping: Mapping, base: Base, *, must: bool) -> RemoteObject | Gone:
    link = stock.link
    if link.reads and (must or not link.declaration.conditional_writes):
        return read_confirmed(stock, mapping)
    return RemoteObject(
        external_id=mapping.external_id,
        url=mapping.external_url,
        values={name: agreed.remote for name, agreed in base.items()},
        version=mapping.external_version,
        marker=link.marker(mapping.local_id),
        extra=mapping.extra or {},
    )


def _done(stock: Stock, subject: Subject | None) -> None:
    link, unit, connection = stock.link, stock.unit, stock.connection
    with connection.transaction():
        if unit.attempts or unit.parked or unit.last_error:
            settle_kind(connection, unit.integration_id, ["failed"], unit.interaction_id)
        if stock.unseen:
            mark_remote(
                connection,
                Mark(
                    integration_id=unit.integration_id,
                    interaction_id=unit.interaction_id,
                    tenant_id=unit.tenant_id,
                    organization_id=unit.organization_id,
                    event_id=None,
                    changed_at=None,
                ),
                link.now(),
            )
        finish(
            connection,
            unit,
            stock.owner,
            now=link.now(),
            version=subject.version if subject is not None else 0,
            again_at=link.now() + timedelta(milliseconds=50) if stock.sent else None,
        )
