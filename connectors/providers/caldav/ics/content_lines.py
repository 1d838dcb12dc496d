"""Content lines of a calendar object (RFC 5545 section 3.1), each with the octets it came in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_PHYSICAL: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_FOLD: Final = re.compile(rb"(?:\r?\n)+[ \t]")
_PARTS: Final = re.compile(r'([^:;]*)((?:;(?:"[^"]*"|[^":])*)?):(.*)', re.DOTALL)
_PARAMETER: Final = re.compile(r';([^=;:"]+)=((?:"[^"]*"|[^";])*)')
#: Octets of a physical line, without its end.
_WIDTH: Final = 75


@dataclass(frozen=True)
class ContentLine:
    """One content line.

    :param octets: as the server holds it, with its folds and line ends.
    """

    octets: bytes

    @cached_property
    def text(self) -> str:
        """The line without folds and line end.

        Hazard: a fold may be inside a UTF-8 character, so octets are unfolded before they are decoded.
        What is not UTF-8 even then is taken for ISO 8859-1, as CalDAV servers do.
        """
        unfolded = _FOLD.sub(b"", self.octets.rstrip(b"\r\n"))
        try:
            return unfolded.decode()
        except UnicodeDecodeError:
            return unfolded.decode("iso-8859-1")

    @cached_property
    def _parts(self) -> tuple[str, str, str]:
        found = _PARTS.fullmatch(self.text)
        if found is not None:
            return found[1], found[2], found[3]
        head, _, value = self.text.partition(":")  # a quote that is never closed hides no value
        name, _, parameters = head.partition(";")
        return name, f";{parameters}" if parameters else "", value

    @cached_property
    def name(self) -> str:
        """The property's name, in upper case."""
        return self._parts[0].strip().removeprefix("\ufeff").upper()

    @property
    def parameters(self) -> str:
        """All parameters as they are written, with the semicolon before each."""
        return self._parts[1]

    @property
    def value(self) -> str:
        """The value as it is written."""
        return self._parts[2]

    @property
    def component(self) -> str:
        """The component that a BEGIN or END line names."""
        return self.value.strip().upper()

    def parameter(self, name: str) -> str | None:
        """One parameter's value without quotes."""
        for key, value in _PARAMETER.findall(self.parameters):
            if key.strip().upper() == name:
                return str(value).strip().strip('"')
        return None

    @property
    def sendable(self) -> bytes:
        """The octets, or, if a server could not read them as UTF-8, the same text folded anew."""
        try:
            self.octets.decode()
        except UnicodeDecodeError:
            return folded(self.text)
        return self.octets


def content_lines(data: bytes) -> list[ContentLine]:
    """Split a calendar object; joined again, the octets are ``data``."""
    lines: list[list[bytes]] = []
    for physical in _PHYSICAL.findall(data):
        if lines and (physical[:1] in {b" ", b"\t"} or physical in {b"\n", b"\r\n"}):
            lines[-1].append(physical)
        else:
            lines.append([physical])
    return [ContentLine(b"".join(pieces)) for pieces in lines]


def components(lines: Sequence[ContentLine], *names: str) -> Iterator[slice]:
    """The places between BEGIN and END of each component with one of these names."""
    start, name = 0, ""
    for number, line in enumerate(lines):
        if line.name == "BEGIN" and not name and line.component in names:
            start, name = number + 1, line.component
        elif line.name == "END" and name and line.component == name:
            yield slice(start, number)
            name = ""


def own_lines(lines: Sequence[ContentLine]) -> Iterator[tuple[int, ContentLine]]:
    """The properties of a component itself, without those of the components inside it (alarms)."""
    inside: list[str] = []
    begun: Counter[str] = Counter()
    for number, line in enumerate(lines):
        if line.name == "BEGIN":
            inside.append(line.component)
            begun[line.component] += 1
        elif line.name == "END":
            wanted = begun[line.component] - 1  # one that was never begun ends nothing
            while begun[line.component] > wanted >= 0:
                begun[inside.pop()] -= 1
        elif not inside:
            yield number, line


def folded(line: str, end: str = "\r\n") -> bytes:
    """A content line in pieces of at most 75 octets, cut between characters, with its line end."""
    pieces, room = [""], _WIDTH
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append("")
            room = _WIDTH - 1
        pieces[-1] += character
        room -= size
    return (f"{end} ".join(pieces) + end).encode()
