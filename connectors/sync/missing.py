"""Tell a deleted object from one that moved, or whose whole collection is unavailable.

A deletion cancels an interaction, so it counts only if the collection itself is healthy at that moment.
"""

from __future__ import annotations

from connectors.sdk.remote import Gone, RemoteObject
from connectors.store.mappings import Mapping, mapping_to
from connectors.sync.adoption import markers_of
from connectors.sync.context import SyncContext
from schemas.errors import Retry


def read_confirmed(context: SyncContext, mapping: Mapping) -> RemoteObject | Gone:
    """Read the mirror; if it is missing, confirm its deletion or find it elsewhere."""
    found = context.session.provider.read(mapping.external_id)
    return confirm_gone(context, mapping, found) if isinstance(found, Gone) else found


def confirm_gone(context: SyncContext, mapping: Mapping, gone: Gone) -> RemoteObject | Gone:
    """Confirm that an object is gone, or find it under another id by its marker.

    :raises Retry: the collection is unhealthy, or lists an object that it does not return.
    :raises NeedsAuth: the collection does not exist or is not accessible.
    """
    session = context.session
    health = session.provider.health()
    if not health.ok:
        raise Retry(f"an object is missing, but its collection is unhealthy too: {health.detail}")
    if "find" not in session.declaration.features:
        return gone
    markers = markers_of(session, context.connection, mapping.local_id)
    found = next(
        (seen for each in markers if (seen := session.provider.find_by_marker(each)) is not None), None
    )
    if found is None:
        return gone
    if found.external_id == mapping.external_id:
        raise Retry("the provider lists an object but does not return it when it is read")
    other = mapping_to(context.connection, mapping.integration_id, found.external_id)
    taken = other is not None and other.base is not None and other.local_id != mapping.local_id
    return gone if taken else found
