"""Cleaning: characters, length, markup and addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.drafts.writers.cleaning.customer_text import is_blank, lines, one_line, shorten, visible
from streams.drafts.writers.cleaning.markup import without_html, without_markup
from streams.drafts.writers.cleaning.urls import addresses, without_unknown
from streams.drafts.writers.hostile_texts import FORBIDDEN, HOSTILE

ANY = st.text(alphabet=st.characters(), max_size=60)  # surrogates included
TAGS = st.text(alphabet="<>/abi! &lt;gt#6012;\u200b*_[]()`\n", max_size=60)


@given(ANY)
def test_visible_text_has_no_forbidden_character_and_is_stable(text: str) -> None:
    clean = visible(text)
    assert not [name for name in FORBIDDEN if "character" in name and re.search(FORBIDDEN[name], clean)]
    assert visible(clean) == clean


@pytest.mark.parametrize(
    "text", ["👩\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "می\u200cخواهم", "naïve", "שלום", "日本"]
)
def test_visible_text_keeps_scripts_and_emojis(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("text", ["", " ", "\u00a0\u2003", "\u200b\u200d\ufe0f", "\u3164\u2800", "\x00\n"])
def test_text_without_a_visible_character_is_blank(text: str) -> None:
    assert is_blank(text)
    assert one_line(text, 10) == lines(text, 10) == ""


@given(ANY, st.integers(min_value=2, max_value=40))
def test_no_text_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit
    assert len(lines(text, limit)) <= limit
    assert "\n" not in one_line(text, limit)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 5, "short"),
        ("one two three", 9, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two, three", 10, "one two…"),
        ("one two - three", 11, "one two…"),
        ("abcdefghij", 5, "abcd…"),
        ("a bcdefghijkl", 8, "a bcdef…"),
        ("你好世界你好", 4, "你好世…"),
        ("👍🏽👍🏽👍🏽", 4, "👍🏽…"),
        ("👩\u200d👩\u200d👧xx", 4, "…"),
        ("e\u0323\u0301e\u0323\u0301", 4, "e\u0323\u0301…"),
    ],
)
def test_a_text_is_shortened_at_a_boundary(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@given(TAGS)
def test_no_tag_survives(text: str) -> None:
    for clean in (without_html(text), without_markup(text)):
        assert not re.search(r"<[a-zA-Z/!?]", clean)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_tag_of_a_hostile_text_survives(text: str) -> None:
    assert not re.search(r"<[a-zA-Z/!?]", without_markup(text))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a <b>c</b>", "a c"),
        ("a < b and c > d, <3", "a < b and c > d, <3"),
        ("&amp;lt;b&amp;gt;x", "x"),
        ("<\u200bb>x", "x"),
        ("<&#8203;b>x", "x"),
        ("a<!-- hidden -->b<style>p{}</style>c", "abc"),
        ("x <img src=a onerror=alert(1)", "x img src=a onerror=alert(1)"),
        ("<https://a.example> <a@b.example>", "https://a.example a@b.example"),
    ],
)
def test_html_is_removed(text: str, plain: str) -> None:
    assert without_html(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("__a__ ~~b~~ ***c***", "a b c"),
        ("![alt](https://x.example/p) [a](https://b.example 'title')", "alt a (https://b.example)"),
        ("[https://b.example](https://b.example)", "https://b.example"),
        ("[a][1]\n\n[1]: https://b.example", "a\n\n"),
        ("> quoted\n>> twice", "quoted\ntwice"),
        ("a\n---\nb\n***\nc", "a\n\nb\n\nc"),
        ("```python\nx\n```", "\nx\n"),
        ("- [ ] one\n- [x] two", "- one\n- two"),
        (r"\*a\* \_b\_", "a b"),
        ("1. one\n- two\n#3", "1. one\n- two\n#3"),
    ],
)
def test_markdown_is_removed(text: str, plain: str) -> None:
    assert without_markup(text) == plain


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/a?b=c#d",
        "HTTP://EVIL.EXAMPLE",
        "ftp://evil.example",
        "www.evil.example",
        "evil.example",
        "evil.com/pay",
        "Evil.Com",
        "EVIL.EXAMPLE",
        "evil.co.uk:8080/x",
        "evil。com",
        "bücher.example",
        "xn--bcher-kva.example",
        "evil.xn--p1ai",
        "a.b@evil.example",
        "mailto:a@evil.example",
        "tel:+4912345",
        "javascript:alert(1)",
        "192.0.2.1/pay",
        "192.0.2.1:8080",
        "https://user:pass@evil.example",
        "tg://resolve?domain=evil",
    ],
)
def test_an_unknown_address_is_removed(address: str) -> None:
    for text in (f"a {address} b", f"a ({address}) b", f"a <{address}> b"):
        assert without_unknown(text, frozenset()) == "a b"
    assert without_unknown(f"See {address}.", frozenset()) == "See."
    assert without_unknown(f"a {address} b", addresses([f"({address})."])) == f"a {address} b"


@pytest.mark.parametrize(
    "text",
    [
        "z. B. d.h. e.g. i.d.R. usw. 3.5 12.30 Uhr, 1.000,50",
        "The end.Next one. Dr.Müller, St.Gallen, z.Hd.",
        "v1.2.3 at 10:30, a/b, 24/7, and/or: yes",
        "Note: call me. C++ & C#",
    ],
)
def test_text_that_is_no_address_stays(text: str) -> None:
    assert without_unknown(text, frozenset()) == text


def test_addresses_are_compared_as_a_whole() -> None:
    known = addresses(["https://Shop.example/Quote/ and shop.example"])
    for same in ("http://shop.example/Quote", "www.shop.example/Quote.", "SHOP.example"):
        assert without_unknown(same, known) == same
    for other in (
        "shop.example/quote",
        "shop.example.evil.example",
        "shop.example/Quote?to=x",
        "x@shop.example",
    ):
        assert without_unknown(f"a {other}", known).strip() == "a"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        *("<" * 8_000, "<script " * 1_000, "[" * 8_000, "**a " * 2_000, "_a " * 2_500, "a." * 4_000),
        *(
            "&amp;" * 1_600,
            "<!--" * 2_000,
            "x" * 8_000,
            "`" * 8_000,
            "a-" * 4_000,
            "](" * 4_000,
            "a@" * 4_000,
        ),
    ],
)
def test_cleaning_takes_a_bounded_time(text: str) -> None:
    for _ in range(3):
        without_unknown(without_markup(text), addresses([text]))
