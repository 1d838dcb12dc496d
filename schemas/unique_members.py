"""JSON objects whose members have unique names (RFC 7493 section 2.3).

Parsers differ on which of two members they keep, so a repeated name has no meaning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

_MOST_CHARACTERS: Final = 200


class _Members(list[tuple[str, Any]]):
    """The members of one object, repeated ones too."""


def repeated_member(text: bytes, parsed: Any) -> tuple[str, ...] | None:
    """The path of a member whose name is given twice in its object, or ``None``.

    :param text: JSON that was parsed without error; ``parsed``: what became of it.
    """
    # Each name of an object ends in `":`, and some texts hold one too: as many as there are members
    # means that nothing is repeated. White space before a colon would hide one.
    if text.count(b'":') == _count(parsed) and not any(
        gap in text for gap in (b" :", b"\t:", b"\n:", b"\r:")
    ):
        return None
    try:
        # Hazard: the standard parser refuses whole numbers of more than 4,300 digits.
        members = json.loads(text, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    except RecursionError:
        return None  # nested deeper than any command: refused for that
    return _repeated(members)


def _count(node: Any) -> int:
    count, nodes = 0, [node]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            count += len(node)
            node = node.values()
        nodes.extend(part for part in node if isinstance(part, dict | list))
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
    """The path as a JSON pointer (RFC 6901) of bounded length."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)[:_MOST_CHARACTERS]
