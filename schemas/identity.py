"""Ids derived from other ids, so that a retry produces the same id (RFC 9562, UUID version 5)."""

from __future__ import annotations

from hashlib import sha1
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "urn:customer-interactions")
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_NAMESPACE_BYTES: Final = NAMESPACE.bytes


def derive_id(kind: str, *parts: str) -> str:
    """UUIDv5 of ``kind/part/part…`` in the namespace of this project.

    A publisher that did not set an interaction id can compute it:
    ``derive_id("interaction", tenant_id, organization_id, command_id)``.
    """
    # Hazard: a part that can contain a slash must go through ``escaped``; otherwise two lists of parts can
    # have the same id.
    # Equal to ``str(uuid5(NAMESPACE, name))`` at a third of its cost; each command derives several ids.
    name = "/".join((kind, *parts)).encode()
    text = sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def escaped(part: str) -> str:
    """Escape free text for use as one part of a derived id: the result has no slash."""
    return part.replace("%", "%25").replace("/", "%2F")
