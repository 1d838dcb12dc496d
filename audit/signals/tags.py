"""Cache tags of signals and drafts that a command invalidates."""

from __future__ import annotations

from collections.abc import Iterable

from audit.signals.children import Change
from audit.signals.rows import Draft, Signal


def child_tags(changes: Iterable[Change]) -> frozenset[str]:
    """Tags of the views that show the changed signals and drafts."""
    tags = set[str]()
    for change in changes:
        row = change.row
        if isinstance(row, Signal):
            tags |= {
                f"customers:signal:interaction:{row.interaction_id}",
                f"customers:signal:list:{row.tenant_id}:{row.organization_id}",
            }
        elif isinstance(row, Draft):
            tags |= {
                f"customers:draft:signal:{row.signal_id}",
                f"customers:draft:list:{row.tenant_id}:{row.organization_id}",
            }
    return frozenset(tags)


def is_child_tag(tag: str) -> bool:
    """Return whether a tag is of signals or drafts."""
    return tag.startswith(("customers:signal:", "customers:draft:"))
