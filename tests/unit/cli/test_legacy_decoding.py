"""Bytes of any origin become text that Postgres can store, and what was right stays as it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.legacy.decoding import decode, without_nul

_WESTERN = st.text(st.sampled_from("äöüßéñ€‚„œŒ™’“”–— abc,;\"'"))


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


@given(_WESTERN)
def test_windows_1252_is_read_unless_it_is_also_utf_8(text: str) -> None:
    raw = text.encode("cp1252")
    decoded, repaired = decode(raw)
    if repaired and not any(raw[at : at + 2].decode("utf-8", "ignore") for at in _high(raw)):
        assert decoded == text


def _high(raw: bytes) -> list[int]:
    return [at for at, byte in enumerate(raw) if byte >= 0x80]


def test_a_row_with_both_encodings_is_readable() -> None:
    assert decode("Café €, ".encode() + "Müller".encode("cp1252")) == ("Café €, Müller", True)


def test_a_byte_without_a_meaning_is_replaced() -> None:
    assert decode(b"a\x81b") == ("a\ufffdb", True)
