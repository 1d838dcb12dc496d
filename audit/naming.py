"""Names that follow from other names, derived again from the contract's text, not from its code."""

from __future__ import annotations

import re
import unicodedata
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from typing import Final
from uuid import NAMESPACE_URL, uuid5

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:customer-interactions")
_CODE: Final = re.compile(r"\w[\w.:-]*")
NIL: Final = "00000000-0000-0000-0000-000000000000"


def derived(kind: str, *parts: str) -> str:
    """The UUIDv5 of ``kind/part/…`` in the project's namespace (RFC 9562)."""
    return str(uuid5(_NAMESPACE, "/".join((kind, *parts))))


def type_code(text: str) -> str | None:
    """The dictionary code of an interaction type as written by a person; ``None`` when none is left."""
    code = re.sub(r"[\s\-_]+", "_", unicodedata.normalize("NFKC", text).strip().lower()).strip("_")
    return code if code and _CODE.fullmatch(code) else None


def undone_command(token: str) -> str | None:
    """The command id inside an undo token (``u.`` + base64url without padding)."""
    if not token.startswith("u."):
        return None
    text = token[2:]
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (NotBase64, ValueError):
        return None


def dead_id(topic: str, partition: int, offset: int) -> str:
    """The synthetic command id under which an undecodable record is logged."""
    return f"dead:{topic}:{partition}:{offset}"


def command_key(tenant: str, organization: str, command: str) -> int:
    """64 bits that stand for a command id in its scope (a million ids collide with odds of 3 in 10⁸)."""
    return hash((tenant, organization, command))
