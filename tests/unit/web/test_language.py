"""Both catalogues are complete and hold nothing that no page uses."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from web.language import LANGUAGES, PREFIX, language_of, preferred

_WEB = Path(__file__).parents[3] / "web"
_CALL = re.compile(r"""(?:\bt|\b(?:words|language)\.text)\(\s*["']([a-zA-Z_.]+)["']\s*(~)?""")
_TEXT = re.compile(r"""has\(\s*["']([a-zA-Z_.]+\.)["']""")


def catalogue(code: str) -> Catalog:
    with (_WEB / "locale" / code / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


def keys(code: str) -> set[str]:
    ids = (it.id if isinstance(it.id, str) else it.id[0] for it in catalogue(code) if it.id)
    return {name.removeprefix(PREFIX) for name in ids}


def used() -> tuple[set[str], set[str]]:
    """Keys in the sources, and the beginnings of those that are put together."""
    whole: set[str] = set()
    begun: set[str] = set()
    for file in [*_WEB.rglob("*.html"), *_WEB.rglob("*.py")]:
        text = file.read_text()
        for name, joined in _CALL.findall(text):
            (begun if joined or name.endswith(".") else whole).add(name)
        begun.update(_TEXT.findall(text))
    return whole, begun


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_is_there(code: str) -> None:
    whole, begun = used()
    there = keys(code)
    assert whole - there == set()
    assert {name for name in begun if not any(key.startswith(name) for key in there)} == set()


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_text_is_unused(code: str) -> None:
    whole, begun = used()
    assert {key for key in keys(code) - whole if not key.startswith(tuple(begun))} == set()


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_key_is_translated(code: str) -> None:
    for message in catalogue(code):
        texts = message.string if isinstance(message.string, tuple | list) else [message.string]
        assert not message.id or all(texts), message.id


def test_the_languages_have_the_same_keys_and_values() -> None:
    def shape(code: str) -> dict[str, list[set[str | None]]]:
        return {
            str(it.id): [
                {name for _, name, _, _ in string.Formatter().parse(text) if name}
                for text in map(str, it.string if isinstance(it.string, tuple | list) else [it.string])
            ]
            for it in catalogue(code)
            if it.id
        }

    first, *others = (shape(code) for code in LANGUAGES)
    for other in others:
        assert other == first


def test_plurals_and_numbers_follow_the_language() -> None:
    assert language_of("en").text("late", n=1) == "1 day late"
    assert language_of("en").text("late", n=2500) == "2,500 days late"
    assert language_of("de").text("late", n=2500) == "2.500 Tage überfällig"
    with pytest.raises(KeyError):
        language_of("en").text("no_such_key")


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "fr, en-GB;q=0.5, de;q=0.7", "de"),
        (None, "fr", "en"),
        (None, "", "en"),
        (None, ";;;q=x,,de;q=1.2.3", "en"),
        ("de", "en", "de"),
        ("../../etc", "en", "en"),
    ],
)
def test_the_viewer_gets_a_language(chosen: str | None, accepted: str, code: str) -> None:
    assert preferred(chosen, accepted).code == code
