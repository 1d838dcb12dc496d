"""Addresses of objects for people: only https, only at the provider's own hosts, encoded."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit


def safe_url(url: str | None, hosts: Sequence[str]) -> str | None:
    """The address as it may stand in a link: https, at one of the hosts or below, encoded; else ``None``."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    fits = any(host == known or host.endswith(f".{known}") for known in hosts)
    if parts.scheme != "https" or not fits or parts.username is not None or port not in (None, 443):
        return None
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return urlunsplit(("https", host, path, query, ""))
