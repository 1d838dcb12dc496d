"""Search terms from a customer's texts, and the search for them in rows, records and log lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

#: Shorter texts are left out: they occur by chance.
SHORTEST: Final = 4
#: Where nothing names a customer, shorter texts are more likely words of somewhere else.
SHORTEST_ALONE: Final = 8
_LONGEST: Final = 120
# What JSON, CSV and Postgres write in other forms.
_PLAIN: Final = re.compile(r"[^\"\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Needles:
    """Search terms: the longest part of each text that every encoding keeps, as bytes.

    :param left_out: number of texts that are too short.
    :param ids: ids of the customer and its rows.
    """

    terms: tuple[bytes, ...]
    left_out: int
    ids: tuple[bytes, ...]

    @property
    def alone(self) -> tuple[bytes, ...]:
        """Terms that are long enough where nothing names a customer."""
        return tuple(term for term in self.terms if len(term) >= SHORTEST_ALONE)

    def name_customer(self, content: bytes) -> bool:
        """Report whether a row or record names the customer, or one of its rows."""
        return any(identity in content for identity in self.ids)


def make_needles(texts: Iterable[str], ids: Iterable[str]) -> Needles:
    """Build the search terms; a term that contains another one is redundant."""
    found: set[bytes] = set()
    left_out = 0
    for text in texts:
        part = max(_PLAIN.findall(text), key=len, default="").strip()[:_LONGEST].strip()
        if len(part) < SHORTEST:
            left_out += 1
            continue
        found.update(_forms(part))
    terms: list[bytes] = []
    for term in sorted(found, key=len):
        if not any(known in term for known in terms):
            terms.append(term)
    return Needles(tuple(terms), left_out, tuple(identity.encode() for identity in ids))


def matching(contents: Sequence[bytes], terms: Iterable[bytes]) -> Iterator[int]:
    """Yield the indexes of the contents that have one of the terms.

    One search in all of them together is much faster than one in each.
    """
    together = b"\x00".join(contents)
    present = [term for term in terms if term in together]
    if present:
        for number, content in enumerate(contents):
            if any(term in content for term in present):
                yield number


def _forms(part: str) -> Iterator[bytes]:
    """UTF-8, and JSON with escaped characters."""
    yield part.encode()
    if not part.isascii():
        yield json.dumps(part)[1:-1].encode()
