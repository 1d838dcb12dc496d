"""Resolve the references of a server's answers, and keep them within the server's origin.

A reference that leads elsewhere is not followed: credentials go to no other origin. Resolving comes first
(RFC 3986 section 5.2): ``0/steal`` behind ``http://host:2825`` must not become ``http://host:28250/steal``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def local_path(base: str, reference: str) -> str | None:
    """Path and query of a reference within the origin of ``base``; ``None`` when it leads elsewhere."""
    try:
        target = urlsplit(urljoin(base, reference.strip()))
        if _origin(target) != _origin(urlsplit(base)):
            return None
    except ValueError:  # no port, or no address in the brackets
        return None
    path = target.path if target.path.startswith("/") else f"/{target.path}"
    return f"{path}?{target.query}" if target.query else path


def origin_text(base: str, reference: str) -> str:
    """The origin of a reference, for a message; its path and query may hold secrets."""
    try:
        scheme, host, port = _origin(urlsplit(urljoin(base, reference.strip())))
    except ValueError:
        return "an address that cannot be read"
    return f"{scheme}://{host}" if _PORTS.get(scheme) == port else f"{scheme}://{host}:{port}"


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """:raises ValueError: the port is no number."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
