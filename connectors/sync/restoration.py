"""Restore mirrors that deletions at the provider detached, all of an integration at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.store.integrations import Integration
from connectors.store.interactions import read_interaction
from connectors.store.ledger_intents import want_mirror
from connectors.store.ledger_marks import RemoteMark
from connectors.store.mappings import Mapping, deleted_mirrors
from connectors.store.warnings import close_warnings_of_kind
from connectors.sync.inbound import canceled_by_detaching
from connectors.sync.session import marker_of
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Restorable:
    """Detached mirrors whose interaction still exists.

    :param canceled: number of their interactions that the deletion canceled.
    """

    mirrors: Sequence[Mapping]
    canceled: int


def find_restorable(connection: Connection, integration: Integration, since: datetime | None) -> Restorable:
    """Find mirrors that can be restored; writes nothing.

    :param since: only mirrors detached at or after this time.
    """
    mirrors: list[Mapping] = []
    canceled = 0
    for mapping in deleted_mirrors(connection, integration.id, since):
        subject = read_interaction(
            connection, integration.tenant_id, integration.organization_id, mapping.local_id
        )
        if subject is not None:
            mirrors.append(mapping)
            canceled += canceled_by_detaching(mapping, subject)
    return Restorable(mirrors, canceled)


def restore(connection: Connection, found: Restorable, now: datetime) -> None:
    """Mark every mirror for restoration: relinked if its object is back, otherwise created again.

    An interaction that the deletion canceled is reopened. Marking twice is safe.
    """
    with connection.transaction():
        for mapping in found.mirrors:
            mark = RemoteMark(
                integration_id=mapping.integration_id,
                interaction_id=mapping.local_id,
                tenant_id=mapping.tenant_id,
                organization_id=mapping.organization_id,
                event_id=None,
                changed_at=None,
            )
            want_mirror(connection, mark, marker_of(mapping.integration_id, mapping.local_id), now)
            close_warnings_of_kind(connection, mapping.integration_id, ["detached"], mapping.local_id)
