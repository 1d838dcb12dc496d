"""Paths of URLs in one form, so that two spellings of one resource compare equal (RFC 3986 section 6.2.2)."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes


def normal_path(path: str) -> str:
    """A path with each octet encoded in one way and without dot segments.

    An encoded slash stays encoded: it is part of a name.
    """
    kept: list[str] = []
    path, mark, query = path.partition("?")
    segments = [quote(unquote_to_bytes(segment), safe="") for segment in path.split("/")]
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept) + mark + query


def parent_path(path: str) -> str:
    """The collection that a resource is in, with a slash at its end."""
    return path.rstrip("/").rpartition("/")[0] + "/"
