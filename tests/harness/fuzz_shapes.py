"""Structural mutations of a record: attributes, JSON text, headers, sizes, reserved ids."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from tests.harness.wire import Raw

Message = dict[str, Any]
Change = Callable[[Message, random.Random], None]
Rewrite = Callable[[Raw, random.Random], Raw]

_TEXTS: Final = ("id", "source", "type", "tenantid", "organizationid", "entityid", "correlationid", "actorid")
_SCOPE: Final = ("tenantid", "organizationid", "entityid")
_SPACES: Final = ("\n", " ", "\t", "\r", "\x00", "\x1f", "\x7f", "\x85", "\u00a0", "\u2028")
_FLAGS: Final[tuple[Any, ...]] = (
    "true",
    "false",
    True,
    False,
    "True",
    "1",
    1,
    0,
    "yes",
    "",
    " true",
    None,
    [],
)
_WHOLE: Final[tuple[Any, ...]] = (
    "0",
    "1",
    1,
    0,
    True,
    "01",
    "-1",
    "1.0",
    1.0,
    "9" * 10,
    "9" * 5_000,
    " 1",
    "1\n",
    None,
)
_INSTANTS: Final = (
    "2026-03-02T09:15:00z",
    "2016-12-31T23:59:60Z",
    "2026-03-02T09:15:60Z",
    "20260302T091500Z",
    "2026-W10-1T09:15:00Z",
    "2026-03-02T24:00:00Z",
    "2026-03-02T09:15:00,5Z",
    "2026-03-02 09:15:00Z",
    "2026-03-02T09:15:00Z\n",
    1_772_442_900,
    None,
)
_TYPES: Final = (
    "हिन्दी",
    "โทรศัพท์",
    "İletişim",
    "e\u2011mail",
    "می\u200cشود",
    "\u202ecall",
    "\ufdfa" * 100,
    "Call / Email",
    "call\n",
    "x" * 100,
    "x" * 101,
)
#: Field or attribute → its limit in characters.
_LIMITS: Final = {"title": 500, "body": 10_000, "interactionType": 100, "source": 100, "label": 100}
#: Record sizes in bytes around the limits of the client, the broker and dead letters.
_SIZES: Final = (59_990, 60_010, 998_000, 999_850)
#: Header names; only the first three are UTF-8.
_NAMES: Final = (
    b"", b"ce_id", b"n" * 30_000, b"\xff\xfe-own-name", b"ce_\xff", b"\xc3\x28\xc3\x28", b"dl_topic\x80",
    b"\xed\xa0\x80\xed\xa0\x80", b"\xff" * 30_000,
)  # fmt: skip
#: Uncompressed value sizes in bytes around the limits of a message, a dead letter and the applier.
_INFLATED: Final = (
    999_850, 1_048_576, 3_000_000, 4 * 1024**2 - 1, 4 * 1024**2 + 1, 5 * 1024**2 + 1, 6_291_456, 30_000_000,
)  # fmt: skip
_PRIORITIES: Final = (True, 1.0, 5.5, "5", 100, 101, -1)


def _space(message: Message, chance: random.Random) -> None:
    # Half of them are a scope id and a line feed: `$` matches before one, and COPY ends a row at it.
    name = chance.choice(_SCOPE if chance.random() < 0.5 else _TEXTS)
    text = str(message.get(name, "x"))
    space = "\n" if chance.random() < 0.5 else chance.choice(_SPACES)
    message[name] = text + space if chance.random() < 0.7 else space + text


def _flag(message: Message, chance: random.Random) -> None:
    place = message["data"] if chance.random() < 0.4 else message
    name = "validateOnly" if place is not message else "validateonly"
    place[name] = chance.choice(_FLAGS)


def _entry(message: Message, chance: random.Random) -> None:
    message["type"] = "customers.interaction_type.upsert"
    message["entityid"] = message["organizationid"]
    message["data"] = {"interactionType": chance.choice(_TYPES)}
    message["data"][chance.choice(("actionable", "strict"))] = chance.choice(_FLAGS)


def _number(message: Message, chance: random.Random) -> None:
    if chance.random() < 0.5:
        message["expectedversion"] = chance.choice(_WHOLE)
    else:
        message["data"]["priority"] = chance.choice(_PRIORITIES)


def _instant(message: Message, chance: random.Random) -> None:
    if chance.random() < 0.4:
        message["sourcetimestamp"] = chance.choice(_INSTANTS)
    else:
        message["data"][chance.choice(("scheduledAt", "occurredAt", "sourceTimestamp"))] = chance.choice(
            _INSTANTS
        )


def _null(message: Message, chance: random.Random) -> None:
    message[chance.choice((*_TEXTS, "subject", "specversion", "time", "data", "data_base64"))] = None


def _version(message: Message, chance: random.Random) -> None:
    message["specversion"] = chance.choice(("1.0", "1.1", "1.x", "1.", "0.3", 1.0, 1, ""))


def _type(message: Message, chance: random.Random) -> None:
    message["data"]["interactionType"] = chance.choice(_TYPES)


def _limit(message: Message, chance: random.Random) -> None:
    name = chance.choice(list(_LIMITS))
    message["data"][name] = chance.choice("xé") * (_LIMITS[name] + chance.randint(-1, 1))


def _long_id(message: Message, chance: random.Random) -> None:
    message["id"] = (message["id"] * 6)[: chance.randint(147, 202)]


def _reserved_id(message: Message, chance: random.Random) -> None:
    place = f"{chance.randrange(3)}:{chance.randrange(50)}"
    form = chance.choice(("dead:{id}", "dead:", " dead:{id}", "dead:customers.interactions.commands:{place}"))
    message["id"] = form.format(id=message["id"], place=place)


def _base64(message: Message, chance: random.Random) -> None:
    data = message.pop("data") if chance.random() < 0.8 else message["data"]
    encoded = b64encode(json.dumps(data).encode()).decode()
    message["data_base64"] = chance.choice(
        (encoded, encoded, encoded, encoded[:-1], 7, "AAAAAAE=", encoded + "\n")
    )


#: Mutations of an event before it is encoded.
CHANGES: Final[tuple[Change, ...]] = (
    _space, _space, _flag, _entry, _number, _instant, _null, _version, _type, _limit, _long_id, _reserved_id,
    _base64,
)  # fmt: skip


def _repeated_name(raw: Raw, chance: random.Random) -> Raw:
    """Insert a duplicate member into the envelope or the data."""
    value = raw.value or b""
    at = chance.choice([place for place, byte in enumerate(value) if byte == ord("{")] or [0])
    name = chance.choice((b'"id"', b'"entityid"', b'"title"', b'"nope"', b'"\\u0069d"'))
    pair = (
        name + chance.choice((b":", b" :", b"\n: ")) + chance.choice((b'"x"', b"null", b"{}", b"1" * 5_000))
    )
    comma = b", " if value[at + 1 : at + 2] != b"}" else b""
    return Raw(raw.key, value[: at + 1] + pair + comma + value[at + 1 :], raw.headers)


def _more_headers(raw: Raw, chance: random.Random) -> Raw:
    """Add replay headers, trace contexts, duplicate attributes, and values that are not UTF-8."""
    more: list[tuple[str, bytes]] = [
        ("dl_replay_count", b"9" * 5_000),
        ("dl_replay_count", "\u00b2".encode()),
        ("dl_topic", b"\xff"),
        ("traceparent", b"00-aa"),
        ("traceparent", b"00-bb"),
        ("ce_id", b"again"),
        ("ce_actorid", b"anna\n"),
        ("ce_nope", b"\xff"),
        ("Content-Type", b"application/cloudevents+json; charset=UTF-8"),
        ("x" * 30_000, b"y" * 30_000),
        ("", b""),
    ]
    return Raw(raw.key, raw.value, (*raw.headers, *chance.sample(more, chance.randint(1, 3))))


def _size(raw: Raw, chance: random.Random) -> Raw:
    """Pad to a size around a limit; half of them with random bytes, neither JSON nor compressible."""
    value = raw.value or b""
    others = sum(len(name) + len(text) for name, text in raw.headers) + len(raw.key or b"")
    missing = chance.choice(_SIZES) - len(value) - others
    if chance.random() < 0.5:
        return Raw(raw.key, value + b" " * missing, raw.headers)
    return Raw(raw.key, chance.randbytes(missing) + value, raw.headers)


def _key(raw: Raw, chance: random.Random) -> Raw:
    return Raw((raw.key or b"") + chance.choice((b"\n", b" ", b"\x00", b"\xff")), raw.value, raw.headers)


#: Mutations of the bytes of a record; the large ones are rare because they are slow.
REWRITES: Final[tuple[Rewrite, ...]] = (
    *((_repeated_name, _more_headers, _more_headers, _key) * 12),
    _size,
)


def header_names(chance: random.Random) -> list[bytes]:
    """One to three header names: empty, very long, repeated, or not UTF-8."""
    return [chance.choice(_NAMES) for _ in range(chance.randint(1, 3))]


def inflated(raw: Raw, chance: random.Random) -> Raw:
    """Pad the value to a size that the broker accepts only compressed; half of them are not JSON."""
    value = raw.value or b""
    missing = chance.choice(_INFLATED) - len(value)
    padded = value + b" " * missing if chance.random() < 0.5 else b"\x01" * missing + value
    return Raw(raw.key, padded, raw.headers)
