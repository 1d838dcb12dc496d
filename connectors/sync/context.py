"""What one run of a unit works with: the claimed row, its link, and the writes that several steps share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.sdk.remote import RemoteObject
from connectors.store.echoes import consume_echoes, consume_item_echoes, note_echo, open_echoes
from connectors.store.ledger import SyncItem, delete_item, give_back, renew
from connectors.store.mappings import Mapping as MappingRow
from connectors.store.mappings import mapping_of, upsert_mapping
from connectors.store.warnings import item_warning, raise_warning
from connectors.sync.external_url import safe_url
from connectors.sync.mirror_events import announce_mapping
from connectors.sync.session import Session
from connectors.sync.values import Agreed, Base, base_from_json, base_to_json, canonical_hash
from runtime.postgres import Connection
from schemas.errors import Skip


class LeaseLost(Skip):
    """Another worker has the row: what it does holds."""


@dataclass(slots=True)
class SyncContext:
    """State of one run.

    :ivar look_again: the object must be read although nobody said that it has changed.
    :ivar sent: commands are on their way.
    :ivar unseen: a write's answer showed changes that were not there before it.
    """

    session: Session
    connection: Connection
    owner: str
    item: SyncItem
    look_again: bool = False
    sent: bool = False
    unseen: bool = False

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """A transaction that the claimer of the row alone can make; its lease begins anew with it.

        :raises LeaseLost: the lease ran out and another worker has the row.
        """
        with self.connection.transaction():
            if not renew(
                self.connection, self.item, self.owner, now=self.session.now(), lease=self.session.lease
            ):
                raise LeaseLost("the lease was lost")
            yield

    def wait_for_object(self, reason: Skip) -> bool:
        """Keep what is due until the object can be mirrored again, and warn; ``False`` if it is none of ours.

        Any change of either side is another try.
        """
        item, connection = self.item, self.connection
        mapping = mapping_of(connection, item.integration_id, item.interaction_id)
        if item.intent_marker is None and (mapping is None or mapping.base is None):
            return False
        detail = (
            f"the object at the provider cannot be mirrored now ({reason}); changes wait, and are carried out"
            " once it can be"
        )
        with self.holding():
            _, new = raise_warning(connection, item_warning(item, "failed", detail, entity_id=item.entity_id))
            give_back(connection, item, self.owner, again_at=None, error="skipped", blocked=True)
        if new:
            data = {"kind": "failed", "interactionId": item.interaction_id}
            self.session.announce("warning", self.session.integration, item.entity_id, data)
        return True

    def changed_at(self, remote: RemoteObject) -> datetime | None:
        """When the object was changed last: as its event said, else as it says itself."""
        marked = self.item.remote_mark > self.item.remote_done
        return (self.item.remote_changed_at if marked else None) or remote.updated_at

    def note_write(self, external_id: str | None, written: Mapping[str, Agreed]) -> int:
        """Write the echo note of a write that comes next; call it inside ``holding``."""
        return note_echo(
            self.connection,
            self.item,
            external_id=external_id,
            content_hash=canonical_hash({name: agreed.remote for name, agreed in written.items()}),
            written=base_to_json(written),
            expires_at=self.session.now() + self.session.echo_life,
        )

    def recognise_echoes(self, base: Base, remote: RemoteObject, *, made: bool = False) -> None:
        """Take a write of ours whose answer was lost for agreed, if the object shows it.

        One field that shows it is enough: a write arrives whole. What else differs was changed later.

        :param made: the object was found by its marker, so what it was made with has arrived for sure.
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

    def keep_mapping(
        self,
        mapping: MappingRow,
        base: Mapping[str, Agreed],
        remote: RemoteObject | None,
        *,
        wrote: bool = False,
        **changes: Any,
    ) -> None:
        """Store what was agreed, in a transaction of its own; tell that views of it are out of date.

        :param wrote: it follows a write of ours that was answered: its note, and those of tries before
            it, have done their service.
        """
        with self.holding():
            self.store_mapping(mapping, base, remote, **changes)
            if wrote:
                self.forget_notes()
        self.tell_mapping_changed()

    def forget_notes(self) -> None:
        """Use up all notes of the unit: what it holds is agreed now."""
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
        """Store what was agreed (``None``: as before); call it inside ``holding``."""
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
            # It was about to be imported as somebody else's: what was noticed about it is ours now.
            delete_item(self.connection, self.item.integration_id, taken)
            self.mark_unseen()

    def mark_unseen(self) -> None:
        """The object may have changed in a way that this run has not seen."""
        self.unseen = True

    def tell_mapping_changed(self) -> None:
        """Invalidate the views that show the mapping (spec "Cache Policy")."""
        announce_mapping(self.session, self.item.interaction_id, self.item.entity_id)
