"""State of one run of a sync item: leased row, provider session, and writes that several steps share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from connectors.sdk.remote import RemoteObject
from connectors.store.echoes import consume_echoes, consume_item_echoes, note_echo, open_echoes
from connectors.store.ledger import SyncItem, delete_item, give_back, renew
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import mapping_of, upsert_mapping
from connectors.store.warnings import item_warning, raise_warning
from connectors.sync.mirror_events import announce_mapping
from connectors.sync.session import Session
from connectors.sync.values import Agreed, Base, base_from_json, base_to_json, canonical_hash
from runtime.postgres import Connection
from schemas.errors import Skip


class LeaseLost(Skip):
    """The lease expired and another worker has claimed the row; its result stands."""


@dataclass(slots=True)
class SyncContext:
    """State of one run.

    :ivar must_read: read the object even if no change was reported.
    :ivar sent: this run has sent commands.
    :ivar unseen_changes: a write's response showed remote changes that this run has not merged.
    """

    session: Session
    connection: Connection
    owner: str
    item: SyncItem
    must_read: bool = False
    send_request: bool = False
    unseen_changes: bool = False
    _views_changed: bool = False

    @contextlib.contextmanager
    def leased_transaction(self) -> Iterator[None]:
        """Open a transaction that only the lease holder can commit; it renews the lease.

        :raises LeaseLost: the lease expired and another worker has claimed the row.
        """
        with self.connection.transaction():
            if not renew(
                self.connection, self.item, self.owner, now=self.session.now(), lease=self.session.lease
            ):
                raise LeaseLost("the lease was lost")
            yield

    def wait_for_object(self, reason: Skip) -> bool:
        """Block the item until its object can be mirrored again, and warn; ``False`` if it has no mirror.

        Any change on either side triggers another attempt.
        """
        item, connection = self.item, self.connection
        mapping = mapping_of(connection, item.integration_id, item.interaction_id)
        if item.intent_marker is None and (mapping is None or mapping.base is None):
            return False
        detail = (
            f"the object at the provider cannot be mirrored ({reason}). Pending changes are kept"
            " and are applied once it can be"
        )
        with self.leased_transaction():
            _, new = raise_warning(connection, item_warning(item, "failed", detail, entity_id=item.entity_id))
            give_back(connection, item, self.owner, again_at=None, error="skipped", blocked=True)
        self.tell_views()
        if new:
            data = {"kind": "failed", "interactionId": item.interaction_id}
            self.session.announce("warning", self.session.integration, item.entity_id, data)
        return True

    def changed_at(self, remote: RemoteObject) -> datetime | None:
        """Time of the object's last change: from the event that reported it, otherwise from the object."""
        marked = self.item.remote_mark > self.item.remote_done
        return (self.item.remote_changed_at if marked else None) or remote.updated_at

    def record_write(self, external_id: str | None, written: Mapping[str, Agreed]) -> int:
        """Record an echo before the write it belongs to; call it inside :meth:`leased_transaction`."""
        return note_echo(
            self.connection,
            self.item,
            external_id=external_id,
            content_hash=canonical_hash({name: agreed.remote for name, agreed in written.items()}),
            written=base_to_json(written),
            expires_at=self.session.now() + self.session.echo_life,
        )

    def recognise_echoes(self, base: Base, remote: RemoteObject, *, made: bool = False) -> None:
        """Merge a write whose response was lost into the base, if the object shows its values.

        One matching field is enough: a write is applied as a whole. Other differences are later changes.

        :param made: the object was found by its marker, so the values it was created with certainly arrived.
        """
        for echo in open_echoes(
            self.connection, self.item.integration_id, self.item.interaction_id, self.session.now()
        ):
            written = base_from_json(echo.written)
            shown = [
                name
                for name, agreed in written.items()
                if name in remote.values and remote.values[name] == agreed.remote
            ]
            if made or any(name not in base or base[name].remote != written[name].remote for name in shown):
                base.update(written)
                consume_echoes(self.connection, [echo.id], self.session.now())
                return

    def save_mapping(
        self,
        mapping: MappingRow,
        base: Mapping[str, Agreed],
        remote: RemoteObject | None,
        *,
        wrote: bool = False,
        **changes: Any,
    ) -> None:
        """Store the agreed values in a transaction of their own.

        :param wrote: the call follows an answered write, so the item's echoes are no longer needed.
        """
        with self.leased_transaction():
            self.store_mapping(mapping, base, remote, **changes)
            if wrote:
                self.discard_echoes()
        self.tell_views()

    def discard_echoes(self) -> None:
        """Consume all echoes of the item; the object's values are agreed now."""
        consume_item_echoes(
            self.connection, self.item.integration_id, self.item.interaction_id, self.session.now()
        )

    def store_mapping(
        self,
        mapping: MappingRow,
        base: Mapping[str, Agreed] | None,
        remote: RemoteObject | None,
        **changes: Any,
    ) -> None:
        """Store the agreed values (``None``: unchanged); call it inside :meth:`leased_transaction`."""
        if remote is not None:
            changes.setdefault("external_id", remote.external_id)
            changes.setdefault("external_url", safe_url(remote.url, self.session.hosts))
            changes.setdefault("external_version", remote.version)
            changes.setdefault("extra", dict(remote.extra))
        if base is not None:
            changes["base"] = base_to_json(base)
        row = replace(mapping, last_synced_at=self.session.now(), **changes)
        taken = upsert_mapping(self.connection, row)
        if taken is not None:
            # The object was queued for import as a foreign one; its change marks move to this item.
            delete_item(self.connection, self.item.integration_id, taken)
            self.note_unseen_changes()

    def note_unseen_changes(self) -> None:
        """Note that the object may have changes which this run has not seen."""
        self.unseen_changes = True

    def tell_views(self) -> None:
        """Note that views show the mirror or its state differently now (spec "Cache Policy")."""
        self._views_changed = True

    def announce(self) -> None:
        """Invalidate the views if they changed.

        Hazard: call it when the row is released. A view that is read earlier shows work that is over, and
        nothing invalidates it later.
        """
        if self._views_changed:
            announce_mapping(self.session, self.item.interaction_id, self.item.entity_id)


def safe_url(url: str | None, hosts: Sequence[str]) -> str | None:
    """Return an object's URL if it is safe to render as a link, percent-encoded; otherwise ``None``.

    Safe means https on the default port, without user info, at one of the provider's hosts or a subdomain.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    fits = any(host == known or host.endswith(f".{known}") for known in hosts)
    if parts.scheme != "https" or not fits or parts.username is not None or port not in (None, 443):
        return None
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return urlunsplit(("https", host, path, query, ""))
