"""Sync one item: one interaction and its mirror, whatever state either is in.

Local changes, remote changes, retries and repairs all run the same level-triggered code: read both sides,
merge, write the difference. The caller has claimed the ledger row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.erasure import erasure_of_item
from connectors.store.interactions import InteractionState, read_interaction
from connectors.store.ledger import finish, give_back
from connectors.store.ledger_intents import set_intent
from connectors.store.ledger_marks import RemoteMark, mark_remote
from connectors.store.mappings import Mapping, delete_mapping, mapping_of
from connectors.store.warnings import close_warnings_of_kind
from connectors.sync import inbound, outbound
from connectors.sync.conflicts import OpenConflicts
from connectors.sync.context import LeaseLost, SyncContext
from connectors.sync.erasure import erase_mirror
from connectors.sync.mass_change_guard import MassChange, pause_integration
from connectors.sync.merge import LocalSide, Merge, RemoteSide, merge
from connectors.sync.missing import confirm_gone, read_confirmed
from connectors.sync.session import Session
from connectors.sync.values import Base, base_from_json, base_to_json
from schemas.errors import Conflict, Retry, Skip

_MERGE_ATTEMPTS: Final = 3
#: Pause of an item that the mass-change guard holds back; its integration is stopped meanwhile.
_GUARD_PAUSE: Final = timedelta(minutes=1)


def run_item(context: SyncContext) -> None:
    """Sync the item as far as possible now, and release its row.

    :raises InteractionsError: raised by the provider; the row is still claimed then.
    """
    session, connection, owner, item = context.session, context.connection, context.owner, context.item
    if item.pending is not None:
        waiting = inbound.resolve_pending(context)
        if waiting is not None:
            give_back(connection, item, owner, again_at=session.now() + waiting)
            return
    for _ in range(_MERGE_ATTEMPTS):
        try:
            _sync(context)
        except Conflict:
            # The object changed between our read and our write: read it again.
            context.must_read = True
        except MassChange as change:
            pause_integration(session, connection, change.counted)
            give_back(connection, item, owner, again_at=session.now() + _GUARD_PAUSE)
            return
        except LeaseLost:
            raise
        except Skip as reason:
            if not context.wait_for_object(reason):
                raise
            return
        else:
            return
    raise Retry("the object keeps changing at the provider while it is being written")


def _sync(context: SyncContext) -> None:
    session, item = context.session, context.item
    mapping = mapping_of(context.connection, item.integration_id, item.interaction_id)
    subject = read_interaction(context.connection, item.tenant_id, item.organization_id, item.interaction_id)
    if subject is None and (policy := erasure_of_item(context.connection, item)) is not None:
        erase_mirror(context, mapping, policy)
        return
    if mapping is None and item.intent_marker is not None:
        mapping = outbound.find_made(context)
    if mapping is None:
        if subject is not None and _is_mirrored(session, subject):
            outbound.create(context, subject)
        _finish(context, subject)
    elif mapping.base is None and subject is None:
        inbound.import_object(context, mapping)
        _finish(context, None)
    elif subject is not None and mapping.gone:
        _sync_detached(context, mapping, subject)
    elif subject is None:
        if not mapping.archived and not mapping.gone:
            outbound.archive(context, mapping)
        # Only one side is left, so nothing can conflict.
        close_warnings_of_kind(
            context.connection, item.integration_id, ["conflict", "refused"], item.interaction_id
        )
        _finish(context, subject)
    elif mapping.archived:
        _restore(context, mapping, subject)
    else:
        _merge_sides(context, mapping, subject)


def _sync_detached(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    """Relink a deleted object if it has come back, or create a new one if a person requested it."""
    item = context.item
    requested = item.intent_marker is not None
    if not requested and item.remote_mark <= item.remote_done:
        _finish(context, subject)
        return
    found = read_confirmed(context, mapping)
    if isinstance(found, RemoteObject):
        back = replace(mapping, gone=False, external_id=found.external_id)
        with context.leased_transaction():
            context.store_mapping(back, None, found)
            set_intent(context.connection, item, None)
        close_warnings_of_kind(context.connection, item.integration_id, ["detached"], item.interaction_id)
        context.tell_views()
        context.must_read = True
        _merge_sides(context, back, subject)
        return
    if requested and inbound.canceled_by_detaching(mapping, subject):
        inbound.reopen(context, mapping, subject)
    elif requested:
        with context.leased_transaction():
            delete_mapping(context.connection, item.integration_id, item.interaction_id)
        if _is_mirrored(context.session, subject):
            outbound.create(context, subject)
        else:
            set_intent(context.connection, item, None)
    # Only one side is left, so nothing can conflict.
    close_warnings_of_kind(
        context.connection, item.integration_id, ["conflict", "refused"], item.interaction_id
    )
    _finish(context, subject)


def _is_mirrored(session: Session, subject: InteractionState) -> bool:
    types = session.policy.only_types
    if types and subject.values["interaction_type"] not in types:
        return False
    return subject.values["status"] == "planned" or session.declaration.mirrors_closed


def _merge_sides(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    session, item = context.session, context.item
    base = base_from_json(mapping.base or {})
    conflicts = OpenConflicts(context)
    marked = item.remote_mark > item.remote_done or context.must_read
    changed = any(
        mirrored.name not in base or base[mirrored.name].local != subject.values[mirrored.name]
        for mirrored in session.declaration.fields
    )
    if not (marked or changed or conflicts.has_resolution):
        _finish(context, subject)
        return
    remote = _read_remote(context, mapping, base, must=marked or conflicts.has_resolution or not base)
    if isinstance(remote, Gone):
        _detach(context, mapping, subject, remote)
        return
    moved = remote.external_id != mapping.external_id
    if remote.archived:
        # We archived it, and the deletion was undone before this run.
        _restore(context, replace(mapping, external_id=remote.external_id), subject)
        return
    context.recognise_echoes(base, remote)
    result = _merge(session, context, base, subject, remote, conflicts)
    base.update(result.agreed)
    if result.pull:
        # Pushes wait until the commands are applied; the item runs again then.
        inbound.pull(context, mapping, base, subject, result.pull, remote)
    elif result.push:
        gone = outbound.push(context, mapping, base, result.push, remote)
        if gone is not None:
            if isinstance(confirm_gone(context, mapping, gone), RemoteObject):
                raise Conflict("the object was moved while it was written")
            _detach(context, mapping, subject, gone)
            return
    elif moved or base_to_json(base) != mapping.base or remote.version != mapping.external_version:
        context.save_mapping(mapping, base, remote)
    with context.leased_transaction():
        conflicts.note(result, subject)
    _finish(context, subject)


def _restore(context: SyncContext, mapping: Mapping, subject: InteractionState) -> None:
    if not outbound.restore(context, mapping, subject):
        outbound.create(context, subject)
    _finish(context, subject)


def _detach(context: SyncContext, mapping: Mapping, subject: InteractionState, gone: Gone) -> None:
    inbound.detach(context, mapping, subject, gone)
    close_warnings_of_kind(
        context.connection, context.item.integration_id, ["conflict", "refused"], subject.id
    )
    _finish(context, subject)


def _merge(
    session: Session,
    context: SyncContext,
    base: Base,
    subject: InteractionState,
    remote: RemoteObject,
    conflicts: OpenConflicts,
) -> Merge:
    return merge(
        session.declaration.fields,
        base,
        LocalSide(values=subject.values, as_of=subject.as_of),
        RemoteSide(values=remote.values, changed_at=context.changed_at(remote)),
        resolutions=conflicts.resolutions(subject.values, remote.values),
        refused=conflicts.refused,
    )


def _read_remote(context: SyncContext, mapping: Mapping, base: Base, *, must: bool) -> RemoteObject | Gone:
    session = context.session
    if session.can_read and (must or not session.declaration.conditional_writes):
        return read_confirmed(context, mapping)
    return RemoteObject(
        external_id=mapping.external_id,
        url=mapping.external_url,
        values={name: agreed.remote for name, agreed in base.items()},
        version=mapping.external_version,
        marker=session.marker(mapping.local_id),
        extra=mapping.extra or {},
    )


def _finish(context: SyncContext, subject: InteractionState | None) -> None:
    session, item, connection = context.session, context.item, context.connection
    with connection.transaction():
        if item.attempts or item.blocked or item.last_error:
            close_warnings_of_kind(connection, item.integration_id, ["failed"], item.interaction_id)
            context.tell_views()
        if context.unseen_changes:
            mark_remote(
                connection,
                RemoteMark(
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
            again_at=session.now() + timedelta(milliseconds=50) if context.send_request else None,
        )
