"""Our marker at the end of a text, for providers whose objects have no field of their own for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.sdk.coarse_forms import plain

#: An editor may turn the rule into another one and put an empty line after it.
_FOOTER: Final = re.compile(r"(?:\A|\s*\n)(?:---|\*\*\*|___)\s*\nref:(\S+)( deleted)?[ \t]*(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text, and what its last lines say.

    :param body: the text without them; ``None`` when empty.
    :param marker: ours, when it is there.
    :param deleted: the mark of an interaction that was deleted.
    """

    body: str | None
    marker: str | None = None
    deleted: bool = False

    @classmethod
    def read(cls, text: str) -> MarkedText:
        """Part a text; what people have written below the marker belongs to the body."""
        footers = list(_FOOTER.finditer(text))
        if not footers:
            return cls(plain(text))
        last = footers[-1]
        parts = [plain(text[: last.start()]), plain(text[last.end() :])]
        return cls("\n\n".join(filter(None, parts)) or None, last[1], last[2] is not None)

    def text(self) -> str:
        """The text as it is written to the provider."""
        body = plain(self.body) or ""
        if self.marker is None:
            return body
        return f"{body}\n\n---\nref:{self.marker}{' deleted' if self.deleted else ''}".lstrip()
