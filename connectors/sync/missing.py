"""An object that is not at its place: moved, deleted, or hidden together with its whole collection.

A deletion cancels an interaction, so it is believed only while the collection answers at that moment.
"""

from __future__ import annotations

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.mappings import Mapping, mapping_to
from connectors.sync.adoption import markers_of
from connectors.sync.context import SyncContext
from schemas.errors import Retry


def read_confirmed(context: SyncContext, mapping: Mapping) -> RemoteObject | Gone:
    """Read the mirror, wherever it is now."""
    found = context.session.provider.read(mapping.external_id)
    return confirm_gone(context, mapping, found) if isinstance(found, Gone) else found


def confirm_gone(context: SyncContext, mapping: Mapping, gone: Gone) -> RemoteObject | Gone:
    """Confirm that an object is gone, or find it under another id by its marker.

    :raises Retry: the collection is not well, or it lists the object that it does not give out.
    :raises NeedsAuth: the collection is not there, or not for us.
    """
    session = context.session
    health = session.provider.health()
    if not health.ok:
        raise Retry(f"an object is missing, and so may be all others: {health.detail}")
    if "find" not in session.declaration.features:
        return gone
    markers = markers_of(session, context.connection, mapping.local_id)
    found = next(
        (seen for each in markers if (seen := session.provider.find_by_marker(each)) is not None), None
    )
    if found is None:
        return gone
    if found.external_id == mapping.external_id:
        raise Retry("the provider lists an object that it does not give out")
    other = mapping_to(context.connection, mapping.integration_id, found.external_id)
    taken = other is not None and other.base is not None and other.local_id != mapping.local_id
    return gone if taken else found
