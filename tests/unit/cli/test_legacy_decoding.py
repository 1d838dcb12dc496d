"""Bytes of any origin become text that Postgres can store, and what was right stays as it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.legacy.decoding import decode, without_nul


@given(st.binary())
def test_any_bytes_become_text(raw: bytes) -> None:
    text, nul = without_nul(decode(raw)[0])
    assert "\x00" not in text
    assert nul == (b"\x00" in raw)
    text.encode()


@given(st.text())
def test_utf_8_stays_as_it_is(text: str) -> None:
    raw = text.encode("utf-8", "ignore")
    assert decode(raw) == (raw.decode(), False)


@given(st.lists(st.sampled_from("äöüßéñ€‚„œŒ™’“”–— ,;"), min_size=1))
def test_windows_1252_is_read_where_it_is_not_also_utf_8(characters: list[str]) -> None:
    # A letter of ASCII after each character: no two bytes together are UTF-8.
    text = "".join(f"{character}x" for character in characters)
    assert decode(text.encode("cp1252")) == (text, not text.isascii())


def test_a_row_with_both_encodings_is_readable() -> None:
    assert decode("Café €, ".encode() + "Müller".encode("cp1252")) == ("Café €, Müller", True)


def test_a_byte_without_a_meaning_is_replaced() -> None:
    assert decode(b"a\x81b") == ("a\ufffdb", True)
