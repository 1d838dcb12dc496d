"""Input lines: local checks, line counts and line numbers."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from cli.publish import input_lines
from cli.publish.input_lines import InputCommand, LineReader, Unsendable, check_line, count_lines

GOOD = b'{"id":"c-1","entityid":"e-1","data":{}}'


def read_all(stream: object) -> list[tuple[int, bytes]]:
    reader = LineReader(stream)  # type: ignore[arg-type]
    lines: list[tuple[int, bytes]] = []
    while not reader.at_end:
        lines += reader.take(3, 5.0)
    return lines


def test_a_good_line_is_sent_byte_for_byte_under_its_entity_id() -> None:
    item = check_line(4, b"  " + GOOD + b"\r\n")
    assert isinstance(item, InputCommand)
    assert (item.number, item.record.key, item.record.value, item.command_id) == (4, b"e-1", GOOD, "c-1")
    assert item.record.headers == {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{not json", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[1,2]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b'{"id":"c-1"}', "no_entityid"),
        (b'{"id":"c-1","entityid":7}', "no_entityid"),
        (b'{"id":"c-1","entityid":""}', "no_entityid"),
    ],
)
def test_what_cannot_be_sent_is_named_without_its_content(raw: bytes, code: str) -> None:
    fault = check_line(9, raw)
    assert isinstance(fault, Unsendable)
    assert (fault.number, fault.code) == (9, code)
    assert "c-1" not in fault.detail


def test_a_wrong_command_with_a_key_is_for_the_applier_to_refuse() -> None:
    assert isinstance(check_line(1, b'{"entityid":"e-1"}'), InputCommand)


@pytest.mark.parametrize("raw", [b"", b"\n", b"  \r\n"])
def test_an_empty_line_is_nothing(raw: bytes) -> None:
    assert check_line(1, raw) is None


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)])
def test_lines_are_counted_with_or_without_a_last_newline(tmp_path: Path, content: bytes, lines: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    assert count_lines(path) == lines
    assert len(read_all(io.BytesIO(content))) == lines


def test_a_line_without_end_takes_bounded_memory_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = 1 << 20
    monkeypatch.setattr(input_lines, "LONGEST_LINE", longest)
    content = b"1\n" + b"x" * (8 * longest) + b"\n3\n" + b"y" * longest
    lines = read_all(io.BytesIO(content))
    assert [(number, raw[:1]) for number, raw in lines] == [(1, b"1"), (2, b"x"), (3, b"3"), (4, b"y")]
    assert max(len(raw) for _, raw in lines) < 2 * longest
    refused = check_line(*lines[1])
    assert isinstance(refused, Unsendable)
    assert refused.code == "too_large"
    kept = check_line(*lines[3])
    assert isinstance(kept, Unsendable)
    assert kept.code == "not_json", "just as long as allowed"


def test_lines_are_numbered_across_pieces_and_a_byte_order_mark_is_dropped() -> None:
    content = b"\xef\xbb\xbf" + b"\n".join(b"%d" % number for number in range(1, 200_001))
    lines = read_all(io.BytesIO(content))
    assert len(lines) == 200_000
    assert all(raw == b"%d" % number for number, raw in lines)


def test_a_silent_pipe_does_not_block_and_its_lines_come_as_they_arrive() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stream, os.fdopen(write_end, "wb", buffering=0) as writer:
        reader = LineReader(stream)
        assert reader.take(10, 0.0) == []
        writer.write(b"one\ntw")
        assert reader.take(10, 10.0) == [(1, b"one")]
        writer.write(b"o\n")
        assert reader.take(10, 10.0) == [(2, b"two")]
        writer.close()
        assert reader.take(10, 10.0) == []
        assert reader.at_end
        for thread in threading.enumerate():
            if thread.name == "input-lines":
                thread.join(10)


def test_an_input_that_cannot_be_read_is_an_error_not_an_end() -> None:
    class Broken:
        def read1(self, size: int, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        read_all(Broken())
