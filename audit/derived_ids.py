"""Derived ids, reimplemented from the contract's text rather than imported from the code."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from typing import Final
from uuid import NAMESPACE_URL, uuid5

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:customer-interactions")
NIL: Final = "00000000-0000-0000-0000-000000000000"


def derived(kind: str, *parts: str) -> str:
    """UUIDv5 of ``kind/part/…`` in the project's namespace (RFC 9562)."""
    return str(uuid5(_NAMESPACE, "/".join((kind, *parts))))


def undone_command(token: str) -> str | None:
    """Command id inside an undo token (``u.`` + base64url without padding)."""
    if not token.startswith("u."):
        return None
    text = token[2:]
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (NotBase64, ValueError):
        return None


def dead_id(topic: str, partition: int, offset: int) -> str:
    """Synthetic command id under which an undecodable record is logged."""
    return f"dead:{topic}:{partition}:{offset}"


def command_key(tenant: str, organization: str, command: str) -> int:
    """64-bit hash of a command id in its scope (a million ids collide with odds of 3 in 10⁸)."""
    return hash((tenant, organization, command))
