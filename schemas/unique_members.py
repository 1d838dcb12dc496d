"""Detection of repeated member names in JSON objects (RFC 7493 section 2.3).

Parsers differ in which of two members they keep, so an object with a repeated name is ambiguous.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

_MAX_CHARACTERS: Final = 200


class _Members(list[tuple[str, Any]]):
    """Members of one object, including repeated ones."""


def repeated_member(text: bytes, parsed: Any) -> tuple[str, ...] | None:
    """Path of a member whose name occurs twice in its object, or ``None``.

    :param text: valid JSON; ``parsed``: the parsed value.
    """
    # Fast path: names and strings have two quotes each. With no further quotes in the text, not even escaped
    # ones, there are no strings besides those that were parsed.
    if text.count(b'"') == 2 * _strings(parsed):
        return None
    try:
        # Hazard: the standard parser raises on integers of more than 4,300 digits.
        members = json.loads(text, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    except RecursionError:
        return None  # nested too deeply: rejected for that reason later
    return _repeated(members)


def _strings(node: Any) -> int:
    """Number of names and strings in a parsed value."""
    count, nodes = 0, [node]
    while nodes:
        node = nodes.pop()
        if node.__class__ is dict:
            count += len(node)
            node = node.values()
        for part in node:
            kind = part.__class__
            if kind is str:
                count += 1
            elif kind is dict or kind is list:
                nodes.append(part)
    return count


def _repeated(members: Any) -> tuple[str, ...] | None:
    nodes: list[tuple[Any, tuple[str, ...]]] = [(members, ())]
    while nodes:
        node, path = nodes.pop()
        if isinstance(node, _Members):
            known: set[str] = set()
            for name, part in node:
                inner = (*path, name)
                if name in known:
                    return inner
                known.add(name)
                if isinstance(part, list):
                    nodes.append((part, inner))
        else:
            nodes.extend((part, (*path, str(at))) for at, part in enumerate(node) if isinstance(part, list))
    return None


def pointer_of(path: Sequence[str]) -> str:
    """Format a path as a JSON pointer (RFC 6901), truncated to a bounded length."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)[:_MAX_CHARACTERS]
