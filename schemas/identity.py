"""Ids that follow from other ids, so that a retry names the same thing (RFC 9562, UUID version 5)."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "urn:customer-interactions")


def derive_id(kind: str, *parts: str) -> str:
    """The UUIDv5 of ``kind/part/part…`` in this project's namespace.

    A publisher that gave no interaction id can compute it:
    ``derive_id("interaction", tenant_id, organization_id, command_id)``.
    """
    return str(uuid5(NAMESPACE, "/".join((kind, *parts))))
