"""Entity tags (RFC 9110 section 8.8.3): tags for conditional writes, and their comparison."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from connectors.sdk.bounded_transport import SENT_ENCODING

#: A server or proxy that compresses marks the tag of the compressed form so (Apache, Jetty).
_CODED: Final = re.compile(r'(?:[-;]|--)(?:gzip|br|deflate|zstd)"\Z')


def strong_tag(answer: httpx2.Response) -> str | None:
    """The tag of an answer if ``If-Match`` may name it: neither weak nor that of a compressed form."""
    tag = answer.headers.get("etag")
    coding = answer.headers.get("content-encoding") or answer.extensions.get(SENT_ENCODING) or "identity"
    return tag if is_strong(tag) and coding == "identity" else None


def is_strong(tag: str | None) -> bool:
    """Return whether a tag is strong; ``If-Match`` never matches a weak one (section 13.1.1)."""
    return tag is not None and not tag.startswith("W/") and _CODED.search(tag) is None


def same_tag(left: str | None, right: str | None) -> bool:
    """Weak comparison, also of the tags of a compressed and a plain form."""
    return left is not None and right is not None and _opaque(left) == _opaque(right)


def _opaque(tag: str) -> str:
    return _CODED.sub('"', tag.removeprefix("W/"))
