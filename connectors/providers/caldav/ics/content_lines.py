"""Content lines of a calendar object (RFC 5545 section 3.1), each with its original octets."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

_PHYSICAL: Final = re.compile(rb"[^\n]*\n|[^\n]+")
#: Some clients write the line end ``\\r\\r\\n``.
_FOLD: Final = re.compile(rb"(?:\r{0,2}\n)+[ \t]")
_BLANK: Final = frozenset({b"\n", b"\r\n", b"\r\r\n"})
#: Begin of the next content line.
_NEXT: Final = re.compile(rb"\n(?![ \t\r\n])")
_PARTS: Final = re.compile(r'([^:;]*)((?:;(?:"[^"]*"|[^":])*)?):(.*)', re.DOTALL)
_PARAMETER: Final = re.compile(r';([^=;:"]+)=((?:"[^"]*"|[^";])*)')
#: Maximum octets of a physical line, without its line end.
_WIDTH: Final = 75


@dataclass(frozen=True)
class ContentLine:
    """One content line.

    :param octets: as stored on the server, with folds and line ends.
    """

    octets: bytes

    @cached_property
    def text(self) -> str:
        """The line without folds and line end.

        Hazard: a fold may split a UTF-8 character, so unfold the octets before decoding them. A line that
        is not UTF-8 even then is in Windows-1252, which clients also mean by ISO 8859-1.
        """
        unfolded = _FOLD.sub(b"", self.octets.rstrip(b"\r\n"))
        for encoding in ("utf-8", "windows-1252"):
            with contextlib.suppress(UnicodeDecodeError):
                return unfolded.decode(encoding)
        return unfolded.decode("iso-8859-1")

    @cached_property
    def _parts(self) -> tuple[str, str, str]:
        found = _PARTS.fullmatch(self.text)
        if found is not None:
            return found[1], found[2], found[3]
        head, _, value = self.text.partition(":")  # an unclosed quote must not hide the value
        name, _, parameters = head.partition(";")
        return name, f";{parameters}" if parameters else "", value

    @cached_property
    def name(self) -> str:
        """The property's name, in upper case."""
        return self._parts[0].strip().removeprefix("\ufeff").upper()

    @property
    def parameters(self) -> str:
        """All parameters as written, each with its leading semicolon."""
        return self._parts[1]

    @property
    def value(self) -> str:
        """The value as written."""
        return self._parts[2]

    @property
    def component(self) -> str:
        """Name of the component in a BEGIN or END line."""
        return self.value.strip().upper()

    def parameter(self, name: str) -> str | None:
        """Value of one parameter, without quotes."""
        for key, value in _PARAMETER.findall(self.parameters):
            if key.strip().upper() == name:
                return str(value).strip().strip('"')
        return None

    @property
    def sendable(self) -> bytes:
        """The octets; if they are not valid UTF-8, the same text refolded."""
        try:
            self.octets.decode()
        except UnicodeDecodeError:
            return folded(self.text)
        return self.octets


def has_more_lines(data: bytes, most: int) -> bool:
    """Return whether a calendar object has more than ``most`` content lines, without parsing them."""
    return next(islice(_NEXT.finditer(data), most, None), None) is not None


def content_lines(data: bytes) -> list[ContentLine]:
    """Split a calendar object into lines; their octets joined equal ``data``."""
    lines: list[list[bytes]] = []
    for physical in _PHYSICAL.findall(data):
        if lines and (physical[:1] in {b" ", b"\t"} or physical in _BLANK):
            lines[-1].append(physical)
        else:
            lines.append([physical])
    return [ContentLine(b"".join(pieces)) for pieces in lines]


def components(lines: Sequence[ContentLine], *names: str) -> Iterator[slice]:
    """Slices between BEGIN and END of each component with one of these names."""
    start, name = 0, ""
    for number, line in enumerate(lines):
        if line.name == "BEGIN" and not name and line.component in names:
            start, name = number + 1, line.component
        elif line.name == "END" and name and line.component == name:
            yield slice(start, number)
            name = ""


def own_lines(lines: Sequence[ContentLine]) -> Iterator[tuple[int, ContentLine]]:
    """Properties of a component itself, without those of nested components (alarms)."""
    inside: list[str] = []
    begun: Counter[str] = Counter()
    for number, line in enumerate(lines):
        if line.name == "BEGIN":
            inside.append(line.component)
            begun[line.component] += 1
        elif line.name == "END":
            wanted = begun[line.component] - 1  # an END without BEGIN closes nothing
            while begun[line.component] > wanted >= 0:
                begun[inside.pop()] -= 1
        elif not inside:
            yield number, line


def folded(line: str, end: str = "\r\n") -> bytes:
    """Fold a content line into pieces of at most 75 octets, cut between characters, with its line end."""
    pieces, room = [""], _WIDTH
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append("")
            room = _WIDTH - 1
        pieces[-1] += character
        room -= size
    return (f"{end} ".join(pieces) + end).encode()
