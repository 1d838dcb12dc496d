"""Marker in the footer of a text, for providers whose objects have no custom field for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.sdk.coarse_forms import plain

#: Editors may rewrite the rule and insert an empty line after it.
#: Hazard: it must not begin with a repeated class. A text of blank lines would take quadratic time, and the
#: regular expression engine stops every thread meanwhile.
_FOOTER: Final = re.compile(r"(?m:^)(?:---|\*\*\*|___)\s*\nref:(\S+)( deleted)?[ \t]*(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text and its footer.

    :param body: the text without the footer; ``None`` when empty.
    :param marker: our marker, if present.
    :param deleted: the footer marks the interaction as deleted.
    """

    body: str | None
    marker: str | None = None
    deleted: bool = False

    @classmethod
    def read(cls, text: str) -> MarkedText:
        """Parse a text; lines that people added below the footer belong to the body."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        footers = list(_FOOTER.finditer(text))
        if not footers:
            return cls(plain(text))
        last = footers[-1]
        parts = [plain(text[: last.start()]), plain(text[last.end() :])]
        return cls("\n\n".join(filter(None, parts)) or None, last[1], last[2] is not None)

    def text(self) -> str:
        """The text with its footer, as written to the provider."""
        body = plain(self.body) or ""
        if self.marker is None:
            return body
        return f"{body}\n\n---\nref:{self.marker}{' deleted' if self.deleted else ''}".lstrip()
