"""One unit of work: bring one interaction and its mirror together, whatever state either is in.

It is the same code for a local change, a provider's change, a retry and a repair: look at both sides as
they are, merge, write what is left to write. Whoever runs it has claimed the ledger's row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.interactions import InteractionState, read_interaction
from connectors.store.ledger import SyncItem, finish, give_back
from connectors.store.ledger_intents import set_intent
from connectors.store.ledger_marks import RemoteMark as Mark
from connectors.store.ledger_marks import mark_remote
from connectors.store.mappings import Mapping, delete_mapping, mapping_of
from connectors.store.warnings import close_warnings_of_kind
from connectors.sync import inbound as inward
from connectors.sync import outbound as outward
from connectors.sync.conflicts import Disputes
from connectors.sync.context import LeaseLost, SyncContext
from connectors.sync.mass_change_guard import MassChange, stop
from connectors.sync.merge import LocalSide, Merge, RemoteSide, merge
from connectors.sync.missing import confirm_gone, read_confirmed
from connectors.sync.session import Session
from connectors.sync.values import Base, base_from_json, base_to_json
from runtime.postgres import Connection
from schemas.errors import Conflict, Retry, Skip

_MERGES: Final = 3
#: Pause of an item that the mass-change guard holds back; its integration is stopped meanwhile.
_HELD: Final = timedelta(minutes=1)


def run_item(session: Session, connection: Connection, owner: str, item: SyncItem) -> None:
    """Bring the unit as far as it goes now, and give its row back.

    :raises InteractionsError: what the provider raised; the row is still claimed then.
    """
    context = SyncContext(session, connection, owner, item)
    if item.pending is not None:
        waiting = inward.settle(context)
        if waiting is not None:
            give_back(connection, item, owner, again_at=session.now() + waiting)
            return
    for _ in range(_MERGES):
        try:
            _run(context)
        except Conflict:
            # The object changed between our look and our write: look again.
            context.look_again = True
        except MassChange as entry:
            stop(session, connection, entry.counted)
            give_back(connection, item, owner, again_at=session.now() + _HELD)
            return
        except LeaseLost:
            raise
        except Skip as reason:
            if not context.wait_for_object(reason):
                raise
            return
        else:
            return
    raise Retry("the object keeps changing while it is written")


def _run(context: SyncContext) -> None:
    session, item = context.session, context.item
    mapping = mapping_of(context.connection, item.integration_id, item.interaction_id)
    subject = read_interaction(context.connection, item.tenant_id, item.organization_id, item.interaction_id)
    if mapping is None and item.intent_marker is not None:
        mapping = outward.find_made(context)
    if mapping is None:
        if subject is not None and _wanted(session, subject):
            outward.create(context, subject)
        _done(context, subject)
    elif mapping.base is None and subject is None:
        inward.take_over(context, mapping)
        _done(context, None)
    elif subject is not None and mapping.gone:
        _look_for_deleted(context, mapping, subject)
    elif subject is None:
        if not mapping.archived and not mapping.gone:
            outward.archive(context, mapping)
        # Of two sides one is left: there is nothing to dispute.
        close_warnings_of_kind(
            context.connection, item.integration_id, ["conflict", "refused"], item.interaction_id
        )
        _done(context, subject)
    elif mapping.archived:
        _restore(context, mapping, subject)
    else:
        _bring_together(context, mapping, subject)


def _look_for_deleted(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    """Link a deleted object again if it has come back, or make a new one if a person wants it."""
    item = context.item
    wanted_back = item.intent_marker is not None
    if not wanted_back and item.remote_mark <= item.remote_done:
        _done(context, subject)
        return
    found = read_confirmed(context, mapping)
    if isinstance(found, RemoteObject):
        back = replace(mapping, gone=False, external_id=found.external_id)
        with context.holding():
            context.store_mapping(back, None, found)
            set_intent(context.connection, item, None)
        close_warnings_of_kind(context.connection, item.integration_id, ["detached"], item.interaction_id)
        context.tell_mapping_changed()
        context.look_again = True
        _bring_together(context, back, subject)
        return
    if wanted_back and inward.canceled_by_detaching(mapping, subject):
        inward.reopen(context, mapping, subject)
    elif wanted_back:
        with context.holding():
            delete_mapping(context.connection, item.integration_id, item.interaction_id)
        if _wanted(context.session, subject):
            outward.create(context, subject)
        else:
            set_intent(context.connection, item, None)
    # Of two sides one is left: there is nothing to dispute.
    close_warnings_of_kind(
        context.connection, item.integration_id, ["conflict", "refused"], item.interaction_id
    )
    _done(context, subject)


def _wanted(session: Session, subject: InteractionState) -> bool:
    types = session.policy.only_types
    if types and subject.values["interaction_type"] not in types:
        return False
    return subject.values["status"] == "planned" or session.declaration.mirrors_closed


def _bring_together(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    session, item = context.session, context.item
    base = base_from_json(mapping.base or {})
    disputes = Disputes(context)
    marked = item.remote_mark > item.remote_done or context.look_again
    changed = any(
        mirrored.name not in base or base[mirrored.name].local != subject.values[mirrored.name]
        for mirrored in session.declaration.fields
    )
    if not (marked or changed or disputes.decided):
        _done(context, subject)
        return
    remote = _look(context, mapping, base, must=marked or disputes.decided or not base)
    if isinstance(remote, Gone):
        _detach(context, mapping, subject, remote)
        return
    moved = remote.external_id != mapping.external_id
    if remote.archived:
        # Archived by us, and the deletion was undone before we heard of it.
        _restore(context, replace(mapping, external_id=remote.external_id), subject)
        return
    context.recognise_echoes(base, remote)
    result = _merged(session, context, base, subject, remote, disputes)
    base.update(result.agreed)
    if result.pull:
        # What is to be pushed waits until the commands are carried out: then the unit runs again.
        inward.pull(context, mapping, base, subject, result.pull, remote)
    elif result.push:
        gone = outward.push(context, mapping, base, result.push, remote)
        if gone is not None:
            if isinstance(confirm_gone(context, mapping, gone), RemoteObject):
                raise Conflict("the object has moved meanwhile")
            _detach(context, mapping, subject, gone)
            return
    elif moved or base_to_json(base) != mapping.base or remote.version != mapping.external_version:
        context.keep_mapping(mapping, base, remote)
    with context.holding():
        disputes.note(result, subject)
    _done(context, subject)


def _restore(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    if not outward.restore(context, mapping, subject):
        outward.create(context, subject)
    _done(context, subject)


def _detach(context: SyncContext, mapping: Mapping, subject: InteractionState, gone: Gone) -> None:
    inward.detach(context, mapping, subject, gone)
    close_warnings_of_kind(
        context.connection, context.item.integration_id, ["conflict", "refused"], subject.id
    )
    _done(context, subject)


def _merged(
    session: Session,
    context: SyncContext,
    base: Base,
    subject: InteractionState,
    remote: RemoteObject,
    disputes: Disputes,
) -> Merge:
    return merge(
        session.declaration.fields,
        base,
        LocalSide(values=subject.values, as_of=subject.as_of),
        RemoteSide(values=remote.values, changed_at=context.changed_at(remote)),
        decided=disputes.decisions(subject.values, remote.values),
        entry=disputes.entry,
    )


def _look(context: SyncContext, mapping: Mapping, base: Base, *, must: bool) -> RemoteObject | Gone:
    session = context.session
    if session.reads and (must or not session.declaration.conditional_writes):
        return read_confirmed(context, mapping)
    return RemoteObject(
        external_id=mapping.external_id,
        url=mapping.external_url,
        values={name: agreed.remote for name, agreed in base.items()},
        version=mapping.external_version,
        marker=session.marker(mapping.local_id),
        extra=mapping.extra or {},
    )


def _done(context: SyncContext, subject: InteractionState | None) -> None:
    session, item, connection = context.session, context.item, context.connection
    with connection.transaction():
        if item.attempts or item.blocked or item.last_error:
            close_warnings_of_kind(connection, item.integration_id, ["failed"], item.interaction_id)
        if context.unseen:
            mark_remote(
                connection,
                Mark(
                    integration_id=item.integration_id,
                    interaction_id=item.interaction_id,
                    tenant_id=item.tenant_id,
                    organization_id=item.organization_id,
                    event_id=None,
                    changed_at=None,
                ),
                session.now(),
            )
        finish(
            connection,
            item,
            context.owner,
            now=session.now(),
            version=subject.version if subject is not None else 0,
            again_at=session.now() + timedelta(milliseconds=50) if context.sent else None,
        )
