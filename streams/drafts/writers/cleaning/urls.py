"""Find URLs, email addresses and domain names, and remove those that are not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_DOT: Final = r"[.\u3002\uff0e\uff61]"
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
#: Top-level domain of a bare domain name. One capital and then small letters is the start of a sentence
#: after a missing space, or a name ("Dr.Smith"), unless the domain is a common one.
_TOP: Final = (
    r"(?:xn--[a-z0-9-]{2,59}|[^\W\dA-Z_]{2,24}|[A-Z]{2,24}|(?i:com|net|org|info|io|de|eu|uk|app|dev))"
)
_ADDRESS: Final = re.compile(
    r"(?i:\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.|\b(?:mailto|tel|sms|javascript|data):(?=\S))[^\s<>]+"
    rf"|(?<![\w.+-])[\w.+-]+@(?:{_LABEL}{_DOT})+\w{{2,}}"
    rf"|(?<![\w@])(?:{_LABEL}{_DOT}){{1,10}}(?:{_TOP}(?![\w])(?::\d{{1,5}})?(?:[/?\#][^\s<>]*)?|\w{{2,24}}/[^\s<>]*)"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}[:/][^\s<>]*"
)
_TRAILING: Final = ".,;:!?)]}'\"”“’»*_"
_WWW: Final = re.compile(r"^(?:https?://|mailto:)?(?:www\.)?", re.IGNORECASE)
_EMPTY_BRACKETS: Final = re.compile(r"[ ]?(?:\([ ]*\)|\[[ ]*\]|<[ ]*>)")
_SPACES: Final = re.compile(r"(?<=\S)[ ]{2,}")
_BEFORE_STOP: Final = re.compile(r"[ ]+(?=[.,;:!?](?:\s|$))")


def addresses(texts: Iterable[str]) -> frozenset[str]:
    """Addresses in these texts, in the form in which :func:`without_unknown` compares them."""
    return frozenset(_normal(_trimmed(found[0])) for text in texts for found in _ADDRESS.finditer(text))


def without_unknown(text: str, known: frozenset[str]) -> str:
    """Remove every address that is not known, with the brackets and spaces that it leaves behind."""

    def kept(found: re.Match[str]) -> str:
        address = _trimmed(found[0])
        return found[0] if _normal(address) in known else found[0][len(address) :]

    shorter = _ADDRESS.sub(kept, text)
    if shorter == text:
        return text
    return _BEFORE_STOP.sub("", _SPACES.sub(" ", _EMPTY_BRACKETS.sub("", shorter)))


def _trimmed(address: str) -> str:
    """Address without punctuation of the sentence around it; brackets of its own stay."""
    while address and address[-1] in _TRAILING:
        if address[-1] == ")" and address.count("(") >= address.count(")"):
            break
        address = address[:-1]
    return address


def _normal(address: str) -> str:
    """Address without scheme and ``www.``; only its host is put into lower case."""
    bare = _WWW.sub("", address).rstrip("/")
    host, slash, rest = bare.partition("/")
    return host.lower() + slash + rest
