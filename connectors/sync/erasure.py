"""Erasure of a mirror: its interaction was erased with its customer, and nothing of it may remain here."""

from __future__ import annotations

from connectors.store.erasure import forget_item
from connectors.store.mappings import Mapping
from connectors.sync import outbound
from connectors.sync.context import SyncContext


def erase_mirror(context: SyncContext, mapping: Mapping | None, policy: str) -> None:
    """Delete the object, if that is the policy, and then every row of the item; it is released with them.

    :param policy: ``delete``, or ``leave``: the provider is not called.
    """
    session, item = context.session, context.item
    if policy == "delete":
        if mapping is None and item.intent_marker is not None:
            # An earlier run may have created it without seeing the response.
            mapping = outbound.find_made(context)
        if mapping is not None and not mapping.gone:
            session.crash_point("connector-after-intent")
            session.provider.erase(mapping.external_id)
            session.crash_point("connector-after-call-before-result")
    with context.leased_transaction():
        forget_item(context.connection, item)
    if mapping is not None:
        context.tell_views()
