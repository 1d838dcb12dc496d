"""Remove HTML and Markdown from a text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import Final

from streams.drafts.writers.cleaning.customer_text import visible

#: Passes after which only a text that was built for it still contains a whole tag.
_PASSES: Final = 8
#: Start of a tag that is never closed, or not yet: the next field of a draft could close it.
_OPEN: Final = re.compile(r"(?<!<)<++(?=[a-zA-Z/!?])")
_Rule = tuple[re.Pattern[str], str]

_HTML: Final[tuple[_Rule, ...]] = (
    (re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@/]+@[^\s<>@]+)>"), r"\1"),
    (re.compile(r"<br\s*/?>|</(?:div|li|tr)\s*>", re.IGNORECASE), "\n"),
    (re.compile(r"</(?:p|h[1-6])\s*>", re.IGNORECASE), "\n\n"),
    (re.compile(r"</?[a-zA-Z!?][^<>]*>"), ""),
)
_MARKDOWN: Final[tuple[_Rule, ...]] = (
    (re.compile(r"\\([\\`*_{}\[\]()#+.!>~-])"), r"\1"),
    (re.compile(r"^[ ]*(?:```|~~~).*", re.MULTILINE), ""),
    (re.compile(r"^[ ]*([-*_=])(?:[ ]*\1){2,}[ ]*(?=\n|\Z)", re.MULTILINE), ""),
    (re.compile(r"^[ ]*\[[^\[\]\n]+\]:[ ]+\S.*", re.MULTILINE), ""),
    (re.compile(r"^[ ]*>+[ ]?", re.MULTILINE), ""),
    (re.compile(r"^[ ]*#{1,6}[ ]+", re.MULTILINE), ""),
    (re.compile(r"^([ ]*)[*+•][ ]+", re.MULTILINE), r"\1- "),
    (re.compile(r"^([ ]*- )\[[ xX]\][ ]+", re.MULTILINE), r"\1"),
    (re.compile(r"!\[([^\[\]\n]*)\]\([^)\n]*\)"), r"\1"),
    (re.compile(r"\[([^\[\]\n]+)\]\([ ]*<?\1>?[^)\n]*\)"), r"\1"),
    (re.compile(r"\[([^\[\]\n]+)\]\([ ]*<?([^)\s>]+)>?[^)\n]*\)"), r"\1 (\2)"),
    (re.compile(r"\[([^\[\]\n]+)\]\[[^\[\]\n]*\]"), r"\1"),
    (re.compile(r"(\*\*|__|~~)(?=\S)([^\n]{1,300}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*_])([*_])(?=\S)([^\n]{1,300}?)(?<=\S)\1(?![\w*_])"), r"\2"),
    (re.compile(r"`+([^`\n]+)`+"), r"\1"),
)


def without_html(text: str) -> str:
    """Decode entities and remove tags until none is left, not even an open one."""
    return _OPEN.sub("", _until_stable(text, _decoded, lambda found: _apply(_HTML, found)))


def without_markup(text: str) -> str:
    """Remove HTML and Markdown until none is left; the addresses of links stay, in brackets."""
    return _until_stable(text, without_html, lambda found: _apply(_MARKDOWN, found))


def _decoded(text: str) -> str:
    # Hazard: an entity can encode an invisible character, and one inside `<` and `b` hides a tag.
    return visible(html.unescape(text))


def _apply(rules: Iterable[_Rule], text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _until_stable(text: str, *steps: Callable[[str], str]) -> str:
    for _ in range(_PASSES):
        before = text
        for step in steps:
            text = step(text)
        if text == before:
            break
    return text
