"""JSON Lines from a file or a pipe, and the checks that need no applier."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EAGAIN
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS

_CHUNK: Final = 1 << 18
_QUEUED_CHUNKS: Final = 8
#: Longest line in bytes, several times the longest command. Of a longer one only the begin is kept.
LONGEST_LINE: Final = 16 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class InputCommand:
    """One command to send.

    :param number: line number in the input, from 1.
    :param command_id: CloudEvents ``id``, if present.
    """

    number: int
    command_id: str | None
    record: OutgoingRecord


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A line that cannot be sent, with the reason and without its content."""

    number: int
    code: str
    detail: str


_HEADERS: Final[dict[str, str | bytes | None]] = {"content-type": "application/cloudevents+json"}


def check_line(number: int, raw: bytes) -> InputCommand | Unsendable | None:
    """Parse a line into the record to send; ``None`` for an empty line.

    Only a line that is not JSON or has no key is refused here. The applier validates everything else, so
    a command gets the same outcome from every publisher.
    """
    if len(raw) > LONGEST_LINE:
        return Unsendable(number, "too_large", f"the line is longer than {LONGEST_LINE} bytes")
    line = raw.strip(b" \t\r\n")
    if not line:
        return None
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Unsendable(number, "not_json", "the line is not one JSON value in UTF-8")
    if not isinstance(event, dict):
        return Unsendable(number, "not_an_object", "the line must be a JSON object: a structured CloudEvent")
    key = event.get("entityid")
    if not isinstance(key, str) or not key:
        return Unsendable(number, "no_entityid", "entityid is missing; it is the record key")
    command_id = event.get("id")
    record = OutgoingRecord(COMMANDS, key.encode(), line, _HEADERS)
    return InputCommand(number, command_id if isinstance(command_id, str) else None, record)


def count_lines(path: Path) -> int:
    """Count the lines of a file, for a progress bar."""
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            lines += piece.count(b"\n")
            last = piece[-1:]
    return lines + (last != b"\n")


class LineReader:
    """Numbered lines of a stream that may be slow. A thread reads ahead into a bounded queue."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pieces: queue.Queue[list[bytes] | Exception | None] = queue.Queue(_QUEUED_CHUNKS)
        self._ready: Iterator[bytes] = iter(())
        self._number = 0
        self.at_end = False
        # A daemon thread: a blocked read of an idle pipe cannot be interrupted.
        threading.Thread(target=self._read_ahead, name="input-lines", daemon=True).start()

    def take(self, maximum: int, timeout: float) -> list[tuple[int, bytes]]:
        """Up to ``maximum`` lines; fewer, or none, if no more arrive within ``timeout`` seconds.

        :raises OSError: reading the input failed.
        """
        lines: list[tuple[int, bytes]] = []
        while len(lines) < maximum and not self.at_end:
            for line in self._ready:
                self._number += 1
                lines.append((self._number, line))
                if len(lines) == maximum:
                    return lines
            try:
                piece = self._pieces.get(timeout=0 if lines else timeout)
            except queue.Empty:
                break
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                self.at_end = True
            else:
                self._ready = iter(piece)
        return lines

    def _read_ahead(self) -> None:
        rest, first = b"", True
        try:
            while piece := _read_some(self._stream):
                if first:
                    piece, first = piece.removeprefix(_BOM), False
                begin, *lines = piece.split(b"\n")
                if len(rest) <= LONGEST_LINE:
                    rest += begin
                if lines:
                    self._pieces.put([rest, *lines[:-1]])
                    rest = lines[-1]
            if rest:
                self._pieces.put([rest])
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self._pieces.put(error)
        self._pieces.put(None)


def _read_some(stream: BinaryIO) -> bytes:
    """Bytes that are available now; empty at the end. A buffered ``read`` would wait for a full chunk."""
    read: Callable[[int], bytes | None] = getattr(stream, "read1", None) or stream.read
    piece = read(_CHUNK)
    if piece is None:
        raise BlockingIOError(EAGAIN, "standard input is a non-blocking pipe; pipe it through cat")
    return piece
