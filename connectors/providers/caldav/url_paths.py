"""Normalize URL paths, so that two spellings of one resource compare equal (RFC 3986 section 6.2.2)."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes


def normal_path(path: str) -> str:
    """Normalize percent-encoding and remove dot segments.

    An encoded slash stays encoded, because it is part of a name. Repeated slashes count as one: servers and
    proxies spell one path both ways.
    """
    kept: list[str] = []
    path, mark, query = path.partition("?")
    segments = [quote(unquote_to_bytes(segment), safe="") for segment in path.split("/")]
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != "." and (segment or not kept):
            kept.append(segment)
    if len(segments) > 1 and segments[-1] in {"", ".", ".."}:
        kept.append("")
    return "/".join(kept) + mark + query


def parent_path(path: str) -> str:
    """The collection of a resource, with a trailing slash."""
    return path.rstrip("/").rpartition("/")[0] + "/"
