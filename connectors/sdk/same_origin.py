"""Resolve references in a server's responses, within the server's origin only.

Hazard: a reference to another origin must not be followed, or the credentials go there. Resolve before
comparing (RFC 3986 section 5.2): ``0/steal`` against ``http://host:2825`` must not become
``http://host:28250/steal``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def local_path(base: str, reference: str) -> str | None:
    """Path and query of a reference within the origin of ``base``; ``None`` for another origin."""
    try:
        target = urlsplit(urljoin(base, reference.strip()))
        if _origin(target) != _origin(urlsplit(base)):
            return None
    except ValueError:  # invalid port, or invalid address in brackets
        return None
    path = target.path if target.path.startswith("/") else f"/{target.path}"
    return f"{path}?{target.query}" if target.query else path


def origin_text(base: str, reference: str) -> str:
    """The origin of a reference, for messages; the path and query may contain secrets."""
    try:
        scheme, host, port = _origin(urlsplit(urljoin(base, reference.strip())))
    except ValueError:
        return "an invalid URL"
    return f"{scheme}://{host}" if _PORTS.get(scheme) == port else f"{scheme}://{host}:{port}"


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """:raises ValueError: the port is not a number."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
