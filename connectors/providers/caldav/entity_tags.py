"""Entity tags (RFC 9110 section 8.8.3): selection for conditional writes, and comparison."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from connectors.sdk.bounded_transport import SENT_ENCODING

#: Suffixes that servers and proxies add to the tag of a compressed representation (Apache, Jetty).
_CODED: Final = re.compile(r'(?:[-;]|--)(?:gzip|br|deflate|zstd)"\Z')


def strong_tag(answer: httpx2.Response) -> str | None:
    """The tag of a response if ``If-Match`` can use it: neither weak nor of a compressed representation."""
    tag = answer.headers.get("etag")
    coding = answer.headers.get("content-encoding") or answer.extensions.get(SENT_ENCODING) or "identity"
    return tag if is_strong(tag) and coding == "identity" else None


def is_strong(tag: str | None) -> bool:
    """Return whether a tag is strong; ``If-Match`` never matches a weak one (section 13.1.1)."""
    return tag is not None and not tag.startswith("W/") and _CODED.search(tag) is None


def same_tag(left: str | None, right: str | None) -> bool:
    """Compare weakly, and treat compressed and plain representations as equal."""
    return left is not None and right is not None and _opaque(left) == _opaque(right)


def _opaque(tag: str) -> str:
    return _CODED.sub('"', tag.removeprefix("W/"))
