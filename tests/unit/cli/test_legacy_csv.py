"""Rows of CSV files: every row is read or listed with its line, whatever its bytes are."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.legacy import text_lines
from cli.legacy.csv_source import CsvSource
from cli.legacy.source import BrokenRow, SourceRow, check_columns, ignored_columns
from schemas.errors import Stop

_HEADER = "id,title"
_CIPHERTEXT = "A" * 16 + ":c2VjcmV0:" + "B" * 22 + "==:v1"
_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def rows(content: bytes, name: str = "todos.csv") -> list[SourceRow | BrokenRow]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        return list(CsvSource(Path(folder)).rows("todos"))


def titles(found: list[SourceRow | BrokenRow]) -> list[str | None]:
    return [row.values["title"] if isinstance(row, SourceRow) else None for row in found]


@given(st.lists(st.tuples(_CELL, _CELL)))
def test_what_was_written_is_read(cells: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([_HEADER.split(","), *cells])
    found = rows(text.getvalue().encode())
    assert [row.values for row in found if isinstance(row, SourceRow)] == [
        {
            name: None if cell in ("", "\\N") else cell
            for name, cell in zip(("id", "title"), pair, strict=True)
        }
        for pair in cells
    ]
    assert not any(row.repaired or row.nul for row in found if isinstance(row, SourceRow))


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for row in rows(f"{_HEADER}\n".encode() + content):
        if isinstance(row, SourceRow):
            assert set(row.values) == {"id", "title"}
            assert not any("\x00" in value for value in row.values.values() if value)
        assert row.place.startswith("todos.csv:")


def test_places_are_the_first_lines_of_the_records() -> None:
    found = rows(b'id,title\n1,"two\nlines"\n2,b\n3\n4,"x"y"\n5,c\n')
    assert [row.place for row in found] == [f"todos.csv:{line}" for line in (2, 4, 5, 6, 7)]
    assert titles(found)[:2] == ["two\nlines", "b"]
    assert isinstance(found[2], BrokenRow)
    assert titles(found)[4] == "c"


@pytest.mark.parametrize(
    ("content", "read", "broken"),
    [
        (b'1,"open\n2,b\n3,c\n', ["b", "c"], [2]),
        (b'1,"open\n2,b\n3,"quoted"\n4,d\n', ["b", "quoted", "d"], [2]),
        (b'1,a\n2,"open\n3,"two\nlines"\n4,d\n', ["a", "two\nlines", "d"], [3]),
        (b'1,"open\n2,b","c"\n3,c\n', ["c"], [2, 3]),
        (b'1,a\n2,"open at the end', ["a"], [3]),
    ],
)
def test_a_quote_that_is_not_closed_costs_its_own_line_alone(
    content: bytes, read: list[str], broken: list[int]
) -> None:
    found = rows(b"id,title\n" + content)
    assert [row.values["title"] for row in found if isinstance(row, SourceRow)] == read
    places = [row.place for row in found if isinstance(row, BrokenRow)]
    assert places == [f"todos.csv:{line}" for line in broken]


def test_repairs_belong_to_their_row() -> None:
    found = rows(b"id,title\n1,plain\n2,caf\xe9\n3,a\x00b\n4,plain\n")
    assert [(row.repaired, row.nul) for row in found if isinstance(row, SourceRow)] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
    ]
    assert titles(found) == ["plain", "café", "ab", "plain"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    assert titles(rows(mark + "id,title\n1,ü\n".encode(encoding))) == ["ü"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_without_end_is_read_in_pieces(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_lines, "LONGEST", 1000)
    file = tmp_path / "todos.csv"
    file.write_text("id,title\n1," + "x" * 5000 + "\n2,y\n", encoding)
    lines = list(text_lines.TextLines(file))
    assert max(map(len, lines)) <= 1000
    assert lines[-1] == "2,y\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(delimiter: str) -> None:
    assert titles(rows("id,title\r\n1,b\r\n".replace(",", delimiter).encode())) == ["b"]


def test_a_compressed_file_that_is_cut_off_ends_with_a_broken_row() -> None:
    whole = gzip.compress(
        f"{_HEADER}\n".encode() + b"".join(b"%d,t%d\n" % (n, n * 7919) for n in range(5_000))
    )
    assert len(rows(whole, "todos.csv.gz")) == 5_000
    *read, last = rows(whole[: len(whole) // 2], "todos.csv.gz")
    assert all(isinstance(row, SourceRow) for row in read)
    assert isinstance(last, BrokenRow)
    assert "damaged" in last.reason


def test_ciphertext_is_found_where_it_is_a_whole_value(tmp_path: Path) -> None:
    file = tmp_path / "todos.csv"
    file.write_text(f"id,title\n1,see {_CIPHERTEXT}\n")
    assert CsvSource(tmp_path).find_ciphertext() is None
    # Its end is on both sides of the border of two blocks.
    file.write_text("id,title\n" + "1,x\n" * 262_131 + f"2,{_CIPHERTEXT}\n" + "1,x\n" * 9)
    assert CsvSource(tmp_path).find_ciphertext() == "todos.title (todos.csv:262133)"
    file.write_text("id,title\n" + "1,x\n" * 99 + f"2,{_CIPHERTEXT}\n" + "1,x\n" * 99, "utf-16")
    assert CsvSource(tmp_path).find_ciphertext() == "todos.title (todos.csv:101)"


def test_a_directory_is_described(tmp_path: Path) -> None:
    (tmp_path / "todos.csv").write_text("ID, Tenant_id ,organization_id,colour\n")
    (tmp_path / "readme.txt").write_text("x")
    source = CsvSource(tmp_path)
    assert source.tables == {"todos": ("id", "tenant_id", "organization_id", "colour")}
    assert ignored_columns(source, "todos") == ("colour",)
    assert source.ignored == ("readme.txt",)
    check_columns(source)
    (tmp_path / "todos.csv").write_text("id,title\n")
    with pytest.raises(Stop, match="todos has no column tenant_id and no column organization_id"):
        check_columns(CsvSource(tmp_path))


def test_directories_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="none of the tables"):
        check_columns(CsvSource(tmp_path))
    with pytest.raises(Stop, match="Cannot read the directory"):
        CsvSource(tmp_path / "absent")
    (tmp_path / "todos.csv").write_text("id\n")
    (tmp_path / "todos.csv.gz").write_bytes(gzip.compress(b"id\n"))
    with pytest.raises(Stop, match="two files"):
        CsvSource(tmp_path)
