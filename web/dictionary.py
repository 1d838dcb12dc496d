"""The types of interactions as the pages show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from api.queries.interaction_types import dictionary
from api.queries.scope import Connection, Row, Scope


@dataclass(frozen=True, slots=True)
class Types:
    """:param rows: the dictionary, by label.
    :param strict: it rejects unknown types.
    """

    rows: tuple[Row, ...]
    strict: bool = False

    @property
    def actionable(self) -> tuple[str, ...]:
        """Codes of the types that count as tasks."""
        return tuple(row["code"] for row in self.rows if row["actionable"])

    def label(self, code: str) -> str:
        """Label of a type, or its code if the dictionary does not have it."""
        return next((row["label"] for row in self.rows if row["code"] == code), code)

    def has(self, code: str) -> bool:
        """Report whether the dictionary has a type."""
        return any(row["code"] == code for row in self.rows)

    def icon(self, code: str) -> str:
        """Symbol of a type in the sprite."""
        return symbol_of(next((row["icon"] for row in self.rows if row["code"] == code), None))


def symbol_of(icon: str | None) -> str:
    """The icon's symbol, or a dot for an icon that the sprite does not have."""
    return icon if icon is not None and icon in symbols() else "dot"


@cache
def symbols() -> frozenset[str]:
    """Names of the sprite's symbols."""
    sprite = (files("web") / "assets" / "icons.svg").read_text()
    return frozenset(re.findall(r'<symbol id="([a-z-]+)"', sprite))


async def types_of(connection: Connection, scope: Scope) -> Types:
    """Read the dictionary."""
    rows, strict = await dictionary(connection, scope)
    return Types(tuple(rows), strict)
