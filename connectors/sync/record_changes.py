"""Record a provider's reported changes as change marks in the ledger; nothing is read from the provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.sdk.remote import RemoteChange
from connectors.store.echoes import open_echoes
from connectors.store.erasure import was_erased
from connectors.store.ledger import is_blocked
from connectors.store.ledger_intents import mark_open_intents
from connectors.store.ledger_marks import RemoteMark, mark_remote
from connectors.store.mappings import Mapping, await_import, mapping_to
from connectors.store.warnings import open_warnings
from connectors.sync.adoption import adopt
from connectors.sync.session import Session
from connectors.sync.values import base_from_json, canonical_hash
from runtime.postgres import Connection
from schemas.identity import derive_id


@dataclass(slots=True)
class RecordedChanges:
    """Summary of recorded changes.

    :ivar marked: ids of interactions marked for sync.
    :ivar outcomes: number of changes per outcome: ``marked``, ``import``, ``unchanged``, ``echo``, ``ours``,
        ``unmapped``.
    """

    marked: set[str] = field(default_factory=set)
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, outcome: str) -> str:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return outcome


def record_changes(
    session: Session, connection: Connection, changes: Iterable[RemoteChange]
) -> RecordedChanges:
    """Mark the items that the changes concern. Call it in the transaction that stores the poll cursor."""
    recorded = RecordedChanges()
    for change in changes:
        recorded.count(_record(session, connection, change, recorded))
    return recorded


def record_change(session: Session, connection: Connection, change: RemoteChange) -> str:
    """Mark the item that one change concerns; return the outcome."""
    return _record(session, connection, change, RecordedChanges())


def imported_id(integration_id: str, external_id: str) -> str:
    """Deterministic id of the interaction that an object is imported as."""
    return derive_id("interaction-of", integration_id, external_id)


def _record(session: Session, connection: Connection, change: RemoteChange, recorded: RecordedChanges) -> str:
    integration, now = session.integration, session.now()
    mapping = mapping_to(connection, integration.id, change.external_id)
    if mapping is None:
        marker = change.state.marker if change.state is not None else None
        if marker is not None and adopt(session, connection, change.external_id, marker):
            return "ours"
        if marker is None:
            # One of our workers may be creating this object right now.
            mark_open_intents(connection, integration.id, None, now)
        if change.kind == "gone" or not session.policy.create_if_unmapped:
            return "unmapped"
        local_id = imported_id(integration.id, change.external_id)
        if was_erased(connection, integration.tenant_id, integration.organization_id, local_id):
            # It stays at the provider, and must not bring back what was erased.
            return "unmapped"
        mapping = await_import(
            connection,
            Mapping(
                integration_id=integration.id,
                local_id=local_id,
                tenant_id=integration.tenant_id,
                organization_id=integration.organization_id,
                external_id=change.external_id,
            ),
        )
    elif change.kind == "gone" and mapping.gone:
        return "unchanged"
    elif change.kind == "changed" and mapping.base is not None:
        known = _known(session, connection, mapping, change)
        if known is not None:
            return known
    recorded.marked.add(mapping.local_id)
    mark_remote(
        connection,
        RemoteMark(
            integration_id=integration.id,
            interaction_id=mapping.local_id,
            tenant_id=integration.tenant_id,
            organization_id=integration.organization_id,
            event_id=change.event_id,
            changed_at=change.occurred_at,
        ),
        now,
    )
    return "import" if mapping.base is None else "marked"


def _known(session: Session, connection: Connection, mapping: Mapping, change: RemoteChange) -> str | None:
    """Outcome of a change that shows agreed values or our own write, and needs no sync; else ``None``."""
    if change.state is None or change.state.archived or mapping.archived or mapping.gone:
        return None
    if is_blocked(connection, mapping.integration_id, mapping.local_id):
        return None  # the object may be readable again, which unblocks the item
    values = change.state.values
    base = base_from_json(mapping.base or {})
    if base and all(name in values and values[name] == agreed.remote for name, agreed in base.items()):
        # A field that was unreadable or in conflict may have its agreed value back: that closes its warning.
        warned = open_warnings(connection, mapping.integration_id, mapping.local_id)
        return None if warned else "unchanged"
    for echo in open_echoes(connection, mapping.integration_id, mapping.local_id, session.now()):
        shown = {name: values.get(name) for name in echo.written}
        rest = {name: agreed for name, agreed in base.items() if name not in shown}
        same_rest = all(values.get(name) == agreed.remote for name, agreed in rest.items())
        if same_rest and canonical_hash(shown) == echo.content_hash:
            # A write in flight; its worker consumes the echo once the response is known.
            return "echo"
    return None
