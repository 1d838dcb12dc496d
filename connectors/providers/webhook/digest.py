"""A digest as the data of a delivery, cut to a size."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.sdk.digest import Digest, DigestItem
from schemas.instants import format_instant


def digest_data(digest: Digest, at_most: int) -> dict[str, Any]:
    """The digest as JSON. Items are left out first, then owners; the counts are always those of all.

    :param at_most: bytes.
    """
    owners, items = len(digest.owners), 20
    while len(orjson.dumps(data := _digest(digest, owners, items))) > at_most:
        owners, items = (owners, items // 2) if items else (owners // 2, 0)
    return data


def _digest(digest: Digest, owners: int, items: int) -> dict[str, Any]:
    return {
        "date": digest.date.isoformat(),
        "timeZone": digest.zone,
        "overdue": digest.overdue,
        "today": digest.today,
        "ownerCount": digest.owner_count,
        "owners": [
            {
                "ownerUserId": owner.owner_user_id,
                "overdue": owner.overdue,
                "today": owner.today,
                "items": [_item(item) for item in owner.items[:items]],
            }
            for owner in digest.owners[:owners]
        ],
    }


def _item(item: DigestItem) -> dict[str, Any]:
    return {
        "id": item.interaction_id,
        "entityId": item.entity_id,
        "interactionType": item.interaction_type,
        "title": item.title,
        "scheduledAt": format_instant(item.scheduled_at),
        "overdue": item.overdue,
    }
